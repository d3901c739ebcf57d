// Package session holds what one process of the suite knows about its run.
package session

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"mesh-conformance/kindconfig"
)

var current *kindconfig.Job

// Begin makes job this process's run.
func Begin(job *kindconfig.Job) { current = job }

// Job is this process's run; nil where the suite was not started by the driver, for a dry run.
func Job() *kindconfig.Job { return current }

// Lock is a lock that all processes of the run share, by name. exclusive waits until nobody else holds
// it, shared until nobody holds it or waits for it exclusively. It serves specs that may not overlap
// with some others.
func Lock(name string, exclusive bool) (unlock func() error, err error) {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	// Everybody passes the gate; who waits for the lock waits in it. Shared holders that follow one
	// another would keep an exclusive one out for ever otherwise.
	leaveGate, err := flock(filepath.Join(current.Directory, name+".gate"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	unlock, err = flock(filepath.Join(current.Directory, name+".lock"), how)
	return unlock, errors.Join(err, leaveGate())
}

// flock takes a file lock; the kernel frees it when the process ends.
func flock(path string, how int) (unlock func() error, err error) {
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("take the lock %s: %w", path, err)
	}
	return file.Close, nil
}

// WatchDriver calls gone when the driver no longer holds its lock: it was killed, and nobody else will
// remove what the suite made. It returns at once.
func WatchDriver(path string, gone func()) error {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("watch the driver: %w", err)
	}
	go func() {
		for {
			err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH)
			if err == syscall.EINTR {
				continue
			}
			if err == nil {
				gone()
			}
			_ = file.Close()
			return
		}
	}()
	return nil
}

// Facts are what provisioning found out and every process needs.
type Facts struct {
	// GatewayController is the controller name of the subject's GatewayClass, from its status.
	GatewayController string `json:"gatewayController"`
	// Proxies are what the Envoys of the subject and of the releases around it said of themselves.
	Proxies kindconfig.Proxies `json:"proxies"`
	// GatewayNameLabel is the label by which a managed gateway's Service selects its pods, from such a Service; empty where
	// istiod made none.
	GatewayNameLabel string `json:"gatewayNameLabel,omitempty"`
}

// GatewayNameLabel is how Istio names that label up to 1.21, and how fixtures do.
const GatewayNameLabel = "istio.io/gateway-name"

// NameLabel is the label of managed gateways in the cluster of these facts.
func (f Facts) NameLabel() string { return cmp.Or(f.GatewayNameLabel, GatewayNameLabel) }

var facts Facts

// Learn keeps the facts of the shared cluster for this process, and has its job's cell say what was read from the proxies.
func Learn(f Facts) {
	facts = f
	if current != nil {
		current.Cell.LearnProxies(f.Proxies)
	}
}

// Known gives the facts of the shared cluster.
func Known() Facts { return facts }

package images

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"mesh-conformance/hack/cgroup"
)

// pace decides how builds go on beside running specs: in a control group that gives way to everything else or, on a
// machine without one, not at all. The zero value has no group.
type pace struct {
	group *cgroup.Builds

	mu sync.Mutex
	// specs is how many callers of Beside have not released it; stretches is how often there was a first one.
	specs, stretches int
	// holding means that no build may begin.
	holding  bool
	underWay int
	// cause, if set, is why no build begins any more.
	cause error
	// changed, if set, is closed at the next change of the above.
	changed chan struct{}
}

// changes returns a channel that is closed at the next change.
func (p *pace) changes() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// announce tells who waits that something has changed. The caller holds the lock.
func (p *pace) announce() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// enter reports whether a build may begin now. If so, the caller calls leave when it has ended.
func (p *pace) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holding {
		return false
	}
	p.underWay++
	return true
}

func (p *pace) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay--
	p.announce()
}

// ended returns the cause that endInOrder was given, or nil.
func (p *pace) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// endInOrder keeps builds from beginning; the first cause counts.
func (p *pace) endInOrder(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause = cause
		p.announce()
	}
}

// besideSpecs reports whether specs run, and how many stretches of specs there have been.
func (p *pace) besideSpecs() (specs bool, stretches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.specs > 0, p.stretches
}

// beside makes builds give way until release is called. Without a group it returns when no build is under way any
// more.
func (p *pace) beside(ctx context.Context, note func(string)) (release func(), err error) {
	p.mu.Lock()
	p.specs++
	if p.specs == 1 {
		p.stretches++
		p.holding = p.group == nil
		if p.group != nil {
			if err := p.group.Yield(); err != nil {
				note(fmt.Sprintf("builds wait while specs run, because their control group does not give way: %v", err))
				p.holding = true
			}
		}
		p.announce()
	}
	if p.holding && p.underWay > 0 {
		note(fmt.Sprintf("specs wait until %d running builds have ended", p.underWay))
	}
	p.mu.Unlock()

	release = sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.specs--; p.specs > 0 {
			return
		}
		p.holding = false
		if p.group != nil {
			// At the lowest weight builds go on as well, only slower beside other work.
			_ = p.group.Resume()
		}
		p.announce()
	})
	for {
		changed := p.changes()
		p.mu.Lock()
		free := !p.holding || p.underWay == 0
		p.mu.Unlock()
		if free {
			return release, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			release()
			return func() {}, ctx.Err()
		}
	}
}

// lowestNiceness is the niceness with the smallest weight.
const lowestNiceness = 19

// begin prepares the goroutine of a build that begins beside specs. What the driver does itself, such as writing
// layers, is outside the group, because version 2 of control groups takes whole processes only. The goroutine must
// end without being reused: its thread ends with it.
func (p *pace) begin() {
	if specs, _ := p.besideSpecs(); specs {
		runtime.LockOSThread()
		// 0 is the calling thread. Without the permission the build is merely not as polite.
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, lowestNiceness)
	}
}

// command returns the command that starts a build's process at its place.
func (p *pace) command(name string, args []string) (string, []string) {
	if p.group == nil {
		return name, args
	}
	if specs, _ := p.besideSpecs(); specs {
		return p.group.CommandAtIdleDisk(name, args)
	}
	return p.group.Command(name, args)
}

// paceKey is the key of a build's pace in its context.
type paceKey struct{}

func withPace(ctx context.Context, p *pace) context.Context {
	return context.WithValue(ctx, paceKey{}, p)
}

// placed is pace.command with the pace of a context, if it has one.
func placed(ctx context.Context, name string, args []string) (string, []string) {
	if p, ok := ctx.Value(paceKey{}).(*pace); ok {
		return p.command(name, args)
	}
	return name, args
}

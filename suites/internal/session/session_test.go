package session

import (
	"syscall"
	"testing"
	"time"

	"mesh-conformance/kindconfig"
)

func TestSharedHoldersDoNotStarveAnExclusiveOne(t *testing.T) {
	Begin(&kindconfig.Job{Directory: t.TempDir()})
	first, err := Lock("infra", false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Lock("infra", false)
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	take := func(name string, exclusive bool) {
		unlock, err := Lock("infra", exclusive)
		if err != nil {
			t.Error(err)
			return
		}
		order <- name
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
	go take("exclusive", true)
	// The exclusive one is in the gate as soon as the gate cannot be passed.
	for {
		leave, err := flockNow(t, "infra.gate")
		if err != nil {
			break
		}
		_ = leave()
		time.Sleep(time.Millisecond)
	}
	go take("shared", false)
	if err := first(); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-order:
		t.Fatalf("%s got the lock while a shared holder was left", name)
	case <-time.After(50 * time.Millisecond):
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
	if name := <-order; name != "exclusive" {
		t.Errorf("%s overtook the exclusive one", name)
	}
	<-order
}

func TestWatchDriverSeesTheLockComeFree(t *testing.T) {
	path := t.TempDir() + "/run.lock"
	held, err := flock(path, syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	if err := WatchDriver(path, func() { close(gone) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
		t.Fatal("called while the driver holds its lock")
	case <-time.After(50 * time.Millisecond):
	}
	if err := held(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("not called after the driver let go")
	}
}

// flockNow tries a lock without waiting.
func flockNow(t *testing.T, name string) (func() error, error) {
	t.Helper()
	return flock(current.Directory+"/"+name, syscall.LOCK_EX|syscall.LOCK_NB)
}

func TestFactsOfProxiesReachTheCell(t *testing.T) {
	before := current
	defer func() { current, facts = before, Facts{} }()
	Begin(&kindconfig.Job{Cell: kindconfig.Cell{ProxyFlavour: kindconfig.FlavourUpstream, ProxyVersion: "1.40.0"}})
	read := kindconfig.ProxyFacts{Version: "1.28.0", Extensions: []string{kindconfig.ExtensionALPN}}
	Learn(Facts{Proxies: kindconfig.Proxies{Subject: read}, GatewayNameLabel: "gateway.networking.k8s.io/gateway-name"})
	if cell := Job().Cell; cell.ProxyFlavour != kindconfig.FlavourIstio || cell.ProxyVersion != "1.28.0" || len(cell.ProxyExtensions) != 1 {
		t.Errorf("the cell is %+v", cell)
	}
	if got := Known().NameLabel(); got != "gateway.networking.k8s.io/gateway-name" {
		t.Errorf("the label is %q", got)
	}
	if got := (Facts{}).NameLabel(); got != GatewayNameLabel {
		t.Errorf("without a Service the label is %q", got)
	}
}

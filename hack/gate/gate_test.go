package gate

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func open(t *testing.T, width int) *Gate {
	t.Helper()
	g, err := Listen(State{Width: width, Factor: 1}, func(float64) State { return State{Width: 1, Factor: 3} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// enter passes the gate in the background; the channel gives the function that leaves it.
func enter(t *testing.T, g *Gate, follow func(State)) <-chan func() {
	t.Helper()
	passed := make(chan func(), 1)
	go func() {
		leave, _, err := Enter(t.Context(), g.Address(), "a spec", follow)
		if err == nil {
			passed <- leave
		}
	}()
	return passed
}

func ignore(State) {}

// await waits until the gate has so many holders and waiters.
func await(t *testing.T, g *Gate, holding, waiting int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, h, w := g.Counts(); h == holding && w == waiting {
			return
		}
	}
	_, h, w := g.Counts()
	t.Fatalf("%d hold a place and %d wait, want %d and %d", h, w, holding, waiting)
}

func TestTheWidthBoundsHowManyPass(t *testing.T) {
	g := open(t, 2)
	first := enter(t, g, ignore)
	leaveFirst := <-first
	second := enter(t, g, ignore)
	leaveSecond := <-second
	third := enter(t, g, ignore)
	await(t, g, 2, 1)
	leaveFirst()
	leaveThird := <-third
	await(t, g, 2, 0)

	g.Set(State{Width: 1, Factor: 1})
	fourth := enter(t, g, ignore)
	await(t, g, 2, 1)
	leaveSecond()
	await(t, g, 1, 1)
	g.Set(State{Width: 2, Factor: 1})
	leaveFourth := <-fourth
	await(t, g, 2, 0)
	leaveThird()
	leaveFourth()
	await(t, g, 0, 0)
}

func TestThoseThatWaitPassInTheirOrder(t *testing.T) {
	g := open(t, 1)
	leave := <-enter(t, g, ignore)
	second := enter(t, g, ignore)
	await(t, g, 1, 1)
	third := enter(t, g, ignore)
	await(t, g, 1, 2)
	leave()
	leave = <-second
	select {
	case <-third:
		t.Fatal("the third passed beside the second")
	case <-time.After(20 * time.Millisecond):
	}
	leave()
	(<-third)()
}

func TestAWaitThatIsCancelledGivesNoPlace(t *testing.T) {
	g := open(t, 1)
	leave := <-enter(t, g, ignore)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	failed := make(chan error, 1)
	go func() {
		_, _, err := Enter(ctx, g.Address(), "a spec", ignore)
		failed <- err
	}()
	await(t, g, 1, 1)
	cancel(why)
	if err := <-failed; !errors.Is(err, why) {
		t.Errorf("the error is %v, want %v", err, why)
	}
	await(t, g, 1, 0)
	leave()
	await(t, g, 0, 0)
}

func TestAPlaceOutlivesTheContextOfItsWait(t *testing.T) {
	g := open(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	leave, _, err := Enter(ctx, g.Address(), "a spec", ignore)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	waiting := enter(t, g, ignore)
	await(t, g, 1, 1)
	select {
	case <-waiting:
		t.Fatal("the place was given back with its context")
	case <-time.After(20 * time.Millisecond):
	}
	leave()
	(<-waiting)()
}

func TestHoldersFollowTheFactor(t *testing.T) {
	g := open(t, 1)
	var factor atomic.Int64
	leave := <-enter(t, g, func(s State) { factor.Store(int64(s.Factor)) })
	if got := factor.Load(); got != 1 {
		t.Fatalf("the factor is %d on entry, want 1", got)
	}
	g.Set(State{Width: 1, Factor: 4})
	for deadline := time.Now().Add(10 * time.Second); factor.Load() != 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the factor stays %d", factor.Load())
		}
	}
	leave()
}

func TestFollowersTakeNoPlace(t *testing.T) {
	g := open(t, 1)
	seen := make(chan State, 2)
	stop, err := Follow(t.Context(), g.Address(), func(s State) { seen <- s })
	if err != nil || (<-seen).Factor != 1 {
		t.Fatal(err)
	}
	await(t, g, 0, 0)
	leave := <-enter(t, g, ignore)
	g.Set(State{Width: 1, Factor: 2})
	if got := <-seen; got.Factor != 2 {
		t.Errorf("the follower saw the factor %g", got.Factor)
	}
	stop()
	leave()
}

func TestProvisionedSetsTheState(t *testing.T) {
	g := open(t, 5)
	state, err := Provisioned(t.Context(), g.Address(), 60)
	if err != nil || state != (State{Width: 1, Factor: 3}) {
		t.Errorf("the state is %+v, error %v", state, err)
	}
	if got, _, _ := g.Counts(); got != state {
		t.Errorf("the gate has %+v", got)
	}
}

func TestAClosedGateEndsTheWait(t *testing.T) {
	g := open(t, 1)
	leave := <-enter(t, g, ignore)
	failed := make(chan error, 1)
	go func() {
		_, _, err := Enter(t.Context(), g.Address(), "a spec", ignore)
		failed <- err
	}()
	await(t, g, 1, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("the wait ended without an error")
	}
	leave()
}

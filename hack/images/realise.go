package images

import (
	"context"
	"time"
)

// concurrency of builds: most are parallel in themselves, the rest wait for the network.
const concurrency = 3

// Progress is told what is being built.
type Progress interface {
	// Plan says how many artifacts are to come.
	Plan(artifacts int)
	// Start begins one; expect is its usual time. The returned function ends it.
	Start(name string, expect time.Duration) func(error)
}

// realise makes every artifact that the store lacks, needs first, in the order given where there is a
// choice. It begins nothing after the first error and returns when nothing is under way any more.
func (s store) realise(ctx context.Context, wanted []*artifact, progress Progress) error {
	waiting := s.lacking(ctx, wanted)
	lacked := map[*artifact]bool{}
	for _, a := range waiting {
		lacked[a] = true
	}
	progress.Plan(len(waiting))

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		of  *artifact
		err error
	}
	outcomes := make(chan outcome)
	underWay := 0
	err := ctx.Err()
	for {
		for err == nil && underWay < concurrency {
			var next *artifact
			if next, waiting = takeReady(waiting, lacked); next == nil {
				break
			}
			underWay++
			finish := progress.Start(next.name, next.expect)
			go func() {
				err := s.make(ctx, next)
				finish(err)
				outcomes <- outcome{next, err}
			}()
		}
		if underWay == 0 {
			return err
		}
		ended := <-outcomes
		underWay--
		delete(lacked, ended.of)
		if err == nil && ended.err != nil {
			err = ended.err
			cancel()
		}
	}
}

// takeReady takes the first artifact out of waiting that lacks none of its needs.
func takeReady(waiting []*artifact, lacked map[*artifact]bool) (*artifact, []*artifact) {
next:
	for i, a := range waiting {
		for _, need := range a.needs {
			if lacked[need] {
				continue next
			}
		}
		return a, append(waiting[:i:i], waiting[i+1:]...)
	}
	return nil, waiting
}

// lacking are the artifacts to make for the wanted ones, each after its needs. What is stored needs none
// of its ingredients.
func (s store) lacking(ctx context.Context, wanted []*artifact) []*artifact {
	var order []*artifact
	seen := map[*artifact]bool{}
	var visit func(a *artifact)
	visit = func(a *artifact) {
		if seen[a] {
			return
		}
		seen[a] = true
		if s.has(ctx, a) {
			return
		}
		for _, need := range a.needs {
			visit(need)
		}
		order = append(order, a)
	}
	for _, a := range wanted {
		visit(a)
	}
	return order
}

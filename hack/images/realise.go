package images

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// concurrency of builds: most are parallel in themselves, the rest wait for the network.
const concurrency = 3

// Progress is told what is being built.
type Progress interface {
	// Plan is told, before the first build, what is to be built and about how long that takes.
	Plan(Estimate)
	// Start begins one. The returned function ends it, with the error that it failed with or nil.
	Start(name string, usual Usual) func(error)
	// Note shows a line about the builds as a whole.
	Note(line string)
}

// Usual is about how long a build takes.
type Usual struct {
	Time time.Duration
	// Recorded means that this machine took so long the last time. Otherwise it is the time on a quiet two-core machine.
	Recorded bool
}

// realise makes every artifact that the store lacks, needs first, in the order given where there is a choice. It
// returns when nothing is under way any more. After the first error it begins nothing, but what is under way ends in
// order and is kept. Only the end of the context ends that as well. The error is the first one.
func (b *Builder) realise(ctx context.Context, wanted []*artifact) error {
	waiting := b.store.lacking(ctx, wanted)
	lacked := map[*artifact]bool{}
	for _, a := range waiting {
		lacked[a] = true
	}
	known := b.store.loadDurations()
	expected, each := estimate(waiting, known)
	b.options.Progress.Plan(expected)

	building := withPace(ctx, &b.pace)
	type outcome struct {
		of  *artifact
		err error
	}
	outcomes := make(chan outcome)
	var measured crowd
	underWay := map[*artifact]arrival{}
	begin := func(a *artifact) {
		specs, stretches := b.pace.besideSpecs()
		underWay[a] = measured.enter(time.Now(), specs, stretches)
		finish := b.options.Progress.Start(a.name, known.usual(a.name, specs, each[a]))
		go func() {
			b.pace.begin()
			err := b.store.make(building, a)
			finish(err)
			b.pace.leave()
			outcomes <- outcome{a, err}
		}()
	}

	err, cancelled := ctx.Err(), ctx.Done()
	for {
		changed, held := b.pace.changes(), false
		if err == nil && len(waiting) > 0 {
			if err = b.pace.ended(); err != nil {
				b.noteUnderWay(underWay)
			}
		}
		for err == nil && len(underWay) < concurrency {
			next, rest := takeReady(waiting, lacked)
			if next == nil {
				break
			}
			if held = !b.pace.enter(); held {
				break
			}
			waiting = rest
			begin(next)
		}
		if len(underWay) == 0 && !held {
			return err
		}
		select {
		case ended := <-outcomes:
			took := measured.leave(time.Now(), underWay[ended.of], b.pace.besideSpecs)
			delete(underWay, ended.of)
			delete(lacked, ended.of)
			switch {
			case ended.err == nil:
				b.record(known, ended.of.name, took)
			case err == nil:
				err = ended.err
				if ctx.Err() == nil {
					b.noteUnderWay(underWay)
				}
			}
		case <-changed:
		case <-cancelled:
			cancelled = nil
			if err == nil {
				err = ctx.Err()
			}
		}
	}
}

// noteUnderWay says what ends in order after an error.
func (b *Builder) noteUnderWay(underWay map[*artifact]arrival) {
	var names []string
	for a := range underWay {
		names = append(names, a.name)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	b.options.Progress.Note("no further build begins; these end first and are kept: " + strings.Join(names, ", ") +
		" (Ctrl-C stops them)")
}

// record keeps how long a build took. The build is good without: only the progress of later runs goes by it.
func (b *Builder) record(known durations, name string, took duration) {
	known.add(name, took)
	if err := b.store.saveDurations(known); err != nil {
		b.options.Progress.Note(fmt.Sprintf("how long %s took is not kept: %v", name, err))
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

package steady

import (
	"context"
	"sync"
	"time"

	"mesh-conformance/suites/internal/echo"
)

// Visitor sends from this machine, from outside the cluster, each request on a connection of its own.
type Visitor struct{ echo.Visitor }

// Send makes a set of requests at the rate.
func (v Visitor) Send(ctx context.Context, url string, count int) (echo.Answers, error) {
	return paced(ctx, count, time.Second/PerSecond, func(ctx context.Context) (echo.Answers, error) { return v.Visitor.Send(ctx, url, 1) })
}

// paced puts requests together that are made at a rate, each on its own: one that hangs delays no other.
func paced(ctx context.Context, count int, pause time.Duration, visit func(context.Context) (echo.Answers, error)) (echo.Answers, error) {
	var running sync.WaitGroup
	outcomes, troubles := make([]echo.Answers, count), make([]error, count)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for i := range count {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		running.Go(func() { outcomes[i], troubles[i] = visit(ctx) })
	}
	running.Wait()
	var together echo.Answers
	for i, outcome := range outcomes {
		if troubles[i] != nil {
			return echo.Answers{}, troubles[i]
		}
		together = together.And(outcome)
	}
	return together, nil
}

package steady

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mesh-conformance/suites/internal/echo"
)

func TestPacedPutsRequestsTogether(t *testing.T) {
	of := func(outcomes ...func() (echo.Answers, error)) (echo.Answers, error) {
		var number atomic.Int32
		return paced(t.Context(), 4, time.Millisecond, func(context.Context) (echo.Answers, error) {
			return outcomes[int(number.Add(1)-1)%len(outcomes)]()
		})
	}
	well := func() (echo.Answers, error) {
		return echo.Answers{Sent: 1, All: []echo.Answer{{Status: 200}}}, nil
	}
	refused := func() (echo.Answers, error) { return echo.Answers{Sent: 1, Failed: 1, Failure: "refused"}, nil }
	stopped := func() (echo.Answers, error) { return echo.Answers{}, errors.New("stopped") }

	if got, err := of(well); err != nil || got.Sent != 4 || len(got.All) != 4 || got.Failed != 0 {
		t.Errorf("all well: %s, %v", got, err)
	}
	if got, err := of(well, refused); err != nil || got.Sent != 4 || len(got.All) != 2 || got.Failed != 2 || got.Failure != "refused" {
		t.Errorf("every other refused: %s, %v", got, err)
	}
	if got, err := of(well, well, stopped); err == nil {
		t.Errorf("one without an outcome: %s", got)
	}
}

func TestVisitorKeepsTheRate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	visitor := Visitor{Visitor: echo.Visitor{Address: "127.0.0.1"}}
	begun := time.Now()
	got, err := visitor.Send(t.Context(), "http://web:"+port+"/", PerSecond/4)
	if err != nil || len(got.All) != PerSecond/4 {
		t.Errorf("%s, %v", got, err)
	}
	if took := time.Since(begun); took < time.Second/5 {
		t.Errorf("a quarter of a second's requests in %s", took)
	}
}

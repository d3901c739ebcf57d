package machine

import "testing"

func TestSpeedIsAFactor(t *testing.T) {
	if got := Speed(); got < 1 || got > 1000 {
		t.Errorf("this machine is %g times slower", got)
	}
}

func BenchmarkSpeedWork(b *testing.B) {
	for b.Loop() {
		if err := speedWork(); err != nil {
			b.Fatal(err)
		}
	}
}

package envoy

import "testing"

func TestMirrorReads(t *testing.T) {
	for want, mirror := range map[string]Mirror{
		"outbound|80||a.ns.svc.cluster.local 500000/1000000 untraced": {Cluster: "outbound|80||a.ns.svc.cluster.local", Parts: 500_000, Of: 1_000_000},
		"b 100/100 traced": {Cluster: "b", Parts: 100, Of: 100, TraceSampled: true},
	} {
		if is := mirror.String(); is != want {
			t.Errorf("%+v reads %q, not %q", mirror, is, want)
		}
	}
}

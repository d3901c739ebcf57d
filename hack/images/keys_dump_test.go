package images

import (
	"fmt"
	"os"
	"sort"
	"testing"

	"mesh-conformance/kindconfig"
)

func TestDumpKeys(t *testing.T) {
	v, _ := kindconfig.Load()
	b := &Builder{options: Options{Repository: "../.."}, versions: v, store: store{"/cache"}, goVersion: "go1.26.0", goarch: "amd64"}
	k, _ := v.ForKubernetes("")
	i, _ := v.ForIstio("")
	p, err := b.plan(k, i)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var visit func(a *artifact)
	visit = func(a *artifact) {
		seen[a.name+" "+a.key()] = true
		for _, n := range a.needs {
			visit(n)
		}
	}
	for _, a := range append(p.direct(), p.node) {
		visit(a)
	}
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	sort.Strings(all)
	f, _ := os.Create(os.Getenv("KEYS"))
	for _, s := range all {
		fmt.Fprintln(f, s)
	}
	f.Close()
}

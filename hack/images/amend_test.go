package images

import (
	"strings"
	"testing"
)

func TestAnAmendmentIsOfOnePlace(t *testing.T) {
	one := amendment{module: "example.com/m", file: "a/b.go", from: "= 2 * time.Second", to: "= 10 * time.Second"}
	got, err := one.apply("const T = 2 * time.Second\n")
	if err != nil || got != "const T = 10 * time.Second\n" {
		t.Errorf("gave %q, %v", got, err)
	}
	for _, other := range []string{"", "const T = 3 * time.Second", "A = 2 * time.Second; B = 2 * time.Second"} {
		if _, err := one.apply(other); err == nil || !strings.Contains(err.Error(), "a/b.go of example.com/m") {
			t.Errorf("%q gave %v", other, err)
		}
	}
}

func TestOnlyTheEchoProgramsAreAmended(t *testing.T) {
	b, kubernetes, subject := newPlanner(t)
	plain, err := b.goProgram(program{name: "echo", version: b.versions.Instruments.Echo})
	if err != nil {
		t.Fatal(err)
	}
	amended, err := b.goProgram(program{name: "echo", version: b.versions.Instruments.Echo, amended: ofEcho})
	if err != nil {
		t.Fatal(err)
	}
	if plain.key() == amended.key() {
		t.Error("a build with amendments has the key of one without")
	}
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range p.images {
		for _, need := range image.needs {
			if need.name == amended.name && image.name != "image-echo" {
				t.Errorf("%s holds a program that is amended", image.name)
			}
		}
	}
}

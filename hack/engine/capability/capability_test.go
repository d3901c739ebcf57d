package capability

import (
	"maps"
	"testing"
)

func TestMissing(t *testing.T) {
	cases := map[string]struct {
		status, last string
		want         Set
	}{
		"nothing on a full set": {"Name:\tx\nCapBnd:\t000001ffffffffff\nCapAmb:\t0\n", "40\n", Set{}},
		"one that was taken":    {"CapBnd:\t000001fffeffffff\n", "40\n", Set{SysResource: true}},
		"two that were taken":   {"CapBnd:\t000001fffefffffe\n", "40\n", Set{SysResource: true, "CAP_CHOWN": true}},
		"not what the kernel does not have": {
			"CapBnd:\t0000003fffffffff\n", "37\n", Set{}},
		"not what is newer than the list": {
			"CapBnd:\t000001ffffffffff\n", "41\n", Set{}},
		"the newest the kernel has": {
			"CapBnd:\t000000ffffffffff\n", "40\n", Set{"CAP_CHECKPOINT_RESTORE": true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := missing(c.status, c.last)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestMissingRefusesWhatItCannotRead(t *testing.T) {
	cases := map[string]struct{ status, last string }{
		"no bounding set":        {"Name:\tx\n", "40"},
		"a mask that is no mask": {"CapBnd:\tall\n", "40"},
		"no last capability":     {"CapBnd:\t1\n", ""},
		"too many capabilities":  {"CapBnd:\t1\n", "64"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := missing(c.status, c.last); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

func TestNamesAreInTheKernelsOrder(t *testing.T) {
	for number, name := range map[int]string{0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 24: SysResource, 40: "CAP_CHECKPOINT_RESTORE"} {
		if names[number] != name {
			t.Errorf("capability %d is %s, want %s", number, names[number], name)
		}
	}
}

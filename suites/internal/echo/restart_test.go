package echo

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestSuccessor(t *testing.T) {
	pod := func(uid string, leaving bool) corev1.Pod {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "server-" + uid, UID: types.UID(uid)}}
		if leaving {
			pod.DeletionTimestamp = &metav1.Time{}
		}
		return pod
	}
	old := pod("old", false)
	for name, test := range map[string]struct {
		pods  []corev1.Pod
		fails string
	}{
		"replaced":            {[]corev1.Pod{pod("new", false)}, ""},
		"the old one leaves":  {[]corev1.Pod{pod("old", true), pod("new", false)}, ""},
		"the old one stays":   {[]corev1.Pod{pod("old", false), pod("new", false)}, "2 pods stay, not one"},
		"the new one leaves":  {[]corev1.Pod{pod("old", true), pod("new", true)}, "0 pods stay, not one"},
		"it was not replaced": {[]corev1.Pod{pod("old", false)}, "pod server-old has not been replaced"},
	} {
		found, err := successor(&old, test.pods)
		switch {
		case test.fails == "" && (err != nil || found.UID != "new"):
			t.Errorf("%s: got %v, %v", name, found, err)
		case test.fails != "" && (err == nil || err.Error() != test.fails):
			t.Errorf("%s: got %v, want %q", name, err, test.fails)
		}
	}
}

package openshift

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

func ofAnnotations(s *site) {
	// settle has the injector take up a namespace's annotations: it watches namespaces.
	settle := func(ctx SpecContext, annotations map[string]string, want ids) {
		GinkgoHelper()
		annotate(ctx, s.free, annotations)
		Eventually(ctx, idsIn(s.free, plainPod), timing.Push(), timing.Poll).Should(Equal(want), "ids of the sidecar with annotations %q", annotations)
	}

	// Each begins with annotations of another outcome, so that what is seen is not what was there.
	DescribeTable("gives a sidecar and its check of iptables the same user and group:",
		func(ctx SpecContext, annotations map[string]string, want ids) {
			settle(ctx, map[string]string{annotationUsers: "1000000000/10"}, ids{1000000009, 1000000009})
			settle(ctx, annotations, want)
			pod := kube.Admitted[corev1.Pod](ctx, s.free, plainPod)
			Expect(asked(pod, sidecar.Container)).To(Equal(want), "ids of the sidecar with annotations %q", annotations)
			Expect(asked(pod, validation)).To(Equal(want), "ids of %s with annotations %q", validation, annotations)
			Expect(excluded(pod, validation)).To(Equal(want.User), "user that %s is told", validation)
			evidence.API("sidecar", "annotations %q: %s", annotations, want)
		},
		Entry("the last of ranges of start and size", spec.ID("openshift.ids-last-of-ranges"),
			allotted, ids{lastUser, lastGroup}),
		Entry("the last of a range of start and end", spec.ID("openshift.ids-last-of-start-end"),
			map[string]string{annotationUsers: "1000650000-1000650499"}, ids{1000650499, 1000650499}),
		Entry("the last group of the first of several ranges", spec.ID("openshift.ids-first-group-range"),
			map[string]string{annotationUsers: "1000650000/10000", annotationGroups: "5000/100,1000680000/10000"}, ids{lastUser, 5099}),
		Entry("the group of the user's range where there is none of groups", spec.ID("openshift.ids-group-of-user-range"),
			map[string]string{annotationUsers: "1000650000/10000"}, ids{lastUser, lastUser}),
		Entry("1337 where there are no annotations", spec.ID("openshift.ids-without-annotations"),
			nil, ids{proxyUser, proxyUser}),
		Entry("1337 where the annotations are empty", spec.ID("openshift.ids-empty-annotations"),
			map[string]string{annotationUsers: "", annotationGroups: ""}, ids{proxyUser, proxyUser}),
		Entry("1337 where the annotations are no ranges", spec.ID("openshift.ids-malformed-annotations"),
			map[string]string{annotationUsers: "1000650000", annotationGroups: "many"}, ids{proxyUser, proxyUser}),
		Entry("the user's 1337 alone where only the groups are a range", spec.ID("openshift.ids-malformed-users"),
			map[string]string{annotationUsers: "anyuid", annotationGroups: "1000680000/10000"}, ids{proxyUser, lastGroup}),
		Entry("the group's 1337 alone where only the users are a range", spec.ID("openshift.ids-malformed-groups"),
			map[string]string{annotationUsers: "1000650000/10000", annotationGroups: "anyuid"}, ids{lastUser, proxyUser}),
	)
}

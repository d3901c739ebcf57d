package istioctl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/spec"
)

const (
	// alphaFeature is the code of the message on the annotation that chooses the gateway's template. Its level
	// is Info, and nothing of a higher level is wrong with the namespace.
	alphaFeature = "IST0136"
	nothingFound = "No issues found when checking the cluster"
)

// prechecks are the specs on x precheck.
func prechecks(bed *proxies) {
	check := func(ctx SpecContext, binary istioctl.Binary, arguments ...string) istioctl.Outcome {
		GinkgoHelper()
		return binary.Run(ctx, append([]string{"experimental", "precheck", "--namespace=" + bed.namespace}, arguments...)...)
	}
	origin := func() string { return "Pod " + bed.namespace + "/" + bed.workloads["front-door"].Pod.Name }

	It("leaves messages below Warning out of x precheck", spec.ID("istioctl.precheck-warning-threshold"), func(ctx SpecContext) {
		outcome := check(ctx, istioctl.Subject())
		Expect(outcome).To(istioctl.Exit(0, nothingFound))
		Expect(outcome).NotTo(istioctl.Say(alphaFeature))
		evidence.API("x precheck", "%s", nothingFound)

		By("asking with the release before")
		before := check(ctx, istioctl.Before())
		Expect(before).To(istioctl.Exit(0, alphaFeature))
		Expect(before).NotTo(istioctl.Say(nothingFound))
	})

	// "The severity level of precheck at which to display messages" (its help).
	It("leaves messages below Warning out of x precheck beside others that are printed", spec.ID("istioctl.precheck-threshold-beside-others"), func(ctx SpecContext) {
		const tooOld, unsupported = "1.24.17", "IST0142"
		outcome := istioctl.Subject().Offline(ctx, istioctl.Pretend(ctx, tooOld), "experimental", "precheck", "--namespace="+bed.namespace, "--output=json")
		messages, err := outcome.Messages()
		Expect(err).NotTo(HaveOccurred())
		evidence.API("x precheck", "%v", messages)
		Expect(messages).To(ContainElement(HaveField("Code", unsupported)), "messages about a server of v%s", tooOld)
		Expect(istioctl.On(messages, origin())).To(BeEmpty(), "messages of level Info that are printed beside one of level Error")
	})

	DescribeTable("prints the messages of x precheck from --output-threshold on",
		func(ctx SpecContext, format string, judge func(outcome istioctl.Outcome)) {
			outcome := check(ctx, istioctl.Subject(), "--output-threshold=Info", "--output="+format)
			Expect(outcome).To(istioctl.Exit(0))
			judge(outcome)
			evidence.API("x precheck as "+format, "%s about %s", alphaFeature, origin())

			By("asking with the release before")
			Expect(check(ctx, istioctl.Before(), "--output-threshold=Info")).To(istioctl.Exit(64, "unknown flag: --output-threshold"))
			Expect(check(ctx, istioctl.Before(), "--output="+format)).To(istioctl.Exit(64, "unknown flag: --output"))
		},
		Entry("as JSON", spec.ID("istioctl.precheck-threshold-json"), "json", func(outcome istioctl.Outcome) {
			messages, err := outcome.Messages()
			Expect(err).NotTo(HaveOccurred())
			expectAlpha(messages, origin())
		}),
		Entry("as YAML", spec.ID("istioctl.precheck-threshold-yaml"), "yaml", func(outcome istioctl.Outcome) {
			var messages []istioctl.Message
			Expect(yaml.Unmarshal([]byte(outcome.Stdout), &messages)).To(Succeed(), outcome.String())
			expectAlpha(messages, origin())
		}),
		Entry("as a log", spec.ID("istioctl.precheck-threshold-log"), "log", func(outcome istioctl.Outcome) {
			Expect(outcome).To(istioctl.Say("Info [" + alphaFeature + "] (" + origin() + ")"))
		}),
	)

	DescribeTable("refuses to run x precheck with",
		func(ctx SpecContext, code int, words string, argument string) {
			Expect(check(ctx, istioctl.Subject(), argument)).To(istioctl.Exit(code, words))
			evidence.API("refusal", "%s", words)
		},
		Entry("a format that there is not", spec.ID("istioctl.precheck-refuses-format"),
			1, `invalid format, expected one of [log json yaml] but got "xml"`, "--output=xml"),
		Entry("a threshold that there is not", spec.ID("istioctl.precheck-refuses-threshold"),
			64, `invalid argument "Loud" for "--output-threshold" flag`, "--output-threshold=Loud"),
	)
}

func expectAlpha(messages []istioctl.Message, origin string) {
	GinkgoHelper()
	Expect(istioctl.On(messages, origin)).To(ContainElement(alphaFeature), "messages about %s, of %v", origin, messages)
	Expect(messages).To(ContainElement(And(HaveField("Code", alphaFeature), HaveField("Level", "Info"), HaveField("Origin", origin))),
		"messages, one of them of level Info")
}

package istioctl

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

// adminPort is Envoy's.
const adminPort = 15000

// endpointsDump is the section of a configuration dump that endpoints are in.
const endpointsDump = "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump"

// proxyConfig are the specs on proxy-config.
func proxyConfig(bed *proxies) {
	DescribeTable("sets, by proxy-config log,",
		func(ctx SpecContext, level string, want map[string]string, before string) {
			pod := bed.workloads["server"].Pod.Name + "." + bed.namespace
			set := func(binary istioctl.Binary, level string) istioctl.Outcome {
				return binary.Run(ctx, "proxy-config", "log", pod, "--level", level)
			}
			Expect(loggers(ctx, bed, "?level=warning")).To(HaveEach("warning"), "loggers at first")
			DeferCleanup(func(ctx SpecContext) { loggers(ctx, bed, "?level=warning") })
			Expect(set(istioctl.Subject(), level)).To(istioctl.Exit(0))
			Expect(among(loggers(ctx, bed, ""), want)).To(Equal(want), "loggers after --level %s", level)
			evidence.Config("loggers of the sidecar after --level "+level, "%v", want)

			By("trying it with the release before")
			if before == "" {
				Expect(set(istioctl.Before(), level)).To(istioctl.Exit(0))
			} else {
				Expect(set(istioctl.Before(), level)).To(istioctl.Exit(1, before))
			}
		},
		Entry("the level of all loggers with --level <level>", spec.ID("istioctl.log-level-all"),
			"info", map[string]string{"http": "info", "admin": "info", "upstream": "info"}, ""),
		Entry("the level of all loggers with --level level=<level>", spec.ID("istioctl.log-level-level-equals"),
			"level=info", map[string]string{"http": "info", "admin": "info", "upstream": "info"}, "unrecognized logger name: level"),
		Entry("one logger apart from all others with --level <logger>:<level>,level:<level>", spec.ID("istioctl.log-level-one-apart"),
			"http:error,level:info",
			map[string]string{"http": "error", "admin": "info", "upstream": "info"}, "unrecognized logger name: level"),
	)

	DescribeTable("`istioctl proxy-config log` rejects",
		func(ctx SpecContext, words string, arguments ...string) {
			pod := bed.workloads["server"].Pod.Name + "." + bed.namespace
			before := loggers(ctx, bed, "")
			Expect(istioctl.Subject().Run(ctx, append([]string{"proxy-config", "log", pod}, arguments...)...)).To(istioctl.Exit(1, words))
			after := loggers(ctx, bed, "")
			Expect(changed(before, after)).To(BeEmpty(), "loggers that a refusal changed")
			evidence.API("refusal", "%s", words)
		},
		Entry("an unknown log level", spec.ID("istioctl.log-refuses-level"),
			"unrecognized logging level: loud", "--level", "level=loud"),
		Entry("an unknown logger", spec.ID("istioctl.log-refuses-logger"),
			"unrecognized logger name: nobody", "--level", "nobody:info"),
		Entry("a level together with a reset", spec.ID("istioctl.log-refuses-level-with-reset"),
			"--level cannot be combined with --reset", "--level", "info", "--reset"),
		Entry("another output format", spec.ID("istioctl.log-refuses-output"),
			"--output is not applicable for this command", "--output", "json"),
	)

	It("includes endpoints in proxy-config all as JSON", spec.ID("istioctl.proxy-config-all-endpoints"), func(ctx SpecContext) {
		pod := bed.workloads["server"].Pod.Name + "." + bed.namespace
		subject := sections(istioctl.Subject().Run(ctx, "proxy-config", "all", pod, "--output", "json"))
		Expect(subject).To(ContainElement(endpointsDump), "sections of the dump")
		evidence.Config("sections", "%v", subject)

		By("asking with the release before")
		Expect(sections(istioctl.Before().Run(ctx, "proxy-config", "all", pod, "--output", "json"))).
			NotTo(ContainElement(endpointsDump), "sections of the dump of the release before")
	})

	DescribeTable("reads a configuration dump without endpoints from a file",
		func(ctx SpecContext, section string, words ...string) {
			place := newWorkplace()
			dump, err := bed.of("server").Admin(ctx, "/config_dump")
			Expect(err).NotTo(HaveOccurred())
			Expect(string(dump)).NotTo(ContainSubstring(endpointsDump))
			evidence.Replay("kubectl exec -n %s %s -c istio-proxy -- pilot-agent request GET config_dump > dump.json", bed.namespace, bed.workloads["server"].Pod.Name)
			arguments := []string{"proxy-config", section, "--file", place.write("dump.json", dump)}
			outcome := istioctl.Subject().In(string(place)).Run(ctx, arguments...)
			Expect(outcome).To(istioctl.Exit(0, words...))
			evidence.Config("proxy-config "+section, "exit code 0 and %q in %d bytes", words, len(outcome.Stdout))

			By("reading it with the release before")
			Expect(istioctl.Before().In(string(place)).Run(ctx, arguments...)).To(istioctl.Exit(1, "endpoints not found (was include_eds=true used?)"))
		},
		Entry("by proxy-config all", spec.ID("istioctl.dump-without-endpoints-all"),
			"all", "cluster/BlackHoleCluster", "listener/virtualInbound", "route/"),
		// There are no endpoints to list.
		Entry("by proxy-config eds", spec.ID("istioctl.dump-without-endpoints-eds"), "eds", "LOCALITY"),
	)
}

// logger is a line of Envoy's page of loggers.
var logger = regexp.MustCompile(`(?m)^\s+(\w+): (\w+)$`)

// loggers are the levels of the sidecar's loggers, by Envoy's own account, after a request to its page of
// loggers with a query.
func loggers(ctx context.Context, bed *proxies, query string) map[string]string {
	GinkgoHelper()
	pod := bed.workloads["server"].Pod
	page, err := kube.Shared().PodPost(ctx, pod.Namespace, pod.Name, adminPort, "/logging"+query, nil)
	Expect(err).NotTo(HaveOccurred())
	levels := levelsOf(string(page))
	Expect(len(levels)).To(BeNumerically(">", 10), "loggers on the page %s", page)
	evidence.Replay("kubectl exec -n %s %s -c istio-proxy -- pilot-agent request POST 'logging%s'", pod.Namespace, pod.Name, query)
	return levels
}

// levelsOf reads Envoy's page of loggers.
func levelsOf(page string) map[string]string {
	levels := map[string]string{}
	for _, match := range logger.FindAllStringSubmatch(page, -1) {
		levels[match[1]] = match[2]
	}
	return levels
}

// sections are the types of what a dump holds.
func sections(outcome istioctl.Outcome) []string {
	GinkgoHelper()
	Expect(outcome.Code).To(BeZero(), func() string { return fmt.Sprintf("exit code %d: %s", outcome.Code, outcome.Stderr) })
	var dump struct {
		Configs []struct {
			Type string `json:"@type"`
		}
	}
	Expect(json.Unmarshal([]byte(outcome.Stdout), &dump)).To(Succeed(), outcome.String())
	var types []string
	for _, config := range dump.Configs {
		types = append(types, config.Type)
	}
	return types
}

// among are the levels of those loggers that are wanted: there are dozens.
func among(levels, want map[string]string) map[string]string {
	some := map[string]string{}
	for name := range want {
		some[name] = levels[name]
	}
	return some
}

// changed are the loggers that have another level than before, or are only there before or after.
func changed(before, after map[string]string) []string {
	var names []string
	for name, level := range after {
		if before[name] != level {
			names = append(names, fmt.Sprintf("%s: %q, now %q", name, before[name], level))
		}
	}
	for name, level := range before {
		if _, there := after[name]; !there {
			names = append(names, fmt.Sprintf("%s: %q, now gone", name, level))
		}
	}
	slices.Sort(names)
	return names
}

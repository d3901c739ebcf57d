package targetref

import (
	"context"
	"fmt"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	extensionsv1alpha1 "istio.io/client-go/pkg/apis/extensions/v1alpha1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// listed are filters, with those of listeners that have come and are not in use yet: what waits for its module,
// which a proxy that was given a plugin by mistake need not find, waits for ever.
var listed holding = func(ctx context.Context, entrances []entrance) ([]match.Held, error) {
	all, err := filters(ctx, entrances)
	if err != nil {
		return nil, err
	}
	for i, e := range entrances {
		waiting, err := warming(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		all[i].Chains = append(waiting, all[i].Chains...)
	}
	return all, nil
}

// warming are the names of the HTTP filters of a deciding listener that is not in use yet; nil where there is none.
func warming(ctx context.Context, e entrance) ([][]string, error) {
	dump, err := e.proxy.ConfigDump(ctx, "dynamic_listeners")
	if err != nil {
		return nil, err
	}
	var lists [][]string
	for _, section := range dump.GetConfigs() {
		var held adminv3.ListenersConfigDump_DynamicListener
		if err := section.UnmarshalTo(&held); err != nil {
			return nil, fmt.Errorf("listeners: %w", err)
		}
		coming := held.GetWarmingState().GetListener()
		if held.GetName() != e.listener || coming == nil {
			continue
		}
		var listener listenerv3.Listener
		if err := coming.UnmarshalTo(&listener); err != nil {
			return nil, fmt.Errorf("listener %s: %w", e.listener, err)
		}
		chains, err := envoy.Chains(&listener)
		if err != nil {
			return nil, err
		}
		for _, chain := range chains {
			if len(chain.HTTP) > 0 {
				lists = append(lists, envoy.Names(chain.HTTP))
			}
		}
	}
	return lists, nil
}

// ofWasmPlugins leaves the site without any.
func ofWasmPlugins(s *site) {
	const (
		// mark is the header to which the module adds the name of its plugin.
		mark = "x-wasm"
		// module configures a filter that runs a module.
		module = "envoy.extensions.filters.http.wasm.v3.Wasm"
	)
	var marking, bySelector string

	evidence.BeforeAll(func(ctx SpecContext) {
		marking, bySelector = s.ns+".marking", s.ns+".marking-selector"
		DeferCleanup(func(ctx SpecContext) {
			s.clear(ctx, &extensionsv1alpha1.WasmPlugin{}, filters, And(haveNoFilter(marking), haveNoFilter(bySelector)), s.all()...)
		})
	})

	// loads waits until a proxy runs the module: it is as long under way as a new workload.
	loads := func(ctx context.Context, e entrance, filter string) {
		GinkgoHelper()
		Eventually(ctx, filters, timing.Rollout(), timing.Poll).WithArguments([]entrance{e}).Should(haveFilter(filter))
		Eventually(ctx, e.proxy.DiscoveredFilters, timing.Rollout(), timing.Poll).Should(HaveKeyWithValue(filter, module), "configuration of filters of %s", e.name)
		filters.record(ctx, []entrance{e})
		evidence.Config("filter "+filter+" of "+e.name, "%s", module)
	}

	// marks asserts that requests through an entrance pass the plugin of that name, once its proxy has it, as
	// often as it is named.
	marks := func(ctx context.Context, e entrance, plugin string, again ...string) {
		GinkgoHelper()
		filter, passed := s.ns+"."+plugin, append([]string{plugin}, again...)
		loads(ctx, e, filter)
		// The proxy's one worker loads the module into a VM of its own, after the main thread whose configuration that is. So do those
		// behind it that run the plugin as well.
		Eventually(ctx, e.send, timing.Rollout(), timing.Poll).WithArguments("/").Should(match.HaveResponseHeader(mark, passed...))

		By("measuring once at " + e.name)
		answers := e.measure(ctx, "/")
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.HaveRequestHeader(mark, passed...))
		Expect(answers).To(match.HaveResponseHeader(mark, passed...))
	}

	// leaves asserts that requests through entrances pass no plugin, once one is known to have landed elsewhere.
	leaves := func(ctx context.Context, landed time.Time, filter string, entrances ...entrance) {
		GinkgoHelper()
		listed.stay(ctx, landed, haveNoFilter(filter), entrances...)
		for _, e := range entrances {
			answers := e.measure(ctx, "/")
			Expect(answers).To(match.HaveRequestHeader(mark))
			Expect(answers).To(match.HaveResponseHeader(mark))
		}
	}

	Context("for Gateway gw-a", func() {
		var landed landing
		evidence.BeforeAll(func(ctx SpecContext) { kube.Apply(ctx, s.ns, "targetref/wasmplugin.yaml") })
		BeforeEach(func(ctx SpecContext) {
			By("waiting until the proxy of Gateway gw-a runs the plugin")
			loads(ctx, s.a, marking)
			landed.seen()
		})

		It("runs at the Gateway that its targetRef names", spec.ID("targetref.wasmplugin.runs-at-named-gateway"), Label(catalogue.Smoke), func(ctx SpecContext) { marks(ctx, s.a, "marking") })

		DescribeTable("touches no neighbour:",
			func(ctx SpecContext, neighbour func() entrance) { leaves(ctx, landed.at, marking, neighbour()) },
			Entry("the sibling Gateway of the namespace does not run it", spec.ID("targetref.wasmplugin.not-sibling"),
				Label(catalogue.Smoke), func() entrance { return s.b }),
			Entry("the Gateway of the same name in another namespace does not run it", spec.ID("targetref.wasmplugin.not-namesake"),
				func() entrance { return s.namesake }),
			Entry("the sidecar of the backend behind the Gateway does not run it", spec.ID("targetref.wasmplugin.not-backend"),
				func() entrance { return s.backend }),
		)

		It("ends with its deletion", spec.ID("targetref.wasmplugin.ends-with-deletion"), func(ctx SpecContext) {
			kube.Remove[extensionsv1alpha1.WasmPlugin](ctx, s.ns, "marking")
			s.a.await(ctx, haveNoFilter(marking))
			leaves(ctx, time.Now(), marking, s.a)
		})
	})

	It("reaches a Gateway by a selector for its pods, unless that is switched off", spec.ID("targetref.wasmplugin.selector-reaches-gateway"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/wasmplugin-selector.yaml")
		DeferCleanup(func(ctx SpecContext) {
			kube.Remove[extensionsv1alpha1.WasmPlugin](ctx, s.ns, "marking-selector")
			s.a.await(ctx, haveNoFilter(bySelector))
		})
		marks(ctx, s.a, "marking-selector")
		leaves(ctx, time.Now(), bySelector, s.b)
	})

	// The control: what the targetRef keeps away from the neighbours would reach each of them.
	It("reaches every proxy of its namespace where it has no targetRef", spec.ID("targetref.wasmplugin.whole-namespace-without"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/wasmplugin-namespace.yaml")
		marks(ctx, s.backend, "marking")
		// Behind a Gateway it is the backend's sidecar that runs it again.
		for _, member := range []entrance{s.a, s.b} {
			marks(ctx, member, "marking", "marking")
		}
		leaves(ctx, time.Now(), marking, s.namesake)
	})
}

package filterorder

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
)

// The field's documentation: "they will be applied by priority, in descending order"
// (https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/#WasmPlugin). What a plugin without one
// counts as is for suites/wasmplugin to show.
var _ = Describe("Plugins of one phase", Ordered, ContinueOnFailure, Label(catalogue.FilterOrder), func() {
	var plugins []string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "order-priority", mesh.OfStock)
		kube.Apply(ctx, ns, "filterorder/priorities.yaml")
		all := []string{"wasm none", "wasm negative", "wasm small", "wasm large"}
		answer := await(ctx, ns, map[place]types.GomegaMatcher{passthroughHTTP: ContainElements(all)})
		for _, filter := range names(answer.must(passthroughHTTP)) {
			if slices.Contains(all, filter) {
				plugins = append(plugins, filter)
			}
		}
	})

	// order is that of some of the four plugins.
	order := func(of ...string) []string {
		evidence.Config("plugins of one phase", "%s", strings.Join(plugins, then))
		var found []string
		for _, plugin := range plugins {
			if slices.Contains(of, plugin) {
				found = append(found, plugin)
			}
		}
		return found
	}

	It("run the one of larger priority first", spec.ID("filterorder.larger-priority-first"), func() {
		Expect(order("wasm negative", "wasm small", "wasm large")).To(run([]string{"wasm large", "wasm small", "wasm negative"}), "plugins by priority")
		Expect(order("wasm none", "wasm small")).To(run([]string{"wasm small", "wasm none"}), "a priority above 0 and none stated")
	})
})

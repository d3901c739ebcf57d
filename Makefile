# mesh-conformance: qualify a build of Istio 1.20. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Settings, for example: make conformance K8S=1.28 ISTIO=1.20.1 ARGS="--keep --label-filter=gatewaydeploy.managed"
# or make matrix K8S=1.25,1.28
K8S ?=
ISTIO ?=
ARGS ?=

# The driver's own exit codes (1 failed specs, 2 usage, 3 environment) are seen by calling it directly.
QUALIFY := _output/bin/qualify
CELL := $(if $(K8S),--kubernetes=$(K8S)) $(if $(ISTIO),--istio=$(ISTIO))

.PHONY: help
help: ## list the targets
	@echo "mesh-conformance: does this Istio 1.20 build keep the release's promises?"
	@echo
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  K8S=1.28 ISTIO=1.20.1 choose the cell (make matrix: K8S=1.25,1.28); ARGS="..." adds flags of `qualify run`.'
	@echo '  On a slow machine: make conformance ARGS="--budget=60m" runs the set smoke where the whole suite would take longer.'
	@echo '  Reports: _output/latest/report.html, of a matrix _output/latest/matrix.html'

.PHONY: $(QUALIFY)
$(QUALIFY):
	@go build -o $@ ./hack/qualify

.PHONY: conformance
conformance: $(QUALIFY) ## build what is missing, provision a cluster, run every spec, write the reports
	@$(QUALIFY) run $(CELL) $(ARGS)

.PHONY: build
build: $(QUALIFY) ## compile the driver, _output/bin/qualify, to test a build of your own with

.PHONY: smoke
smoke: $(QUALIFY) ## run the set smoke: at least one spec of each row, three minutes on a quiet machine
	@$(QUALIFY) run $(CELL) --label-filter=smoke $(ARGS)

.PHONY: matrix
matrix: $(QUALIFY) ## run every spec on every pinned Kubernetes version and merge the reports
	@$(QUALIFY) matrix $(CELL) $(ARGS)

.PHONY: list
list: $(QUALIFY) ## list rows and specs, without a cluster
	@$(QUALIFY) list $(ARGS)

.PHONY: report
report: $(QUALIFY) ## render the reports of the newest run again
	@$(QUALIFY) report $(ARGS)

.PHONY: bench
bench: $(QUALIFY) ## time the Gateway API lanes against upstream's own serial run
	@$(QUALIFY) bench $(CELL) $(ARGS)

.PHONY: selfcheck-release
selfcheck-release: $(QUALIFY) ## run every spec on an older release and show that exactly those of later promises fail
	@$(QUALIFY) selfcheck-release $(CELL) $(ARGS)

.PHONY: test
test: format vet staticcheck unit ## the project's own tests: no cluster, no root

.PHONY: format
format: ## check that gofmt has nothing to say
	@files=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$files" ]; then echo "gofmt: not formatted:"; echo "$$files"; exit 1; fi

# vet, staticcheck and the tests read the same packages compiled for the race detector, so that a cold
# machine compiles everything once.
.PHONY: vet
vet: compiler ## go vet
	@go vet -race ./...

.PHONY: staticcheck
staticcheck: compiler ## staticcheck, built from the pins in hack/tools
	@go build -modfile=hack/tools/go.mod -o _output/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	@GOFLAGS="$$(go env GOFLAGS) -race" _output/bin/staticcheck ./...

.PHONY: compiler
compiler:
	@command -v cc >/dev/null || { \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	hack/apt/apt-get.sh update -q && hack/apt/apt-get.sh install -q -y --no-install-recommends gcc libc6-dev; \
	else echo "no C compiler for the race detector (PATH): install gcc"; exit 3; fi; }

# What debuggers need is not linked: there is a binary for each package, and nobody debugs them.
.PHONY: unit
unit: compiler ## unit tests under the race detector
	@go test -race -ldflags=-w ./...

.PHONY: down
down: $(QUALIFY) ## remove every cluster of the project and stop the private engine; caches and reports stay
	@$(QUALIFY) down $(ARGS)

.PHONY: clean
clean: ## remove the reports of all runs
	@rm -rf _output

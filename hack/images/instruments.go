package images

import (
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// instruments are what measures: built in every mode, so that two runs never differ in it.
type instruments struct {
	echo, echoCerts, echoBasic, metallb *artifact

	wasmModule, wasmServer *artifact

	sccAdmission *artifact

	metallbFiles, gatewayCRDs *artifact
}

// ofEcho is what Istio's echo programs are built with instead of what their sources say: on a busy machine a client may wait
// for a processor longer than these allow, and lose a request that the mesh never saw or has answered.
var ofEcho = []amendment{
	// The bound of a lookup and a connection together, from the client's start on. A set of requests has a bound of its own.
	{module: "istio.io/istio", file: "pkg/test/echo/common/util.go", from: "ConnectionTimeout = 2 * time.Second", to: "ConnectionTimeout = 10 * time.Second"},
	// What a server lets pass without a request before it closes a connection, and its gRPC alike.
	{module: "istio.io/istio", file: "pkg/test/echo/server/endpoint/util.go", from: "idleTimeout    = 5 * time.Second", to: "idleTimeout    = 5 * time.Minute"},
	// Either way a connection serves one request. This way the client ends it; the other, it asks the proxy to, which drops
	// the answer if the client has not read it a second later.
	{module: "istio.io/istio", file: "pkg/test/echo/server/forwarder/http.go", from: "DisableKeepAlives: true,", to: "MaxIdleConnsPerHost: -1,"},
}

// instruments are those of every subject.
func (p *planner) instruments() instruments {
	pins := p.b.versions.Instruments
	echo, err := p.b.goProgram(program{name: "echo", version: pins.Echo, amended: ofEcho, expect: time.Minute})
	echo = p.keep(echo, err)
	wasmModule, err := p.b.wasmModule()
	p.keep(wasmModule, err)
	wasmServer, err := p.b.localProgram("wasmserver", "hack/wasmserver", "go.mod", "go.sum")
	p.keep(wasmServer, err)
	sccAdmission, err := p.b.localProgram("sccadmission", "hack/sccadmission", "go.mod", "go.sum")
	p.keep(sccAdmission, err)
	return instruments{
		wasmModule: wasmModule, wasmServer: wasmServer, sccAdmission: sccAdmission,
		echo:      echo,
		metallb:   p.program("metallb", pins.MetalLB, time.Minute),
		echoBasic: p.program("echo-basic", pins.EchoBasic, 10*time.Second),
		echoCerts: p.files(moduleFiles{
			name: "istio-echo-certs-" + pins.Echo, modDir: filepath.Join("hack", "build", "echo-"+pins.Echo), module: "istio.io/istio",
			paths: []string{"tests/testdata/certs/cert.crt", "tests/testdata/certs/cert.key"},
		}),
		metallbFiles: p.files(moduleFiles{
			name: "metallb-manifest-" + pins.MetalLB, modDir: filepath.Join("hack", "build", "metallb-"+pins.MetalLB),
			module: "go.universe.tf/metallb", paths: []string{"config/manifests/metallb-native.yaml"},
		}),
		gatewayCRDs: p.files(moduleFiles{
			name: "gateway-api-crds", modDir: ".", module: "sigs.k8s.io/gateway-api", paths: []string{"config/crd/experimental"},
		}),
	}
}

// instrumentImages are the images of what measures, under every name that a manifest has for them.
func (b *Builder) instrumentImages(from instruments) ([]*artifact, error) {
	conformanceImages, err := conformanceReferences()
	if err != nil {
		return nil, err
	}
	var images []*artifact
	for _, name := range []string{"controller", "speaker"} {
		spec := b.single("metallb-"+name, RoleInstrument, metallbHub+"/"+name+":v"+b.versions.Instruments.MetalLB, from.metallb, name)
		spec.config.Entrypoint = []string{"/usr/local/bin/" + name}
		images = append(images, b.image(spec))
	}
	basic := b.single("echo-basic", RoleInstrument, "", from.echoBasic, "echo-basic")
	basic.references = append([]string{instrumentHub + "/echo-basic:local"}, matching(conformanceImages, "/echo-basic:")...)
	basic.config.Entrypoint = []string{"/usr/local/bin/echo-basic"}
	echo := imageSpec{
		name: "echo", role: RoleInstrument, needs: []*artifact{from.echo, from.echoCerts},
		references: append([]string{instrumentHub + "/echo:local"}, matching(conformanceImages, "/echo-advanced:")...),
		config:     v1.Config{Entrypoint: []string{"/usr/local/bin/server"}, Env: []string{defaultPath}},
		files: func() ([]file, error) {
			certs := b.store.path(from.echoCerts)
			return []file{
				b.executable(from.echo, "server", ""), b.executable(from.echo, "client", ""),
				{to: "/cert.crt", from: filepath.Join(certs, "cert.crt"), mode: 0o644},
				{to: "/cert.key", from: filepath.Join(certs, "cert.key"), mode: 0o644},
			}, nil
		},
	}
	scc := b.single("sccadmission", RoleInstrument, instrumentHub+"/sccadmission:local", from.sccAdmission, "sccadmission")
	scc.config.Entrypoint, scc.config.User = []string{"/usr/local/bin/sccadmission"}, "65535:65535"
	return append(images, b.image(basic), b.image(echo), b.wasmImage(from), b.image(scc)), nil
}

package images

import (
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"mesh-conformance/kindconfig"
)

// release is one built version of Istio.
type release struct {
	version         string
	programs, envoy *artifact
	// images are the control plane's and the proxy's.
	images []*artifact
}

// describe is the release as a cell names it, but for its istioctl.
func (r release) describe() kindconfig.Release {
	return kindconfig.Release{Istio: r.version, Hub: subjectHub, Tag: r.version}
}

// release plans the images of a version. The subject's have plain names in reports; another release's
// carry its version.
func (p *planner) release(istio kindconfig.Istio, role string, base *artifact) release {
	b := p.b
	programs := p.istio(istio.Version)
	envoy, err := b.envoy(b.versions.ForEnvoy(istio.Envoy))
	envoy = p.keep(envoy, err)
	templates := p.files(moduleFiles{
		name: "istio-bootstrap-" + istio.Version, modDir: filepath.Join("hack", "build", "istio-"+istio.Version), module: "istio.io/istio",
		paths: []string{"tools/packaging/common/envoy_bootstrap.json", "tools/packaging/common/gcp_envoy_bootstrap.json"},
	})
	suffix := ""
	if role != RoleSubject {
		suffix = "-" + istio.Version
	}
	pilot := imageSpec{
		name: "pilot" + suffix, role: role, references: []string{subjectHub + "/pilot:" + istio.Version}, base: base,
		needs:  []*artifact{programs, templates},
		config: v1.Config{User: "1337:1337", Entrypoint: []string{"/usr/local/bin/pilot-discovery"}, Env: []string{defaultPath}},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(programs, "pilot-discovery", "")), nil
		},
	}
	proxy := imageSpec{
		name: "proxyv2" + suffix, role: role, references: []string{subjectHub + "/proxyv2:" + istio.Version}, base: base,
		needs:  []*artifact{programs, templates, envoy},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/pilot-agent"}, Env: []string{defaultPath}, WorkingDir: "/"},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(programs, "pilot-agent", ""), b.executable(envoy, "envoy", "")), nil
		},
	}
	return release{
		version: istio.Version, programs: programs, envoy: envoy, images: []*artifact{b.image(pilot), b.image(proxy)},
	}
}

// cni is the image of Istio's CNI plugin: its installer, and the plugin where the installer looks for it
// (Istio 1.20, cni/deployments/kubernetes/Dockerfile.install-cni).
func (b *Builder) cni(version string, base, programs *artifact) imageSpec {
	return imageSpec{
		name: "install-cni", role: RoleSubject, references: []string{subjectHub + "/install-cni:" + version}, base: base,
		needs:  []*artifact{programs},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/install-cni"}, Env: []string{defaultPath}, WorkingDir: "/opt/cni/bin"},
		files: func() ([]file, error) {
			plugin := b.executable(programs, "istio-cni", "")
			plugin.to = "/opt/cni/bin/istio-cni"
			return []file{b.executable(programs, "install-cni", ""), plugin}, nil
		},
	}
}

// bootstrapTemplates are where pilot-agent looks for them (Istio 1.20, pilot/docker/Dockerfile.proxyv2).
func (b *Builder) bootstrapTemplates(from *artifact) []file {
	var files []file
	for _, name := range []string{"envoy_bootstrap", "gcp_envoy_bootstrap"} {
		files = append(files, file{to: "/var/lib/istio/envoy/" + name + "_tmpl.json", from: filepath.Join(b.store.path(from), name+".json"), mode: 0o644})
	}
	return files
}

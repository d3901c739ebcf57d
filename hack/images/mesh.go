package images

import (
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"mesh-conformance/kindconfig"
)

// mesh is one build of Istio in a plan: the subject, or another release.
type mesh struct {
	version, hub, tag string
	// source is built or published.
	source string
	// flavour and proxyVersion are of the proxy.
	flavour, proxyVersion string
	// pilot is the folder with the program pilot-discovery, istioctl that with istioctl, to be run on this machine. pilot is
	// nil for other builds than the subject.
	pilot, istioctl *artifact
	// charts is the folder with the charts and profiles of the installation, or nil where istioctl alone carries them.
	charts *artifact
	// chartsApart means that istioctl carries other charts.
	chartsApart bool
	// images are pilot's and the proxy's, and the CNI plugin's of the subject.
	images []*artifact
}

// programs are the artifacts that the run uses besides the images.
func (m mesh) programs() []*artifact {
	return slices.DeleteFunc([]*artifact{m.istioctl, m.pilot, m.charts}, func(a *artifact) bool { return a == nil })
}

// describe is the build as a cell names it, but for its istioctl. The zero value is no release.
func (m mesh) describe() kindconfig.Release {
	return kindconfig.Release{Istio: m.version, Hub: m.hub, Tag: m.tag}
}

// planSubject plans the build under test, wherever the node comes from.
func (p *planner) planSubject(subject kindconfig.Subject) mesh {
	switch subject.Origin {
	case kindconfig.OriginSource:
		return p.fromSource(subject)
	case kindconfig.OriginImages:
		return p.fromImages(subject)
	}
	return p.release(p.b.versions.Release(subject.Version), RoleSubject)
}

// planReleases plans the releases of a cell besides its subject. A release that is the subject is not planned again.
func (p *planner) planReleases(subject kindconfig.Subject) map[string]mesh {
	releases := map[string]mesh{}
	for _, version := range othersOf(p.b.versions, subject) {
		planned := p.release(p.b.versions.Release(version), RoleRelease)
		if subject.Origin == kindconfig.OriginRelease && version == subject.Version {
			planned.images = nil
		}
		releases[version] = planned
	}
	return releases
}

// release plans a pinned release from where the options say.
func (p *planner) release(istio kindconfig.Istio, role string) mesh {
	if p.b.options.Source == SourcePublished {
		return p.publishedRelease(istio, role)
	}
	programs := p.istio(istio.Version)
	templates := p.files(moduleFiles{
		name: "istio-bootstrap-" + istio.Version, modDir: pinsOf(istio.Version), module: istioModule, paths: bootstrapPaths,
	})
	return p.built(istio.Version, istio.Envoy, role, programs, templates, p.charts(istio.Version, role))
}

// istioModule is the module of Istio.
const istioModule = "istio.io/istio"

// bootstrapPaths are the templates of Envoy's bootstrap in Istio's module.
var bootstrapPaths = []string{"tools/packaging/common/envoy_bootstrap.json", "tools/packaging/common/gcp_envoy_bootstrap.json"}

// manifestsPath is the folder of charts and profiles in Istio's module.
const manifestsPath = "manifests"

// pinsOf is the folder of the pins that a release is built from.
func pinsOf(version string) string { return filepath.Join("hack", "build", "istio-"+version) }

// charts are those of a release's module, of the subject alone.
func (p *planner) charts(version, role string) *artifact {
	if role != RoleSubject {
		return nil
	}
	return p.files(moduleFiles{name: "istio-charts-" + version, modDir: pinsOf(version), module: istioModule, paths: []string{manifestsPath}})
}

// built plans the images of programs that are built here. The subject's have plain names in reports; another release's
// carry its version.
func (p *planner) built(version, envoyVersion, role string, programs, templates, charts *artifact) mesh {
	b, base := p.b, p.base()
	envoy, err := b.envoy(b.versions.ForEnvoy(envoyVersion))
	envoy = p.keep(envoy, err)
	p.tools[envoy] = pip
	suffix := ""
	if role != RoleSubject {
		suffix = "-" + version
	}
	pilot := imageSpec{
		name: "pilot" + suffix, role: role, references: []string{subjectHub + "/pilot:" + version}, base: base,
		needs:  []*artifact{programs, templates},
		config: v1.Config{User: "1337:1337", Entrypoint: []string{"/usr/local/bin/pilot-discovery"}, Env: []string{defaultPath}},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(programs, "pilot-discovery", "")), nil
		},
	}
	proxy := imageSpec{
		name: "proxyv2" + suffix, role: role, references: []string{subjectHub + "/proxyv2:" + version}, base: base,
		needs:  []*artifact{programs, templates, envoy},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/pilot-agent"}, Env: []string{defaultPath}, WorkingDir: "/"},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(programs, "pilot-agent", ""), b.executable(envoy, "envoy", "")), nil
		},
	}
	made := mesh{
		version: version, hub: subjectHub, tag: version, source: SourceBuilt, flavour: kindconfig.FlavourUpstream, proxyVersion: envoyVersion,
		istioctl: programs, charts: charts, images: []*artifact{b.image(pilot), b.image(proxy)},
	}
	if role == RoleSubject {
		made.pilot = programs
		made.images = append(made.images, b.image(b.cni(version, base, programs)))
	}
	return made
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

// single is an image from scratch with one static executable.
func (b *Builder) single(name, role, reference string, from *artifact, executable string) imageSpec {
	return imageSpec{
		name: name, role: role, references: []string{reference}, needs: []*artifact{from},
		config: v1.Config{Env: []string{defaultPath}},
		files:  func() ([]file, error) { return []file{b.executable(from, executable, "")}, nil },
	}
}

// executable is an artifact's program under /usr/local/bin, renamed unless as is empty.
func (b *Builder) executable(from *artifact, name, as string) file {
	if as == "" {
		as = name
	}
	return file{to: "/usr/local/bin/" + as, from: filepath.Join(b.store.path(from), name), mode: 0o755}
}

package pin

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"mesh-conformance/hack/problem"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
	corednsModule    = "github.com/coredns/coredns"
	// nodeImage is where kind publishes node images; its tags are v and the version of Kubernetes.
	nodeImage = "kindest/node"
	// constantsFile of Kubernetes has the tags of the images that kubeadm insists on.
	constantsFile = "cmd/kubeadm/app/constants/constants.go"
)

// kubernetesTools are the main packages of a node image and of its static pods.
var kubernetesTools = []string{
	kubernetesModule + "/cmd/kube-apiserver", kubernetesModule + "/cmd/kube-controller-manager", kubernetesModule + "/cmd/kube-proxy",
	kubernetesModule + "/cmd/kube-scheduler", kubernetesModule + "/cmd/kubeadm", kubernetesModule + "/cmd/kubectl", kubernetesModule + "/cmd/kubelet",
}

// Kubernetes pins a release of Kubernetes with the etcd, CoreDNS and pause that its kubeadm insists on. A minor
// release has one pinned patch release.
func (p Pinner) Kubernetes(ctx context.Context, version string) error {
	version, minor, err := parts("Kubernetes", version)
	if err != nil {
		return err
	}
	content, versions, err := p.versions()
	if err != nil {
		return err
	}
	pinned, ok := versions.Kubernetes[minor]
	if ok && pinned.Version != version {
		return problem.Usage(fmt.Sprintf("Kubernetes %s is pinned at %s, and nothing is overwritten", minor, pinned.Version), versionsFile,
			"remove that entry first")
	}
	tags := tags{etcd: pinned.Etcd.Tag, coredns: pinned.CoreDNS.Tag, pause: pinned.Pause}
	if ok && p.has("kubernetes", version) {
		p.Say("was there: %s", folder("kubernetes", version))
	} else if tags, err = p.kubernetesFolder(ctx, version); err != nil {
		return err
	}
	etcd, coredns := tags.builds()
	for _, c := range []component{
		{name: "etcd", version: etcd, path: etcdModule, moduleVersion: "v" + etcd},
		{name: "coredns", version: coredns, path: corednsModule, moduleVersion: "v" + coredns},
	} {
		if p.has(c.name, c.version) {
			p.Say("was there: %s", folder(c.name, c.version))
			continue
		}
		if err := p.program(ctx, c); err != nil {
			return err
		}
	}
	if ok {
		p.Say("was there: Kubernetes %s in %s", version, versionsFile)
		return nil
	}
	entry := []string{
		strconv.Quote(minor) + ":",
		"  version: " + version,
		fmt.Sprintf("  etcd: {build: %s, tag: %s}", etcd, tags.etcd),
		fmt.Sprintf("  coredns: {build: %s, tag: %s}", coredns, tags.coredns),
		"  pause: " + strconv.Quote(tags.pause),
	}
	reference := nodeImage + ":v" + version
	if digest, err := p.Digest(ctx, reference); err != nil {
		p.Say("cannot be had: the published node image %s: %v", reference, err)
	} else {
		entry = append(entry, "  published: "+reference+"@"+digest)
	}
	added, err := insert(content, "kubernetes", minor, entry)
	if err != nil {
		return err
	}
	if err := p.writeVersions(added); err != nil {
		return err
	}
	p.Say("written: Kubernetes %s in %s", version, versionsFile)
	return nil
}

// kubernetesFolder writes hack/build/kubernetes-VERSION, unless it is there, and returns the tags that kubeadm insists on.
func (p Pinner) kubernetesFolder(ctx context.Context, version string) (tags, error) {
	what := "Kubernetes " + version
	m, env, err := p.download(ctx, what, kubernetesModule, "v"+version)
	if err != nil {
		return tags{}, err
	}
	found, err := readTags(filepath.Join(m.Dir, filepath.FromSlash(constantsFile)))
	if err != nil {
		return tags{}, err
	}
	if p.has("kubernetes", version) {
		p.Say("was there: %s", folder("kubernetes", version))
		return found, nil
	}
	of, err := readModule(m)
	if err != nil {
		return tags{}, err
	}
	staged, err := p.staging(ctx, what, of, version)
	if err != nil {
		return tags{}, err
	}
	replaces, err := carried(of, func(path string) (string, bool) { v, ok := staged[path]; return v, ok })
	if err != nil {
		return tags{}, err
	}
	return found, p.component(ctx, component{
		name: "kubernetes", version: version, path: kubernetesModule, moduleVersion: m.Version, goVersion: goVersion(of), replaces: replaces,
	}, m, kubernetesTools, env)
}

// staging maps each module of Kubernetes' staging area to its version of the same release, 0.28.15 for 1.28.15. The
// error names the modules that the module source lacks.
func (p Pinner) staging(ctx context.Context, what string, of *modfile.File, version string) (map[string]string, error) {
	staged, asked := map[string]string{}, []string{}
	_, rest, _ := strings.Cut(version, ".")
	for _, r := range of.Replace {
		if r.New.Version == "" && strings.HasPrefix(r.New.Path, "./staging/src/") {
			staged[r.Old.Path] = "v0." + rest
			asked = append(asked, r.Old.Path+"@v0."+rest)
		}
	}
	if len(asked) == 0 {
		return staged, nil
	}
	has, err := p.available(ctx, what, asked)
	if err != nil {
		return nil, err
	}
	if lacking := slices.DeleteFunc(asked, func(m string) bool { return has[m] }); len(lacking) > 0 {
		return nil, problem.Usage(what+" cannot be had whole: the Go module source lacks "+strings.Join(lacking, ", "), kubernetesModule,
			"choose a patch release that is complete")
	}
	return staged, nil
}

// program writes the folder of a component whose module is its main package.
func (p Pinner) program(ctx context.Context, c component) error {
	m, env, err := p.download(ctx, c.name+" "+c.version, c.path, c.moduleVersion)
	if err != nil {
		return err
	}
	of, err := readModule(m)
	if err != nil {
		return err
	}
	c.goVersion = goVersion(of)
	// Modules of the same repository, as etcd's, are published at the version of the release.
	c.replaces, err = carried(of, func(string) (string, bool) { return c.moduleVersion, true })
	if err != nil {
		return err
	}
	c.replaces = slices.DeleteFunc(c.replaces, func(r replacement) bool { return r.from == r.to && r.version == c.moduleVersion })
	return p.component(ctx, c, m, []string{c.path}, env)
}

// tags of the images that a kubeadm insists on: 3.5.15-0, v1.10.1 and 3.9.
type tags struct{ etcd, coredns, pause string }

// builds are the versions to build for the tags: the revision of etcd's image and CoreDNS's v are no part of them.
func (t tags) builds() (etcd, coredns string) {
	etcd, _, _ = strings.Cut(t.etcd, "-")
	return etcd, strings.TrimPrefix(t.coredns, "v")
}

// readTags reads kubeadm's constants.
func readTags(path string) (tags, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return tags{}, problem.Usage("cannot read the tags that kubeadm insists on: "+err.Error(), constantsFile, "choose another version")
	}
	constants := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if i >= len(spec.Values) {
				break
			}
			if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				constants[name.Name], _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	found := tags{etcd: constants["DefaultEtcdVersion"], coredns: constants["CoreDNSVersion"], pause: constants["PauseVersion"]}
	if found.etcd == "" || found.coredns == "" || found.pause == "" {
		return tags{}, problem.Usage("kubeadm names no tag of etcd, CoreDNS or pause", constantsFile, "choose another version")
	}
	return found, nil
}

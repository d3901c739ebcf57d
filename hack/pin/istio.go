package pin

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

//go:embed commits.yaml
var commitsYAML []byte

const istioModule = "istio.io/istio"

// istioTools are the main packages of a subject: its images and its istioctl.
var istioTools = []string{
	istioModule + "/cni/cmd/install-cni", istioModule + "/cni/cmd/istio-cni", istioModule + "/istioctl/cmd/istioctl",
	istioModule + "/pilot/cmd/pilot-agent", istioModule + "/pilot/cmd/pilot-discovery",
}

// istioImages are the published images that a cell needs of a release.
var istioImages = []string{"pilot", "proxyv2", "install-cni", "istioctl"}

// istioHub is where releases are published.
const istioHub = "docker.io/istio"

// Istio pins a release of Istio. commit names the release's commit as the Go module source knows it, a hash or a
// pseudo-version; empty means the known one, or the tag.
func (p Pinner) Istio(ctx context.Context, version, commit string) error {
	version, minor, err := parts("Istio", version)
	if err != nil {
		return err
	}
	content, versions, err := p.versions()
	if err != nil {
		return err
	}
	if p.has("istio", version) {
		if commit != "" {
			return problem.Usage(
				fmt.Sprintf("%s is there, and nothing is overwritten by the commit %s", folder("istio", version), commit),
				"--commit", "leave it out, or remove the folder first")
		}
		p.Say("was there: %s", folder("istio", version))
	} else if err := p.istioFolder(ctx, version, minor, commit); err != nil {
		return err
	}
	if _, ok := versions.Istio[version]; ok {
		p.Say("was there: Istio %s in %s", version, versionsFile)
		return nil
	}
	envoy := versions.Istio[versions.Defaults.Istio].Envoy
	entry := []string{version + ":", "  envoy: " + envoy, "  published: {hub: " + istioHub + ", tag: " + version + "}"}
	if digests := p.digests(ctx, istioHub, version, istioImages); len(digests) > 0 {
		entry[2] = "  published:"
		entry = append(entry, "    hub: "+istioHub, "    tag: "+version, "    digests:")
		for _, image := range istioImages {
			if digest, ok := digests[image]; ok {
				entry = append(entry, "      "+image+": "+digest)
			}
		}
	}
	added, err := insert(content, "istio", version, entry)
	if err != nil {
		return err
	}
	if err := p.writeVersions(added); err != nil {
		return err
	}
	p.Say("written: Istio %s in %s; built, it runs on Envoy %s", version, versionsFile, envoy)
	return nil
}

// digests asks the registry for the digests of images; what cannot be had gets a line each.
func (p Pinner) digests(ctx context.Context, hub, tag string, names []string) map[string]string {
	digests := map[string]string{}
	for _, name := range names {
		reference := hub + "/" + name + ":" + tag
		digest, err := p.Digest(ctx, reference)
		if err != nil {
			p.Say("cannot be had: the digest of %s: %v", reference, err)
			continue
		}
		digests[name] = digest
	}
	return digests
}

// istioFolder writes hack/build/istio-VERSION.
func (p Pinner) istioFolder(ctx context.Context, version, minor, commit string) error {
	what := "Istio " + version
	asked, how, err := istioVersion(version, commit)
	if err != nil {
		return err
	}
	m, env, err := p.download(ctx, what, istioModule, asked)
	if err != nil && how == byTag && problem.ExitCode(err) == problem.ExitUsage {
		return problem.Usage(what+" cannot be had: the Go module source has no such tag of "+istioModule, asked,
			"name the release's commit with --commit, as a pseudo-version where the source does not resolve commits")
	}
	if err != nil {
		return err
	}
	p.Say("%s is %s %s, %s", what, istioModule, m.Version, how)
	if of := releaseBranch(m.Dir); of != "" && of != minor {
		return problem.Usage(fmt.Sprintf("%s %s is of Istio %s, not of %s", istioModule, m.Version, of, minor), "--commit", "name the commit of the tag "+version)
	}
	of, err := readModule(m)
	if err != nil {
		return err
	}
	replaces, err := carried(of, func(string) (string, bool) { return "", false })
	if err != nil {
		return err
	}
	for _, required := range of.Require {
		if required.Indirect || !strings.HasPrefix(required.Mod.Path, "istio.io/") {
			continue
		}
		stand, err := p.standIn(ctx, what, required.Mod.Path, required.Mod.Version, version, minor)
		if err != nil {
			return err
		}
		if stand != required.Mod.Version {
			replaces = append(replaces, replacement{from: required.Mod.Path, to: required.Mod.Path, version: stand})
		}
	}
	return p.component(ctx, component{
		name: "istio", version: version, path: istioModule, moduleVersion: m.Version, goVersion: goVersion(of), replaces: replaces,
	}, m, istioTools, env)
}

// How the version of the module was found.
const (
	byCommit = "named by --commit"
	byList   = "the commit of the release's tag"
	byTag    = "the tag as the Go module source resolves it"
)

// istioVersion is what to ask the module source for.
func istioVersion(version, commit string) (asked, how string, err error) {
	if commit != "" {
		return commit, byCommit, nil
	}
	var known map[string]string
	if err := yaml.UnmarshalStrict(commitsYAML, &known); err != nil {
		return "", "", problem.Usage("malformed commits of releases: "+err.Error(), "hack/pin/commits.yaml", "correct the file")
	}
	if pseudo, ok := known[version]; ok {
		return pseudo, byList, nil
	}
	return version, byTag, nil
}

// releaseBranch is the minor release that a tree of Istio belongs to, as its file VERSION says; empty where it has none.
func releaseBranch(dir string) string {
	content, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// standIn is the version of one of Istio's own modules to build with: the one that the release requires, or, where the
// module source lacks it, the newest release of the same minor that is not newer than the subject. Releases of Istio
// require commits of istio.io/api and istio.io/client-go that the tags of the same release name too.
func (p Pinner) standIn(ctx context.Context, what, path, required, version, minor string) (string, error) {
	patch, err := strconv.Atoi(strings.TrimPrefix(version, minor+"."))
	if err != nil {
		return "", err
	}
	asked := []string{path + "@" + required}
	for n := patch; n >= 0; n-- {
		asked = append(asked, path+"@v"+minor+"."+strconv.Itoa(n))
	}
	has, err := p.available(ctx, what, asked)
	if err != nil {
		return "", err
	}
	for _, candidate := range asked {
		if !has[candidate] {
			continue
		}
		found := strings.TrimPrefix(candidate, path+"@")
		if found != required {
			p.Say("cannot be had: %s %s, which the release requires; %s stands in for it", path, required, found)
		}
		return found, nil
	}
	return "", problem.Usage(fmt.Sprintf("%s cannot be had: the Go module source has neither %s %s nor a release of %s", what, path, required, minor),
		istioModule, "choose a version whose modules it has")
}

// component writes a folder with those of the main packages that the module has; a line names the others.
func (p Pinner) component(ctx context.Context, c component, m module, tools, env []string) error {
	has, lacks := withMainPackages(m, tools)
	for _, tool := range lacks {
		p.Say("cannot be had: %s, which %s %s does not have", tool, m.Path, m.Version)
	}
	if len(has) == 0 {
		return problem.Usage(fmt.Sprintf("%s %s has none of the programs of %s", m.Path, m.Version, c.name), strings.Join(tools, ", "), "choose another version")
	}
	c.tools = has
	own, err := p.ownGo()
	if err != nil {
		return err
	}
	text, err := c.text(own)
	if err != nil {
		return err
	}
	return p.write(ctx, c.name, c.version, text, env)
}

// Package upgrade shows that a mesh in use moves from the release before the subject to the subject, and on to
// the one after it: in place and by revision, without losing a request.
package upgrade

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
)

// The releases of a cell. Specs are told apart by them before the run has a cell.
func before() kindconfig.Release  { return session.Job().Cell.Before }
func subject() kindconfig.Release { return mesh.Subject(&session.Job().Cell) }
func after() kindconfig.Release   { return session.Job().Cell.After }
func control() kindconfig.Release { return session.Job().Cell.Control }

// inPlace is the control plane of the default revision, the same for every release.
func inPlace() mesh.ControlPlane {
	return mesh.ControlPlane{
		Name: "upgrade-in-place", Operator: controlplane.Operator("upgrade"), Proxies: controlplane.AllProxies,
	}
}

// revision is what a release's control plane is called beside others: Istio's documentation makes it of the
// version.
func revision(release kindconfig.Release) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(release.Istio)), "-")
}

// spoken is a release's version as istioctl prints it where it tells of an upgrade: without the suffix of a build of
// somebody's own (Istio 1.20, operator/pkg/version, TagToVersionString).
func spoken(release kindconfig.Release) string {
	version, err := semver.NewVersion(release.Istio)
	if err != nil {
		return release.Istio
	}
	return fmt.Sprintf("%d.%d.%d", version.Major(), version.Minor(), version.Patch())
}

// beside is a release's control plane as a revision of its own.
func beside(release kindconfig.Release) (mesh.ControlPlane, error) {
	var content map[string]any
	if err := yaml.Unmarshal(controlplane.Operator("upgrade"), &content); err != nil {
		return mesh.ControlPlane{}, fmt.Errorf("the operator file: %w", err)
	}
	spec, ok := content["spec"].(map[string]any)
	if !ok {
		return mesh.ControlPlane{}, fmt.Errorf("the operator file has no spec")
	}
	name := revision(release)
	spec["revision"] = name
	written, err := yaml.Marshal(content)
	if err != nil {
		return mesh.ControlPlane{}, fmt.Errorf("the operator file: %w", err)
	}
	return mesh.ControlPlane{Name: "upgrade-" + name, Revision: name, Operator: written, Proxies: controlplane.AllProxies}, nil
}

// install puts a release's control plane in, with the release's own istioctl, and gives what that said.
func install(ctx context.Context, installer *mesh.Installer, release kindconfig.Release, plane mesh.ControlPlane) string {
	GinkgoHelper()
	evidence.Replay("istioctl-%s install --skip-confirmation --filename istio-%s.yaml --set hub=%s --set tag=%s",
		release.Istio, plane.Name, release.Hub, release.Tag)
	begun := time.Now()
	var said strings.Builder
	of := installer.Of(release)
	of.Log = io.MultiWriter(of.Log, &said)
	Expect(of.Install(ctx, plane)).To(Succeed())
	evidence.API("istiod "+release.Istio, "%s is installed and available after %.1fs", plane.Deployment(), time.Since(begun).Seconds())
	return said.String()
}

// istioctl runs a release's own istioctl and records the command.
func istioctl(ctx context.Context, installer *mesh.Installer, release kindconfig.Release, arguments ...string) string {
	GinkgoHelper()
	evidence.Replay("istioctl-%s %s", release.Istio, strings.Join(arguments, " "))
	out, err := installer.Of(release).Istioctl(ctx, arguments...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// tryRevision has a release's own istioctl install nothing under a revision of another name, in a dry run, and gives what
// it said.
func tryRevision(ctx context.Context, installer *mesh.Installer, release kindconfig.Release) string {
	GinkgoHelper()
	var said strings.Builder
	of := *installer
	of.Log = io.MultiWriter(of.Log, &said)
	out := istioctl(ctx, &of, release, "install", "--dry-run", "--skip-confirmation", "--set=profile=empty", "--revision=other")
	return said.String() + out
}

// setTag makes the tag lead to a release's revision.
func setTag(ctx context.Context, installer *mesh.Installer, by, to kindconfig.Release) {
	GinkgoHelper()
	istioctl(ctx, installer, by, "tag", "set", tag, "--revision", revision(to), "--overwrite")
}

// tag is what namespaces name instead of a revision.
const tag = "prod"

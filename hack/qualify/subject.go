package main

import (
	"context"
	"slices"

	"github.com/spf13/pflag"

	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// subjectFlag is the flag of the file that stands for the other flags of the subject.
const subjectFlag = "subject"

// buildFlags are the flags that a subject file stands for, with the values that they set.
func buildFlags(asked *kindconfig.SubjectFile) []buildFlag {
	return []buildFlag{
		{"istio", &asked.Istio, "release of Istio under test, pinned in kindconfig/versions.yaml (default: the file's)"},
		{"istio-source", &asked.Source, "folder of a checkout of istio/istio, or of its module: programs and charts are built from it"},
		{"hub", &asked.Hub, "hub of images under test that exist: HUB/pilot:TAG, HUB/proxyv2:TAG, HUB/install-cni:TAG"},
		{"tag", &asked.Tag, "tag of the images under test"},
		{"istioctl", &asked.Istioctl, "istioctl of the images under test (default: the one in HUB/istioctl:TAG)"},
		{"charts", &asked.Charts, "folder manifests of the images under test (default: what istioctl carries)"},
		{"base", &asked.Base, "release to judge the build by if its version is no release of Istio, for example 1.20.3"},
		{"upgrade-from", &asked.UpgradeFrom, "pinned release that upgrades start from (default: the newest of the minor version before)"},
		{"upgrade-to", &asked.UpgradeTo, "pinned release that upgrades lead to (default: the next one)"},
	}
}

type buildFlag struct {
	name  string
	value *string
	usage string
}

// addBuildFlags adds the flags that say which build is under test.
func addBuildFlags(f *pflag.FlagSet, o *runOptions) {
	for _, flag := range buildFlags(&o.asked) {
		f.StringVar(flag.value, flag.name, "", flag.usage)
	}
	f.StringVar(&o.subjectFile, subjectFlag, "", "YAML file in place of these flags, for example subject.yaml of a run's folder")
}

// subject makes the subject that the flags ask for, and refuses values of any flag that could only fail later.
func (o *runOptions) subject(ctx context.Context, versions *kindconfig.Versions) (kindconfig.Subject, error) {
	subject, err := o.build(ctx, versions)
	if err == nil {
		err = o.check(subject)
	}
	return subject, err
}

// build returns the build that the flags name, or the file, as far as it is known without images.
func (o *runOptions) build(ctx context.Context, versions *kindconfig.Versions) (kindconfig.Subject, error) {
	asked := o.asked
	if o.subjectFile != "" {
		for _, flag := range buildFlags(&o.asked) {
			if *flag.value != "" {
				return kindconfig.Subject{}, problem.Usage("a build is named by a file and by a flag",
					"--"+subjectFlag+", --"+flag.name, "leave one out")
			}
		}
		var err error
		if asked, err = kindconfig.LoadSubjectFile(o.subjectFile); err != nil {
			return kindconfig.Subject{}, err
		}
		if err := asked.Check(); err != nil {
			return kindconfig.Subject{}, err
		}
		if asked.Images != "" && !slices.Contains([]string{images.ChoiceAuto, asked.Images}, o.images) {
			return kindconfig.Subject{}, problem.Usage("the subject file says images: "+asked.Images+", and the flag says "+o.images,
				"--images", "leave one out")
		}
		if asked.Images != "" {
			o.images = asked.Images
		}
	}
	return images.Subject(ctx, versions, asked)
}

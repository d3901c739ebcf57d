package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// imagesOptions are the flags of `qualify images`.
type imagesOptions struct {
	run  runOptions
	json bool
}

func imagesCommand() *cobra.Command {
	var o imagesOptions
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Print every published image that a cell needs, with digests, for people who mirror",
		Long: "Print every published image that a cell needs, with digests, for people who mirror. Instruments are built in every\n" +
			"mode and are not listed.\n\n" +
			"The registry is asked for digests that are not pinned. Where it cannot be reached, all references are printed, the\n" +
			"digest is \"unknown\", and the command ends with exit code 3 and one line that says why.\n\n" +
			"The releases of the upgrade path follow from the version of the build. Of images that exist, --base states it;\n" +
			"without it, one line on standard error names what is left out.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listImages(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.run.kubernetes, "kubernetes", "", "Kubernetes version, 1.28 or 1.28.15 (default: the newest pinned)")
	addBuildFlags(f, &o.run)
	f.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	addAccessFlags(cmd, &o.run.access)
	return cmd
}

// listImages prints the list to out, and what it leaves out to note.
func listImages(ctx context.Context, out, note io.Writer, o imagesOptions) error {
	versions, err := kindconfig.Load()
	if err != nil {
		return err
	}
	kubernetes, err := versions.ForKubernetes(o.run.kubernetes)
	if err != nil {
		return err
	}
	o.run.images = images.ChoiceAuto
	subject, err := o.run.build(ctx, versions)
	if err != nil {
		return err
	}
	subject, left, err := located(versions, subject)
	if err != nil {
		return err
	}
	if left != "" {
		_, _ = fmt.Fprintln(note, left)
	}
	reader, err := images.NewReader(runtime.GOARCH, o.run.access)
	if err != nil {
		return err
	}
	listed, unknown := images.List(ctx, reader, versions, kubernetes, subject)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(listed)
	} else {
		err = imagesTable(out, listed)
	}
	return errors.Join(err, unknown)
}

// located adds the upgrade path to a subject of images that exist, which are not asked for their version: it follows
// from --base. left is one line about the releases that are unknown without it, else empty.
func located(versions *kindconfig.Versions, subject kindconfig.Subject) (_ kindconfig.Subject, left string, err error) {
	asked := subject.Asked
	if subject.Origin != kindconfig.OriginImages {
		return subject, "", nil
	}
	if asked.Base != "" {
		subject, err = versions.Located(subject, asked.Base)
		return subject, "", err
	}
	subject.From, subject.To = asked.UpgradeFrom, asked.UpgradeTo
	var unknown []string
	if subject.From == "" {
		unknown = append(unknown, "start from")
	}
	if subject.To == "" {
		unknown = append(unknown, "lead to")
	}
	if len(unknown) > 0 {
		left = "left out: images of the release that upgrades " + strings.Join(unknown, " and of the release that they ") +
			", because the version of " + subject.Name + " is not known; state it with --base, for example --base 1.20.3"
	}
	return subject, left, nil
}

// imagesTable prints one image a line: reference, digest, role, platform and, with a mirror, where it is read.
func imagesTable(out io.Writer, listed []images.Listed) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, image := range listed {
		digest := image.Digest
		if digest == "" {
			digest = "unknown"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", image.Reference, digest, image.Role, image.Platform, image.Mirror)
	}
	if err := table.Flush(); err != nil {
		return problem.Environment("cannot print the images", "", "", err)
	}
	return nil
}

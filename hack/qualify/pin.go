package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/images"
	"mesh-conformance/hack/pin"
)

func pinCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pin",
		Short: "Write what a new version of Istio or Kubernetes needs into the checkout",
		Long: "Write what a new version of Istio or Kubernetes needs into the checkout: folders below hack/build and an entry in\n" +
			"kindconfig/versions.yaml. Lines that begin with \"cannot be had\" name what is missing. What is there stays as it is.\n\n" +
			"Exit codes: 0 the version is pinned, 2 the version or its modules do not exist, 3 the module source cannot be reached.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(pinIstioCommand(), pinKubernetesCommand())
	return cmd
}

func pinIstioCommand() *cobra.Command {
	var commit string
	var access images.Access
	cmd := &cobra.Command{
		Use:   "istio VERSION",
		Short: "Pin a release of Istio, for example 1.21.3",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := newPinner(cmd, access)
			if err != nil {
				return err
			}
			return p.Istio(cmd.Context(), args[0], commit)
		},
	}
	cmd.Flags().StringVar(&commit, "commit", "", "the release's commit, a hash or a pseudo-version of istio.io/istio, where the Go module source does not know the tag")
	addAccessFlags(cmd, &access)
	return cmd
}

func pinKubernetesCommand() *cobra.Command {
	var access images.Access
	cmd := &cobra.Command{
		Use:   "kubernetes VERSION",
		Short: "Pin a release of Kubernetes, for example 1.28.15, and the etcd, CoreDNS and pause that its kubeadm insists on",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := newPinner(cmd, access)
			if err != nil {
				return err
			}
			return p.Kubernetes(cmd.Context(), args[0])
		},
	}
	addAccessFlags(cmd, &access)
	return cmd
}

// newPinner pins in the checkout that the command runs in.
func newPinner(cmd *cobra.Command, access images.Access) (pin.Pinner, error) {
	working, err := os.Getwd()
	if err != nil {
		return pin.Pinner{}, err
	}
	repository, err := findRepository(working)
	if err != nil {
		return pin.Pinner{}, err
	}
	reader, err := images.NewReader(runtime.GOARCH, access)
	if err != nil {
		return pin.Pinner{}, err
	}
	out := cmd.OutOrStdout()
	return pin.Pinner{
		Repository: repository, Go: pin.RunGo,
		Digest: func(ctx context.Context, reference string) (string, error) { return reader.Digest(ctx, reference) },
		Say:    func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) },
	}, nil
}

package main

import (
	"github.com/spf13/cobra"

	"mesh-conformance/hack/images"
)

// addAccessFlags adds the flags that say how image registries are reached.
func addAccessFlags(cmd *cobra.Command, access *images.Access) {
	f := cmd.Flags()
	f.StringVar(&access.Mirror, "mirror", "", "HOST or HOST/PATH of a registry that stands for all others: docker.io/istio/pilot is HOST/PATH/istio/pilot")
	f.StringVar(&access.DigestsFile, "mirror-digests", "", "YAML file that maps references to the digests that the mirror has for them")
	f.StringVar(&access.CAFile, "registry-ca", "", "PEM file of certificate authorities of registries, besides the system's")
}

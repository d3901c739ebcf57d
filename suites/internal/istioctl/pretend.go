package istioctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
)

// Pretend serves the shared cluster's API under another version of Kubernetes, on this machine's loopback and until
// the spec ends, and gives the kubeconfig that leads there.
func Pretend(ctx context.Context, release string) string {
	GinkgoHelper()
	handler, err := pretender(kube.Shared().Config, release)
	Expect(err).NotTo(HaveOccurred())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	DeferCleanup(server.Close)

	const name = "pretended"
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: "http://" + listener.Addr().String()}},
		AuthInfos:      map[string]*api.AuthInfo{name: {}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)).To(Succeed())
	Expect(os.Chmod(path, 0o600)).To(Succeed())
	evidence.Replay("# through a proxy of the API server that answers /version with v%s", release)
	return path
}

// pretender passes requests on to the API server of config, and tells another version in its answers.
func pretender(config *rest.Config, release string) (http.Handler, error) {
	parsed, err := version.ParseSemantic(release)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	// Port-forwards upgrade their connection, which HTTP/2 has not.
	config.NextProtos = []string{"http/1.1"}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if r.In.URL.Path == "/version" {
				// What is to be changed has to come uncompressed.
				r.Out.Header.Del("Accept-Encoding")
			}
		},
		ModifyResponse: func(response *http.Response) error {
			if response.Request.URL.Path != "/version" || response.StatusCode != http.StatusOK {
				return nil
			}
			return age(response, parsed)
		},
	}, nil
}

// age puts another version into the API server's answer.
func age(response *http.Response, release *version.Version) error {
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		return fmt.Errorf("the API server's version: %w", err)
	}
	answer["gitVersion"] = "v" + release.String()
	answer["major"], answer["minor"] = fmt.Sprint(release.Major()), fmt.Sprint(release.Minor())
	if content, err = json.Marshal(answer); err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	response.ContentLength = int64(len(content))
	response.Header.Set("Content-Length", strconv.Itoa(len(content)))
	return nil
}

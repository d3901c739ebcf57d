package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// accountDir is where the kubelet puts what a pod's service account needs.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// apiServer is the cluster's. Two requests do not need a client library, which would be most of the image.
type apiServer struct {
	url    string
	client *http.Client
	// tokenFile is read again for every request: the kubelet renews it.
	tokenFile string
}

// inCluster is the API server of the cluster that this program runs in.
func inCluster() (*apiServer, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("this is no pod: KUBERNETES_SERVICE_HOST is not set")
	}
	authority, err := os.ReadFile(filepath.Join(accountDir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("the service account's authority is no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &apiServer{
		url: "https://" + net.JoinHostPort(host, port), client: &http.Client{Transport: transport},
		tokenFile: filepath.Join(accountDir, "token"),
	}, nil
}

// annotations are those of a namespace.
func (a *apiServer) annotations(ctx context.Context, namespace string) (map[string]string, error) {
	content, err := a.do(ctx, http.MethodGet, "/api/v1/namespaces/"+url.PathEscape(namespace), nil)
	if err != nil {
		return nil, err
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	return object.Annotations, nil
}

// trust has the first webhook of a configuration, <resource>/<name>, take this program's certificate.
func (a *apiServer) trust(ctx context.Context, configuration string, bundle []byte) error {
	resource, name, found := strings.Cut(configuration, "/")
	if !found {
		return fmt.Errorf("%q is not of the form <resource>/<name>", configuration)
	}
	patch, err := json.Marshal([]operation{{"add", "/webhooks/0/clientConfig/caBundle", bundle}})
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, "/apis/admissionregistration.k8s.io/v1/"+url.PathEscape(resource)+"/"+url.PathEscape(name), patch)
	return err
}

// do makes one request; a body is a JSON patch.
func (a *apiServer) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	token, err := os.ReadFile(a.tokenFile)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json-patch+json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	}
	return content, err
}

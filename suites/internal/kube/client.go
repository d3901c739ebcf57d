// Package kube holds the suite's connection to the cluster under test and the few
// operations on it that specs share: namespaces, pods, exec, logs, port-forwards.
package kube

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/fixtures"
)

// Client bundles what a spec needs to talk to one cluster.
type Client struct {
	// Path of the kubeconfig file this client was made from.
	Kubeconfig string
	// Name of the kind cluster.
	Name string
	// Connected is when this client was made: by then the cluster had come up.
	Connected time.Time
	Config    *rest.Config
	Clientset kubernetes.Interface
	// Client reads and writes uncached every kind that a fixture may use.
	Client ctrl.Client
	// Disposable says that the cluster is deleted when the container that made it ends: what is in it
	// needs no cleanup.
	Disposable bool

	pods sync.Once
	// looks and acts make requests to pods, those that only read and the others.
	looks, acts *http.Client

	// conns are the connections that SharedGRPC gives out.
	conns struct {
		sync.Mutex
		to map[string]*grpc.ClientConn
	}
}

// Connect reads a kubeconfig file and builds the clients. It sends no request.
func Connect(kubeconfig string) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	loaded, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	// Specs poll fast on purpose; the API server's own fairness is the limit. A limiter in the client would fail a request with
	// a deadline that it could not keep, and a slow machine would look like a broken product.
	config.QPS = -1
	config.Wrap(readAgain)
	// To the same machine it would cost more than it saves.
	config.DisableCompression = true
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("build the clientset: %w", err)
	}
	client, err := ctrl.New(config, ctrl.Options{Scheme: fixtures.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	return &Client{
		Kubeconfig: kubeconfig, Name: strings.TrimPrefix(loaded.CurrentContext, "kind-"), Connected: time.Now(),
		Config: config, Clientset: clientset, Client: client,
	}, nil
}

var shared *Client

// Use makes client what Shared gives in this process: the shared cluster's connection, from before the
// first spec on, and that of a container's own cluster for as long as the container runs.
func Use(client *Client) { shared = client }

// Shared is the connection to the cell's shared cluster, or to the cluster that the current container
// has made for itself. It panics before provisioning:
// a spec tree must not touch the cluster while it is being built.
func Shared() *Client {
	if shared == nil {
		panic("kube.Shared called before the suite provisioned a cluster")
	}
	return shared
}

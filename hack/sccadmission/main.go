// Program sccadmission stands in for the admission of an OpenShift cluster that knows one security context
// constraint, restricted-v2: pods get what the constraint assigns where they leave it open, and are refused
// where they ask for what it does not allow. SELinux levels, which other clusters lack, are left out. It is a
// program of its own because it runs in a pod; it lives beside the other programs of the build because no
// spec imports it.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"log"
	"net/http"
	"strings"
	"time"
)

func main() {
	listen := flag.String("listen", ":8443", "address to serve on")
	host := flag.String("host", "", "name by which the API server reaches this program: <service>.<namespace>.svc")
	configurations := flag.String("configurations", "", "webhook configurations, by comma, whose webhooks are to trust this program: <resource>/<name>")
	flag.Parse()

	certificate, bundle, err := selfSigned(*host)
	if err != nil {
		log.Fatal(err)
	}
	server, err := inCluster()
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for configuration := range strings.SplitSeq(*configurations, ",") {
		if err := server.trust(ctx, configuration, bundle); err != nil {
			log.Fatalf("have %s trust this program: %v", configuration, err)
		}
	}
	https := &http.Server{
		Addr: *listen, Handler: handler(server.annotations), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	log.Printf("admitting pods at %s as %s", *listen, *host)
	log.Fatal(https.ListenAndServeTLS("", ""))
}

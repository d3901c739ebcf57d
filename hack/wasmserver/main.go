// Program wasmserver serves one Wasm module to the proxies of a cluster, in the ways in which a WasmPlugin
// can name it: as a file over HTTP, and as images of a registry without TLS. It is a program of its own
// because it runs in a pod; it lives beside the other programs of the build because no spec imports it.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	module := flag.String("module", "/plugin.wasm", "file of the module")
	flag.Parse()
	content, err := os.ReadFile(*module)
	if err != nil {
		log.Fatal(err)
	}
	serve, err := handler(content)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving %d bytes of %s on %s", len(content), *module, *listen)
	log.Fatal(http.ListenAndServe(*listen, serve)) //nolint:gosec // a cluster made for tests
}

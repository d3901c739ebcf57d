// Command program renders results in an ordinary binary, outside of go test. Usage: program RESULTS DIR [flags it ignores]
package main

import (
	"fmt"
	"os"

	"mesh-conformance/reports"
)

func main() {
	results, err := reports.Load(os.Args[1])
	if err == nil {
		// Twice: rendering must not use up what it needs.
		for range 2 {
			if err = reports.Render(os.Args[2], results); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("rendered")
}

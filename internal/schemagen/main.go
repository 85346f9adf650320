// Command schemagen writes the JSON Schemas of the documents of package rule,
// from its structs and what is said of them there. go generate runs it in the
// folder of that package.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	files, err := generate(".")
	if err == nil {
		err = os.MkdirAll("schema", 0o755)
	}
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join("schema", name), text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

// Command importgraph draws which packages of a module import which, into a
// document.
//
// It reads lines of "package import import ..." from standard input, as
//
//	go list -f '{{.ImportPath}} {{join .Imports " "}}' ./...
//
// prints them, and replaces what stands between the two marks in the file that
// is named. With -check it changes nothing and fails if the file would change.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	check := flag.Bool("check", false, "fail if the figure in the file is stale, and leave the file as it is")
	module := flag.String("module", "", "path of the module; what lies outside of it is left out")
	flag.Parse()
	if err := run(os.Stdin, *module, flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "importgraph:", err)
		os.Exit(1)
	}
}

// run draws the imports that list holds into a file.
func run(list io.Reader, module, name string, check bool) error {
	g, err := readGraph(list, module)
	if err != nil {
		return err
	}
	figure, err := g.figure()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	drawn, err := replaceFigure(string(text), figure)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case drawn == string(text):
		return nil
	case check:
		return fmt.Errorf("the figure of imports in %s is stale: run make architecture", name)
	}
	return os.WriteFile(name, []byte(drawn), 0o644)
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The marks between which the figure stands, each on a line of its own.
const (
	markBegin = "<!-- imports: begin (make architecture draws what follows) -->"
	markEnd   = "<!-- imports: end -->"
)

// widthMax is the width of the figure in columns.
const widthMax = 120

// graph holds the direct imports of each package of a module. Names are paths
// below the module.
type graph map[string][]string

// readGraph reads lines of "package import import ...", keeping what belongs
// to the module but for the packages that import testing: suites that tests
// share are no part of the program.
func readGraph(list io.Reader, module string) (graph, error) {
	g := graph{}
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || slices.Contains(words[1:], "testing") {
			continue
		}
		name, ok := strings.CutPrefix(words[0], module+"/")
		if !ok {
			continue
		}
		g[name] = nil
		for _, w := range words[1:] {
			if imported, ok := strings.CutPrefix(w, module+"/"); ok {
				g[name] = append(g[name], imported)
			}
		}
	}
	if len(g) == 0 {
		return nil, errors.Join(fmt.Errorf("no package of module %q was read", module), lines.Err())
	}
	return g, lines.Err()
}

// layers returns for each package the length of its longest path of imports.
func (g graph) layers() (map[string]int, error) {
	layers := map[string]int{}
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		if slices.Contains(path, name) {
			return fmt.Errorf("packages import each other: %s", strings.Join(append(path, name), ", "))
		}
		if _, ok := layers[name]; ok {
			return nil
		}
		layer := 0
		for _, imported := range g[name] {
			if err := visit(imported, append(path, name)); err != nil {
				return err
			}
			layer = max(layer, layers[imported]+1)
		}
		layers[name] = layer
		return nil
	}
	for name := range g {
		if err := visit(name, nil); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

// reduced returns the imports of a package without those that another of its
// imports brings along, sorted.
func (g graph) reduced(name string) []string {
	brought := map[string]bool{}
	var bring func(name string)
	bring = func(name string) {
		for _, imported := range g[name] {
			if !brought[imported] {
				brought[imported] = true
				bring(imported)
			}
		}
	}
	for _, imported := range g[name] {
		bring(imported)
	}
	own := slices.DeleteFunc(slices.Clone(g[name]), func(imported string) bool { return brought[imported] })
	slices.Sort(own)
	return own
}

// figure draws the layers, highest first, and below them the imports of each
// package in the same order.
func (g graph) figure() (string, error) {
	layers, err := g.layers()
	if err != nil {
		return "", err
	}
	names := slices.SortedFunc(maps.Keys(g), func(a, b string) int {
		if layers[a] != layers[b] {
			return layers[b] - layers[a]
		}
		return strings.Compare(a, b)
	})
	longest := 0
	for _, name := range names {
		longest = max(longest, len(name))
	}
	var drawn, imports strings.Builder
	for len(names) > 0 {
		layer := layers[names[0]]
		end := slices.IndexFunc(names, func(name string) bool { return layers[name] != layer })
		if end < 0 {
			end = len(names)
		}
		writeRow(&drawn, fmt.Sprintf("%2d ", layer), "  ", names[:end])
		for _, name := range names[:end] {
			if own := g.reduced(name); len(own) > 0 {
				writeRow(&imports, fmt.Sprintf("%-*s ", longest, name), " ", own)
			}
		}
		names = names[end:]
	}
	return drawn.String() + "\n" + imports.String(), nil
}

// writeRow writes names after a head and wraps them below each other.
func writeRow(to *strings.Builder, head, gap string, names []string) {
	const indent = "    " // of a block of code
	line := indent + head
	for _, name := range names {
		if len(line)+len(gap)+len(name) > widthMax {
			to.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent + strings.Repeat(" ", len(head))
		}
		line += gap + name
	}
	to.WriteString(line + "\n")
}

// replaceFigure puts a figure between the marks in a text.
func replaceFigure(text, figure string) (string, error) {
	before, rest, okBegin := strings.Cut(text, markBegin+"\n")
	_, after, okEnd := strings.Cut(rest, markEnd+"\n")
	if !okBegin || !okEnd {
		return "", fmt.Errorf("the lines %q and %q are missing", markBegin, markEnd)
	}
	return before + markBegin + "\n\n" + figure + "\n" + markEnd + "\n" + after, nil
}

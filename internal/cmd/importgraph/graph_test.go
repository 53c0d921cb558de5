package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const list = `example.com/m/cmd/serve example.com/m/api example.com/m/store example.com/m/value fmt
example.com/m/api example.com/m/store example.com/m/value
example.com/m/store/storetest testing example.com/m/store
example.com/m/store context example.com/m/value
example.com/m/value
example.com/m/clock time
example.com/other/x example.com/m/value
`

const want = `     3   cmd/serve
     2   api
     1   store
     0   clock  value

    cmd/serve  api
    api        store
    store      value
`

func TestFigure(t *testing.T) {
	t.Parallel()
	g, err := readGraph(strings.NewReader(list), "example.com/m")
	require.NoError(t, err)
	for range 10 { // the order of a map is another each time
		got, err := g.figure()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestFigureIsWrapped(t *testing.T) {
	t.Parallel()
	g := graph{"top": nil}
	for _, letter := range "abcdefgh" {
		name := strings.Repeat(string(letter), 30)
		g[name] = nil
		g["top"] = append(g["top"], name)
	}
	got, err := g.figure()
	require.NoError(t, err)
	for line := range strings.Lines(got) {
		require.LessOrEqual(t, len(line)-1, widthMax)
	}
	for _, name := range g["top"] {
		require.Equal(t, 2, strings.Count(got, name), "in its layer, and as an import")
	}
}

func TestFigureRefusesCircles(t *testing.T) {
	t.Parallel()
	_, err := graph{"a": {"b"}, "b": {"c"}, "c": {"b"}}.figure()
	require.ErrorContains(t, err, "import each other")
}

func TestRun(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "doc.md")
	stale := "before\n" + markBegin + "\nold\n" + markEnd + "\nafter\n"
	fresh := "before\n" + markBegin + "\n\n" + want + "\n" + markEnd + "\nafter\n"
	draw := func(check bool) (string, error) {
		err := run(strings.NewReader(list), "example.com/m", name, check)
		text, readErr := os.ReadFile(name)
		require.NoError(t, readErr)
		return string(text), err
	}

	require.NoError(t, os.WriteFile(name, []byte(stale), 0o600))
	text, err := draw(true)
	require.ErrorContains(t, err, "stale")
	require.Equal(t, stale, text)
	text, err = draw(false)
	require.NoError(t, err)
	require.Equal(t, fresh, text)
	text, err = draw(true)
	require.NoError(t, err)
	require.Equal(t, fresh, text)

	require.NoError(t, os.WriteFile(name, []byte("no marks\n"), 0o600))
	_, err = draw(true)
	require.ErrorContains(t, err, "missing")
	require.ErrorContains(t, run(strings.NewReader(""), "example.com/m", name, true), "no package")
}

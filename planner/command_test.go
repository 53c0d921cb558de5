package planner_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the output of command files instead of comparing it")

// command is one block of a command file: a line "name args", the input up to a
// line "----", and the expected output up to a blank line.
type command struct {
	name  string
	args  []string
	input string
}

// runCommands runs every block of testdata/<file> through run and compares the
// output.
func runCommands(t *testing.T, file string, run func(t *testing.T, c command) string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var out strings.Builder
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); {
		if strings.TrimSpace(lines[i]) == "" || strings.HasPrefix(lines[i], "#") {
			if i < len(lines)-1 {
				out.WriteString(lines[i] + "\n")
			}
			i++
			continue
		}
		line := i + 1
		fields := strings.Fields(lines[i])
		start := i + 1
		end := start
		for end < len(lines) && lines[end] != "----" {
			end++
		}
		require.Less(t, end, len(lines), "%s:%d: no ---- after the input", path, line)
		input := strings.Join(lines[start:end], "\n")
		stop := end + 1
		for stop < len(lines) && lines[stop] != "" {
			stop++
		}
		require.Less(t, start, end, "%s:%d: no input", path, line)
		want := strings.Join(lines[end+1:stop], "\n")
		got := run(t, command{name: fields[0], args: fields[1:], input: input})
		got = strings.ReplaceAll(strings.TrimRight(got, "\n"), "\n\n", "\n") // a blank line ends a block
		if !*rewrite {
			require.Equal(t, want, got, "%s:%d: %s", path, line, input)
		}
		fmt.Fprintf(&out, "%s\n%s\n----\n%s\n", lines[i], input, got)
		i = stop
	}
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o600))
	}
}

package invariant_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestEveryInvariantIsChecked reads the source of the module: each package
// must check the invariants that its comments state, all of them and no others.
func TestEveryInvariantIsChecked(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	require.FileExists(t, filepath.Join(root, "go.mod"))
	stated, checked, err := scanSource(os.DirFS(root))
	require.NoError(t, err)
	require.NotEmpty(t, stated)
	require.Equal(t, stated, checked, "stated in comments (expected) and given to invariant.Check (actual)")
}

func TestScanSource(t *testing.T) {
	t.Parallel()
	const (
		one  = "package p\n\n// T is a type.\n// INVARIANT: a < b.\ntype T struct{}\n"
		two  = "package p\n\n// INVARIANT: a is the sum\n// of b and c.\n// More.\nvar x int\n"
		call = "package p\n\nfunc f() { invariant.Check(%s, g) }\n"
	)
	for name, test := range map[string]struct {
		files           map[string]string
		stated, checked []string
		fails           string
	}{
		"one line":      {files: map[string]string{"p/a.go": one}, stated: []string{"p: a < b."}},
		"two lines":     {files: map[string]string{"p/a.go": two}, stated: []string{"p: a is the sum of b and c."}},
		"tests":         {files: map[string]string{"p/a_test.go": one}},
		"check":         {files: map[string]string{"p/a.go": fmt.Sprintf(call, `"a < b."`)}, checked: []string{"p: a < b."}},
		"no literal":    {files: map[string]string{"p/a.go": fmt.Sprintf(call, "text")}, fails: "not a literal"},
		"in a line":     {files: map[string]string{"p/a.go": "package p\n\nvar x int // the INVARIANT: x < 0.\n"}, fails: "a.go:3"},
		"no full stop":  {files: map[string]string{"p/a.go": "package p\n\n// INVARIANT: x < 0\nvar x int\n"}, fails: "a.go:3"},
		"beside a line": {files: map[string]string{"p/a.go": "package p\n\nvar x int // INVARIANT: x < 0.\n"}, fails: "a.go:3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stated, checked, err := scanSource(sources(test.files))
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.stated, stated)
			require.Equal(t, test.checked, checked)
		})
	}
}

func sources(texts map[string]string) fs.FS {
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// scanSource returns the invariants that comments state and those that are
// checked, each as "folder: text", sorted, without repetition.
func scanSource(source fs.FS) (stated, checked []string, err error) {
	err = fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		comments, err := statedIn(name, string(text))
		if err != nil {
			return err
		}
		calls, err := checkedIn(name, text)
		for _, c := range comments {
			stated = append(stated, path.Dir(name)+": "+c)
		}
		for _, c := range calls {
			checked = append(checked, path.Dir(name)+": "+c)
		}
		return err
	})
	slices.Sort(stated)
	slices.Sort(checked)
	return slices.Compact(stated), slices.Compact(checked), err
}

var (
	mark  = regexp.MustCompile(`\bINVARIANTS?\s*[:(]`)
	first = regexp.MustCompile(`^\s*// INVARIANT: (\S.*)$`)
	next  = regexp.MustCompile(`^\s*// (\S.*)$`)
)

// statedIn returns the invariants of a file: lines of comments, from the mark
// to the first line that ends with a full stop.
func statedIn(name, text string) ([]string, error) {
	var stated []string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if !mark.MatchString(lines[i]) {
			continue
		}
		begin := i
		part := first.FindStringSubmatch(lines[i])
		var words []string
		for part != nil {
			words = append(words, part[1])
			if strings.HasSuffix(part[1], ".") {
				break
			}
			i++ // a file ends with an empty line
			part = next.FindStringSubmatch(lines[i])
		}
		if part == nil {
			return nil, fmt.Errorf("%s:%d: an invariant is lines of a comment: INVARIANT, a colon, a sentence", name, begin+1)
		}
		stated = append(stated, strings.Join(words, " "))
	}
	return stated, nil
}

// checkedIn returns the texts with which a file calls invariant.Check.
func checkedIn(name string, text []byte) ([]string, error) {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var checked []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isCheck(call.Fun) {
			return true
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s: the text of an invariant is not a literal", positions.Position(call.Pos())))
			return true
		}
		unquoted, unquoteErr := strconv.Unquote(literal.Value)
		checked, err = append(checked, unquoted), errors.Join(err, unquoteErr)
		return true
	})
	return checked, err
}

func isCheck(called ast.Expr) bool {
	selector, ok := called.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Check" {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == "invariant"
}

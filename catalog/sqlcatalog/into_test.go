package sqlcatalog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// definedColumns returns the columns of each table by its definition.
func definedColumns() map[string][]string {
	out := map[string][]string{}
	for _, definition := range append(duckLakeTables(), flightlakeTables()...) {
		table, list, _ := strings.Cut(definition, "(")
		for column := range strings.SplitSeq(strings.TrimSuffix(list, ")"), ",") {
			out[table] = append(out[table], strings.Trim(strings.Fields(column)[0], `"`))
		}
	}
	return out
}

// intoConstants returns the constants of into.go by name.
func intoConstants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "into.go", nil, 0)
	require.NoError(t, err)
	own := map[string]string{"tableMetadata": tableMetadata, "tableAppend": tableAppend, "tableStaged": tableStaged, "tableZoneMap": tableZoneMap}
	var valueOf func(ast.Expr) string
	valueOf = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			require.NoError(t, err)
			return text
		case *ast.Ident:
			return own[e.Name]
		case *ast.BinaryExpr:
			return valueOf(e.X) + valueOf(e.Y)
		}
		t.Fatalf("%T is no part of a constant", e)
		return ""
	}
	out := map[string]string{}
	for _, declared := range file.Decls {
		values, ok := declared.(*ast.GenDecl)
		if !ok || values.Tok != token.CONST {
			continue
		}
		for _, spec := range values.Specs {
			value := spec.(*ast.ValueSpec)
			out[value.Names[0].Name] = valueOf(value.Values[0])
		}
	}
	return out
}

func TestInsertsNameColumnsOfTheirTables(t *testing.T) {
	t.Parallel()
	defined := definedColumns()
	required := map[string]bool{}
	notNull := regexp.MustCompile(`"?(\w+)"? \w+ (?:NOT NULL|PRIMARY KEY)`)
	constants := intoConstants(t)
	require.Len(t, constants, 20)
	for name, into := range constants {
		table, columns := splitInto(into)
		require.Contains(t, defined, table, name)
		require.Subset(t, defined[table], columns, name)
		for _, definition := range append(duckLakeTables(), flightlakeTables()...) {
			if !strings.HasPrefix(definition, table+"(") {
				continue
			}
			for _, match := range notNull.FindAllStringSubmatch(definition, -1) {
				required[match[1]] = true
				require.Contains(t, columns, match[1], "%s leaves out a column that is not null", name)
			}
		}
	}
	require.NotEmpty(t, required)
}

package planner

import (
	"context"
	"slices"
	"time"

	"github.com/flightlake/flightlake/internal/duckjson"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// MetadataSchema shows the catalog's own tables.
const MetadataSchema = "__ducklake_metadata_" + lake.CatalogName

// Analysis is what a statement names. All offsets are into Statement.Text.
type Analysis struct {
	Statement *sqltext.Statement
	// Tables are the table references of the query, in the order of the text.
	Tables []TableRef
	// TableFunctions are the functions called in FROM, in the order of the text.
	TableFunctions []TableFunction
	// Functions names all functions called outside of FROM, in lower case, sorted, each once.
	Functions []string
	// Settings are the names, in lower case, that current_setting is called with;
	// empty for one that is no constant.
	Settings []string
	// Parameters are the places of parameters, in the order of the text.
	Parameters []Parameter
	// Lists is set if the query asks for the names of schemas or tables, as SHOW TABLES
	// and DESCRIBE alone do, wherever they stand.
	Lists bool
	// Exact is false if DuckDB makes several statements of the query, as of a PIVOT that
	// does not list the values of its columns. It is not pruned then.
	Exact bool

	unstable []unstable // see stable.go
	pinned   time.Time  // zero if not pinned
	plain    bool       // the select list is only columns and stars
	ordered  bool       // ORDER BY at the top level
	timed    bool       // a row filter of its tables depends on the time
	names    map[string]bool
}

// TableRef is one reference to a table.
type TableRef struct {
	Catalog, Schema, Name string // as written; empty if not given
	At                    *At    // nil: the statement's snapshot
	Alias                 string // empty if none
	ColumnAliases         []string
	// System is set for names that DuckDB's own catalogs have, such as
	// information_schema.tables, which are left alone unless the lake has such
	// a table.
	System bool
	// Metadata is set for a table of the catalog's own.
	Metadata bool
	// Quoted is set if the name was written as a string, which DuckDB may take
	// for a file.
	Quoted bool
	// Bare is set in a place where DuckDB takes a name or a whole query and no
	// alias: DESCRIBE t, SUMMARIZE t. Command is then the word that stands before
	// it: DESCRIBE (also for DESC), SHOW or SUMMARIZE.
	Bare    bool
	Command string
	// Described is set below DESCRIBE and SHOW, which ask for columns: no row of
	// the table is read.
	Described bool
	// Name's place, and that of AT (...); the latter is empty if At is nil.
	Span   sqltext.Span
	AtSpan sqltext.Span

	within  int  // number of the SELECT whose FROM it is in
	closed  bool // a view of DuckDB's own that is closed to clients
	queried bool // the span begins at the word TABLE: it is a query, TABLE t
}

// At is a clause AT (VERSION => n) or AT (TIMESTAMP => expression).
type At struct {
	Timestamp  bool
	Expression string // SQL text
}

// TableFunction is a function called in FROM.
type TableFunction struct {
	Schema, Name string // as written
	Args         []sqltext.Arg
	Span         sqltext.Span // name and arguments
	Alias        string
}

// Parameter is the place of a parameter. Name is its number in decimal, or its
// name.
type Parameter struct {
	Name string
	Span sqltext.Span
}

// String returns the name of the reference with its qualifiers.
func (r TableRef) String() string {
	return sqltext.ObjectName{Catalog: r.Catalog, Schema: r.Schema, Name: r.Name}.String()
}

// Analyze classifies a statement and finds what its query names. For a
// statement without a query the lists are empty.
//
// Errors: those of sqltext.Classify and Frontend.Parse; KindExhausted for calls
// that would build more than ConstantElementsMax from constants.
func (p *Planner) Analyze(ctx context.Context, sql string) (*Analysis, error) {
	st, err := sqltext.Classify(sql)
	if err != nil {
		return nil, err
	}
	return p.AnalyzeStatement(ctx, st)
}

// AnalyzeStatement is Analyze for a statement that is classified already.
func (p *Planner) AnalyzeStatement(ctx context.Context, st *sqltext.Statement) (*Analysis, error) {
	a, _, err := p.analyze(ctx, st)
	return a, err
}

// analyze returns the syntax tree too, nil without a query.
func (p *Planner) analyze(ctx context.Context, st *sqltext.Statement) (*Analysis, object, error) {
	a := &Analysis{Statement: st, names: map[string]bool{}}
	a.parameters()
	if st.Query == nil {
		return a, nil, nil
	}
	tree, completed, err := p.parse(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	decoded, err := duckjson.Decode(tree)
	if err != nil {
		return nil, nil, err
	}
	root := object(decoded)
	a.Exact = completed == nil
	w := &walker{analysis: a, tokens: tokenIndex(st.Tokens), completed: completed}
	for _, statement := range root.objects("statements") {
		node := statement.object("node")
		if err := checkExpansion(st, node); err != nil {
			return nil, nil, err
		}
		a.plain = plainSelect(node)
		a.ordered = slices.ContainsFunc(node.objects("modifiers"), func(m object) bool { return m.text("type") == "ORDER_MODIFIER" })
		w.walk(map[string]any(node), nil, false)
	}
	if w.err != nil {
		return nil, nil, w.err
	}
	a.sort()
	p.closeViews(a)
	return a, root, nil
}

// parse returns the syntax tree of the query, or of the completed query, if DuckDB shows
// the tree of that only: of one with a PIVOT that does not list the values of its columns.
//
// Errors: those of Frontend.Parse; KindUnsupported for a query that cannot be completed.
func (p *Planner) parse(ctx context.Context, a *Analysis) ([]byte, *sqltext.Completed, error) {
	query, st := a.paddedQuery(), a.Statement
	tree, err := p.frontend.Parse(ctx, query)
	if lake.KindOf(err) != lake.KindUnsupported {
		return tree, nil, err
	}
	first := slices.IndexFunc(st.Tokens, func(t sqltext.Token) bool { return t.Start >= st.Query.Start })
	completed, ok := sqltext.CompletePivots(query, st.Tokens[max(first, 0):])
	if !ok {
		return nil, nil, err
	}
	if tree, err = p.frontend.Parse(ctx, completed.Text); err != nil {
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return nil, nil, lake.Errorf(lake.KindUnsupported, "a PIVOT that does not list the values of its columns cannot be run in this form; "+
			"list them, as in ON column IN ('a', 'b')")
	}
	return tree, completed, nil
}

// closeViews marks the references that Resolve refuses unless the lake has such
// a table.
func (p *Planner) closeViews(a *Analysis) {
	for i := range a.Tables {
		ref := &a.Tables[i]
		if ref.System {
			ref.closed = !p.frontend.AllowedSystemView(ref.Schema, ref.Name)
		}
	}
}

// paddedQuery returns the query with blanks in place of what comes before it,
// so that offsets and lines are those of the statement.
func (a *Analysis) paddedQuery() string {
	text, span := a.Statement.Text, *a.Statement.Query
	if span.Start == 0 {
		return span.Of(text)
	}
	head := []byte(text[:span.Start])
	for i := range head {
		if head[i] != '\n' {
			head[i] = ' '
		}
	}
	return string(head) + span.Of(text)
}

func (a *Analysis) sort() {
	slices.SortFunc(a.Tables, func(x, y TableRef) int { return x.Span.Start - y.Span.Start })
	slices.SortFunc(a.TableFunctions, func(x, y TableFunction) int { return x.Span.Start - y.Span.Start })
	slices.SortFunc(a.unstable, func(x, y unstable) int { return x.span.Start - y.span.Start })
	slices.Sort(a.Functions)
	a.Functions = slices.Compact(a.Functions)
}

func (a *Analysis) parameters() {
	st, count := a.Statement, 0
	for _, t := range st.Tokens {
		if t.Kind != sqltext.TokenParam {
			continue
		}
		name := st.Text[t.Start+1 : t.End]
		if name == "" {
			count++
			name = itoa(count)
		}
		a.Parameters = append(a.Parameters, Parameter{Name: name, Span: sqltext.Span{Start: t.Start, End: t.End}})
	}
}

// plainSelect reports whether a query is one SELECT of columns and stars, whose
// names in the plan are those of the result.
func plainSelect(node object) bool {
	if node.text("type") != "SELECT_NODE" {
		return false
	}
	for _, item := range node.objects("select_list") {
		switch item.text("class") {
		case "COLUMN_REF":
		case "STAR":
			if item.flag("columns") || item["expr"] != nil || len(item.list("replace_list")) > 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// tokenIndex finds a token by its offset.
type tokenIndex []sqltext.Token

func (x tokenIndex) at(offset int) (int, bool) {
	return slices.BinarySearchFunc(x, offset, func(t sqltext.Token, offset int) int { return t.Start - offset })
}

package planner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// Filtered returns what stands in FROM in place of text for those who may see
// only the rows of a table for which filter is true; an empty filter lets all
// through. Planning puts it around the twin; whoever runs the statement puts it,
// with Read.RowFilter, around what the rows are read from.
func Filtered(text, filter string) string {
	if filter == "" {
		return text
	}
	return "(SELECT * FROM " + text + " WHERE (\n" + filter + "\n))"
}

// filterHead stands before a filter where it is parsed alone.
const filterHead = "SELECT 1 WHERE (\n"

// CheckFilter checks of a row filter what can be known without its table.
//
// Errors: KindInvalid for text that is not one expression, has a subquery, or calls
// a function whose value does not come from the row.
func (p *Planner) CheckFilter(ctx context.Context, filter string) error {
	a, err := p.parseFilter(ctx, nil, filter)
	if err != nil {
		return lake.Errorf(lake.KindInvalid, "the row filter is not valid: %s", firstLine(err))
	}
	a.Pin(time.Unix(0, 0))
	return lake.Wrap(lake.KindInvalid, "the row filter is not valid", a.checkStable())
}

// checkStable refuses calls whose value may change and that are not pinned.
func (a *Analysis) checkStable() error {
	if a.Stable() {
		return nil
	}
	return lake.Errorf(lake.KindInvalid, "the value of %s may change until the statement runs", a.UnstableCalls())
}

// filters checks the row filters of a request, puts the statement's time in place
// of their now(), and returns the guards of the reads.
func (p *Planner) filters(ctx context.Context, req *Request) ([]expr.Predicate, error) {
	guards := make([]expr.Predicate, len(req.Tables))
	req.Tables = slices.Clone(req.Tables)
	for i := range req.Tables {
		t := &req.Tables[i]
		if t.Table == nil || t.Filter == "" {
			continue
		}
		var err error
		if t.Filter, err = p.pinFilter(ctx, req.Analysis, t); err == nil {
			guards[i], err = p.bindFilter(ctx, lake.Twin{Name: TwinName(t.Table, i), Columns: t.Table.Columns}, t.Filter)
		}
		if err != nil {
			return nil, filterError(ctx, t.Table, err)
		}
	}
	return guards, nil
}

// pinFilter returns a filter as a statement runs it.
func (p *Planner) pinFilter(ctx context.Context, statement *Analysis, t *Resolved) (string, error) {
	a, err := p.parseFilter(ctx, t.Table, t.Filter)
	if err != nil {
		return "", err
	}
	if a.TimeDependent() {
		a.pinned, statement.timed = statement.pinned, true
	}
	if err := a.checkStable(); err != nil {
		return "", err
	}
	return apply(a.Statement.Text, a.pinEdits(), sqltext.Span{Start: len(filterHead), End: len(filterHead) + len(t.Filter)}), nil
}

// filterError says of which table the filter is.
func filterError(ctx context.Context, table *lake.Table, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return lake.Errorf(lake.KindInvalid, "the row filter of table %s.%s is not valid: %s", table.Schema, table.Name, firstLine(err))
}

// firstLine returns what an error says, without the text that a filter was put into.
func firstLine(err error) string {
	message, _, _ := strings.Cut(err.Error(), "\n")
	return message
}

// parseFilter reads a filter as the condition of a query without tables. With a nil
// table, all names may be columns.
func (p *Planner) parseFilter(ctx context.Context, table *lake.Table, filter string) (*Analysis, error) {
	if err := balanced(filter); err != nil {
		return nil, err
	}
	st, err := sqltext.Classify(filterHead + filter + "\n)")
	if err != nil {
		return nil, err
	}
	a, root, err := p.analyze(ctx, st)
	if err != nil {
		return nil, err
	}
	statements := root.objects("statements")
	if !a.Exact || st.Kind != sqltext.KindQuery || len(statements) != 1 {
		return nil, lake.Errorf(lake.KindInvalid, "it is not an expression")
	}
	node := statements[0].object("node")
	if !onlyCondition(node) {
		return nil, lake.Errorf(lake.KindInvalid, "it is not one expression")
	}
	c := filterChecker{analysis: a, table: table, own: map[string]bool{}}
	c.parameters(node["where_clause"])
	return a, c.check(node["where_clause"])
}

// balanced refuses text that ends the brackets around it, or the statement.
func balanced(filter string) error {
	tokens, err := sqltext.Lex(filter)
	if err != nil {
		return err
	}
	depth := 0
	for c := (sqltext.Cursor{Text: filter, Tokens: tokens}); !c.End(); c.Pos++ {
		switch {
		case c.IsOp(0, "("):
			depth++
		case c.IsOp(0, ")"):
			depth--
		}
		if depth < 0 || c.IsOp(0, ";") {
			return lake.Errorf(lake.KindInvalid, "it is not one expression")
		}
	}
	if depth != 0 || len(tokens) == 0 {
		return lake.Errorf(lake.KindInvalid, "it is not one expression")
	}
	return nil
}

// onlyCondition reports whether a query is SELECT 1 WHERE condition and no more.
func onlyCondition(node object) bool {
	for _, key := range []string{"having", "qualify", "sample"} {
		if node[key] != nil {
			return false
		}
	}
	return node.text("type") == "SELECT_NODE" && node["where_clause"] != nil &&
		node.object("from_table").text("type") == "EMPTY" && len(node.list("modifiers")) == 0 &&
		len(node.list("group_expressions")) == 0 && len(node.object("cte_map").list("map")) == 0 &&
		node.text("aggregate_handling") == "STANDARD_HANDLING"
}

// filterChecker refuses what a filter must not hold: what reads other tables,
// and names that are not columns of the table. DuckDB would look for those in the
// tables that stand beside it in the client's statement, which the client
// chooses.
type filterChecker struct {
	analysis *Analysis
	table    *lake.Table     // nil if it is not known
	own      map[string]bool // parameters of lambdas, in lower case
}

// parameters collects the names of the parameters of lambdas.
func (c *filterChecker) parameters(v any) {
	each(v, func(o object) {
		if o.text("class") != "LAMBDA" {
			return
		}
		each(o["lhs"], func(o object) {
			if names := o.texts("column_names"); len(names) == 1 {
				c.own[strings.ToLower(names[0])] = true
			}
		})
	})
}

func (c *filterChecker) check(v any) (err error) {
	each(v, func(o object) {
		if err == nil {
			err = c.node(o)
		}
	})
	return err
}

func (c *filterChecker) node(o object) error {
	switch o.text("class") {
	case "", "CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "CAST", "CASE", "COLLATE", "OPERATOR", "LAMBDA":
		return nil
	case "FUNCTION":
		if name := strings.ToLower(o.text("function_name")); !isOfRow(name) {
			return lake.Errorf(lake.KindInvalid, "the value of %s does not come from the row", name)
		}
		return nil
	case "COLUMN_REF":
		names := o.texts("column_names")
		if len(names) == 0 {
			return lake.Errorf(lake.KindInvalid, "it names no column")
		}
		if c.table == nil {
			return nil
		}
		if _, ok := c.table.Column(names[0]); ok || c.own[strings.ToLower(names[0])] {
			return nil
		}
		if len(names) == 1 && c.analysis.calls(strings.ToLower(names[0])) {
			return nil // current_date, which is replaced before it is run
		}
		return lake.Errorf(lake.KindInvalid, "%q is not a column of the table", names[0])
	case "SUBQUERY":
		return lake.Errorf(lake.KindInvalid, "it has a subquery")
	default:
		return lake.Errorf(lake.KindInvalid, "it is not an expression over columns and constants")
	}
}

// isOfRow reports whether the value of a function, in lower case, depends on its
// arguments alone, or on the time, which is fixed elsewhere. By chance a client that
// asks often enough would see all rows, and what is about the session is the client's own to choose.
func isOfRow(name string) bool {
	switch name {
	case "random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "stats", "nextval", "currval", "sleep_ms", "write_log",
		"current_schema", "current_schemas", "current_database", "current_catalog", "current_user", "session_user", "user", "current_role",
		"in_search_path", "format_type", "get_block_size":
		return false
	}
	return !strings.HasPrefix(name, "pg_")
}

// calls reports whether the value of a name without brackets is known to change.
func (a *Analysis) calls(name string) bool {
	return slices.ContainsFunc(a.unstable, func(u unstable) bool { return u.name == name })
}

// each calls fn for all objects of a tree, those above first.
func each(v any, fn func(object)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			each(e, fn)
		}
	case map[string]any:
		fn(v)
		for _, e := range v {
			each(e, fn)
		}
	}
}

// bindFilter binds a filter over the table alone. It returns the predicate that
// is true for the same rows, nil if there is none that can be evaluated.
func (p *Planner) bindFilter(ctx context.Context, twin lake.Twin, filter string) (expr.Predicate, error) {
	tree, err := p.frontend.Optimize(ctx, "SELECT * FROM "+lake.QuoteIdent(twin.Name)+" WHERE (\n"+filter+"\n)", []lake.Twin{twin})
	if lake.KindOf(err) == lake.KindUnsupported && err != nil {
		return nil, nil //nolint:nilerr // it binds, and the plan cannot be serialised
	}
	if err != nil {
		return nil, err
	}
	s, err := readShape(tree, map[string]int{twin.Name: 0}, []*lake.Table{{Columns: twin.Columns}})
	if err != nil {
		return nil, nil //nolint:nilerr // a plan that is not understood proves nothing
	}
	c, ok := s.chain(s.root)
	if !ok || c.limited {
		return nil, nil
	}
	guard := tidy(expr.And{Terms: c.residual})
	if !expr.Evaluable(guard) {
		return nil, nil
	}
	return guard, nil
}

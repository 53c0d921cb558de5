//go:build duckdb_arrow

package planner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

func newPlanner(tb testing.TB) *planner.Planner {
	tb.Helper()
	f, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(tb, err)
	tb.Cleanup(f.Close)
	return planner.New(f)
}

// column is shorthand for a column; children follow its type.
func column(name string, t lake.Type, children ...lake.Column) lake.Column {
	return lake.Column{Name: name, Type: t, Nullable: true, Children: children}
}

func plain(id lake.TypeID) lake.Type { return lake.Type{ID: id} }

func decimal(p, s int32) lake.Type { return lake.Type{ID: lake.TypeDecimal, Precision: p, Scale: s} }

func table(id lake.TableID, schema, name string, columns ...lake.Column) lake.Table {
	columns, _ = lake.AssignFieldIDs(columns)
	return lake.Table{ID: id, Schema: schema, Name: name, Columns: columns, ColumnsBegin: 1}
}

// everyType has a column of every type that plans hold constants of.
func everyType() lake.Table {
	integer, text := plain(lake.TypeInt32), plain(lake.TypeVarchar)
	return table(3, "main", "ty",
		column("bo", plain(lake.TypeBoolean)),
		column("i1", plain(lake.TypeInt8)), column("i2", plain(lake.TypeInt16)), column("i4", integer),
		column("i8", plain(lake.TypeInt64)), column("hi", plain(lake.TypeInt128)),
		column("u1", plain(lake.TypeUint8)), column("u2", plain(lake.TypeUint16)), column("u4", plain(lake.TypeUint32)),
		column("u8", plain(lake.TypeUint64)), column("uh", plain(lake.TypeUint128)),
		column("f4", plain(lake.TypeFloat32)), column("f8", plain(lake.TypeFloat64)),
		column("d4", decimal(4, 1)), column("d9", decimal(9, 2)), column("d18", decimal(18, 3)), column("d38", decimal(38, 5)),
		column("da", plain(lake.TypeDate)), column("ti", plain(lake.TypeTime)), column("tn", plain(lake.TypeTimeNS)),
		column("tz", plain(lake.TypeTimeTZ)), column("tss", plain(lake.TypeTimestampS)),
		column("tsm", plain(lake.TypeTimestampMS)), column("ts", plain(lake.TypeTimestamp)),
		column("tsn", plain(lake.TypeTimestampNS)), column("tstz", plain(lake.TypeTimestampTZ)),
		column("iv", plain(lake.TypeInterval)), column("v", text), column("bl", plain(lake.TypeBlob)),
		column("id", plain(lake.TypeUUID)), column("js", plain(lake.TypeJSON)),
		column("li", plain(lake.TypeList), column("element", integer)),
		column("st", plain(lake.TypeStruct), column("a", integer),
			column("B c", plain(lake.TypeStruct), column("z", text))),
		column("ma", plain(lake.TypeMap), lake.Column{Name: "key", Type: text}, column("value", integer)),
	)
}

// testState has tables of the same name in two schemas, and names that need quotes.
func testState() *lake.State {
	integer, text := plain(lake.TypeInt32), plain(lake.TypeVarchar)
	return &lake.State{Schemas: []lake.Schema{
		{Name: "main", Tables: []lake.Table{
			table(4, "main", "Odd \"name\"", column("x y", integer)),
			table(6, "main", "events", column("ts", plain(lake.TypeTimestamp)), column("region", text), column("n", plain(lake.TypeInt64))),
			table(1, "main", "t", column("a", integer), column("b", text), column("d", plain(lake.TypeDate)),
				column("x", plain(lake.TypeFloat64)), column("ts", plain(lake.TypeTimestampTZ)),
				column("l", plain(lake.TypeList), column("element", integer)),
				column("st", plain(lake.TypeStruct), column("q", integer))),
			everyType(),
			table(2, "main", "u", column("a", integer), column("c", text)),
		}, Views: []lake.View{{Name: "vw", SQL: "select 1"}}},
		{Name: "s2", Tables: []lake.Table{table(5, "s2", "t", column("a", integer), column("z", text))}},
	}}
}

func resolveAll(tb testing.TB, a *planner.Analysis, files map[string]*lake.TableVersion) ([]planner.Resolved, error) {
	tb.Helper()
	state := testState()
	out := make([]planner.Resolved, len(a.Tables))
	for i, ref := range a.Tables {
		tbl, err := planner.Resolve(state, "", ref)
		if err != nil {
			return nil, err
		}
		out[i] = planner.Resolved{Table: tbl, Snapshot: 9}
		if tbl != nil {
			out[i].Files = &lake.TableVersion{Table: tbl.ID, Snapshot: 9}
			if version, ok := files[tbl.Name]; ok {
				out[i].Files = version
			}
		}
	}
	return out, nil
}

func TestAnalyzeAndRewrite(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	runCommands(t, "analyze", func(t *testing.T, c command) string {
		t.Helper()
		a, err := p.Analyze(context.Background(), c.input)
		if err != nil {
			return fmt.Sprintf("%s: %v", lake.KindOf(err), err)
		}
		if len(c.args) > 0 && c.args[0] == "pinned" {
			a.Pin(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
		}
		tables, err := resolveAll(t, a, nil)
		if err != nil {
			return fmt.Sprintf("%s: %v", lake.KindOf(err), err)
		}
		var b strings.Builder
		for i, ref := range a.Tables {
			target := "left alone"
			if tables[i].Table != nil {
				target = tables[i].Table.Schema + "." + tables[i].Table.Name
			}
			fmt.Fprintf(&b, "ref: %s -> %s", ref, target)
			if ref.Alias != "" {
				fmt.Fprintf(&b, " alias=%s", ref.Alias)
			}
			if ref.At != nil {
				fmt.Fprintf(&b, " at(timestamp=%v %s)", ref.At.Timestamp, ref.At.Expression)
			}
			b.WriteString("\n")
		}
		for _, f := range a.TableFunctions {
			fmt.Fprintf(&b, "function: %s.%s args=%d at %q\n", f.Schema, f.Name, len(f.Args), f.Span.Of(a.Statement.Text))
		}
		for _, q := range a.Parameters {
			fmt.Fprintf(&b, "parameter: %s at %d\n", q.Name, q.Span.Start)
		}
		if len(a.Functions) > 0 {
			fmt.Fprintf(&b, "calls: %s\n", strings.Join(a.Functions, " "))
		}
		if !a.Exact && a.Statement.Query != nil {
			b.WriteString("not exact\n")
		}
		if !a.Stable() {
			fmt.Fprintf(&b, "unstable: %s\n", a.UnstableCalls())
		}
		rewritten := a.Rewrite(func(i int, _ planner.TableRef) string {
			if tables[i].Table == nil {
				return ""
			}
			return lake.QuoteIdent(planner.TwinName(tables[i].Table, i))
		})
		if rewritten != a.Statement.Text {
			fmt.Fprintf(&b, "%s\n", rewritten)
		}
		return b.String()
	})
}

// TestPlanPredicates prints what the plan's filters become.
func TestPlanPredicates(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	runCommands(t, "predicates", func(t *testing.T, c command) string {
		t.Helper()
		plan, err := planOf(t, p, c.input, nil, nil)
		if err != nil {
			return fmt.Sprintf("%s: %v", lake.KindOf(err), err)
		}
		return describePlan(plan)
	})
}

func planOf(tb testing.TB, p *planner.Planner, sql string, names []string, files map[string]*lake.TableVersion) (*planner.Plan, error) {
	tb.Helper()
	a, err := p.Analyze(context.Background(), sql)
	if err != nil {
		return nil, err
	}
	tables, err := resolveAll(tb, a, files)
	if err != nil {
		return nil, err
	}
	return p.Plan(context.Background(), planner.Request{Analysis: a, Tables: tables, NamesFunc: namesFunc(names)})
}

func describePlan(plan *planner.Plan) string {
	var b strings.Builder
	for i := range plan.Reads {
		r := &plan.Reads[i]
		if r.Table == nil {
			continue
		}
		var names []string
		for _, id := range r.Columns {
			c, _ := r.Table.Field(id)
			names = append(names, c.Name)
		}
		cols := strings.Join(names, ",")
		if r.Columns == nil {
			cols = "*"
		}
		fmt.Fprintf(&b, "%s(%s)", r.Table.Name, cols)
		if r.Predicate != nil {
			fmt.Fprintf(&b, " prune: %s", expr.Format(r.Predicate, r.Table.Columns))
			if f, p := expr.Format(r.Filter, r.Table.Columns), expr.Format(r.Predicate, r.Table.Columns); f != p {
				fmt.Fprintf(&b, " filter: %s", f)
			}
		}
		b.WriteString("\n")
	}
	if n := plan.Native; n != nil {
		var cols []string
		for i, id := range n.Scan.Projection {
			c, _ := n.Scan.Table.Field(id)
			cols = append(cols, c.Name+" as "+n.Names[i])
		}
		fmt.Fprintf(&b, "native: %s", strings.Join(cols, ", "))
		if n.Scan.Residual != nil {
			fmt.Fprintf(&b, " where %s", expr.Format(n.Scan.Residual, n.Scan.Table.Columns))
		}
		fmt.Fprintf(&b, " limit %d offset %d\n", n.Scan.Limit, n.Scan.Offset)
	}
	if plan.Note != "" {
		fmt.Fprintf(&b, "note: %s\n", plan.Note)
	}
	return b.String()
}

// namesFunc tells the names of a result; nil if they are not known.
func namesFunc(names []string) func(context.Context) ([]string, error) {
	if names == nil {
		return nil
	}
	return func(context.Context) ([]string, error) { return names, nil }
}

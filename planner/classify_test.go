package planner_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	runCommands(t, "classify", func(t *testing.T, c command) string {
		t.Helper()
		st, err := sqltext.Classify(c.input)
		if err != nil {
			return fmt.Sprintf("%s: %v", lake.KindOf(err), err)
		}
		return describeStatement(st)
	})
}

func describeStatement(st *sqltext.Statement) string {
	var b strings.Builder
	kinds := [...]string{
		"query", "explain", "create schema", "drop schema", "create table", "drop table", "insert",
		"comment", "call", "use", "set", "transaction", "kill", "grant", "other",
	}
	fmt.Fprintf(&b, "%s: %s\n", kinds[st.Kind], st.Name)
	if st.Query != nil && st.Kind != sqltext.KindQuery {
		fmt.Fprintf(&b, "query: %s\n", st.Query.Of(st.Text))
	}
	if st.Analyze {
		b.WriteString("analyze\n")
	}
	if cr := st.Create; cr != nil {
		fmt.Fprintf(&b, "name: %q replace=%v ifnotexists=%v nodata=%v\n", cr.Name.String(), cr.OrReplace, cr.IfNotExists, cr.NoData)
		if cr.Temporary {
			b.WriteString("temporary\n")
		}
		if cr.Columns != nil {
			fmt.Fprintf(&b, "definition: %s\n", st.DefinitionSQL("x"))
		}
		for _, p := range cr.Partition {
			fmt.Fprintf(&b, "partition: %s(%q) %d\n", p.Transform, p.Column, p.Buckets)
		}
		for _, s := range cr.Sort {
			fmt.Fprintf(&b, "sort: %q desc=%v nullsfirst=%v\n", s.Column, s.Descending, s.NullsFirst)
		}
		for _, k := range slices.Sorted(maps.Keys(cr.Options)) {
			fmt.Fprintf(&b, "option: %q = %q\n", k, cr.Options[k])
		}
	}
	if d := st.Drop; d != nil {
		fmt.Fprintf(&b, "drop: %v ifexists=%v cascade=%v\n", d.Names, d.IfExists, d.Cascade)
	}
	if in := st.Insert; in != nil {
		fmt.Fprintf(&b, "into: %q columns=%q byname=%v defaults=%v hasdefault=%v\n", in.Name.String(), in.Columns, in.ByName, in.DefaultValues, in.HasDefault)
	}
	if cm := st.Comment; cm != nil {
		fmt.Fprintf(&b, "on: %q schema=%v column=%q text=%q\n", cm.Name.String(), cm.OnSchema, cm.Column, cm.Text)
	}
	if call := st.Call; call != nil {
		fmt.Fprintf(&b, "call: %q\n", call.Name.String())
		for _, a := range call.Args {
			fmt.Fprintf(&b, "arg: %q %q constant=%v null=%v string=%v (%s)\n", a.Name, a.Value, a.Constant, a.Null, a.String, a.Span.Of(st.Text))
		}
	}
	return b.String()
}

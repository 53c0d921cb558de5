package query

import (
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/session"
)

// planKey identifies a planned query: its text with parameters bound, and the
// view that it reads.
type planKey struct {
	sql        string
	schema     string
	snapshot   lake.SnapshotID
	over, temp *overlay.Overlay
	session    *session.Session // whose temporary tables temp are; nil if there are none
	access     string           // Key of what the caller may do
}

// Plan is a query that is ready to run, as often as asked. It is not modified once made.
type Plan struct {
	// Schema is that of the rows.
	Schema *arrow.Schema

	// defaultSchema is where the engine resolves the names that are left to it, and
	// ownSchema those of the client's own text.
	defaultSchema, ownSchema string
	// overlaid is set if the query reads what the snapshot alone does not hold.
	overlaid bool
	// shown is what the engine shows instead of the latest schemas to the client's
	// own text; overlay is shown if the engine must show it to run the query.
	shown, overlay *engine.Overlay
	// mirrored is set if the query reads schemas and tables in the engine's mirror,
	// which shows all queries those of schemaVersion.
	mirrored      bool
	schemaVersion int64
	analysis      *planner.Analysis
	plan          *planner.Plan
	// virtual holds, by reference, the rows of the lake's own functions and tables.
	virtual map[int]*Rowset
	// explain is set for EXPLAIN; analyze for EXPLAIN ANALYZE.
	explain, analyze bool
	// watches is set if the query shows why others wait, and does no more: it needs no turn.
	watches bool
}

// planBytes estimates the memory of a plan: its text and syntax, a task or a reason for
// each file, and the overlays that it keeps alive.
func planBytes(key planKey, p *Plan) int64 {
	const fixed, perToken, perField, perFile = 4096, 128, 256, 128
	n := int64(fixed + 8*len(key.sql) + perToken*len(p.analysis.Statement.Tokens))
	if p.Schema != nil {
		n += int64(perField * p.Schema.NumFields())
	}
	for i := range p.plan.Reads {
		n += int64(perFile * (len(p.plan.Reads[i].Tasks) + len(p.plan.Reads[i].Skipped)))
	}
	return n + key.over.Bytes() + key.temp.Bytes()
}

// native reports whether the scanner alone runs the query. Rows that the
// catalog holds inlined go through the engine.
func (p *Plan) native() bool {
	return p.plan.Native != nil && len(p.plan.Native.Scan.InlinedTables) == 0
}

// Reads reports whether the query reads a table.
func (p *Plan) Reads(table *lake.Table) bool {
	return slices.ContainsFunc(p.plan.Reads, func(r planner.Read) bool { return r.Table != nil && r.Table.ID == table.ID })
}

// Overlay returns what the engine must show to run the query; nil for nothing.
func (p *Plan) Overlay() *engine.Overlay { return p.overlay }

// files yields the keys of the files that the query reads, with their tables.
func (p *Plan) files() iter.Seq2[string, *lake.Table] {
	return func(yield func(string, *lake.Table) bool) {
		for i := range p.plan.Reads {
			for j := range p.plan.Reads[i].Tasks {
				if !yield(p.plan.Reads[i].Tasks[j].File.Path, p.plan.Reads[i].Table) {
					return
				}
			}
		}
	}
}

// within returns the plan of a part of a query.
//
// Errors: KindState if the query is no scan any more, such as under a row filter
// that came after it was divided.
func (p *Plan) within(part lake.Part) (*Plan, error) {
	if part == (lake.Part{}) {
		return p, nil
	}
	if p.explain || p.plan.Answer != nil || !p.native() {
		return nil, lake.Errorf(lake.KindState, "the query cannot be read in parts any more; run it again")
	}
	of, plan, native := *p, *p.plan, *p.plan.Native
	native.Scan = native.Scan.Within(part)
	plan.Native, of.plan = &native, &plan
	return &of, nil
}

// rows returns the exact number of rows of the result, lake.Unknown if the catalog
// does not know it.
func (p *Plan) rows() int64 {
	switch {
	case p.explain:
		return lake.Unknown
	case p.plan.Answer != nil:
		return 1
	case slices.ContainsFunc(p.plan.Reads, func(r planner.Read) bool { return r.RowFilter != "" }):
		return lake.Unknown // that nothing is hidden in the files is not told either
	case p.plan.Empty:
		return 0
	case !p.native() || p.plan.Native.Scan.Residual != nil:
		return lake.Unknown
	}
	scan := &p.plan.Native.Scan
	var rows int64
	for i := range scan.Tasks {
		if len(scan.Tasks[i].File.Deletes) > 0 || scan.Tasks[i].File.PartialMax != 0 {
			return lake.Unknown
		}
		rows += scan.Tasks[i].Rows
	}
	rows = max(0, rows-scan.Offset)
	if scan.Limit != lake.Unknown {
		rows = min(rows, scan.Limit)
	}
	return rows
}

// nativeSchema is the schema of a native scan: the table's columns under the
// names of the result.
func nativeSchema(n *planner.Native) *arrow.Schema {
	fields := make([]arrow.Field, len(n.Names))
	for i, id := range n.Scan.Projection {
		c, _ := n.Scan.Table.Field(id)
		fields[i] = c.ArrowField()
		fields[i].Name = n.Names[i]
	}
	return arrow.NewSchema(fields, nil)
}

// FieldNames returns the names of the fields of a schema, in order.
func FieldNames(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	for i := range names {
		names[i] = schema.Field(i).Name
	}
	return names
}

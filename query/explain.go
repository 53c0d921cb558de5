package query

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// explain returns what planning found out, and DuckDB's plan of what it runs.
func (s *Runner) explain(ctx context.Context, run *workload.Statement, p *Plan) (array.RecordReader, error) {
	rows := [][]any{{"flightlake_plan", strings.Join(p.plan.Explain(), "\n")}}
	if p.plan.Execution() == "engine" || p.analyze {
		reader, err := s.startEngine(ctx, run, p, p.analysis.Rewrite)
		if err != nil {
			return nil, err
		}
		defer reader.Release()
		for reader.Next() {
			if rows, err = appendExplained(rows, reader.RecordBatch()); err != nil {
				return nil, err
			}
		}
		if err := reader.Err(); err != nil {
			return nil, err
		}
	}
	set := &Rowset{Columns: explainColumns(), Rows: Fixed(rows...)}
	return set.open(ctx, s.mem)
}

func appendExplained(rows [][]any, batch arrow.RecordBatch) ([][]any, error) {
	keys, ok1 := batch.Column(0).(*array.String)
	values, ok2 := batch.Column(1).(*array.String)
	if !ok1 || !ok2 {
		return nil, lake.Errorf(lake.KindInternal, "explain gave columns of type %s", batch.Schema())
	}
	for i := range int(batch.NumRows()) {
		rows = append(rows, []any{strings.Clone(keys.Value(i)), strings.Clone(values.Value(i))})
	}
	return rows, nil
}

func explainColumns() []lake.Column {
	return []lake.Column{Column("explain_key", lake.TypeVarchar), Column("explain_value", lake.TypeVarchar)}
}

// MayInspect refuses to show how a plan runs that reads a table of which the caller may
// read some rows only.
//
// Errors: KindForbidden.
func (p *Plan) MayInspect() error {
	for i := range p.plan.Reads {
		if p.plan.Reads[i].RowFilter != "" {
			return view.ErrFiltered(p.plan.Reads[i].Table)
		}
	}
	return nil
}

// ScanPlan returns what lake.scan_plan shows of a plan, in planner.ScanPlanSchema: a row
// for each part of a file that would be read. locateFunc returns where other programs
// find a file. The caller releases the batch.
func (p *Plan) ScanPlan(mem memory.Allocator, locateFunc func(*lake.DataFile) string) arrow.RecordBatch {
	return p.plan.ScanPlan(mem, locateFunc)
}

package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// explain returns what planning found out, and DuckDB's plan of what it runs.
func (s *Service) explain(ctx context.Context, p *selectPlan) (array.RecordReader, error) {
	set := &rowset{columns: explainColumns()}
	set.rows = append(set.rows, []any{"flightlake_plan", strings.Join(p.plan.Explain(), "\n")})
	if p.plan.Execution() == "engine" || p.analyze {
		reader, err := s.startEngine(ctx, p, p.analysis.Rewrite)
		if err != nil {
			return nil, err
		}
		defer reader.Release()
		for reader.Next() {
			if err := appendExplained(set, reader.RecordBatch()); err != nil {
				return nil, err
			}
		}
		if err := reader.Err(); err != nil {
			return nil, err
		}
	}
	return oneBatch(set.batch(s.mem))
}

func appendExplained(set *rowset, batch arrow.RecordBatch) error {
	keys, ok1 := batch.Column(0).(*array.String)
	values, ok2 := batch.Column(1).(*array.String)
	if !ok1 || !ok2 {
		return lake.Errorf(lake.KindInternal, "explain gave columns of type %s", batch.Schema())
	}
	for i := range int(batch.NumRows()) {
		set.rows = append(set.rows, []any{strings.Clone(keys.Value(i)), strings.Clone(values.Value(i))})
	}
	return nil
}

func explainColumns() []lake.Column {
	return []lake.Column{column("explain_key", lake.TypeVarchar), column("explain_value", lake.TypeVarchar)}
}

// scanPlanRows answers lake.scan_plan('SELECT ...').
func (s *Service) scanPlanRows(ctx context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(1); err != nil {
		return nil, err
	}
	sql, err := a.text()
	if err != nil {
		return nil, err
	}
	p, err := s.selectPlan(ctx, sql, v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	for i := range p.plan.Reads {
		if p.plan.Reads[i].RowFilter != "" {
			return nil, errFiltered(p.plan.Reads[i].Table)
		}
	}
	batch := p.plan.ScanPlan(s.mem, func(f *lake.DataFile) string { return s.location(f.Path, f.Absolute) })
	columns, err := lake.ColumnsFromArrow(batch.Schema())
	if err != nil {
		batch.Release()
		return nil, err
	}
	return &rowset{columns: columns, batches: []arrow.RecordBatch{batch}}, nil
}

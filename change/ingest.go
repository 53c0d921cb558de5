package change

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// Ingest appends one stream of record batches to a table as one Snapshot, or
// changes nothing. The columns of the stream are matched to the table's by
// name. rows stays the caller's.
//
// Errors: KindNotFound and KindExists as in.IfMissing and in.IfExists say;
// KindInvalid if the stream does not fit the table; KindUnsupported for a type
// that cannot be held; KindConflict if the table's columns changed meanwhile; those of
// workload.Statement.Await.
func (s *Executor) Ingest(ctx context.Context, run *workload.Statement, in statement.Ingest, rows array.RecordReader) (statement.Update, error) {
	if err := run.Await(ctx); err != nil {
		return statement.Update{}, err
	}
	token := ownToken(in.Caller, in.Token)
	if up, ok, err := s.replayed(ctx, token); ok || err != nil {
		return up, err
	}
	v, done, err := s.Views.Enter(ctx, in.Caller, in.Scope, view.Entry{Join: true, Pin: true, Write: true})
	if err != nil {
		return statement.Update{}, err
	}
	run.OnEnd(done)
	run.Pin(v.Snapshot)
	resolve := func(ctx context.Context, v *view.View) (*target, bool, error) {
		t, err := s.ingestTarget(ctx, v, in, rows.Schema())
		return t, false, err
	}
	t, _, err := resolve(ctx, v)
	if err != nil {
		return statement.Update{}, err
	}
	sent := sentByClient(run, rows)
	defer sent.Release()
	return s.append(ctx, run, t, appendRequest{stream: sent, token: token, options: in.Options, resolveFunc: resolve})
}

// sentByClient returns a reader of the same rows, which stays the caller's. A batch counts
// as memory of the statement until the next. While the client sends nothing, the statement
// stalls.
func sentByClient(run *workload.Statement, rows array.RecordReader) array.RecordReader {
	var held int64
	hold := func(bytes int64) {
		run.Hold(bytes - held)
		held = bytes
	}
	out := stream.Borrowed(rows)
	next := out.NextFunc
	out.NextFunc = func() (arrow.RecordBatch, error) {
		hold(0)
		run.Stall()
		batch, err := next()
		run.Resume()
		if err == nil {
			hold(query.BatchBytes(batch))
		}
		return batch, err
	}
	out.CloseFunc = func() { hold(0) }
	return stream.New(out)
}

// ingestTarget resolves the table of an ingest in a view.
func (s *Executor) ingestTarget(ctx context.Context, v *view.View, in statement.Ingest, rows *arrow.Schema) (_ *target, err error) {
	object := sqltext.ObjectName{Schema: in.Schema, Name: in.Table}
	if v, err = v.PlaceOf(object, in.Temporary); err != nil {
		return nil, err
	}
	state, err := v.Tables()
	if err != nil {
		return nil, err
	}
	name := v.Scope.In(in.Schema)
	if v.Into != nil {
		name = lake.TemporarySchema
	}
	schema, ok := state.Schema(name)
	if !ok {
		return nil, lake.SchemaNotFound(state, name)
	}
	if in.Table == "" {
		return nil, lake.Errorf(lake.KindInvalid, "the name of the table is empty")
	}
	table, exists := state.Table(schema.Name, in.Table)
	t := &target{view: v, schema: schema, name: in.Table}
	switch {
	case !exists && in.IfMissing == statement.MissingFails:
		return nil, lake.TableNotFound(state, schema.Name, in.Table)
	case exists && in.IfExists == statement.ExistsFails:
		return nil, lake.Errorf(lake.KindExists, "table %s.%s already exists", schema.Name, table.Name)
	case exists && in.IfExists == statement.ExistsAppend:
		if err := v.MayChange(auth.Insert, table); err != nil {
			return nil, err
		}
		if err := t.appendTo(table); err != nil {
			return nil, err
		}
		if t.columns, err = s.fixDefaults(ctx, t.columns, rows); err != nil {
			return nil, err
		}
		err := writer.CheckFit(t.columns, rows)
		if errors.Is(err, lake.ErrInvalid) && in.IfMissing == statement.MissingCreate { // as ADBC has it for create_append
			err = lake.Errorf(lake.KindExists, "table %s.%s already exists, and the rows do not fit: %w", schema.Name, table.Name, err)
		}
		return t, err
	}
	columns, err := lake.ColumnsFromArrow(rows)
	if err != nil {
		return nil, err
	}
	t.create(columns)
	if exists {
		t.table, t.replace = table, true
	}
	return t, v.MayCreate(schema, t.table)
}

// IngestText describes an ingest as listings show it.
func IngestText(in *statement.Ingest) string {
	name := lake.QuoteIdent(in.Table)
	if in.Schema != "" {
		name = lake.QuoteIdent(in.Schema) + "." + name
	}
	return "INGEST INTO " + name
}

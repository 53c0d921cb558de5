package query

import (
	"context"
	"errors"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// Evaluator computes constant SQL expressions.
type Evaluator struct{ executor *engine.Executor }

// Value returns the value of an expression, which q.SQL is, cast to an SQL type, as an
// array of one row on Go's heap.
//
// Errors: KindInvalid if it is NULL; those of engine.Executor.Query.
func (e Evaluator) Value(ctx context.Context, q engine.Query, typ string) (arrow.Array, error) {
	expression := q.SQL
	q.SQL, q.Rewritten = "SELECT CAST(("+expression+") AS "+typ+")", true
	reader, err := e.executor.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	if !reader.Next() {
		return nil, lake.Wrap(lake.KindInvalid, "evaluate "+expression, reader.Err())
	}
	value := reader.RecordBatch().Column(0)
	if value.IsNull(0) {
		return nil, lake.Errorf(lake.KindInvalid, "%s is NULL", expression)
	}
	return array.MakeFromData(value.Data()), nil
}

// Text returns the value of a constant expression, cast to an SQL type, as text; nil is
// NULL.
//
// Errors: those of Value.
func (e Evaluator) Text(ctx context.Context, expression, typ string) (*string, error) {
	value, err := e.Value(ctx, engine.Query{SQL: "[CAST(CAST((" + expression + ") AS " + typ + ") AS VARCHAR)]"}, "VARCHAR[]")
	if err != nil {
		return nil, err
	}
	list, ok := value.(*array.List)
	if !ok {
		return nil, lake.Errorf(lake.KindInternal, "%s gave %s", expression, value.DataType())
	}
	texts, ok := list.ListValues().(*array.String)
	if !ok {
		return nil, lake.Errorf(lake.KindInternal, "%s gave %s", expression, value.DataType())
	}
	if texts.IsNull(0) {
		return nil, nil // nil is NULL
	}
	text := strings.Clone(texts.Value(0))
	return &text, nil
}

// Because returns why a statement failed: that it was killed, where err says only
// that its context ended.
func Because(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, lake.ErrIndeterminate) {
		return err
	}
	cause := context.Cause(ctx)
	if cause == nil || cause == ctx.Err() { //nolint:errorlint // the very error: nobody gave a cause
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

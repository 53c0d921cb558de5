package flightsvc

import (
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// echo opens a reader of row, whose column is named and typed by the caller.
func echo(typeOf func(i int) arrow.DataType) func(arrow.RecordBatch) (array.RecordReader, error) {
	i := 0
	return func(row arrow.RecordBatch) (array.RecordReader, error) {
		i++
		schema := arrow.NewSchema([]arrow.Field{{Name: "CAST(" + strconv.Itoa(i) + ")", Type: typeOf(i), Nullable: true}}, nil)
		if !arrow.TypeEqual(typeOf(i), row.Column(0).DataType()) {
			return array.NewRecordReader(schema, nil)
		}
		rec := array.NewRecordBatch(schema, row.Columns(), row.NumRows())
		return oneBatch(rec)
	}
}

func TestRowsReader(t *testing.T) {
	t.Parallel()
	int64s := func(int) arrow.DataType { return arrow.PrimitiveTypes.Int64 }
	mixed := func(i int) arrow.DataType {
		return []arrow.DataType{nil, arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String}[i]
	}
	for _, c := range []struct {
		name   string
		typeOf func(int) arrow.DataType
		rows   int
		err    error
	}{
		{"names may differ, they hold the parameters", int64s, 2, nil},
		{"types may not", mixed, 1, lake.ErrInvalid},
	} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		h := &harness{fake: newFake(mem)}
		params := h.numbers(1, 2)
		r, err := newRowsReader(t.Context(), params, echo(c.typeOf))
		require.NoError(t, err)
		params.Release()
		n := 0
		for r.Next() {
			require.True(t, r.RecordBatch().Schema().Equal(r.Schema()), c.name)
			n++
		}
		require.False(t, r.Next(), "the end stays the end")
		require.Equal(t, c.rows, n, c.name)
		require.ErrorIs(t, r.Err(), c.err, c.name)
		r.Release()
		mem.AssertSize(t, 0)
	}
}

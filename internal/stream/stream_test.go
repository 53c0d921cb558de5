package stream_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
)

func numbers(mem memory.Allocator, values ...int64) arrow.RecordBatch {
	b := array.NewInt64Builder(mem)
	defer b.Release()
	b.AppendValues(values, nil)
	column := b.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{column}, int64(len(values)))
}

func setup(t *testing.T) memory.Allocator {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// count returns a source of n batches of one row, and how often it was closed.
func count(mem memory.Allocator, n int64, end error) (stream.Source, *int) {
	closed := 0
	read := int64(0)
	first := numbers(mem)
	defer first.Release()
	return stream.Source{
		Schema: first.Schema(),
		NextFunc: func() (arrow.RecordBatch, error) {
			if read == n {
				return nil, end
			}
			read++
			return numbers(mem, read), nil
		},
		CloseFunc:    func() { closed++ },
		ProgressFunc: func() float64 { return float64(read) / float64(n) },
	}, &closed
}

func TestReaderKeepsOneBatchAndClosesOnce(t *testing.T) {
	t.Parallel()
	source, closed := count(setup(t), 3, io.EOF)
	r := stream.New(source)
	for i := range int64(3) {
		require.True(t, r.Next())
		require.Equal(t, i+1, r.RecordBatch().Column(0).(*array.Int64).Value(0))
	}
	require.InDelta(t, 1, r.Progress(), 0)
	require.False(t, r.Next())
	require.False(t, r.Next(), "it stays at its end")
	require.NoError(t, r.Err())
	r.Retain()
	r.Release()
	require.Zero(t, *closed)
	r.Release()
	require.Equal(t, 1, *closed)
}

func TestReaderRemembersItsError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	source, _ := count(setup(t), 1, broken)
	r := stream.New(source)
	defer r.Release()
	require.True(t, r.Next())
	require.NoError(t, r.Err())
	require.False(t, r.Next())
	require.ErrorIs(t, r.Err(), broken)
	require.False(t, r.Next())
}

// TestWrappedEOFIsNoEnd reads from a connection that ends early, as net/http says it.
func TestWrappedEOFIsNoEnd(t *testing.T) {
	t.Parallel()
	source, _ := count(setup(t), 1, fmt.Errorf("get: %w", io.EOF))
	r := stream.New(source)
	defer r.Release()
	require.True(t, r.Next())
	require.False(t, r.Next())
	require.ErrorContains(t, r.Err(), "get: EOF")
}

func TestReleaseInTheMiddleFreesTheBatch(t *testing.T) {
	t.Parallel()
	source, closed := count(setup(t), 3, io.EOF)
	inner := stream.New(source)
	outer := stream.New(stream.Over(inner))
	require.True(t, outer.Next())
	require.InDelta(t, 1.0/3, outer.Progress(), 1e-9, "the wrapped reader's")
	outer.Release()
	require.Equal(t, 1, *closed)
}

func TestBorrowedLeavesTheReference(t *testing.T) {
	t.Parallel()
	source, closed := count(setup(t), 1, io.EOF)
	inner := stream.New(source)
	outer := stream.New(stream.Borrowed(inner))
	require.True(t, outer.Next())
	outer.Release()
	require.Zero(t, *closed)
	inner.Release()
}

func TestOneBatchIsFreedReadOrNot(t *testing.T) {
	t.Parallel()
	mem := setup(t)
	unread := stream.OneBatch(numbers(mem, 1))
	unread.Release()
	read := stream.OneBatch(numbers(mem, 1))
	require.InDelta(t, lake.Unknown, read.Progress(), 0)
	require.True(t, read.Next())
	require.False(t, read.Next())
	read.Release()
}

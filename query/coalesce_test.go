package query

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

// sequence returns a reader of batches with the given numbers of rows, which
// count on from 0, and the schema.
func sequence(t *testing.T, mem memory.Allocator, sizes ...int) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	var batches []arrow.RecordBatch
	n := int64(0)
	for _, size := range sizes {
		for range size {
			b.Field(0).(*array.Int64Builder).Append(n)
			n++
		}
		batches = append(batches, b.NewRecordBatch())
	}
	reader, err := array.NewRecordReader(schema, batches)
	require.NoError(t, err)
	for _, batch := range batches {
		batch.Release()
	}
	return reader
}

func TestSmallBatchesArePutTogether(t *testing.T) {
	t.Parallel()
	const large = coalesceRowsMin
	for name, c := range map[string]struct{ sizes, want []int }{
		"none":                       {nil, nil},
		"one small":                  {[]int{1}, []int{1}},
		"two small":                  {[]int{1, 2}, []int{3}},
		"empty ones do not count":    {[]int{0, 1, 0, 2, 0}, []int{3}},
		"large pass":                 {[]int{large, large + 1}, []int{large, large + 1}},
		"a large one ends the small": {[]int{1, 2, large, 3}, []int{3, large, 3}},
		"until large enough":         {[]int{large / 2, large / 2, 1}, []int{large, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			reader := coalesced(sequence(t, mem, c.sizes...), mem)
			defer reader.Release()
			var got []int
			n := int64(0)
			for reader.Next() {
				values := reader.RecordBatch().Column(0).(*array.Int64)
				got = append(got, values.Len())
				for i := range values.Len() {
					require.Equal(t, n, values.Value(i))
					n++
				}
			}
			require.NoError(t, reader.Err())
			require.Equal(t, c.want, got)
		})
	}
}

// failing ends with an error after its batches.
type failing struct{ array.RecordReader }

func (f failing) Err() error {
	return errors.New("broken")
}

func TestCoalescedReaderEndsWithTheErrorOfItsSource(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	reader := coalesced(failing{sequence(t, mem, 1, 2)}, mem)
	defer reader.Release()
	require.False(t, reader.Next(), "rows before an error must not pass for the result")
	require.EqualError(t, reader.Err(), "broken")
}

func TestCoalescedReaderMayBeReleasedEarly(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	reader := coalesced(sequence(t, mem, 1, coalesceRowsMin, 1), mem)
	require.True(t, reader.Next())
	reader.Release()
}

package scanner_test

import (
	"encoding/binary"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// requireCast reads a file of one column, of the file's own type, as c.
func requireCast(t *testing.T, c lake.Column, values arrow.Array, want string) {
	t.Helper()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	schema := arrow.NewSchema([]arrow.Field{{Name: c.Name, Type: values.DataType(), Nullable: true}}, nil)
	batch := array.NewRecordBatch(schema, []arrow.Array{values}, int64(values.Len()))
	defer batch.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, batch))
	columns := []lake.Column{c}
	requireScan(t, store, alloc, scanOf(columns, &lake.DataFile{Path: "f.parquet", Rows: int64(values.Len())}), columns, want)
}

func TestIntervalsMillisecondsAreUnsigned(t *testing.T) {
	t.Parallel()
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: 12})
	defer b.Release()
	for _, v := range [][3]uint32{{0, 0, 1 << 31}, {1, 2, 1<<32 - 1}, {1<<32 - 5, 1<<32 - 7, 0}} {
		var raw [12]byte
		for i, part := range v {
			binary.LittleEndian.PutUint32(raw[4*i:], part)
		}
		b.Append(raw[:])
	}
	b.AppendNull()
	values := b.NewArray()
	defer values.Release()
	requireCast(t, column(1, "v", lake.TypeInterval), values, `[
		{"v":{"months":0,"days":0,"nanoseconds":2147483648000000}},
		{"v":{"months":1,"days":2,"nanoseconds":4294967295000000}},
		{"v":{"months":-5,"days":-7,"nanoseconds":0}}, {"v":null}]`)
}

func TestTimesOfNanosecondsAreReadFromTimestampsAndTimes(t *testing.T) {
	t.Parallel()
	want := `[{"v":"12:34:56.123456789"},{"v":null},{"v":"00:00:00"}]`
	const n = 45296123456789
	stamps := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Nanosecond})
	defer stamps.Release()
	stamps.AppendValues([]arrow.Timestamp{n, -1, 0}, []bool{true, false, true})
	times := array.NewTime64Builder(memory.DefaultAllocator, &arrow.Time64Type{Unit: arrow.Nanosecond})
	defer times.Release()
	times.AppendValues([]arrow.Time64{n, -1, 0}, []bool{true, false, true})
	for _, b := range []array.Builder{stamps, times} {
		values := b.NewArray()
		defer values.Release()
		requireCast(t, column(1, "v", lake.TypeTimeNS), values, want)
	}
}

func TestTimestampOfAnotherDayIsNoTime(t *testing.T) {
	t.Parallel()
	b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Nanosecond})
	defer b.Release()
	b.Append(-1)
	values := b.NewArray()
	defer values.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: values.DataType(), Nullable: true}}, nil)
	batch := array.NewRecordBatch(schema, []arrow.Array{values}, 1)
	defer batch.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, batch))
	columns := []lake.Column{column(1, "v", lake.TypeTimeNS)}
	r, err := scanner.New(store, nil, scanner.Options{}).Scan(t.Context(), scanOf(columns, &lake.DataFile{Path: "f.parquet", Rows: 1}))
	require.NoError(t, err)
	defer r.Release()
	require.False(t, r.Next())
	require.ErrorIs(t, r.Err(), lake.ErrCorrupt)
}

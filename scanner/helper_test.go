package scanner_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/scanner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tester is the part of testing.TB that rapid.T has too.
type tester interface {
	require.TestingT
	Helper()
}

// bucket is a store that tests put objects in.
type bucket struct{ objstore.Bucket }

func newBucket() bucket { return bucket{mem.New(mem.Options{})} }

func (b bucket) put(t tester, key string, data []byte) {
	t.Helper()
	require.NoError(t, objstore.WriteAll(context.Background(), b, key, data))
}

// encode writes batches as Parquet, one row group each, with field ids if the
// schema has them.
func encode(t tester, batches ...arrow.RecordBatch) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(batches[0].Schema(), &out,
		parquet.NewWriterProperties(parquet.WithDataPageSize(512), parquet.WithBatchSize(64)), pqarrow.DefaultWriterProps())
	require.NoError(t, err)
	for _, b := range batches {
		w.NewBufferedRowGroup()
		require.NoError(t, w.WriteBuffered(b))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// withIDs gives the fields of a schema the field ids of columns.
func withIDs(schema *arrow.Schema, columns []lake.Column) *arrow.Schema {
	return arrow.NewSchema(fieldsWithIDs(schema.Fields(), columns), nil)
}

func fieldsWithIDs(fields []arrow.Field, columns []lake.Column) []arrow.Field {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		f.Metadata = arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{strconv.FormatInt(int64(columns[i].ID), 10)})
		children := columns[i].Children
		switch dt := f.Type.(type) {
		case *arrow.StructType:
			f.Type = arrow.StructOf(fieldsWithIDs(dt.Fields(), children)...)
		case *arrow.MapType:
			kv := fieldsWithIDs([]arrow.Field{dt.KeyField(), dt.ItemField()}, children)
			f.Type = arrow.MapOfFields(kv[0], kv[1])
		case *arrow.ListType:
			f.Type = arrow.ListOfField(fieldsWithIDs([]arrow.Field{dt.ElemField()}, children)[0])
		}
		out[i] = f
	}
	return out
}

// relabeled returns the batch under another schema of the same layout.
func relabeled(batch arrow.RecordBatch, schema *arrow.Schema) arrow.RecordBatch {
	arrays := make([]arrow.Array, batch.NumCols())
	for i := range arrays {
		arrays[i] = retyped(batch.Column(i), schema.Field(i).Type)
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(schema, arrays, batch.NumRows())
}

func retyped(a arrow.Array, dt arrow.DataType) arrow.Array {
	data := retypedData(a.Data(), dt)
	defer data.Release()
	return array.MakeFromData(data)
}

func retypedData(in arrow.ArrayData, dt arrow.DataType) arrow.ArrayData {
	var children []arrow.ArrayData
	for i, c := range in.Children() {
		childType := c.DataType()
		switch t := dt.(type) {
		case *arrow.StructType:
			childType = t.Field(i).Type
		case *arrow.MapType:
			childType = t.Elem()
		case *arrow.ListType:
			childType = t.Elem()
		}
		child := retypedData(c, childType)
		defer child.Release()
		children = append(children, child)
	}
	return array.NewData(dt, in.Len(), in.Buffers(), children, in.NullN(), in.Offset())
}

// fromJSON builds a batch of columns from an array of objects.
func fromJSON(t tester, alloc memory.Allocator, columns []lake.Column, rows string) arrow.RecordBatch {
	t.Helper()
	batch, _, err := array.RecordFromJSON(alloc, lake.ArrowSchema(columns), strings.NewReader(rows))
	require.NoError(t, err)
	return batch
}

func column(id lake.FieldID, name string, typ lake.TypeID, children ...lake.Column) lake.Column {
	return lake.Column{ID: id, Name: name, Nullable: true, Type: lake.Type{ID: typ}, Children: children}
}

func required(c lake.Column) lake.Column {
	c.Nullable = false
	return c
}

// scanOf reads all columns of one file.
func scanOf(columns []lake.Column, file *lake.DataFile) *expr.Scan {
	scan := &expr.Scan{
		Table: &lake.Table{Name: "t", Columns: columns}, Snapshot: 10, Limit: lake.Unknown,
		Tasks: []lake.ScanTask{{File: file, Rows: file.Rows, Bytes: file.Bytes}},
	}
	for _, c := range columns {
		scan.Projection = append(scan.Projection, c.ID)
	}
	return scan
}

// collect returns all rows of a scan as one batch.
func collect(t tester, s *scanner.Scanner, alloc memory.Allocator, scan *expr.Scan) arrow.RecordBatch {
	t.Helper()
	r, err := s.Scan(context.Background(), scan)
	require.NoError(t, err)
	defer r.Release()
	return concat(t, alloc, r)
}

func concat(t tester, alloc memory.Allocator, r array.RecordReader) arrow.RecordBatch {
	t.Helper()
	var batches []arrow.RecordBatch
	rows := int64(0)
	for r.Next() {
		r.RecordBatch().Retain()
		batches = append(batches, r.RecordBatch())
		rows += r.RecordBatch().NumRows()
		require.True(t, r.RecordBatch().Schema().Equal(r.Schema()))
	}
	require.NoError(t, r.Err())
	arrays := make([]arrow.Array, r.Schema().NumFields())
	for i := range arrays {
		chunks := []arrow.Array{array.MakeArrayOfNull(alloc, r.Schema().Field(i).Type, 0)}
		for _, b := range batches {
			chunks = append(chunks, b.Column(i))
		}
		joined, err := array.Concatenate(chunks, alloc)
		require.NoError(t, err)
		chunks[0].Release()
		arrays[i] = joined
		defer joined.Release()
	}
	for _, b := range batches {
		b.Release()
	}
	return array.NewRecordBatch(r.Schema(), arrays, rows)
}

// requireRows compares what a client sees: values under a NULL struct do not count.
func requireRows(t tester, want, got arrow.RecordBatch) {
	t.Helper()
	require.True(t, want.Schema().Equal(got.Schema()), "want %v\ngot %v", want.Schema(), got.Schema())
	require.Equal(t, want.NumRows(), got.NumRows())
	if array.RecordEqual(want, got) {
		return
	}
	wantJSON, err := want.MarshalJSON()
	require.NoError(t, err)
	gotJSON, err := got.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, string(wantJSON), string(gotJSON)) //nolint:testifylint // JSONEq rounds integers to floats
}

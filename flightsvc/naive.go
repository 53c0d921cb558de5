package flightsvc

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// resultSchema returns the schema of a result as it is sent: with the metadata
// that drivers look for, and without time zones if naive. Nil has no columns.
func resultSchema(schema *arrow.Schema, naive bool) *arrow.Schema {
	if naive && schema != nil {
		schema = naiveSchema(schema)
	}
	return describeColumns(schema)
}

// naiveReader takes the time zone from timestamps, whose values are then UTC.
type naiveReader struct {
	array.RecordReader
	schema *arrow.Schema
	batch  arrow.RecordBatch // the current one; nil before the first
}

// newNaiveReader takes the reference to rd.
func newNaiveReader(rd array.RecordReader) array.RecordReader {
	return &naiveReader{RecordReader: rd, schema: naiveSchema(rd.Schema())}
}

// Schema returns the schema without zones.
func (r *naiveReader) Schema() *arrow.Schema { return r.schema }

// Next reads the next batch.
func (r *naiveReader) Next() bool {
	r.drop()
	if !r.RecordReader.Next() {
		return false
	}
	rec := r.RecordReader.RecordBatch()
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		data := retype(rec.Column(i).Data(), r.schema.Field(i).Type)
		columns[i] = array.MakeFromData(data)
		data.Release()
		defer columns[i].Release()
	}
	r.batch = array.NewRecordBatch(r.schema, columns, rec.NumRows())
	return true
}

func (r *naiveReader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// RecordBatch returns the current batch; it is valid until Next.
func (r *naiveReader) RecordBatch() arrow.RecordBatch { return r.batch }

// Record is the old name of RecordBatch.
func (r *naiveReader) Record() arrow.RecordBatch { return r.batch }

// Release gives the only reference back.
func (r *naiveReader) Release() {
	r.drop()
	r.RecordReader.Release()
}

// retype returns data, whose layout stays, under another type. The caller
// releases it.
func retype(data arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	if arrow.TypeEqual(data.DataType(), t) {
		data.Retain()
		return data
	}
	children := data.Children()
	next := make([]arrow.ArrayData, len(children))
	if nested, ok := t.(arrow.NestedType); ok {
		for i, f := range nested.Fields() {
			next[i] = retype(children[i], f.Type)
			defer next[i].Release()
		}
	}
	return array.NewData(t, data.Len(), data.Buffers(), next, data.NullN(), data.Offset())
}

func naiveSchema(schema *arrow.Schema) *arrow.Schema {
	md := schema.Metadata()
	return arrow.NewSchema(naiveFields(schema.Fields()), &md)
}

func naiveFields(fields []arrow.Field) []arrow.Field {
	for i := range fields {
		fields[i].Type = naiveType(fields[i].Type)
	}
	return fields
}

// naiveType returns t with its timestamps, however deep, without a zone.
func naiveType(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.TimestampType:
		return &arrow.TimestampType{Unit: t.Unit}
	case *arrow.StructType:
		return arrow.StructOf(naiveFields(t.Fields())...)
	case *arrow.ListType:
		return arrow.ListOfField(naiveField(t.ElemField()))
	case *arrow.LargeListType:
		return arrow.LargeListOfField(naiveField(t.ElemField()))
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), naiveField(t.ElemField()))
	case *arrow.MapType:
		m := arrow.MapOfFields(naiveField(t.KeyField()), naiveField(t.ItemField()))
		m.KeysSorted = t.KeysSorted
		return m
	}
	return t
}

func naiveField(f arrow.Field) arrow.Field {
	f.Type = naiveType(f.Type)
	return f
}

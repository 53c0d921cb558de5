package flightsvc

import (
	"cmp"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/internal/stream"
)

// resultSchema returns the schema of a result as it is sent: with the metadata
// that drivers look for, and without time zones if naive. Nil has no columns.
func resultSchema(schema *arrow.Schema, naive bool) *arrow.Schema {
	if naive && schema != nil {
		schema = naiveSchema(schema)
	}
	return describeColumns(schema)
}

// newNaiveReader returns a reader that takes the time zone from timestamps, whose
// values are then UTC. It takes over the reference to rd.
func newNaiveReader(rd array.RecordReader) array.RecordReader {
	source := stream.Over(rd)
	source.Schema = naiveSchema(rd.Schema())
	source.NextFunc = func() (arrow.RecordBatch, error) {
		if !rd.Next() {
			return nil, cmp.Or(rd.Err(), io.EOF)
		}
		return naiveBatch(rd.RecordBatch(), source.Schema), nil
	}
	return stream.New(source)
}

// naiveBatch returns rec under a schema that differs in time zones alone.
func naiveBatch(rec arrow.RecordBatch, schema *arrow.Schema) arrow.RecordBatch {
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		data := retype(rec.Column(i).Data(), schema.Field(i).Type)
		columns[i] = array.MakeFromData(data)
		data.Release()
		defer columns[i].Release()
	}
	return array.NewRecordBatch(schema, columns, rec.NumRows())
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

package sqlcatalog

import (
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// conformReader gives the batches of another reader the types of a schema. It
// owns the other reader.
type conformReader struct {
	source  array.RecordReader
	schema  *arrow.Schema
	current arrow.RecordBatch
	err     error
	refs    atomic.Int64
}

func newConformReader(source array.RecordReader, schema *arrow.Schema) array.RecordReader {
	r := &conformReader{source: source, schema: schema}
	r.refs.Store(1)
	return r
}

// Retain adds a reference.
func (r *conformReader) Retain() { r.refs.Add(1) }

// Release drops a reference, and with the last one releases the source.
func (r *conformReader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.drop()
	r.source.Release()
}

func (r *conformReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func (r *conformReader) Schema() *arrow.Schema          { return r.schema }
func (r *conformReader) Record() arrow.RecordBatch      { return r.current }
func (r *conformReader) RecordBatch() arrow.RecordBatch { return r.current }

func (r *conformReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.source.Err()
}

func (r *conformReader) Next() bool {
	r.drop()
	if r.err != nil || !r.source.Next() {
		return false
	}
	r.current, r.err = conformBatch(r.source.RecordBatch(), r.schema)
	return r.err == nil
}

func conformBatch(batch arrow.RecordBatch, schema *arrow.Schema) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for i, field := range schema.Fields() {
		data, err := conform(batch.Column(i), field.Type)
		if err != nil {
			return nil, lake.Errorf(lake.KindOf(err), "column %q: %w", field.Name, err)
		}
		columns = append(columns, array.MakeFromData(data))
		data.Release()
	}
	return array.NewRecordBatch(schema, columns, batch.NumRows()), nil
}

// conform returns the data of a with the type want. The caller releases it.
func conform(a arrow.Array, want arrow.DataType) (arrow.ArrayData, error) {
	if arrow.TypeEqual(a.DataType(), want) {
		a.Data().Retain()
		return a.Data(), nil
	}
	switch t := want.(type) {
	case *extensions.JSONType:
		if a.DataType().ID() != arrow.STRING {
			break
		}
		return retyped(a.Data(), want, a.Data().Children()), nil
	case *extensions.UUIDType:
		return parsed(a, want, func(text string, b *array.FixedSizeBinaryBuilder) bool {
			v, ok := lake.ParseStat(lake.Type{ID: lake.TypeUUID}, text)
			if ok {
				b.Append([]byte(v.Bytes))
			}
			return ok
		}, array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, t.StorageType().(*arrow.FixedSizeBinaryType)))
	case *arrow.Decimal128Type:
		return parsed(a, want, func(text string, b *array.Decimal128Builder) bool {
			v, ok := lake.ParseStat(lake.Type{ID: lake.TypeInt128}, text)
			b.Append(decimal128.New(v.Int, v.Uint))
			return ok
		}, array.NewDecimal128Builder(memory.DefaultAllocator, t))
	case *arrow.Time64Type:
		return parsed(a, want, func(text string, b *array.Time64Builder) bool {
			micros, ok := parseTimeTZ(text)
			b.Append(arrow.Time64(micros))
			return ok
		}, array.NewTime64Builder(memory.DefaultAllocator, t))
	case *arrow.ListType, *arrow.StructType, *arrow.MapType:
		return conformNested(a, want)
	}
	return nil, lake.Errorf(lake.KindCorrupt, "the catalog holds %s where %s was expected", a.DataType(), want)
}

// retyped returns the buffers of data under another type with the same layout.
func retyped(data arrow.ArrayData, want arrow.DataType, children []arrow.ArrayData) arrow.ArrayData {
	return array.NewData(want, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}

// textBuilder builds the values that text denotes.
type textBuilder interface {
	AppendNull()
	NewArray() arrow.Array
	Release()
}

// parsed builds an array of the storage of want from text.
func parsed[B textBuilder](a arrow.Array, want arrow.DataType, appendFunc func(string, B) bool, b B) (arrow.ArrayData, error) {
	defer b.Release()
	texts, ok := a.(*array.String)
	if !ok {
		return nil, lake.Errorf(lake.KindCorrupt, "the catalog holds %s where %s was expected", a.DataType(), want)
	}
	for i := range texts.Len() {
		if texts.IsNull(i) {
			b.AppendNull()
			continue
		}
		if !appendFunc(texts.Value(i), b) {
			return nil, lake.Errorf(lake.KindCorrupt, "an inlined value is no %s", want)
		}
	}
	built := b.NewArray()
	defer built.Release()
	return retyped(built.Data(), want, nil), nil
}

// parseTimeTZ reads a time of day with its offset, such as 12:00:00+02, and
// returns the microseconds since midnight in UTC.
func parseTimeTZ(text string) (int64, bool) {
	at := strings.LastIndexAny(text, "+-")
	if at < 0 {
		return 0, false
	}
	clock, ok := lake.ParseStat(lake.Type{ID: lake.TypeTime}, text[:at])
	offset := text[at+1:]
	for strings.Count(offset, ":") < 2 {
		offset += ":00"
	}
	shift, ok2 := lake.ParseStat(lake.Type{ID: lake.TypeTime}, offset)
	if text[at] == '+' {
		shift.Int = -shift.Int
	}
	const microsPerDay = 24 * 60 * 60 * 1_000_000
	return ((clock.Int+shift.Int)%microsPerDay + microsPerDay) % microsPerDay, ok && ok2
}

// conformNested conforms the children of a list, map or struct.
func conformNested(a arrow.Array, want arrow.DataType) (arrow.ArrayData, error) {
	if a.DataType().ID() != want.ID() {
		return nil, lake.Errorf(lake.KindCorrupt, "the catalog holds %s where %s was expected", a.DataType(), want)
	}
	wanted := want.(arrow.NestedType).Fields()
	if m, ok := want.(*arrow.MapType); ok {
		wanted = []arrow.Field{{Name: "entries", Type: m.Elem()}}
	}
	data := a.Data()
	if len(data.Children()) != len(wanted) {
		return nil, lake.Errorf(lake.KindCorrupt, "the catalog holds %s where %s was expected", a.DataType(), want)
	}
	children := make([]arrow.ArrayData, 0, len(wanted))
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for i, child := range data.Children() {
		childArray := array.MakeFromData(child)
		conformed, err := conform(childArray, wanted[i].Type)
		childArray.Release()
		if err != nil {
			return nil, err
		}
		children = append(children, conformed)
	}
	return retyped(data, want, children), nil
}

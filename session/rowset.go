package session

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
)

// rowset is the result of a table function of the lake: rows built in memory.
// A cell is nil, bool, int64, uint64, float64, string (also for uuid), []byte, time.Time,
// or []any: the elements of a list, the fields of a struct, or the
// alternating keys and values of a map.
//
// Instead of rows it may hold batches. They lie on Go's heap, so that nobody
// needs to release a rowset.
type rowset struct {
	columns []lake.Column
	rows    [][]any
	batches []arrow.RecordBatch
}

// count returns the number of rows.
func (r *rowset) count() int64 {
	n := int64(len(r.rows))
	for _, b := range r.batches {
		n += b.NumRows()
	}
	return n
}

// column makes a column of a rowset; children as in lake.Column.
func column(name string, id lake.TypeID, children ...lake.Column) lake.Column {
	return lake.Column{Name: name, Type: lake.Type{ID: id}, Nullable: true, Children: children}
}

// batch returns the rows as one record batch, which the caller releases.
func (r *rowset) batch(mem memory.Allocator) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, lake.ArrowSchema(r.columns))
	defer b.Release()
	b.Reserve(len(r.rows))
	for _, row := range r.rows {
		for i, cell := range row {
			appendCell(b.Field(i), cell)
		}
	}
	return b.NewRecordBatch()
}

func appendCell(b array.Builder, cell any) {
	if cell == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(cell.(bool))
	case *array.Int32Builder:
		b.Append(int32(cell.(int64)))
	case *array.Int64Builder:
		b.Append(cell.(int64))
	case *array.Uint64Builder:
		b.Append(cell.(uint64))
	case *array.Float64Builder:
		b.Append(cell.(float64))
	case *array.StringBuilder:
		b.Append(cell.(string))
	case *array.BinaryBuilder:
		b.Append(cell.([]byte))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(cell.(time.Time).UnixMicro()))
	case *extensions.UUIDBuilder:
		b.Append(uuid.MustParse(cell.(string)))
	default:
		appendNested(b, cell.([]any))
	}
}

func appendNested(b array.Builder, cells []any) {
	switch b := b.(type) {
	case *array.MapBuilder:
		b.Append(true)
		for i := 0; i < len(cells); i += 2 {
			appendCell(b.KeyBuilder(), cells[i])
			appendCell(b.ItemBuilder(), cells[i+1])
		}
	case *array.ListBuilder:
		b.Append(true)
		for _, cell := range cells {
			appendCell(b.ValueBuilder(), cell)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, cell := range cells {
			appendCell(b.FieldBuilder(i), cell)
		}
	default:
		panic(fmt.Sprintf("rowset: no cell for builder %T", b)) // a bug of the table function
	}
}

package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// Take returns the given rows of a batch, whose positions ascend, as a batch
// that the caller releases. If all or a run of them is asked for, nothing is copied.
func Take(batch arrow.RecordBatch, rows []int32, mem memory.Allocator) (arrow.RecordBatch, error) {
	n := int64(len(rows))
	if n == 0 {
		return batch.NewSlice(0, 0), nil
	}
	if first, last := int64(rows[0]), int64(rows[n-1]); last-first == n-1 {
		if n == batch.NumRows() {
			batch.Retain()
			return batch, nil
		}
		return batch.NewSlice(first, last+1), nil
	}
	columns := make([]arrow.Array, batch.NumCols())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i := range columns {
		data, err := takeData(batch.Column(i).Data(), rows, mem)
		if err != nil {
			return nil, err
		}
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	return array.NewRecordBatch(batch.Schema(), columns, n), nil
}

// takeData gathers rows, relative to the offset of data, into new buffers.
func takeData(data arrow.ArrayData, rows []int32, mem memory.Allocator) (arrow.ArrayData, error) {
	dt := data.DataType()
	if len(rows) == 0 { // the buffers of an empty array may be absent
		return emptyData(dt, mem), nil
	}
	storage := dt
	if ext, ok := dt.(arrow.ExtensionType); ok {
		storage = ext.StorageType()
	}
	validity, nulls := takeValidity(data, rows, mem)
	buffers := []*memory.Buffer{validity}
	defer func() {
		for _, b := range buffers {
			if b != nil {
				b.Release()
			}
		}
	}()
	var children []arrow.ArrayData
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	switch t := storage.(type) {
	case *arrow.NullType:
		nulls = len(rows)
		buffers = []*memory.Buffer{nil}
	case *arrow.BooleanType:
		buffers = append(buffers, takeBits(data, rows, mem))
	case *arrow.StringType, *arrow.BinaryType:
		offsets, values := takeBytes(data, rows, mem)
		buffers = append(buffers, offsets, values)
	case *arrow.ListType, *arrow.MapType:
		offsets, child, err := takeList(data, rows, mem)
		if err != nil {
			return nil, err
		}
		buffers = append(buffers, offsets)
		children = append(children, child)
	case *arrow.StructType:
		for _, c := range data.Children() {
			child, err := takeStructChild(data, c, rows, mem)
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	case arrow.FixedWidthDataType:
		buffers = append(buffers, takeFixed(data, rows, t.BitWidth()/8, mem))
	default:
		return nil, lake.Errorf(lake.KindInternal, "rows of Arrow type %s cannot be selected", dt)
	}
	return array.NewData(dt, len(rows), buffers, children, nulls, 0), nil
}

func emptyData(dt arrow.DataType, mem memory.Allocator) arrow.ArrayData {
	b := array.NewBuilder(mem, dt)
	defer b.Release()
	arr := b.NewArray()
	defer arr.Release()
	arr.Data().Retain()
	return arr.Data()
}

// takeStructChild gathers from a child of a struct, to which the struct's
// offset applies.
func takeStructChild(parent, child arrow.ArrayData, rows []int32, mem memory.Allocator) (arrow.ArrayData, error) {
	if parent.Offset() == 0 {
		return takeData(child, rows, mem)
	}
	from := int64(parent.Offset())
	slice := array.NewSliceData(child, from, from+int64(parent.Len()))
	defer slice.Release()
	return takeData(slice, rows, mem)
}

func newBuffer(mem memory.Allocator, n int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(n)
	return b
}

func takeValidity(data arrow.ArrayData, rows []int32, mem memory.Allocator) (*memory.Buffer, int) {
	if data.NullN() == 0 || len(data.Buffers()) == 0 || data.Buffers()[0] == nil {
		return nil, 0
	}
	bits, offset := data.Buffers()[0].Bytes(), data.Offset()
	out := newBuffer(mem, int(bitutil.BytesForBits(int64(len(rows)))))
	clear(out.Bytes())
	nulls := 0
	for i, r := range rows {
		if bitutil.BitIsSet(bits, offset+int(r)) {
			bitutil.SetBit(out.Bytes(), i)
		} else {
			nulls++
		}
	}
	return out, nulls
}

func takeBits(data arrow.ArrayData, rows []int32, mem memory.Allocator) *memory.Buffer {
	bits, offset := data.Buffers()[1].Bytes(), data.Offset()
	out := newBuffer(mem, int(bitutil.BytesForBits(int64(len(rows)))))
	clear(out.Bytes())
	for i, r := range rows {
		if bitutil.BitIsSet(bits, offset+int(r)) {
			bitutil.SetBit(out.Bytes(), i)
		}
	}
	return out
}

func takeFixed(data arrow.ArrayData, rows []int32, width int, mem memory.Allocator) *memory.Buffer {
	out := newBuffer(mem, width*len(rows))
	in := data.Buffers()[1].Bytes()[data.Offset()*width:]
	switch width {
	case 4:
		gather(arrow.Uint32Traits.CastFromBytes(out.Bytes()), arrow.Uint32Traits.CastFromBytes(in), rows)
	case 8:
		gather(arrow.Uint64Traits.CastFromBytes(out.Bytes()), arrow.Uint64Traits.CastFromBytes(in), rows)
	default:
		dst := out.Bytes()
		for i, r := range rows {
			copy(dst[i*width:(i+1)*width], in[int(r)*width:])
		}
	}
	return out
}

func gather[T any](dst, src []T, rows []int32) {
	for i, r := range rows {
		dst[i] = src[r]
	}
}

func takeBytes(data arrow.ArrayData, rows []int32, mem memory.Allocator) (offsets, values *memory.Buffer) {
	from := int32Offsets(data)
	offsets = newBuffer(mem, 4*(len(rows)+1))
	to := arrow.Int32Traits.CastFromBytes(offsets.Bytes())
	total := int32(0)
	for i, r := range rows {
		to[i] = total
		total += from[r+1] - from[r]
	}
	to[len(rows)] = total
	values = newBuffer(mem, int(total))
	if total == 0 {
		return offsets, values
	}
	dst, src := values.Bytes(), data.Buffers()[2].Bytes()
	for i, r := range rows {
		copy(dst[to[i]:to[i+1]], src[from[r]:from[r+1]])
	}
	return offsets, values
}

func takeList(data arrow.ArrayData, rows []int32, mem memory.Allocator) (*memory.Buffer, arrow.ArrayData, error) {
	from := int32Offsets(data)
	offsets := newBuffer(mem, 4*(len(rows)+1))
	to := arrow.Int32Traits.CastFromBytes(offsets.Bytes())
	var elements []int32
	for i, r := range rows {
		to[i] = int32(len(elements))
		for e := from[r]; e < from[r+1]; e++ {
			elements = append(elements, e)
		}
	}
	to[len(rows)] = int32(len(elements))
	child, err := takeData(data.Children()[0], elements, mem)
	if err != nil {
		offsets.Release()
		return nil, nil, err
	}
	return offsets, child, nil
}

func int32Offsets(data arrow.ArrayData) []int32 {
	return arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())[data.Offset():]
}

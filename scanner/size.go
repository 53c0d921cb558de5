package scanner

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// batchBytes returns the bytes of the values of a batch, without what other
// slices of the same buffers hold.
func batchBytes(batch arrow.RecordBatch) int64 {
	total := int64(0)
	for _, c := range batch.Columns() {
		total += dataBytes(c.Data(), c.Data().Offset(), c.Len())
	}
	return total
}

// dataBytes sizes n values from an absolute offset.
func dataBytes(data arrow.ArrayData, offset, n int) int64 {
	if n == 0 {
		return 0
	}
	total := int64(0)
	if buffers := data.Buffers(); len(buffers) > 0 && buffers[0] != nil {
		total += int64(n / 8)
	}
	dt := data.DataType()
	if ext, ok := dt.(arrow.ExtensionType); ok {
		dt = ext.StorageType()
	}
	switch t := dt.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		from, to := offsetRange(data, offset, n)
		return total + int64(4*n) + int64(to-from)
	case *arrow.ListType, *arrow.MapType:
		from, to := offsetRange(data, offset, n)
		child := data.Children()[0]
		return total + int64(4*n) + dataBytes(child, child.Offset()+from, to-from)
	case *arrow.StructType:
		for _, child := range data.Children() {
			total += dataBytes(child, child.Offset()+offset, n)
		}
	case arrow.FixedWidthDataType:
		total += int64(n) * int64(t.BitWidth()) / 8
	}
	return total
}

func offsetRange(data arrow.ArrayData, offset, n int) (from, to int) {
	offsets := arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())
	if len(offsets) <= offset+n {
		return 0, 0 // an empty array may have no offsets
	}
	return int(offsets[offset]), int(offsets[offset+n])
}

// split calls fn with slices of batch that are no larger than limit, a single
// row aside. It takes the reference of batch and gives one with each slice; it
// ends early, without an error, when fn returns false.
func split(batch arrow.RecordBatch, limit int64, fn func(arrow.RecordBatch) bool) bool {
	size, rows := batchBytes(batch), batch.NumRows()
	if size <= limit || rows <= 1 {
		return fn(batch)
	}
	defer batch.Release()
	parts := min((size+limit-1)/limit, rows)
	for i := range parts {
		part := batch.NewSlice(rows*i/parts, rows*(i+1)/parts)
		var ok bool
		if batchBytes(part) > limit+limit/8 && parts < rows { // rows of very different sizes
			ok = split(part, limit, fn)
		} else {
			ok = fn(part)
		}
		if !ok {
			return false
		}
	}
	return true
}

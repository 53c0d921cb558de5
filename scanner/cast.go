package scanner

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// castTo returns how to make values of leaf column c, of Arrow type target,
// from the type that the file's physical and logical type give.
func castTo(c *lake.Column, from, target arrow.DataType) (converter, bool) {
	if from.ID() == arrow.NULL {
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return nullArray(mem, c, arr.Len()), nil
		}, true
	}
	switch c.Type.ID {
	case lake.TypeInt8:
		return castInteger[int8](from, target)
	case lake.TypeInt16:
		return castInteger[int16](from, target)
	case lake.TypeInt32:
		return castInteger[int32](from, target)
	case lake.TypeInt64:
		return castInteger[int64](from, target)
	case lake.TypeUint8:
		return castInteger[uint8](from, target)
	case lake.TypeUint16:
		return castInteger[uint16](from, target)
	case lake.TypeUint32:
		return castInteger[uint32](from, target)
	case lake.TypeUint64:
		return castInteger[uint64](from, target)
	case lake.TypeFloat32, lake.TypeFloat64:
		return castFloat(from, target)
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal:
		return castDecimal(from, target)
	case lake.TypeTime, lake.TypeTimeTZ, lake.TypeTimeNS:
		return castTime(from, target)
	case lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return castTimestamp(from, target)
	case lake.TypeInterval:
		return castInterval(from)
	case lake.TypeVarchar, lake.TypeBlob, lake.TypeJSON, lake.TypeUUID:
		return castBytes(c.Type.ID, from, target)
	default:
		return nil, false
	}
}

// integer is what Parquet's integers decode to.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// mapValues makes a fixed-width array by fn, which reports whether a value
// fits. What lies under a NULL need not fit, and becomes zero.
func mapValues[In, Out arrow.FixedWidthType](mem memory.Allocator, arr arrow.Array, target arrow.DataType, fn func(In) (Out, bool)) (arrow.Array, error) {
	data := arr.Data()
	n, offset := data.Len(), data.Offset()
	var zero Out
	buffer := memory.NewResizableBuffer(mem)
	defer buffer.Release()
	buffer.Resize(n * len(arrow.GetBytes([]Out{zero})))
	if n > 0 {
		in := arrow.GetData[In](data.Buffers()[1].Bytes())[offset : offset+n]
		out := arrow.GetData[Out](buffer.Bytes())[:n]
		for i, v := range in {
			var ok bool
			if out[i], ok = fn(v); !ok {
				if arr.IsValid(i) {
					return nil, lake.Errorf(lake.KindCorrupt, "a value of the file's type %s does not fit %s", arr.DataType(), target)
				}
				out[i] = zero
			}
		}
	}
	validity := copyValidity(mem, arr)
	if validity != nil {
		defer validity.Release()
	}
	out := array.NewData(target, n, []*memory.Buffer{validity, buffer}, nil, arr.NullN(), 0)
	defer out.Release()
	return array.MakeFromData(out), nil
}

// copyValidity returns the validity of arr as a bitmap that begins at its
// first value; nil if all are valid.
func copyValidity(mem memory.Allocator, arr arrow.Array) *memory.Buffer {
	if arr.NullN() == 0 {
		return nil
	}
	data := arr.Data()
	if data.Offset() == 0 {
		data.Buffers()[0].Retain()
		return data.Buffers()[0]
	}
	out := memory.NewResizableBuffer(mem)
	out.Resize(int(bitutil.BytesForBits(int64(data.Len()))))
	bitutil.CopyBitmap(data.Buffers()[0].Bytes(), data.Offset(), data.Len(), out.Bytes(), 0)
	return out
}

func castInteger[Out integer](from, target arrow.DataType) (converter, bool) {
	switch from.ID() {
	case arrow.INT8:
		return widen[int8, Out](target), true
	case arrow.INT16:
		return widen[int16, Out](target), true
	case arrow.INT32:
		return widen[int32, Out](target), true
	case arrow.INT64:
		return widen[int64, Out](target), true
	case arrow.UINT8:
		return widen[uint8, Out](target), true
	case arrow.UINT16:
		return widen[uint16, Out](target), true
	case arrow.UINT32:
		return widen[uint32, Out](target), true
	case arrow.UINT64:
		return widen[uint64, Out](target), true
	default:
		return nil, false
	}
}

func widen[In, Out integer](target arrow.DataType) converter {
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		return mapValues(mem, arr, target, func(v In) (Out, bool) {
			out := Out(v)
			return out, In(out) == v && (out < 0) == (v < 0)
		})
	}
}

func castFloat(from, target arrow.DataType) (converter, bool) {
	switch {
	case from.ID() == arrow.FLOAT32 && target.ID() == arrow.FLOAT64:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v float32) (float64, bool) { return float64(v), true })
		}, true
	case from.ID() == arrow.FLOAT16:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			half, ok := arr.(*array.Float16)
			if !ok {
				return nil, lake.Errorf(lake.KindCorrupt, "the file holds %s in place of float16", arr.DataType())
			}
			b := array.NewBuilder(mem, target)
			defer b.Release()
			b.Reserve(arr.Len())
			for i := range arr.Len() {
				if half.IsNull(i) {
					b.AppendNull()
				} else if err := lake.AppendValue(b, lake.Value{Float: float64(lake.HalfToFloat(half.Value(i)))}); err != nil {
					return nil, err
				}
			}
			return b.NewArray(), nil
		}, true
	}
	return nil, false
}

// castDecimal makes decimal128 from integers, from decimals of another
// precision or a smaller scale, and from the doubles as which DuckDB writes
// its 128-bit integers.
func castDecimal(from, target arrow.DataType) (converter, bool) {
	to := target.(*arrow.Decimal128Type) // the type of every decimal column
	switch t := from.(type) {
	case *arrow.Decimal128Type:
		if t.Scale > to.Scale {
			return nil, false
		}
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v decimal128.Num) (decimal128.Num, bool) { return rescale(v, t.Scale, to) })
		}, true
	case *arrow.Float64Type:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v float64) (decimal128.Num, bool) {
				n, err := decimal128.FromFloat64(v, to.Precision, to.Scale)
				return n, err == nil
			})
		}, true
	case *arrow.Int32Type:
		return integersToDecimal[int32](target, to), true
	case *arrow.Int64Type:
		return integersToDecimal[int64](target, to), true
	case *arrow.Uint32Type:
		return integersToDecimal[uint32](target, to), true
	case *arrow.Uint64Type:
		return integersToDecimal[uint64](target, to), true
	}
	return nil, false
}

func integersToDecimal[In integer](target arrow.DataType, to *arrow.Decimal128Type) converter {
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		return mapValues(mem, arr, target, func(v In) (decimal128.Num, bool) {
			n := decimal128.FromU64(uint64(v))
			if v < 0 {
				n = decimal128.FromI64(int64(v))
			}
			return rescale(n, 0, to)
		})
	}
}

// unscaledToDecimal widens the integers of a decimal whose scale stays.
func unscaledToDecimal[In int32 | int64](to *arrow.Decimal128Type) converter {
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		data := arr.Data()
		n := data.Len()
		buffer := memory.NewResizableBuffer(mem)
		defer buffer.Release()
		buffer.Resize(arrow.Decimal128Traits.BytesRequired(n))
		if n > 0 {
			in := arrow.GetData[In](data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+n]
			out := arrow.Decimal128Traits.CastFromBytes(buffer.Bytes())[:n]
			for i, v := range in {
				out[i] = decimal128.FromI64(int64(v))
			}
		}
		validity := copyValidity(mem, arr)
		if validity != nil {
			defer validity.Release()
		}
		out := array.NewData(to, n, []*memory.Buffer{validity, buffer}, nil, arr.NullN(), 0)
		defer out.Release()
		return array.MakeFromData(out), nil
	}
}

func rescale(v decimal128.Num, scale int32, to *arrow.Decimal128Type) (decimal128.Num, bool) {
	if scale == to.Scale {
		return v, true
	}
	n, err := v.Rescale(scale, to.Scale)
	return n, err == nil && n.FitsInPrecision(to.Precision)
}

const dayNanos int64 = 86_400 * 1_000_000_000

// unitNanos returns the nanoseconds of a unit of time.
func unitNanos(u arrow.TimeUnit) int64 {
	switch u {
	case arrow.Second:
		return 1_000_000_000
	case arrow.Millisecond:
		return 1_000_000
	case arrow.Microsecond:
		return 1_000
	case arrow.Nanosecond:
	}
	return 1
}

// castTime changes units. Package writer stores TIME_NS as timestamps of
// 1970-01-01.
func castTime(from, target arrow.DataType) (converter, bool) {
	to := unitNanos(target.(*arrow.Time64Type).Unit) // the type of every time column
	switch t := from.(type) {
	case *arrow.Time32Type:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v int32) (int64, bool) { return rescaleTime(int64(v), unitNanos(t.Unit), to) })
		}, true
	case *arrow.Time64Type:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v int64) (int64, bool) { return rescaleTime(v, unitNanos(t.Unit), to) })
		}, true
	case *arrow.TimestampType:
		dayUnits := dayNanos / unitNanos(t.Unit)
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v int64) (int64, bool) {
				out, _ := rescaleTime(v, unitNanos(t.Unit), to)
				return out, v >= 0 && v <= dayUnits // 24:00 is a time
			})
		}, true
	}
	return nil, false
}

// castTimestamp changes units; whether the file calls its timestamps adjusted
// to UTC does not change their values. INT96 decodes to nanoseconds.
func castTimestamp(from, target arrow.DataType) (converter, bool) {
	to := unitNanos(target.(*arrow.TimestampType).Unit) // the type of every timestamp column
	switch t := from.(type) {
	case *arrow.TimestampType:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			if t.Unit == target.(*arrow.TimestampType).Unit {
				return relabel(arr, target), nil
			}
			return mapValues(mem, arr, target, func(v int64) (int64, bool) { return rescaleTime(v, unitNanos(t.Unit), to) })
		}, true
	case *arrow.Date32Type:
		return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			return mapValues(mem, arr, target, func(v int32) (int64, bool) {
				switch v {
				case math.MaxInt32:
					return math.MaxInt64, true
				case -math.MaxInt32:
					return -math.MaxInt64, true
				}
				return rescaleTime(int64(v), dayNanos, to)
			})
		}, true
	}
	return nil, false
}

// rescaleTime changes the unit of v, towards minus infinity where it gets
// coarser. DuckDB's infinities stay what they are.
func rescaleTime(v, from, to int64) (int64, bool) {
	if v == math.MaxInt64 || v == -math.MaxInt64 {
		return v, true
	}
	if from < to {
		ratio := to / from
		q := v / ratio
		if v%ratio < 0 {
			q--
		}
		return q, true
	}
	ratio := from / to
	return v * ratio, v <= math.MaxInt64/ratio && v >= -math.MaxInt64/ratio
}

// relabel returns arr under another type of the same layout.
func relabel(arr arrow.Array, target arrow.DataType) arrow.Array {
	in := arr.Data()
	data := array.NewData(target, in.Len(), in.Buffers(), nil, in.NullN(), in.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}

// The layout of Parquet's INTERVAL: months, days and milliseconds, each four
// bytes, little endian, unsigned (Parquet LogicalTypes.md, INTERVAL). DuckDB
// takes months and days as signed, as its own and Arrow's are.
const (
	intervalBytes      = 12
	intervalNanosPerMs = 1_000_000
)

func castInterval(from arrow.DataType) (converter, bool) {
	if t, ok := from.(*arrow.FixedSizeBinaryType); !ok || t.ByteWidth != intervalBytes {
		return nil, false
	}
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		in, ok := arr.(*array.FixedSizeBinary)
		if !ok {
			return nil, lake.Errorf(lake.KindCorrupt, "the file holds %s in place of an interval", arr.DataType())
		}
		b := array.NewMonthDayNanoIntervalBuilder(mem)
		defer b.Release()
		b.Reserve(in.Len())
		for i := range in.Len() {
			if in.IsNull(i) {
				b.AppendNull()
				continue
			}
			v := in.Value(i)
			b.Append(arrow.MonthDayNanoInterval{
				Months:      int32(binary.LittleEndian.Uint32(v)),
				Days:        int32(binary.LittleEndian.Uint32(v[4:])),
				Nanoseconds: int64(binary.LittleEndian.Uint32(v[8:])) * intervalNanosPerMs,
			})
		}
		return b.NewArray(), nil
	}, true
}

// castBytes makes text, blobs and UUIDs of each other's layouts.
func castBytes(id lake.TypeID, from, target arrow.DataType) (converter, bool) {
	storage := from
	if ext, ok := from.(arrow.ExtensionType); ok {
		storage = ext.StorageType()
	}
	switch t := storage.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		text := id == lake.TypeVarchar || id == lake.TypeJSON
		if id == lake.TypeUUID {
			return nil, false
		}
		check := text && storage.ID() == arrow.BINARY // bytes are not promised to be text
		return func(_ memory.Allocator, arr arrow.Array) (arrow.Array, error) {
			if b, ok := arr.(*array.Binary); ok && check {
				for i := range b.Len() {
					if b.IsValid(i) && !utf8.Valid(b.Value(i)) {
						return nil, lake.Errorf(lake.KindCorrupt, "bytes that are not UTF-8 in a column of text")
					}
				}
			}
			return relabel(arr, target), nil
		}, true
	case *arrow.FixedSizeBinaryType:
		if id == lake.TypeUUID && t.ByteWidth == 16 {
			return func(_ memory.Allocator, arr arrow.Array) (arrow.Array, error) { return relabel(arr, target), nil }, true
		}
		return fixedToBlob, id == lake.TypeBlob
	}
	return nil, false
}

func fixedToBlob(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
	if ext, ok := arr.(array.ExtensionArray); ok {
		arr = ext.Storage()
	}
	in, ok := arr.(*array.FixedSizeBinary)
	if !ok {
		return nil, lake.Errorf(lake.KindCorrupt, "the file holds %s in place of fixed-size bytes", arr.DataType())
	}
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	defer b.Release()
	for i := range in.Len() {
		if in.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(in.Value(i))
		}
	}
	return b.NewArray(), nil
}

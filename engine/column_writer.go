package engine

import (
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// columnWriter writes rows [from, from+n) of an Arrow array to the first n rows
// of a DuckDB vector of the same type. It copies: nothing of the array is
// referred to afterwards. Copying a vector of 2,048 numbers takes less time than
// handing it over through Arrow's C interface, and strings have to be laid out
// anew in any case.
type columnWriter func(v duckdb.Vector, a arrow.Array, from, n int) error

func newColumnWriter(c *lake.Column) (columnWriter, error) {
	write, err := newValueWriter(c)
	if err != nil {
		return nil, err
	}
	want := c.ArrowType()
	return func(v duckdb.Vector, a arrow.Array, from, n int) error {
		if n == 0 {
			return nil
		}
		if a.DataType().ID() != want.ID() {
			return lake.Errorf(lake.KindInternal, "a table source returned %s instead of %s", a.DataType(), want)
		}
		if err := write(v, a, from, n); err != nil {
			return err
		}
		writeValidity(v, a, from, n)
		return nil
	}, nil
}

// writeValidity marks the null rows of a vector, after the values are written.
func writeValidity(v duckdb.Vector, a arrow.Array, from, n int) {
	if a.NullN() == 0 {
		return
	}
	duckdb.VectorEnsureValidityWritable(v)
	mask := unsafe.Slice((*byte)(duckdb.VectorGetValidity(v)), int(bitutil.BytesForBits(int64(n))))
	bitutil.CopyBitmap(a.NullBitmapBytes(), a.Data().Offset()+from, n, mask, 0)
}

func newValueWriter(c *lake.Column) (columnWriter, error) {
	switch c.Type.ID {
	case lake.TypeBoolean:
		return writeBools, nil
	case lake.TypeVarchar:
		return func(v duckdb.Vector, a arrow.Array, from, n int) error { return writeStrings(v, a, from, n, true) }, nil
	case lake.TypeJSON:
		return func(v duckdb.Vector, a arrow.Array, from, n int) error {
			return writeStrings(v, storage(a), from, n, true)
		}, nil
	case lake.TypeBlob:
		return func(v duckdb.Vector, a arrow.Array, from, n int) error { return writeStrings(v, a, from, n, false) }, nil
	case lake.TypeDecimal:
		return decimalWriter(c.Type.Precision), nil
	case lake.TypeUUID:
		return converted(decimalBytes, func(in, out []byte) {
			target := hugeInts(out)
			for i := range target {
				target[i] = uuidHugeInt(in[i*decimalBytes:])
			}
		}), nil
	case lake.TypeInterval:
		return converted(decimalBytes, writeIntervals), nil
	case lake.TypeTimeTZ:
		return converted(arrow.Int64SizeBytes, func(in, out []byte) {
			target := arrow.Uint64Traits.CastFromBytes(out)
			for i, micros := range arrow.Int64Traits.CastFromBytes(in) {
				target[i] = timeTZFromUTC(micros)
			}
		}), nil
	case lake.TypeList, lake.TypeMap, lake.TypeStruct:
		return newNestedWriter(c)
	case lake.TypeInvalid, lake.TypeVariant, lake.TypeGeometry:
		return nil, lake.Errorf(lake.KindUnsupported, "column %q: the type %s is not held yet", c.Name, c.Type)
	default: // DuckDB's bytes are Arrow's
		width := c.ArrowType().(arrow.FixedWidthDataType).Bytes()
		return converted(width, func(in, out []byte) { copy(out, in) }), nil
	}
}

// storage returns the array below an extension type.
func storage(a arrow.Array) arrow.Array {
	if e, ok := a.(array.ExtensionArray); ok {
		return e.Storage()
	}
	return a
}

// converted writes values of fixed width, the same in Arrow and in DuckDB.
func converted(width int, convert func(in, out []byte)) columnWriter {
	return func(v duckdb.Vector, a arrow.Array, from, n int) error {
		in := fixedValues(a, from, n, width)
		convert(in, unsafe.Slice((*byte)(duckdb.VectorGetData(v)), n*width))
		return nil
	}
}

// fixedValues returns the bytes of n values.
func fixedValues(a arrow.Array, from, n, width int) []byte {
	first := a.Data().Offset() + from
	return a.Data().Buffers()[1].Bytes()[first*width : (first+n)*width]
}

func writeBools(v duckdb.Vector, a arrow.Array, from, n int) error {
	out := unsafe.Slice((*byte)(duckdb.VectorGetData(v)), n)
	in, first := a.Data().Buffers()[1].Bytes(), a.Data().Offset()+from
	for i := range out {
		out[i] = in[(first+i)/8] >> ((first + i) % 8) & 1
	}
	return nil
}

// The digits that DuckDB holds in 16, 32 and 64 bits.
const (
	digits16 = 4
	digits32 = 9
	digits64 = 18
)

func decimalWriter(precision int32) columnWriter {
	switch {
	case precision <= digits16:
		return narrowed[int16]
	case precision <= digits32:
		return narrowed[int32]
	case precision <= digits64:
		return narrowed[int64]
	}
	return converted(decimalBytes, func(in, out []byte) { copy(out, in) })
}

func narrowed[T int16 | int32 | int64](v duckdb.Vector, a arrow.Array, from, n int) error {
	out := unsafe.Slice((*T)(duckdb.VectorGetData(v)), n)
	for i, x := range hugeInts(fixedValues(a, from, n, decimalBytes)) {
		out[i] = T(x.low)
	}
	return nil
}

func writeIntervals(in, out []byte) {
	source, target := vector{data: pointer(in)}, vector{data: pointer(out)}
	n := len(in) / decimalBytes
	to := values[interval](&target, 0, n)
	for i, x := range values[monthDayNano](&source, 0, n) {
		to[i] = interval{months: x.months, days: x.days, micros: x.nanos / nanosPerMicro}
	}
}

// writeStrings copies the text of all rows into the vector's heap at once, as if
// it were one string, and then points the rows into that copy.
func writeStrings(v duckdb.Vector, a arrow.Array, from, n int, text bool) error {
	buffers, first := a.Data().Buffers(), a.Data().Offset()+from
	offsets := arrow.Int32Traits.CastFromBytes(buffers[1].Bytes())[first : first+n+1]
	var all []byte
	if offsets[n] > offsets[0] {
		all = buffers[2].Bytes()[offsets[0]:offsets[n]]
	}
	if text && !validText(all, offsets) {
		return lake.Errorf(lake.KindCorrupt, "text is not UTF-8")
	}
	// The address is a number here: Go's write barrier must not meet C memory.
	var heap uintptr
	data := duckdb.VectorGetData(v)
	if len(all) > stringInlineBytes {
		duckdb.UnsafeVectorAssignStringElementLen(v, 0, all)
		heap = *(*uintptr)(unsafe.Add(data, 8))
	}
	for i := range n {
		at := int(offsets[i] - offsets[0])
		length := int(offsets[i+1] - offsets[i])
		out := unsafe.Add(data, i*stringBytes)
		*(*[2]uint64)(out) = [2]uint64{uint64(uint32(length))}
		if length <= stringInlineBytes {
			copy(unsafe.Slice((*byte)(unsafe.Add(out, 4)), stringInlineBytes), all[at:at+length])
			continue
		}
		copy(unsafe.Slice((*byte)(unsafe.Add(out, 4)), 4), all[at:at+4])
		*(*uintptr)(unsafe.Add(out, 8)) = heap + uintptr(at)
	}
	return nil
}

// validText reports whether every value is UTF-8: all of them together, and
// none begins in the middle of a character.
func validText(all []byte, offsets []int32) bool {
	if !utf8.Valid(all) {
		return false
	}
	for _, at := range offsets {
		if i := int(at - offsets[0]); i < len(all) && !utf8.RuneStart(all[i]) {
			return false
		}
	}
	return true
}

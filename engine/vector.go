package engine

import (
	"encoding/binary"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// vectorRows is the number of rows of a DuckDB vector.
const vectorRows = 2048

// vector is a flat DuckDB vector. Its memory belongs to a data chunk and is
// valid as long as that.
type vector struct {
	handle   duckdb.Vector
	data     unsafe.Pointer
	validity unsafe.Pointer // of uint64, one bit per row, 1 is valid; nil if all are
}

func newVector(handle duckdb.Vector) vector {
	return vector{handle: handle, data: duckdb.VectorGetData(handle), validity: duckdb.VectorGetValidity(handle)}
}

func (v *vector) valid(row int) bool {
	if v.validity == nil {
		return true
	}
	word := *(*uint64)(unsafe.Add(v.validity, row/64*8))
	return word>>(row%64)&1 == 1
}

// bytes returns n values of the given width from row on.
func (v *vector) bytes(row, n, width int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(v.data, row*width)), n*width)
}

// values returns n values of type T from row on.
func values[T any](v *vector, row, n int) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Add(v.data, row*int(unsafe.Sizeof(zero)))), n)
}

// A string of DuckDB (duckdb_string_t) is 16 bytes: a length of 4 bytes, then
// either up to 12 bytes of text, or a prefix of 4 bytes and a pointer.
const (
	stringBytes       = 16
	stringInlineBytes = 12
)

// vectorText returns a string or blob without copying it.
func vectorText(v vector, row int) string {
	b := vectorBytes(&v, row)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// vectorBytes returns a string or blob without copying it.
func vectorBytes(v *vector, row int) []byte {
	at := unsafe.Add(v.data, row*stringBytes)
	n := *(*uint32)(at)
	if n <= stringInlineBytes {
		return unsafe.Slice((*byte)(unsafe.Add(at, 4)), n)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(at, 8)), n)
}

// listEntry is duckdb_list_entry: where the elements of a list are in the child
// vector.
type listEntry struct{ offset, length uint64 }

// hugeInt is duckdb_hugeint and duckdb_uhugeint, in the layout of Arrow's
// decimal128: little endian two's complement.
type hugeInt struct {
	low  uint64
	high int64
}

// interval is duckdb_interval.
type interval struct {
	months, days int32
	micros       int64
}

// monthDayNano is Arrow's interval_month_day_nano.
type monthDayNano struct {
	months, days int32
	nanos        int64
}

// uuidSign is the bit that DuckDB flips so that UUIDs sort as signed integers.
const uuidSign = 1 << 63

func uuidBytes(h hugeInt, out []byte) {
	binary.BigEndian.PutUint64(out, uint64(h.high)^uuidSign)
	binary.BigEndian.PutUint64(out[8:], h.low)
}

func uuidHugeInt(b []byte) hugeInt {
	return hugeInt{low: binary.BigEndian.Uint64(b[8:]), high: int64(binary.BigEndian.Uint64(b) ^ uuidSign)}
}

// A TIMETZ of DuckDB holds microseconds above a field of 24 bits with the
// offset, stored as maximum minus offset so that later instants sort higher.
const (
	timeTZOffsetBits = 24
	timeTZOffsetMax  = 16*60*60 - 1 // seconds
	microsPerSecond  = 1_000_000
	microsPerDay     = 24 * 60 * 60 * microsPerSecond
	nanosPerMicro    = 1_000
)

// timeTZToUTC returns the microseconds since midnight in UTC.
func timeTZToUTC(bits uint64) int64 {
	offset := int64(timeTZOffsetMax) - int64(bits&(1<<timeTZOffsetBits-1))
	micros := (int64(bits>>timeTZOffsetBits) - offset*microsPerSecond) % microsPerDay
	if micros < 0 {
		micros += microsPerDay
	}
	return micros
}

func timeTZFromUTC(micros int64) uint64 {
	return uint64(micros)<<timeTZOffsetBits | timeTZOffsetMax
}

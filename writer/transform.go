package writer

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/uuid"
	"github.com/twmb/murmur3"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// transform computes the partition value of a stored value.
type transform struct {
	kind    lake.Transform
	buckets int32
	unit    int64 // nanoseconds of the stored integer, for the calendar transforms
	ofDay   bool  // the values are times of day
}

// quietNaN is the NaN that DuckDB writes.
const quietNaN = 0x7FF8000000000000

// newTransform checks that column has the transform of field.
func newTransform(column *lake.Column, field lake.PartitionField) (transform, error) {
	t := transform{kind: field.Transform, buckets: field.Buckets}
	id := column.Type.ID
	refused := lake.Errorf(lake.KindInvalid, "column %q of type %s cannot be partitioned by %s",
		column.Name, column.SQLType(), field.Transform)
	switch field.Transform {
	case lake.TransformIdentity, lake.TransformBucket:
		if column.Type.Nested() || id == lake.TypeInterval {
			return t, refused
		}
		if field.Transform == lake.TransformBucket && field.Buckets < 1 {
			return t, lake.Errorf(lake.KindInvalid, "column %q: the number of buckets must be positive", column.Name)
		}
	case lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
		switch id {
		case lake.TypeDate:
			t.unit = day
		case lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ:
			_, t.unit = grain(id)
		case lake.TypeTime:
			t.ofDay = true
			if t.unit = micro; field.Transform != lake.TransformHour {
				return t, refused
			}
		default:
			return t, refused
		}
	default:
		return t, lake.Errorf(lake.KindUnsupported, "unknown partition transform %q", field.Transform)
	}
	return t, nil
}

// text reports whether values of the leaf are interned by their bytes.
func (t transform) text(l *pqenc.Leaf) bool {
	return t.kind == lake.TransformIdentity && (l.Kind == pqenc.Bytes || l.Kind == pqenc.Fixed)
}

// textValue returns the identity of a value of kind Bytes or Fixed.
func (t transform) textValue(l *pqenc.Leaf, raw []byte) lake.Value {
	if l.Kind == pqenc.Fixed && l.Type.ID != lake.TypeUUID {
		return lake.Value{Int: int64(binary.BigEndian.Uint64(raw)), Uint: binary.BigEndian.Uint64(raw[8:])}
	}
	return lake.Value{Bytes: string(raw)}
}

// number returns a key that stands for the partition value of value i, and
// false if that is NULL.
func (t transform) number(v *pqenc.Values, i int) (uint64, bool) {
	switch t.kind {
	case lake.TransformIdentity:
		return identityKey(v, i), true
	case lake.TransformBucket:
		return uint64(bucket(v, i, t.buckets)), true
	default:
		part, ok := t.calendar(integerAt(v, i), v.Leaf.Kind)
		return uint64(part), ok
	}
}

// numberValue returns the partition value that number stands for.
func (t transform) numberValue(l *pqenc.Leaf, key uint64) lake.Value {
	if t.kind != lake.TransformIdentity {
		return lake.Value{Int: int64(key)}
	}
	switch l.Type.ID {
	case lake.TypeFloat32, lake.TypeFloat64:
		return lake.Value{Float: math.Float64frombits(key)}
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return lake.Value{Uint: key}
	case lake.TypeDecimal:
		return lake.Value{Int: int64(key) >> 63, Uint: key}
	case lake.TypeTimestampS:
		return lake.Value{Int: seconds(int64(key))}
	default:
		return lake.Value{Int: int64(key)}
	}
}

// seconds converts a stored timestamp_s, whole seconds in microseconds or
// infinite, to its unit.
func seconds(stored int64) int64 {
	if stored == math.MaxInt64 || stored == -math.MaxInt64 {
		return stored
	}
	return stored / (second / micro)
}

// integerAt returns value i of a leaf of kind Bool, Int32 or Int64.
func integerAt(v *pqenc.Values, i int) int64 {
	switch v.Leaf.Kind {
	case pqenc.Bool:
		return int64(v.Bools[i])
	case pqenc.Int32:
		return int64(v.I32[i])
	default:
		return v.I64[i]
	}
}

func identityKey(v *pqenc.Values, i int) uint64 {
	switch v.Leaf.Kind {
	case pqenc.Float32:
		return floatKey(float64(v.F32[i]))
	case pqenc.Float64:
		return floatKey(v.F64[i])
	default:
	}
	switch v.Leaf.Type.ID {
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32:
		return uint64(uint32(v.I32[i]))
	default:
		return uint64(integerAt(v, i))
	}
}

// calendar returns a part of the proleptic Gregorian calendar, as DuckDB's
// functions year, month, day and hour do: the year before 1 is 0, infinite
// values have none. Nanoseconds are first cut to microseconds, towards 1970,
// as DuckDB casts them.
func (t transform) calendar(stored int64, kind pqenc.Kind) (int64, bool) {
	infinity := int64(math.MaxInt64)
	if kind == pqenc.Int32 {
		infinity = math.MaxInt32
	}
	if stored == infinity || stored == -infinity {
		return 0, false
	}
	unit := t.unit
	if t.ofDay {
		return stored / (int64(time.Hour) / unit), true // 24:00 is in the hour 24
	}
	if unit == nano {
		stored, unit = stored/micro, micro
	}
	perDay := day / unit
	days, rest := stored/perDay, stored%perDay
	if rest < 0 {
		days, rest = days-1, rest+perDay
	}
	year, month, monthDay := civil(days)
	switch t.kind {
	case lake.TransformYear:
		return year, true
	case lake.TransformMonth:
		return month, true
	case lake.TransformDay:
		return monthDay, true
	default:
		return rest * unit / int64(time.Hour), true
	}
}

// civil returns the date of a day counted from 1970-01-01. Years begin in
// March inside of it, so that the leap day comes last, and repeat every 400.
func civil(days int64) (year, month, monthDay int64) {
	const (
		daysTo1970 = 719468 // from 0000-03-01
		perEra     = 146097 // 400 years
	)
	days += daysTo1970
	era := days / perEra
	if days%perEra < 0 {
		era--
	}
	ofEra := days - era*perEra
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	fromMarch := (5*ofYear + 2) / 153
	monthDay = ofYear - (153*fromMarch+2)/5 + 1
	month = fromMarch + 3
	year = yearOfEra + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, monthDay
}

// timeTZOffset is the part of DuckDB's TIMETZ that holds the offset, for UTC.
const timeTZOffset = 16*60*60 - 1

// bucket returns the bucket of value i: DuckLake's, which is Iceberg's where
// Iceberg has the type. Unsigned and 128-bit integers, wide decimals and UUIDs
// hash their text, timetz DuckDB's own bits.
func bucket(v *pqenc.Values, i int, buckets int32) int32 {
	hash := murmur3.Sum32(hashed(v, i))
	return int32(hash&math.MaxInt32) % buckets
}

func hashed(v *pqenc.Values, i int) []byte {
	var word uint64
	switch v.Leaf.Type.ID {
	case lake.TypeVarchar, lake.TypeJSON, lake.TypeBlob:
		return rawValue(v, i)
	case lake.TypeUUID:
		return []byte(uuid.UUID(rawValue(v, i)).String())
	case lake.TypeInt128, lake.TypeUint128:
		return []byte(wideAt(v, i).BigInt().String())
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		return strconv.AppendUint(nil, identityKey(v, i), 10)
	case lake.TypeDecimal:
		if v.Leaf.Kind == pqenc.Fixed {
			return []byte(decimalText(wideAt(v, i).BigInt(), int(v.Leaf.Type.Scale)))
		}
		word = uint64(integerAt(v, i))
	case lake.TypeFloat32, lake.TypeFloat64:
		word = identityKey(v, i)
	case lake.TypeTimeTZ:
		word = uint64(integerAt(v, i))<<24 | timeTZOffset
	case lake.TypeTimestampS:
		word = uint64(seconds(v.I64[i]))
	default:
		word = uint64(integerAt(v, i))
	}
	return binary.LittleEndian.AppendUint64(nil, word)
}

func wideAt(v *pqenc.Values, i int) decimal128.Num {
	raw := rawValue(v, i)
	return decimal128.New(int64(binary.BigEndian.Uint64(raw)), binary.BigEndian.Uint64(raw[8:]))
}

// decimalText returns an unscaled integer as a decimal with all digits of its scale.
func decimalText(unscaled *big.Int, scale int) string {
	digits := new(big.Int).Abs(unscaled).String()
	for len(digits) <= scale {
		digits = "0" + digits
	}
	text := digits
	if scale > 0 {
		text = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if unscaled.Sign() < 0 {
		return "-" + text
	}
	return text
}

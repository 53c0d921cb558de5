package planner

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// constant is a typed value of DuckDB's plan.
type constant struct {
	typ   lake.Type
	null  bool
	value lake.Value
}

// decodeConstant decodes {"type": ..., "is_null": ..., "value": ...}; ok is
// false for types without a lake.Value and for forms that are not known.
func decodeConstant(o object) (c constant, ok bool) {
	if o == nil {
		return constant{}, false
	}
	c.null = o.flag("is_null")
	c.typ, ok = duckType(o.object("type"))
	if c.null {
		return c, true // a NULL of any type, SQLNULL included
	}
	if !ok {
		return constant{}, false
	}
	c.value, ok = decodeValue(c.typ, o["value"])
	return c, ok
}

// duckType returns the lake type of a DuckDB type that has values.
func duckType(o object) (lake.Type, bool) {
	info := o.object("type_info")
	switch id := o.text("id"); id {
	case "VARCHAR":
		switch info.text("alias") {
		case "":
			return lake.Type{ID: lake.TypeVarchar}, info.text("collation") == ""
		case "JSON":
			return lake.Type{ID: lake.TypeJSON}, true
		}
		return lake.Type{}, false
	case "DECIMAL":
		width, _ := info.integer("width")
		scale, _ := info.integer("scale")
		return lake.Type{ID: lake.TypeDecimal, Precision: int32(width), Scale: int32(scale)}, width > 0 && width <= 38
	default:
		t, ok := plainTypes()[id]
		return lake.Type{ID: t}, ok && info.text("alias") == ""
	}
}

func plainTypes() map[string]lake.TypeID {
	return map[string]lake.TypeID{
		"BOOLEAN": lake.TypeBoolean,
		"TINYINT": lake.TypeInt8, "SMALLINT": lake.TypeInt16, "INTEGER": lake.TypeInt32, "BIGINT": lake.TypeInt64,
		"HUGEINT": lake.TypeInt128, "UTINYINT": lake.TypeUint8, "USMALLINT": lake.TypeUint16, "UINTEGER": lake.TypeUint32,
		"UBIGINT": lake.TypeUint64, "UHUGEINT": lake.TypeUint128, "FLOAT": lake.TypeFloat32, "DOUBLE": lake.TypeFloat64,
		"DATE": lake.TypeDate, "TIME": lake.TypeTime, "TIME_NS": lake.TypeTimeNS, "TIMESTAMP_S": lake.TypeTimestampS,
		"TIMESTAMP_MS": lake.TypeTimestampMS, "TIMESTAMP": lake.TypeTimestamp, "TIMESTAMP_NS": lake.TypeTimestampNS,
		"TIMESTAMP WITH TIME ZONE": lake.TypeTimestampTZ, "BLOB": lake.TypeBlob, "UUID": lake.TypeUUID,
	}
}

func decodeValue(t lake.Type, v any) (lake.Value, bool) {
	switch t.ID {
	case lake.TypeBoolean:
		b, ok := v.(bool)
		if b {
			return lake.Value{Int: 1}, ok
		}
		return lake.Value{}, ok
	case lake.TypeFloat32, lake.TypeFloat64:
		return decodeFloat(v)
	case lake.TypeUint8, lake.TypeUint16, lake.TypeUint32, lake.TypeUint64:
		u, ok := asUint(v)
		return lake.Value{Uint: u}, ok
	case lake.TypeInt128, lake.TypeUint128, lake.TypeDecimal, lake.TypeUUID:
		return decodeWide(t, v)
	case lake.TypeVarchar, lake.TypeJSON:
		s, ok := v.(string)
		return lake.Value{Bytes: s}, ok
	case lake.TypeBlob:
		s, ok := v.(string)
		if !ok {
			return lake.Value{}, false
		}
		value, err := expr.ParseValue(t, s) // bytes outside ASCII come as \xHH
		return value, err == nil
	default:
		i, ok := asInt(v)
		return lake.Value{Int: i}, ok
	}
}

func decodeFloat(v any) (lake.Value, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		return lake.Value{Float: f}, err == nil
	case string:
		switch v {
		case "NaN":
			return lake.Value{Float: math.NaN()}, true
		case "Infinity":
			return lake.Value{Float: math.Inf(1)}, true
		case "-Infinity":
			return lake.Value{Float: math.Inf(-1)}, true
		}
	}
	return lake.Value{}, false
}

// decodeWide decodes the types of up to 128 bits: decimals of at most 18 digits
// are one number, the others {"upper": ..., "lower": ...}.
func decodeWide(t lake.Type, v any) (lake.Value, bool) {
	if i, ok := asInt(v); ok {
		if t.ID != lake.TypeDecimal {
			return lake.Value{}, false
		}
		return lake.Value{Int: i >> 63, Uint: uint64(i)}, true
	}
	o := asObject(v)
	lower, ok1 := asUint(o["lower"])
	upper, ok2 := asInt(o["upper"])
	if t.ID == lake.TypeUint128 {
		var u uint64
		u, ok2 = asUint(o["upper"])
		upper = int64(u)
	}
	if !ok1 || !ok2 {
		return lake.Value{}, false
	}
	if t.ID == lake.TypeUUID {
		// DuckDB keeps UUIDs with the first bit flipped, so that they sort as
		// signed numbers.
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], uint64(upper)^(1<<63))
		binary.BigEndian.PutUint64(b[8:], lower)
		return lake.Value{Bytes: string(b[:])}, true
	}
	return lake.Value{Int: upper, Uint: lower}, true
}

func asInt(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

func asUint(v any) (uint64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	u, err := strconv.ParseUint(n.String(), 10, 64)
	return u, err == nil
}

// fits reports whether a constant of type c can be compared with a column of
// type t without a cast.
func fits(t, c lake.Type) bool {
	switch t.ID {
	case lake.TypeDecimal:
		return c.ID == lake.TypeDecimal && c.Scale == t.Scale
	case lake.TypeJSON:
		return c.ID == lake.TypeJSON || c.ID == lake.TypeVarchar
	default:
		return c.ID == t.ID
	}
}

// successor returns the least text that is greater than every text with the
// given prefix; ok is false if there is none.
func successor(prefix string) (string, bool) {
	for n := len(prefix) - 1; n >= 0; n-- {
		if c := prefix[n]; c < 0xFF {
			return prefix[:n] + string([]byte{c + 1}), true
		}
	}
	return "", false
}

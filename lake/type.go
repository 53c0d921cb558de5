package lake

import (
	"fmt"
	"strconv"
	"strings"
)

// TypeID names a column type of the DuckLake 1.0 specification (data_types.md).
type TypeID uint8

// The types a table can hold. The comment gives DuckLake's name, DuckDB's name
// and the Arrow type under which values travel.
const (
	TypeInvalid     TypeID = iota
	TypeBoolean            // boolean, BOOLEAN, bool
	TypeInt8               // int8, TINYINT, int8
	TypeInt16              // int16, SMALLINT, int16
	TypeInt32              // int32, INTEGER, int32
	TypeInt64              // int64, BIGINT, int64
	TypeInt128             // int128, HUGEINT, decimal128(38,0)
	TypeUint8              // uint8, UTINYINT, uint8
	TypeUint16             // uint16, USMALLINT, uint16
	TypeUint32             // uint32, UINTEGER, uint32
	TypeUint64             // uint64, UBIGINT, uint64
	TypeUint128            // uint128, UHUGEINT, decimal128(38,0)
	TypeFloat32            // float32, FLOAT, float32
	TypeFloat64            // float64, DOUBLE, float64
	TypeDecimal            // decimal(P,S), DECIMAL(P,S), decimal128(P,S)
	TypeDate               // date, DATE, date32
	TypeTime               // time, TIME, time64[us]
	TypeTimeNS             // time_ns, TIME_NS, time64[ns]
	TypeTimeTZ             // timetz, TIMETZ, time64[us]: the instant of day in UTC
	TypeTimestampS         // timestamp_s, TIMESTAMP_S, timestamp[s]
	TypeTimestampMS        // timestamp_ms, TIMESTAMP_MS, timestamp[ms]
	TypeTimestamp          // timestamp, TIMESTAMP, timestamp[us]
	TypeTimestampNS        // timestamp_ns, TIMESTAMP_NS, timestamp[ns]
	TypeTimestampTZ        // timestamptz, TIMESTAMPTZ, timestamp[us, UTC]
	TypeInterval           // interval, INTERVAL, month_day_nano_interval
	TypeVarchar            // varchar, VARCHAR, utf8
	TypeBlob               // blob, BLOB, binary
	TypeUUID               // uuid, UUID, extension arrow.uuid over fixed_size_binary[16]
	TypeJSON               // json, JSON, extension arrow.json over utf8
	TypeVariant            // variant, VARIANT: known by name, not held yet
	TypeGeometry           // geometry, GEOMETRY: known by name, not held yet
	TypeList               // list, T[], list<element>
	TypeStruct             // struct, STRUCT(...), struct
	TypeMap                // map, MAP(K, V), map<key, value>
)

// Type is the type of a column. Precision and Scale are set for TypeDecimal
// only (1 <= Precision <= 38, 0 <= Scale <= Precision). The children of a
// nested type are columns of their own: see Column.Children.
type Type struct {
	ID        TypeID
	Precision int32
	Scale     int32
}

// typeNames gives the names of the types, as the specification lists them.
var typeNames = [...]struct{ ducklake, duckdb string }{
	TypeInvalid:     {"", ""},
	TypeBoolean:     {"boolean", "BOOLEAN"},
	TypeInt8:        {"int8", "TINYINT"},
	TypeInt16:       {"int16", "SMALLINT"},
	TypeInt32:       {"int32", "INTEGER"},
	TypeInt64:       {"int64", "BIGINT"},
	TypeInt128:      {"int128", "HUGEINT"},
	TypeUint8:       {"uint8", "UTINYINT"},
	TypeUint16:      {"uint16", "USMALLINT"},
	TypeUint32:      {"uint32", "UINTEGER"},
	TypeUint64:      {"uint64", "UBIGINT"},
	TypeUint128:     {"uint128", "UHUGEINT"},
	TypeFloat32:     {"float32", "FLOAT"},
	TypeFloat64:     {"float64", "DOUBLE"},
	TypeDecimal:     {"decimal", "DECIMAL"},
	TypeDate:        {"date", "DATE"},
	TypeTime:        {"time", "TIME"},
	TypeTimeNS:      {"time_ns", "TIME_NS"},
	TypeTimeTZ:      {"timetz", "TIME WITH TIME ZONE"},
	TypeTimestampS:  {"timestamp_s", "TIMESTAMP_S"},
	TypeTimestampMS: {"timestamp_ms", "TIMESTAMP_MS"},
	TypeTimestamp:   {"timestamp", "TIMESTAMP"},
	TypeTimestampNS: {"timestamp_ns", "TIMESTAMP_NS"},
	TypeTimestampTZ: {"timestamptz", "TIMESTAMP WITH TIME ZONE"},
	TypeInterval:    {"interval", "INTERVAL"},
	TypeVarchar:     {"varchar", "VARCHAR"},
	TypeBlob:        {"blob", "BLOB"},
	TypeUUID:        {"uuid", "UUID"},
	TypeJSON:        {"json", "JSON"},
	TypeVariant:     {"variant", "VARIANT"},
	TypeGeometry:    {"geometry", "GEOMETRY"},
	TypeList:        {"list", ""},
	TypeStruct:      {"struct", ""},
	TypeMap:         {"map", ""},
}

// Nested reports whether t has children.
func (t Type) Nested() bool {
	return t.ID == TypeList || t.ID == TypeStruct || t.ID == TypeMap
}

// Float reports whether t can hold NaN.
func (t Type) Float() bool { return t.ID == TypeFloat32 || t.ID == TypeFloat64 }

// String returns DuckLake's name of t, such as "decimal(10,2)".
func (t Type) String() string {
	if t.ID == TypeDecimal {
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	}
	return typeNames[t.ID].ducklake
}

// ParseType parses a DuckLake type name (ducklake_column.column_type).
//
// Errors: KindUnsupported for a name that DuckLake 1.0 does not define.
func ParseType(name string) (Type, error) {
	lower := strings.ToLower(strings.TrimSpace(name))
	if inner, ok := strings.CutPrefix(lower, "decimal("); ok && strings.HasSuffix(inner, ")") {
		p, s, ok := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
		precision, err1 := strconv.Atoi(strings.TrimSpace(p))
		scale, err2 := strconv.Atoi(strings.TrimSpace(s))
		if !ok || err1 != nil || err2 != nil || precision < 1 || precision > 38 || scale < 0 || scale > precision {
			return Type{}, Errorf(KindUnsupported, "column type %q is not a decimal of at most 38 digits", name)
		}
		return Type{ID: TypeDecimal, Precision: int32(precision), Scale: int32(scale)}, nil
	}
	if lower == "timestamp_us" {
		return Type{ID: TypeTimestamp}, nil
	}
	for id, n := range typeNames {
		if id != int(TypeInvalid) && id != int(TypeDecimal) && n.ducklake == lower {
			return Type{ID: TypeID(id)}, nil
		}
	}
	return Type{}, Errorf(KindUnsupported, "column type %q is not a DuckLake 1.0 type that flightlake holds", name)
}

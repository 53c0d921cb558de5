package writer

import (
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// Parquet's numbers of the converted types in use.
const (
	convertedUTF8      = 0
	convertedMap       = 1
	convertedList      = 3
	convertedDecimal   = 5
	convertedDate      = 6
	convertedTimeUS    = 8
	convertedMillis    = 9
	convertedMicros    = 10
	convertedUint8     = 11
	convertedInt8      = 15
	convertedJSON      = 19
	convertedInterval  = 21
	int32Digits        = 9  // decimals of up to 9 digits are an INT32
	int64Digits        = 18 // of up to 18 an INT64
	wideWidth          = 16 // and of more 16 bytes
	uuidWidth          = 16
	intervalWidth      = 12
	hugeDigits         = 38
	repeatedListName   = "list"
	repeatedMapName    = "key_value"
	maxDepth           = 64 // levels are counted in eight bits
	maxColumnsPerTable = 10000
)

// parquetNodes returns the Parquet schema of columns.
func parquetNodes(columns []lake.Column) []pqenc.Node {
	nodes := make([]pqenc.Node, len(columns))
	for i := range columns {
		nodes[i] = parquetNode(&columns[i])
	}
	return nodes
}

// parquetNode returns the Parquet node of c: groups for nested columns as
// Parquet LogicalTypes.md prescribes, with the names that DuckDB gives. Field
// ids are on the nodes that DuckLake numbers, not on the repeated groups.
func parquetNode(c *lake.Column) pqenc.Node {
	n := pqenc.Node{Name: c.Name, Field: c.ID, Repetition: pqenc.Required, Type: c.Type}
	if c.Nullable {
		n.Repetition = pqenc.Optional
	}
	n.Annotation.Converted = pqenc.NoConverted
	switch c.Type.ID {
	case lake.TypeStruct:
		n.Children = parquetNodes(c.Children)
	case lake.TypeList:
		n.Annotation = pqenc.Annotation{Logical: pqenc.LogicalList, Converted: convertedList}
		n.Children = []pqenc.Node{repeatedNode(repeatedListName, c.Children)}
	case lake.TypeMap:
		n.Annotation = pqenc.Annotation{Logical: pqenc.LogicalMap, Converted: convertedMap}
		n.Children = []pqenc.Node{repeatedNode(repeatedMapName, c.Children)}
	default:
		n.Kind, n.Width, n.Annotation = leafNode(c.Type)
	}
	return n
}

func repeatedNode(name string, children []lake.Column) pqenc.Node {
	return pqenc.Node{
		Name: name, Repetition: pqenc.Repeated, Children: parquetNodes(children),
		Annotation: pqenc.Annotation{Converted: pqenc.NoConverted},
	}
}

// leafNode returns how values of t are stored. DuckDB's own files store the
// same, but for int128 and uint128 (DuckDB writes a lossy DOUBLE) and time_ns
// (which it cannot write).
func leafNode(t lake.Type) (kind pqenc.Kind, width int, a pqenc.Annotation) {
	a = pqenc.Annotation{Converted: pqenc.NoConverted}
	switch t.ID {
	case lake.TypeBoolean:
		return pqenc.Bool, 0, a
	case lake.TypeInt8:
		return pqenc.Int32, 0, integer(8, true)
	case lake.TypeInt16:
		return pqenc.Int32, 0, integer(16, true)
	case lake.TypeInt32:
		return pqenc.Int32, 0, integer(32, true)
	case lake.TypeInt64:
		return pqenc.Int64, 0, integer(64, true)
	case lake.TypeUint8:
		return pqenc.Int32, 0, integer(8, false)
	case lake.TypeUint16:
		return pqenc.Int32, 0, integer(16, false)
	case lake.TypeUint32:
		return pqenc.Int32, 0, integer(32, false)
	case lake.TypeUint64:
		return pqenc.Int64, 0, integer(64, false)
	case lake.TypeInt128, lake.TypeUint128:
		return pqenc.Fixed, wideWidth, decimal(hugeDigits, 0)
	case lake.TypeFloat32:
		return pqenc.Float32, 0, a
	case lake.TypeFloat64:
		return pqenc.Float64, 0, a
	case lake.TypeDecimal:
		return decimalNode(t)
	case lake.TypeDate:
		return pqenc.Int32, 0, pqenc.Annotation{Logical: pqenc.LogicalDate, Converted: convertedDate}
	case lake.TypeVarchar:
		return pqenc.Bytes, 0, pqenc.Annotation{Logical: pqenc.LogicalString, Converted: convertedUTF8}
	case lake.TypeJSON:
		return pqenc.Bytes, 0, pqenc.Annotation{Logical: pqenc.LogicalJSON, Converted: convertedJSON}
	case lake.TypeUUID:
		a.Logical = pqenc.LogicalUUID
		return pqenc.Fixed, uuidWidth, a
	case lake.TypeInterval:
		a.Converted = convertedInterval
		return pqenc.Fixed, intervalWidth, a
	case lake.TypeTime, lake.TypeTimeTZ, lake.TypeTimeNS, lake.TypeTimestampS, lake.TypeTimestampMS,
		lake.TypeTimestamp, lake.TypeTimestampNS, lake.TypeTimestampTZ:
		return pqenc.Int64, 0, temporal(t.ID)
	default: // blob
		return pqenc.Bytes, 0, a
	}
}

func decimalNode(t lake.Type) (kind pqenc.Kind, width int, a pqenc.Annotation) {
	a = decimal(t.Precision, t.Scale)
	switch {
	case t.Precision <= int32Digits:
		return pqenc.Int32, 0, a
	case t.Precision <= int64Digits:
		return pqenc.Int64, 0, a
	}
	return pqenc.Fixed, wideWidth, a
}

func decimal(precision, scale int32) pqenc.Annotation {
	return pqenc.Annotation{
		Logical: pqenc.LogicalDecimal, Converted: convertedDecimal, Precision: precision, Scale: scale,
	}
}

func integer(bits int8, signed bool) pqenc.Annotation {
	// The converted types of one signedness are numbered by width: 8, 16, 32, 64.
	step := map[int8]int32{8: 0, 16: 1, 32: 2, 64: 3}[bits]
	base := int32(convertedUint8)
	if signed {
		base = convertedInt8
	}
	return pqenc.Annotation{Logical: pqenc.LogicalInteger, Converted: base + step, Bits: bits, Signed: signed}
}

// temporal returns the annotation of a time or timestamp. Parquet has no unit
// of seconds: timestamp_s is stored in microseconds, as DuckDB stores it. DuckDB
// cannot write time_ns, and cuts TIME(NANOS) to microseconds, which it does not
// cast to TIME_NS; from a TIMESTAMP(NANOS) of 1970-01-01 it does, without loss.
func temporal(id lake.TypeID) pqenc.Annotation {
	a := pqenc.Annotation{Logical: pqenc.LogicalTimestamp, Converted: convertedMicros, Unit: pqenc.Micros}
	switch id {
	case lake.TypeTime:
		a.Logical, a.Converted = pqenc.LogicalTime, convertedTimeUS
	case lake.TypeTimeTZ:
		a.Logical, a.Converted, a.UTC = pqenc.LogicalTime, convertedTimeUS, true
	case lake.TypeTimestampMS:
		a.Converted, a.Unit = convertedMillis, pqenc.Millis
	case lake.TypeTimeNS, lake.TypeTimestampNS:
		a.Converted, a.Unit = pqenc.NoConverted, pqenc.Nanos
	case lake.TypeTimestampTZ:
		a.UTC = true
	default: // timestamp, timestamp_s
	}
	return a
}

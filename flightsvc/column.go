package flightsvc

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
)

// flagOff and flagOn are the texts of boolean column metadata (FlightSql.proto).
const (
	flagOff = "0"
	flagOn  = "1"
)

// columnMetadata collects ARROW:FLIGHT:SQL entries of a field.
type columnMetadata struct {
	keys, values []string
}

func (m *columnMetadata) add(key, value string) {
	m.keys = append(m.keys, key)
	m.values = append(m.values, value)
}

// addType adds what follows from the type: name, precision and scale, which JDBC
// reports as 0 otherwise.
func (m *columnMetadata) addType(name string, t arrow.DataType) {
	m.add(flightsql.TypeNameKey, name)
	precision, scale := precisionOf(t)
	m.add(flightsql.PrecisionKey, strconv.Itoa(int(precision)))
	m.add(flightsql.ScaleKey, strconv.Itoa(int(scale)))
	m.add(flightsql.IsAutoIncrementKey, flagOff)
	m.add(flightsql.IsSearchableKey, flagOn)
	m.add(flightsql.IsReadOnlyKey, flagOff)
	caseSensitive := flagOff
	if isText(t) {
		caseSensitive = flagOn
	}
	m.add(flightsql.IsCaseSensitiveKey, caseSensitive)
}

// isText reports whether values of t are compared as text, in which case counts.
func isText(t arrow.DataType) bool {
	if _, ok := t.(*extensions.JSONType); ok {
		return true
	}
	return t.ID() == arrow.STRING
}

// describeColumns returns the schema of a result with the metadata that drivers
// look for. What the fields have already is kept. A nil schema has no columns.
func describeColumns(schema *arrow.Schema) *arrow.Schema {
	if schema == nil {
		return arrow.NewSchema(nil, nil)
	}
	fields := schema.Fields()
	for i, f := range fields {
		var m columnMetadata
		m.addType(sqlTypeName(f.Type), f.Type)
		for j, key := range f.Metadata.Keys() {
			if at := find(m.keys, key); at >= 0 {
				m.values[at] = f.Metadata.Values()[j]
			} else {
				m.add(key, f.Metadata.Values()[j])
			}
		}
		fields[i].Metadata = arrow.NewMetadata(m.keys, m.values)
	}
	md := schema.Metadata()
	return arrow.NewSchema(fields, &md)
}

// tableSchema returns the schema of a table with the full metadata of each column.
func tableSchema(r *relation) *arrow.Schema {
	fields := make([]arrow.Field, len(r.table.Columns))
	for i := range r.table.Columns {
		c := &r.table.Columns[i]
		f := c.ArrowField()
		m := objectMetadata(r)
		m.addType(c.SQLType(), f.Type)
		if c.Comment != "" {
			m.add(flightsql.RemarksKey, c.Comment)
		}
		f.Metadata = arrow.NewMetadata(m.keys, m.values)
		fields[i] = f
	}
	return arrow.NewSchema(fields, nil)
}

// viewSchema returns the result of a view with the full metadata of each column,
// which can only be read.
func viewSchema(r *relation, result *arrow.Schema) *arrow.Schema {
	described := describeColumns(result)
	fields := described.Fields()
	for i, f := range fields {
		m := objectMetadata(r)
		m.keys = append(m.keys, f.Metadata.Keys()...)
		m.values = append(m.values, f.Metadata.Values()...)
		m.values[find(m.keys, flightsql.IsReadOnlyKey)] = flagOn
		fields[i].Metadata = arrow.NewMetadata(m.keys, m.values)
	}
	return arrow.NewSchema(fields, nil)
}

func objectMetadata(r *relation) *columnMetadata {
	m := &columnMetadata{}
	m.add(flightsql.CatalogNameKey, r.catalog)
	m.add(flightsql.SchemaNameKey, r.schema)
	m.add(flightsql.TableNameKey, r.name)
	return m
}

// sqlTypeName returns DuckDB's name of an Arrow type, or Arrow's own where
// DuckDB has none.
func sqlTypeName(t arrow.DataType) string {
	columns, err := lake.ColumnsFromArrow(arrow.NewSchema([]arrow.Field{{Name: "c", Type: t}}, nil))
	if err != nil {
		return t.String()
	}
	return columns[0].SQLType()
}

// precisionOf returns the digits or characters of a value and its decimals, as
// JDBC defines COLUMN_SIZE and DECIMAL_DIGITS. Unlimited is math.MaxInt32.
func precisionOf(t arrow.DataType) (precision, scale int32) {
	switch t := t.(type) {
	case arrow.DecimalType:
		return t.GetPrecision(), t.GetScale()
	case *arrow.TimestampType:
		scale := decimalsOf(t.Unit)
		precision := int32(len("2006-01-02 15:04:05")) + pointAnd(scale)
		if t.TimeZone != "" {
			precision += int32(len("+00:00"))
		}
		return precision, scale
	case *arrow.Time64Type:
		scale := decimalsOf(t.Unit)
		return int32(len("15:04:05")) + pointAnd(scale), scale
	case *arrow.Time32Type:
		scale := decimalsOf(t.Unit)
		return int32(len("15:04:05")) + pointAnd(scale), scale
	case *extensions.UUIDType:
		return int32(len("00000000-0000-0000-0000-000000000000")), 0
	case arrow.ExtensionType:
		return precisionOf(t.StorageType())
	case *arrow.FixedSizeBinaryType:
		return int32(t.ByteWidth), 0
	}
	return plainPrecision(t.ID()), 0
}

// plainPrecision is precisionOf for types without parameters.
func plainPrecision(id arrow.Type) int32 {
	switch id { //nolint:exhaustive // all others have no precision
	case arrow.BOOL:
		return 1
	case arrow.INT8, arrow.UINT8:
		return 3
	case arrow.INT16, arrow.UINT16:
		return 5
	case arrow.INT32, arrow.UINT32:
		return 10
	case arrow.INT64:
		return 19
	case arrow.UINT64:
		return 20
	case arrow.FLOAT16:
		return 3
	case arrow.FLOAT32:
		return 7
	case arrow.FLOAT64:
		return 15
	case arrow.DATE32, arrow.DATE64:
		return int32(len("2006-01-02"))
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW, arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		return math.MaxInt32
	}
	return 0
}

func decimalsOf(unit arrow.TimeUnit) int32 {
	switch unit {
	case arrow.Second:
		return 0
	case arrow.Millisecond:
		return 3
	case arrow.Microsecond:
		return 6
	case arrow.Nanosecond:
		return 9
	}
	return 0
}

// pointAnd returns the characters of decimals with their point.
func pointAnd(decimals int32) int32 {
	if decimals == 0 {
		return 0
	}
	return decimals + 1
}

func find(keys []string, key string) int {
	for i, k := range keys {
		if k == key {
			return i
		}
	}
	return -1
}

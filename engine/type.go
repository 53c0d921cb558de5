package engine

import (
	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// valueType is a DuckDB type in Go: how vectors of it are laid out, and which
// Arrow type its values travel as.
type valueType struct {
	name  string // of the field, for children of structs and lists
	id    duckdb.Type
	arrow arrow.DataType
	// physical is the integer type of a DECIMAL or ENUM.
	physical duckdb.Type
	labels   []string // of an ENUM, by number
	size     int      // of an ARRAY
	children []valueType
	column   lake.Type // lake.TypeInvalid if a table cannot hold the type
}

// newValueType describes a logical type, which the caller destroys. ok is false
// for types that can only be shown as text (UNION, VARIANT, BIGNUM and types
// that contain them).
func newValueType(name string, logical duckdb.LogicalType) (t valueType, ok bool) {
	t = valueType{name: name, id: duckdb.GetTypeId(logical)}
	switch t.id {
	case duckdb.TypeDecimal:
		precision, scale := int32(duckdb.DecimalWidth(logical)), int32(duckdb.DecimalScale(logical))
		t.physical = duckdb.DecimalInternalType(logical)
		t.column = lake.Type{ID: lake.TypeDecimal, Precision: precision, Scale: scale}
		t.arrow = &arrow.Decimal128Type{Precision: precision, Scale: scale}
		return t, true
	case duckdb.TypeEnum:
		t.physical = duckdb.EnumInternalType(logical)
		for i := range duckdb.EnumDictionarySize(logical) {
			t.labels = append(t.labels, duckdb.EnumDictionaryValue(logical, duckdb.IdxT(i)))
		}
		t.arrow = arrow.BinaryTypes.String
		return t, true
	case duckdb.TypeBit:
		t.arrow = arrow.BinaryTypes.String
		return t, true
	case duckdb.TypeList, duckdb.TypeArray, duckdb.TypeMap, duckdb.TypeStruct:
		return newNestedType(t, logical)
	case duckdb.TypeVarchar:
		t.column.ID = lake.TypeVarchar
		if duckdb.LogicalTypeGetAlias(logical) == "JSON" {
			t.column.ID = lake.TypeJSON
		}
	default:
		t.column.ID = scalarColumnType(t.id)
		if t.column.ID == lake.TypeInvalid {
			return t, false
		}
	}
	column := lake.Column{Type: t.column}
	t.arrow = column.ArrowType()
	return t, true
}

func newNestedType(t valueType, logical duckdb.LogicalType) (valueType, bool) {
	usable := true
	add := func(name string, child duckdb.LogicalType) {
		defer duckdb.DestroyLogicalType(&child)
		c, ok := newValueType(name, child)
		usable = usable && ok
		t.children = append(t.children, c)
	}
	switch t.id {
	case duckdb.TypeList:
		add(lake.ElementName, duckdb.ListTypeChildType(logical))
		t.column.ID = lake.TypeList
	case duckdb.TypeArray:
		add(lake.ElementName, duckdb.ArrayTypeChildType(logical))
		t.size = int(duckdb.ArrayTypeArraySize(logical))
	case duckdb.TypeMap:
		add(lake.KeyName, duckdb.MapTypeKeyType(logical))
		add(lake.ValueName, duckdb.MapTypeValueType(logical))
		t.column.ID = lake.TypeMap
	default:
		for i := range duckdb.StructTypeChildCount(logical) {
			add(duckdb.StructTypeChildName(logical, i), duckdb.StructTypeChildType(logical, i))
		}
		t.column.ID = lake.TypeStruct
	}
	if !usable || len(t.children) == 0 {
		return t, false
	}
	t.arrow = t.nestedArrow()
	return t, true
}

func (t *valueType) nestedArrow() arrow.DataType {
	switch t.id {
	case duckdb.TypeList:
		return arrow.ListOfField(t.children[0].field())
	case duckdb.TypeArray:
		return arrow.FixedSizeListOfField(int32(t.size), t.children[0].field())
	case duckdb.TypeMap:
		key := t.children[0].field()
		key.Nullable = false
		return arrow.MapOfFields(key, t.children[1].field())
	}
	fields := make([]arrow.Field, len(t.children))
	for i := range t.children {
		fields[i] = t.children[i].field()
	}
	return arrow.StructOf(fields...)
}

func (t *valueType) field() arrow.Field {
	return arrow.Field{Name: t.name, Type: t.arrow, Nullable: true}
}

// unheld returns the path and name of the first type within t that a table
// cannot hold; "" if there is none.
func (t *valueType) unheld() string {
	for i := range t.children {
		if name := t.children[i].unheld(); name != "" {
			return name
		}
	}
	if t.column.ID == lake.TypeInvalid {
		return typeName(t.id)
	}
	return ""
}

// toColumn returns the column of a table that holds values of t; unheld must be "".
func (t *valueType) toColumn() lake.Column {
	c := lake.Column{Name: t.name, Type: t.column, Nullable: true}
	for i := range t.children {
		c.Children = append(c.Children, t.children[i].toColumn())
	}
	if t.id == duckdb.TypeMap {
		c.Children[0].Nullable = false
	}
	return c
}

// typeName names the types that tables cannot hold.
func typeName(id duckdb.Type) string {
	switch id {
	case duckdb.TypeEnum:
		return "ENUM"
	case duckdb.TypeBit:
		return "BIT"
	case duckdb.TypeArray:
		return "ARRAY (a list of fixed size)"
	case duckdb.TypeUnion:
		return "UNION"
	case duckdb.TypeBigNum:
		return "BIGNUM"
	case duckdb.TypeVariant:
		return "VARIANT"
	case duckdb.TypeGeometry:
		return "GEOMETRY"
	}
	return "of an unknown type"
}

// scalarColumnType returns the column type of a DuckDB type without parameters.
func scalarColumnType(id duckdb.Type) lake.TypeID {
	switch id {
	case duckdb.TypeBoolean:
		return lake.TypeBoolean
	case duckdb.TypeTinyInt:
		return lake.TypeInt8
	case duckdb.TypeSmallInt:
		return lake.TypeInt16
	case duckdb.TypeInteger, duckdb.TypeSQLNull: // an untyped NULL is an INTEGER
		return lake.TypeInt32
	case duckdb.TypeBigInt:
		return lake.TypeInt64
	case duckdb.TypeHugeInt:
		return lake.TypeInt128
	case duckdb.TypeUTinyInt:
		return lake.TypeUint8
	case duckdb.TypeUSmallInt:
		return lake.TypeUint16
	case duckdb.TypeUInteger:
		return lake.TypeUint32
	case duckdb.TypeUBigInt:
		return lake.TypeUint64
	case duckdb.TypeUHugeInt:
		return lake.TypeUint128
	case duckdb.TypeFloat:
		return lake.TypeFloat32
	case duckdb.TypeDouble:
		return lake.TypeFloat64
	}
	return otherColumnType(id)
}

func otherColumnType(id duckdb.Type) lake.TypeID {
	switch id {
	case duckdb.TypeDate:
		return lake.TypeDate
	case duckdb.TypeTime:
		return lake.TypeTime
	case duckdb.TypeTimeNS:
		return lake.TypeTimeNS
	case duckdb.TypeTimeTZ:
		return lake.TypeTimeTZ
	case duckdb.TypeTimestampS:
		return lake.TypeTimestampS
	case duckdb.TypeTimestampMS:
		return lake.TypeTimestampMS
	case duckdb.TypeTimestamp:
		return lake.TypeTimestamp
	case duckdb.TypeTimestampNS:
		return lake.TypeTimestampNS
	case duckdb.TypeTimestampTZ:
		return lake.TypeTimestampTZ
	case duckdb.TypeInterval:
		return lake.TypeInterval
	case duckdb.TypeBlob:
		return lake.TypeBlob
	case duckdb.TypeUUID:
		return lake.TypeUUID
	}
	return lake.TypeInvalid
}

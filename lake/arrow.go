package lake

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// Names of the children of lists and maps, as DuckLake stores them.
const (
	ElementName = "element"
	KeyName     = "key"
	ValueName   = "value"
)

// UTC is the time zone that every timestamptz carries on its way out.
const UTC = "UTC"

// ArrowSchema returns the schema under which rows of columns travel.
func ArrowSchema(columns []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i := range columns {
		fields[i] = columns[i].ArrowField()
	}
	return arrow.NewSchema(fields, nil)
}

// ArrowField returns the Arrow field of c.
func (c *Column) ArrowField() arrow.Field {
	return arrow.Field{Name: c.Name, Type: c.ArrowType(), Nullable: c.Nullable}
}

// ArrowType returns the Arrow type of c's values; see TypeID for the table.
func (c *Column) ArrowType() arrow.DataType {
	switch c.Type.ID {
	case TypeBoolean:
		return arrow.FixedWidthTypes.Boolean
	case TypeInt8:
		return arrow.PrimitiveTypes.Int8
	case TypeInt16:
		return arrow.PrimitiveTypes.Int16
	case TypeInt32:
		return arrow.PrimitiveTypes.Int32
	case TypeInt64:
		return arrow.PrimitiveTypes.Int64
	case TypeUint8:
		return arrow.PrimitiveTypes.Uint8
	case TypeUint16:
		return arrow.PrimitiveTypes.Uint16
	case TypeUint32:
		return arrow.PrimitiveTypes.Uint32
	case TypeUint64:
		return arrow.PrimitiveTypes.Uint64
	case TypeInt128, TypeUint128:
		return &arrow.Decimal128Type{Precision: 38}
	case TypeFloat32:
		return arrow.PrimitiveTypes.Float32
	case TypeFloat64:
		return arrow.PrimitiveTypes.Float64
	case TypeDecimal:
		return &arrow.Decimal128Type{Precision: c.Type.Precision, Scale: c.Type.Scale}
	case TypeDate:
		return arrow.FixedWidthTypes.Date32
	case TypeTime, TypeTimeTZ:
		return arrow.FixedWidthTypes.Time64us
	case TypeTimeNS:
		return arrow.FixedWidthTypes.Time64ns
	case TypeTimestampS:
		return &arrow.TimestampType{Unit: arrow.Second}
	case TypeTimestampMS:
		return &arrow.TimestampType{Unit: arrow.Millisecond}
	case TypeTimestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case TypeTimestampNS:
		return &arrow.TimestampType{Unit: arrow.Nanosecond}
	case TypeTimestampTZ:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: UTC}
	case TypeInterval:
		return arrow.FixedWidthTypes.MonthDayNanoInterval
	case TypeVarchar:
		return arrow.BinaryTypes.String
	case TypeBlob, TypeVariant, TypeGeometry, TypeInvalid:
		return arrow.BinaryTypes.Binary
	case TypeUUID:
		return extensions.NewUUIDType()
	case TypeJSON:
		return jsonType()
	case TypeList:
		return arrow.ListOfField(c.Children[0].ArrowField())
	case TypeMap:
		key, value := c.Children[0].ArrowField(), c.Children[1].ArrowField()
		key.Nullable = false // whatever the catalog says: the extension marks keys as nullable
		m := arrow.MapOfFields(key, value)
		return m
	case TypeStruct:
		fields := make([]arrow.Field, len(c.Children))
		for i := range c.Children {
			fields[i] = c.Children[i].ArrowField()
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.Binary
}

func jsonType() arrow.DataType {
	t, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(fmt.Sprintf("arrow.json over utf8: %v", err)) // utf8 is a storage type of the specification
	}
	return t
}

// ColumnsFromArrow returns the columns of a table that holds data of the given
// schema, without field ids. Dictionaries, views and run-end encodings are
// held as their values, float16 as float32, durations as intervals, unknown
// extension types as their storage. Nested fields are nullable, as DuckDB's
// are, but for the keys of maps.
//
// Errors: KindUnsupported, naming the column and its type, for a type that
// cannot be held; KindInvalid for an empty, repeated (without case) or absent name.
func ColumnsFromArrow(schema *arrow.Schema) ([]Column, error) {
	if schema.NumFields() == 0 {
		return nil, Errorf(KindInvalid, "a table needs at least one column")
	}
	columns, err := columnsFromFields(schema.Fields(), "")
	if err != nil {
		return nil, err
	}
	return columns, CheckNames(columns)
}

// CheckNames refuses columns or fields whose names a table cannot have.
//
// Errors: KindInvalid for an empty, repeated (without case) or absent name; those of
// CheckColumns.
func CheckNames(columns []Column) error {
	if err := checkNames(columns, ""); err != nil {
		return err
	}
	return CheckColumns(columns)
}

func checkNames(columns []Column, parent string) error {
	seen := make(map[string]bool, len(columns))
	for i := range columns {
		name := columns[i].Name
		if name == "" {
			return Errorf(KindInvalid, "column %d of %q has no name", i+1, strings.TrimSuffix(parent, "."))
		}
		lower := strings.ToLower(name)
		if seen[lower] {
			return Errorf(KindInvalid, "column name %q is repeated (names are compared without case)", parent+name)
		}
		seen[lower] = true
		if err := checkNames(columns[i].Children, parent+name+"."); err != nil {
			return err
		}
	}
	return nil
}

func columnsFromFields(fields []arrow.Field, parent string) ([]Column, error) {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		c, err := columnFromArrow(f, parent+f.Name)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	return columns, nil
}

func columnFromArrow(f arrow.Field, path string) (Column, error) {
	c := Column{Name: f.Name, Nullable: f.Nullable}
	switch t := f.Type.(type) {
	case *extensions.UUIDType:
		c.Type.ID = TypeUUID
		return c, nil
	case *extensions.JSONType:
		c.Type.ID = TypeJSON
		return c, nil
	case arrow.ExtensionType:
		return columnFromArrow(arrow.Field{Name: f.Name, Type: t.StorageType(), Nullable: f.Nullable}, path)
	case *arrow.DictionaryType:
		return columnFromArrow(arrow.Field{Name: f.Name, Type: t.ValueType, Nullable: f.Nullable}, path)
	case *arrow.RunEndEncodedType:
		return columnFromArrow(arrow.Field{Name: f.Name, Type: t.Encoded(), Nullable: f.Nullable}, path)
	case arrow.DecimalType:
		return decimalColumn(c, t, path)
	case *arrow.TimestampType:
		c.Type.ID = timestampTypeID(t)
		return c, nil
	case *arrow.Time64Type:
		c.Type.ID = TypeTime
		if t.Unit == arrow.Nanosecond {
			c.Type.ID = TypeTimeNS
		}
		return c, nil
	case *arrow.MapType:
		key, item := t.KeyField(), t.ItemField()
		key.Name, item.Name = KeyName, ValueName
		return nestedColumn(c, TypeMap, []arrow.Field{key, item}, path)
	case arrow.ListLikeType:
		elem := t.ElemField()
		elem.Name = ElementName
		return nestedColumn(c, TypeList, []arrow.Field{elem}, path)
	case *arrow.StructType:
		if t.NumFields() == 0 {
			return Column{}, Errorf(KindUnsupported, "column %q: a struct without fields cannot be held", path)
		}
		return nestedColumn(c, TypeStruct, t.Fields(), path)
	}
	id, ok := scalarTypeIDs()[f.Type.ID()]
	if !ok {
		return Column{}, Errorf(KindUnsupported, "column %q: Arrow type %s cannot be held", path, f.Type)
	}
	c.Type.ID = id
	return c, nil
}

func nestedColumn(c Column, id TypeID, fields []arrow.Field, path string) (Column, error) {
	children, err := columnsFromFields(fields, path+".")
	if err != nil {
		return Column{}, err
	}
	for i := range children {
		children[i].Nullable = id != TypeMap || i > 0
	}
	c.Type.ID, c.Children = id, children
	return c, nil
}

// decimalColumn widens a negative scale to scale 0: the values are integers.
func decimalColumn(c Column, t arrow.DecimalType, path string) (Column, error) {
	precision, scale := t.GetPrecision(), t.GetScale()
	if scale < 0 {
		precision, scale = precision-scale, 0
	}
	if scale > precision {
		precision = scale
	}
	if precision < 1 || precision > 38 {
		return Column{}, Errorf(KindUnsupported, "column %q: %s needs more than 38 digits", path, t)
	}
	c.Type = Type{ID: TypeDecimal, Precision: precision, Scale: scale}
	return c, nil
}

func timestampTypeID(t *arrow.TimestampType) TypeID {
	if t.TimeZone != "" {
		return TypeTimestampTZ
	}
	switch t.Unit {
	case arrow.Second:
		return TypeTimestampS
	case arrow.Millisecond:
		return TypeTimestampMS
	case arrow.Nanosecond:
		return TypeTimestampNS
	case arrow.Microsecond:
	}
	return TypeTimestamp
}

func scalarTypeIDs() map[arrow.Type]TypeID {
	return map[arrow.Type]TypeID{
		arrow.NULL: TypeInt32, // as DuckDB types an untyped NULL
		arrow.BOOL: TypeBoolean,
		arrow.INT8: TypeInt8, arrow.INT16: TypeInt16, arrow.INT32: TypeInt32, arrow.INT64: TypeInt64,
		arrow.UINT8: TypeUint8, arrow.UINT16: TypeUint16, arrow.UINT32: TypeUint32, arrow.UINT64: TypeUint64,
		arrow.FLOAT16: TypeFloat32, arrow.FLOAT32: TypeFloat32, arrow.FLOAT64: TypeFloat64,
		arrow.DATE32: TypeDate, arrow.DATE64: TypeDate,
		arrow.TIME32:          TypeTime,
		arrow.INTERVAL_MONTHS: TypeInterval, arrow.INTERVAL_DAY_TIME: TypeInterval,
		arrow.INTERVAL_MONTH_DAY_NANO: TypeInterval, arrow.DURATION: TypeInterval,
		arrow.STRING: TypeVarchar, arrow.LARGE_STRING: TypeVarchar, arrow.STRING_VIEW: TypeVarchar,
		arrow.BINARY: TypeBlob, arrow.LARGE_BINARY: TypeBlob, arrow.BINARY_VIEW: TypeBlob,
		arrow.FIXED_SIZE_BINARY: TypeBlob,
	}
}

package engine

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

func newNestedWriter(c *lake.Column) (columnWriter, error) {
	if c.Type.ID == lake.TypeStruct {
		return newStructWriter(c.Children)
	}
	if c.Type.ID == lake.TypeList {
		child, err := newColumnWriter(&c.Children[0])
		if err != nil {
			return nil, err
		}
		return listWriter(child), nil
	}
	entries, err := newStructWriter(c.Children)
	if err != nil {
		return nil, err
	}
	return listWriter(entries), nil
}

// listWriter writes lists, and maps as lists of their entries.
func listWriter(child columnWriter) columnWriter {
	return func(v duckdb.Vector, a arrow.Array, from, n int) error {
		list, ok := a.(array.ListLike)
		if !ok {
			return lake.Errorf(lake.KindInternal, "a table source returned %s for a list", a.DataType())
		}
		first := a.Data().Offset() + from
		offsets := arrow.Int32Traits.CastFromBytes(a.Data().Buffers()[1].Bytes())[first : first+n+1]
		entries := unsafe.Slice((*listEntry)(duckdb.VectorGetData(v)), n)
		for i := range entries {
			entries[i] = listEntry{offset: uint64(offsets[i] - offsets[0]), length: uint64(offsets[i+1] - offsets[i])}
		}
		elements := duckdb.IdxT(offsets[n] - offsets[0])
		if duckdb.ListVectorReserve(v, elements) == duckdb.StateError || duckdb.ListVectorSetSize(v, elements) == duckdb.StateError {
			return lake.Errorf(lake.KindExhausted, "reserve %d elements of lists", elements)
		}
		return child(duckdb.ListVectorGetChild(v), list.ListValues(), int(offsets[0]), int(elements))
	}
}

// newStructWriter writes structs. DuckDB reads fields without looking at their
// struct, so the fields of a null struct are made null too.
func newStructWriter(fields []lake.Column) (columnWriter, error) {
	writers := make([]columnWriter, len(fields))
	for i := range fields {
		w, err := newColumnWriter(&fields[i])
		if err != nil {
			return nil, err
		}
		writers[i] = w
	}
	return func(v duckdb.Vector, a arrow.Array, from, n int) error {
		s, ok := a.(*array.Struct)
		if !ok || s.NumField() != len(writers) {
			return lake.Errorf(lake.KindInternal, "a table source returned %s for a struct of %d fields", a.DataType(), len(writers))
		}
		for i, write := range writers {
			child := duckdb.StructVectorGetChild(v, duckdb.IdxT(i))
			if err := write(child, s.Field(i), from, n); err != nil {
				return err
			}
		}
		if s.NullN() == 0 {
			return nil
		}
		for row := range n {
			if s.IsNull(from + row) {
				setFieldsNull(v, fields, row)
			}
		}
		return nil
	}, nil
}

func setFieldsNull(v duckdb.Vector, fields []lake.Column, row int) {
	for i := range fields {
		child := duckdb.StructVectorGetChild(v, duckdb.IdxT(i))
		duckdb.VectorEnsureValidityWritable(child)
		duckdb.ValiditySetRowInvalid(duckdb.VectorGetValidity(child), duckdb.IdxT(row))
		if fields[i].Type.ID == lake.TypeStruct {
			setFieldsNull(child, fields[i].Children, row)
		}
	}
}

// newLogicalType returns the DuckDB type of a column. The caller destroys it.
func newLogicalType(c *lake.Column) duckdb.LogicalType {
	children := make([]duckdb.LogicalType, len(c.Children))
	names := make([]string, len(c.Children))
	for i := range c.Children {
		children[i], names[i] = newLogicalType(&c.Children[i]), c.Children[i].Name
		defer duckdb.DestroyLogicalType(&children[i])
	}
	switch c.Type.ID {
	case lake.TypeDecimal:
		return duckdb.CreateDecimalType(uint8(c.Type.Precision), uint8(c.Type.Scale))
	case lake.TypeList:
		return duckdb.CreateListType(children[0])
	case lake.TypeMap:
		return duckdb.CreateMapType(children[0], children[1])
	case lake.TypeStruct:
		return duckdb.CreateStructType(children, names)
	case lake.TypeJSON:
		logical := duckdb.CreateLogicalType(duckdb.TypeVarchar)
		duckdb.LogicalTypeSetAlias(logical, "JSON")
		return logical
	default:
		return duckdb.CreateLogicalType(scalarTypeOf(c.Type.ID))
	}
}

// scalarTypeOf is the inverse of scalarColumnType.
func scalarTypeOf(id lake.TypeID) duckdb.Type {
	if id == lake.TypeVarchar {
		return duckdb.TypeVarchar
	}
	for t := duckdb.TypeBoolean; t <= duckdb.TypeTimeNS; t++ {
		if t != duckdb.TypeSQLNull && scalarColumnType(t) == id {
			return t
		}
	}
	return duckdb.TypeBlob
}

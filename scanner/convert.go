package scanner

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/flightlake/flightlake/lake"
)

// converter makes an array of the table's type from one of the file's type,
// which it borrows. It returns an array that the caller releases.
type converter func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error)

// newConverter returns how to make column c from a field of the file, and the
// leaf columns of the file that it reads.
//
// Errors: KindUnsupported for a type that cannot become c's.
func newConverter(c *lake.Column, f *pqarrow.SchemaField, by matching) (converter, []int, error) {
	switch c.Type.ID {
	case lake.TypeStruct:
		return structConverter(c, f, by)
	case lake.TypeList, lake.TypeMap:
		return listConverter(c, f, by)
	default:
	}
	if !f.IsLeaf() {
		return nil, nil, unreadable(c, f)
	}
	target := c.ArrowType()
	if arrow.TypeEqual(f.Field.Type, target) {
		return keep, []int{f.ColIndex}, nil
	}
	cast, ok := castTo(c, f.Field.Type, target)
	if !ok {
		return nil, nil, unreadable(c, f)
	}
	return cast, []int{f.ColIndex}, nil
}

func unreadable(c *lake.Column, f *pqarrow.SchemaField) error {
	return lake.Errorf(lake.KindUnsupported, "column %q of type %s cannot be read from the file's type %s", c.Name, c.SQLType(), f.Field.Type)
}

func keep(_ memory.Allocator, arr arrow.Array) (arrow.Array, error) {
	arr.Retain()
	return arr, nil
}

// structConverter matches the fields of a struct as those of a table. If the
// file has none of them, one of its leaves still tells which structs are NULL.
func structConverter(c *lake.Column, f *pqarrow.SchemaField, by matching) (converter, []int, error) {
	if f.IsLeaf() || f.Field.Type.ID() != arrow.STRUCT {
		return nil, nil, unreadable(c, f)
	}
	children := make([]source, len(c.Children))
	read := make(map[int]int) // file's field -> ordinal among those that are read
	var leaves []int
	for i := range c.Children {
		s, err := newSource(c.Children[i], f.Children, by)
		if err != nil {
			return nil, nil, err
		}
		children[i] = s
		leaves = append(leaves, s.leaves...)
		if s.field >= 0 {
			read[s.field] = 0
		}
	}
	if len(leaves) == 0 {
		leaves = firstLeaf(f)
	}
	for i, next := 0, 0; i < len(f.Children); i++ {
		if _, ok := read[i]; ok {
			read[i] = next
			next++
		}
	}
	target := c.ArrowType()
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		s, ok := arr.(*array.Struct)
		if !ok {
			return nil, lake.Errorf(lake.KindCorrupt, "the file holds %s in place of a struct", arr.DataType())
		}
		data := make([]arrow.ArrayData, 0, len(children))
		defer func() { releaseData(data) }()
		for i := range children {
			child, err := children[i].fromStruct(mem, s, read)
			if err != nil {
				return nil, err
			}
			child.Data().Retain()
			data = append(data, child.Data())
			child.Release()
		}
		return rebuild(target, s.Data(), true, data), nil
	}, leaves, nil
}

func (s *source) fromStruct(mem memory.Allocator, arr *array.Struct, read map[int]int) (arrow.Array, error) {
	if s.field < 0 {
		return defaultArray(mem, &s.column, arr.Len())
	}
	return s.convert(mem, arr.Field(read[s.field]))
}

func firstLeaf(f *pqarrow.SchemaField) []int {
	for !f.IsLeaf() {
		if f.Field.Type.ID() == arrow.MAP { // both of its columns are always read
			return append(firstLeaf(&f.Children[0].Children[0]), firstLeaf(&f.Children[0].Children[1])...)
		}
		f = &f.Children[0]
	}
	return []int{f.ColIndex}
}

// listConverter converts the elements of a list, or the keys and values of a
// map; there is one of each, whatever their ids.
func listConverter(c *lake.Column, f *pqarrow.SchemaField, by matching) (converter, []int, error) {
	var convertChild converter
	var leaves []int
	var err error
	switch dt := f.Field.Type; {
	case c.Type.ID == lake.TypeList && dt.ID() == arrow.LIST && len(f.Children) == 1:
		convertChild, leaves, err = newConverter(&c.Children[0], &f.Children[0], by)
	case c.Type.ID == lake.TypeMap && dt.ID() == arrow.MAP && len(f.Children) == 1 && len(f.Children[0].Children) == 2:
		convertChild, leaves, err = entriesConverter(c, &f.Children[0], by)
	default:
		return nil, nil, unreadable(c, f)
	}
	if err != nil {
		return nil, nil, err
	}
	target := c.ArrowType()
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		in := arr.Data()
		child := array.MakeFromData(in.Children()[0])
		defer child.Release()
		out, err := convertChild(mem, child)
		if err != nil {
			return nil, err
		}
		defer out.Release()
		data := array.NewData(target, in.Len(), in.Buffers(), []arrow.ArrayData{out.Data()}, in.NullN(), in.Offset())
		defer data.Release()
		return array.MakeFromData(data), nil
	}, leaves, nil
}

// entriesConverter converts the entries of a map: a struct of key and value.
func entriesConverter(c *lake.Column, f *pqarrow.SchemaField, by matching) (converter, []int, error) {
	var converters [2]converter
	var leaves []int
	for i := range converters {
		convert, l, err := newConverter(&c.Children[i], &f.Children[i], by)
		if err != nil {
			return nil, nil, err
		}
		converters[i] = convert
		leaves = append(leaves, l...)
	}
	target := c.ArrowType().(*arrow.MapType).Elem() // c is a map
	return func(mem memory.Allocator, arr arrow.Array) (arrow.Array, error) {
		s, ok := arr.(*array.Struct)
		if !ok || s.NumField() != len(converters) {
			return nil, lake.Errorf(lake.KindCorrupt, "the file holds %s in place of the entries of a map", arr.DataType())
		}
		data := make([]arrow.ArrayData, 0, len(converters))
		defer func() { releaseData(data) }()
		for i, convert := range converters {
			child, err := convert(mem, s.Field(i))
			if err != nil {
				return nil, err
			}
			child.Data().Retain()
			data = append(data, child.Data())
			child.Release()
		}
		return rebuild(target, s.Data(), false, data), nil
	}, leaves, nil
}

// rebuild makes a struct of type dt with the length of data, and its validity
// if it can be NULL, of other children. Decoded structs begin at offset 0.
func rebuild(dt arrow.DataType, data arrow.ArrayData, nullable bool, children []arrow.ArrayData) arrow.Array {
	buffers, nulls := []*memory.Buffer{nil}, 0
	if nullable && len(data.Buffers()) > 0 {
		buffers, nulls = data.Buffers()[:1], data.NullN()
	}
	out := array.NewData(dt, data.Len(), buffers, children, nulls, 0)
	defer out.Release()
	return array.MakeFromData(out)
}

func releaseData(data []arrow.ArrayData) {
	for _, d := range data {
		d.Release()
	}
}

// defaultArray returns n values of the initial default of a column that the
// file does not have.
//
// Errors: KindUnsupported for a default of a nested type or an interval.
func defaultArray(mem memory.Allocator, c *lake.Column, n int) (arrow.Array, error) {
	if c.InitialDefault == nil {
		if n == 0 || mem == nil {
			return nil, nil // only asked whether it can be made
		}
		return nullArray(mem, c, n), nil
	}
	v, err := parseDefault(c)
	if err != nil || mem == nil {
		return nil, err
	}
	b := array.NewBuilder(mem, c.ArrowType())
	defer b.Release()
	b.Reserve(n)
	for range n {
		if err := lake.AppendValue(b, v); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

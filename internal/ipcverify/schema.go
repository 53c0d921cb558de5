package ipcverify

import (
	"errors"
	"math"
)

// The types of columns, as the union Type numbers them.
const (
	typeNull = iota + 1
	typeInt
	typeFloatingPoint
	typeBinary
	typeUtf8
	typeBool
	typeDecimal
	typeDate
	typeTime
	typeTimestamp
	typeInterval
	typeList
	typeStruct
	typeUnion
	typeFixedSizeBinary
	typeFixedSizeList
	typeMap
	typeDuration
	typeLargeBinary
	typeLargeUtf8
	typeLargeList
	typeRunEndEncoded
	typeBinaryView
	typeUtf8View
	typeListView
	typeLargeListView
)

// field is what matters here of a Field.
type field struct {
	kind       int64
	dense      bool // of a union
	dictionary bool // its nodes and buffers are those of indices
	children   []field
}

// buffers returns how many buffers a column has, without those of its children and, of a
// column of views, those that the batch counts.
func (f *field) buffers(version int64) int64 {
	if f.dictionary {
		return 2
	}
	switch f.kind {
	case typeNull, typeRunEndEncoded:
		return 0
	case typeStruct, typeFixedSizeList:
		return 1
	case typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8, typeListView, typeLargeListView:
		return 3
	case typeUnion:
		n := int64(1)
		if f.dense {
			n++
		}
		if version < metadataV5 {
			n++ // unions had a bitmap of NULLs
		}
		return n
	}
	return 2
}

// views reports whether the batch counts more buffers of the column.
func (f *field) views() bool {
	return !f.dictionary && (f.kind == typeBinaryView || f.kind == typeUtf8View)
}

// schema checks a Schema, which must be the first message.
func (v *Verifier) schema(t table) error {
	if v.begun {
		return errors.New("it has a second schema")
	}
	v.begun = true
	if endianness, err := t.integer(0, 2, 0); err != nil || endianness != 0 {
		return errors.Join(errors.New("its bytes are not in little-endian order"), err)
	}
	if err := t.keyValues(2); err != nil {
		return err
	}
	if _, _, err := t.vector(3, 8); err != nil {
		return err
	}
	var err error
	v.fields, err = v.children(t, 1, 1)
	return err
}

// children reads a vector of Fields, which lie at a depth.
func (v *Verifier) children(t table, number, depth int) ([]field, error) {
	var fields []field
	err := t.tables(number, func(child table) error {
		f, err := v.field(child, depth)
		fields = append(fields, f)
		return err
	})
	return fields, err
}

func (v *Verifier) field(t table, depth int) (f field, err error) {
	if depth > v.limits.DepthMax {
		return f, limitError("its types are nested more than %d deep", v.limits.DepthMax)
	}
	if v.count++; v.count > v.limits.FieldsMax {
		return f, limitError("it has more than %d fields", v.limits.FieldsMax)
	}
	if err := errors.Join(t.text(0), t.keyValues(6)); err != nil {
		return f, err
	}
	if _, err := t.integer(1, 1, 0); err != nil {
		return f, err
	}
	if f.kind, err = t.integer(2, 1, 0); err != nil {
		return f, err
	}
	typ, ok, err := t.table(3)
	if err != nil || !ok {
		return f, errFlatBuffer
	}
	if err := f.parameters(typ); err != nil {
		return f, err
	}
	if f.children, err = v.children(t, 5, depth+1); err != nil {
		return f, err
	}
	if err := f.checkChildren(); err != nil {
		return f, err
	}
	return v.encoding(t, f)
}

// encoding checks the DictionaryEncoding of a field, and returns the field as batches have it.
func (v *Verifier) encoding(t table, f field) (field, error) {
	e, ok, err := t.table(4)
	if err != nil || !ok {
		return f, err
	}
	id, err := e.integer(0, 8, 0)
	if err != nil {
		return f, err
	}
	if index, ok, err := e.table(1); err != nil {
		return f, err
	} else if ok {
		if err := (&field{kind: typeInt}).parameters(index); err != nil {
			return f, err
		}
	}
	if _, err := e.integer(2, 1, 0); err != nil {
		return f, err
	}
	if _, err := e.integer(3, 2, 0); err != nil {
		return f, err
	}
	values := f
	v.dictionaries[id] = &values
	f.dictionary = true
	return f, nil
}

var errType = errors.New("a column has no possible type")

// parameters checks the table of a type.
func (f *field) parameters(t table) error {
	number := func(n int, size, absent, least, greatest int64) error {
		value, err := t.integer(n, size, absent)
		if err == nil && (value < least || value > greatest) {
			err = errType
		}
		return err
	}
	switch f.kind {
	case typeNull, typeBinary, typeUtf8, typeBool, typeList, typeStruct, typeLargeBinary, typeLargeUtf8, typeLargeList,
		typeRunEndEncoded, typeBinaryView, typeUtf8View, typeListView, typeLargeListView:
		return nil
	case typeInt:
		return errors.Join(number(0, 4, 0, 8, 64), number(1, 1, 0, 0, 1))
	case typeFloatingPoint, typeDate, typeInterval, typeDuration:
		return number(0, 2, 0, 0, 3)
	case typeDecimal:
		return errors.Join(number(0, 4, 0, 1, 76), number(1, 4, 0, math.MinInt32, math.MaxInt32), number(2, 4, 128, 32, 256))
	case typeTime:
		return errors.Join(number(0, 2, 1, 0, 3), number(1, 4, 32, 32, 64))
	case typeTimestamp:
		return errors.Join(number(0, 2, 0, 0, 3), t.text(1))
	case typeUnion:
		mode, err := t.integer(0, 2, 0)
		f.dense = mode == 1
		_, _, listErr := t.vector(1, 4)
		return errors.Join(err, listErr)
	case typeFixedSizeBinary, typeFixedSizeList:
		return number(0, 4, 0, 0, math.MaxInt32)
	case typeMap:
		return number(0, 1, 0, 0, 1)
	}
	return errType
}

// checkChildren checks how many children a field has.
func (f *field) checkChildren() error {
	want := 0
	switch f.kind {
	case typeStruct, typeUnion:
		return nil
	case typeList, typeLargeList, typeListView, typeLargeListView, typeFixedSizeList:
		want = 1
	case typeMap:
		if len(f.children) == 1 && (f.children[0].kind != typeStruct || len(f.children[0].children) != 2) {
			return errType
		}
		want = 1
	case typeRunEndEncoded:
		want = 2
	}
	if len(f.children) != want {
		return errType
	}
	return nil
}

package flightsvc

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

func int32s(values ...int32) *memory.Buffer {
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(values))
}

// arrayOf makes an array of buffers as IPC would: nothing is checked.
func arrayOf(typ arrow.DataType, length int, buffers []*memory.Buffer, children ...arrow.Array) arrow.Array {
	data := make([]arrow.ArrayData, len(children))
	for i := range children {
		data[i] = children[i].Data()
	}
	return array.MakeFromData(array.NewData(typ, length, buffers, data, nullsOf(buffers[0]), 0))
}

// nullsOf returns the count of NULLs to give an array with a bitmap or without one.
func nullsOf(valid *memory.Buffer) int {
	if valid == nil {
		return 0
	}
	return array.UnknownNullCount
}

func texts(values ...string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(values, nil)
	return b.NewArray()
}

func dictionaryOf(values arrow.Array, valid *memory.Buffer, indices ...int32) arrow.Array {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: values.DataType()}
	data := array.NewDataWithDictionary(typ, len(indices), []*memory.Buffer{valid, int32s(indices...)}, nullsOf(valid), 0, values.Data().(*array.Data))
	return array.NewDictionaryData(data)
}

func TestValidateTakesEveryLayoutOfNothing(t *testing.T) {
	t.Parallel()
	nothing := array.NewNull(2)
	ends := arrayOf(arrow.PrimitiveTypes.Int32, 2, []*memory.Buffer{nil, int32s(1, 3)})
	noEntry := memory.NewBufferBytes([]byte{0b01})
	for name, arr := range map[string]arrow.Array{
		"null":                            nothing,
		"list view":                       arrayOf(arrow.ListViewOf(arrow.Null), 2, []*memory.Buffer{nil, int32s(1, 0), int32s(1, 2)}, nothing),
		"runs":                            arrayOf(arrow.RunEndEncodedOf(ends.DataType(), arrow.Null), 3, []*memory.Buffer{nil}, ends, nothing),
		"dictionary":                      dictionaryOf(nothing, nil, 0, 1),
		"a NULL's index is not looked at": dictionaryOf(texts("a"), noEntry, 0, 99),
	} {
		require.NoError(t, validateArray(arr), name)
	}
}

func TestValidateRefusesWhatPointsOutside(t *testing.T) {
	t.Parallel()
	i32 := arrow.PrimitiveTypes.Int32
	three := arrayOf(i32, 3, []*memory.Buffer{nil, int32s(1, 2, 3)})
	list := arrow.ListViewOf(i32)
	short := memory.NewBufferBytes(nil)
	notUTF8 := texts("\xff")
	for name, arr := range map[string]arrow.Array{
		"view beyond its elements":   arrayOf(list, 1, []*memory.Buffer{nil, int32s(2), int32s(2)}, three),
		"view before its elements":   arrayOf(list, 1, []*memory.Buffer{nil, int32s(-1), int32s(1)}, three),
		"fewer sizes than views":     arrayOf(list, 2, []*memory.Buffer{nil, int32s(0, 0), int32s(1)}, three),
		"short bitmap":               arrayOf(list, 1, []*memory.Buffer{short, int32s(0), int32s(1)}, three),
		"runs that go back":          runsOf(3, texts("a", "b"), 3, 2),
		"runs that end early":        runsOf(3, texts("a", "b"), 1, 2),
		"more runs than values":      runsOf(2, texts("a"), 1, 2),
		"index beyond":               dictionaryOf(texts("a"), nil, 0, 1),
		"negative index":             dictionaryOf(texts("a"), nil, -1),
		"text in a dictionary":       dictionaryOf(notUTF8, nil, 0),
		"text in runs":               runsOf(1, notUTF8, 1),
		"text in a view":             arrayOf(arrow.ListViewOf(arrow.BinaryTypes.String), 1, []*memory.Buffer{nil, int32s(0), int32s(1)}, notUTF8),
		"dictionary within the view": arrayOf(arrow.ListViewOf(dictionaryOf(texts("a"), nil, 7).DataType()), 1, []*memory.Buffer{nil, int32s(0), int32s(1)}, dictionaryOf(texts("a"), nil, 7)),
	} {
		require.Error(t, validateArray(arr), name)
	}
}

func TestValidateRefusesACountOfNullsThatCannotBeCounted(t *testing.T) {
	t.Parallel()
	empty := memory.NewBufferBytes(nil)
	one := int32s(7)
	for name, arr := range map[string]arrow.Array{
		"integer":    arrayOf(arrow.PrimitiveTypes.Int32, 1, []*memory.Buffer{empty, one}),
		"text":       arrayOf(arrow.BinaryTypes.String, 1, []*memory.Buffer{empty, int32s(0, 0), empty}),
		"list":       arrayOf(arrow.ListOf(arrow.Null), 1, []*memory.Buffer{empty, int32s(0, 0)}, array.NewNull(0)),
		"list view":  arrayOf(arrow.ListViewOf(arrow.Null), 1, []*memory.Buffer{empty, int32s(0), int32s(0)}, array.NewNull(0)),
		"struct":     arrayOf(arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32}), 1, []*memory.Buffer{empty}, arrayOf(arrow.PrimitiveTypes.Int32, 1, []*memory.Buffer{nil, one})),
		"dictionary": dictionaryOf(texts("a"), empty, 0),
	} {
		require.Error(t, validateArray(arr), name)
	}
}

func runsOf(length int, values arrow.Array, ends ...int32) arrow.Array {
	typ := arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, values.DataType())
	return arrayOf(typ, length, []*memory.Buffer{nil}, arrayOf(arrow.PrimitiveTypes.Int32, len(ends), []*memory.Buffer{nil, int32s(ends...)}), values)
}

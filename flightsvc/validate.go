package flightsvc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// errOffsets says that an array points outside of its buffers.
var errOffsets = errors.New("its offsets, indexes or text are wrong")

// validate checks that every offset of rec stays within its buffers and that
// text is UTF-8. Code below indexes without checking, in goroutines where a
// panic would end the process. Errors name the column and never a value.
func validate(rec arrow.RecordBatch) error {
	for i, col := range rec.Columns() {
		if int64(col.Len()) != rec.NumRows() {
			return fmt.Errorf("column %q has %d rows, its batch %d", rec.ColumnName(i), col.Len(), rec.NumRows())
		}
		if err := validateArray(col); err != nil {
			return fmt.Errorf("column %q: %w", rec.ColumnName(i), err)
		}
	}
	return nil
}

// validateArray checks one array and its children. It descends by itself because
// array.ValidateFull refuses arrays of type null as they come from IPC.
func validateArray(arr arrow.Array) error {
	switch a := arr.(type) {
	case *array.Null:
		return nil
	case *array.String:
		return validateString(a)
	case array.ExtensionArray:
		return validateArray(a.Storage())
	case *array.Struct:
		return validateStruct(a)
	case *array.List, *array.LargeList, *array.Map, *array.FixedSizeList:
		if err := a.(array.Validator).ValidateFull(); err != nil {
			return errOffsets
		}
		return validateArray(a.(array.ListLike).ListValues())
	case *array.ListView, *array.LargeListView:
		if !holdsValidity(arr) || a.(array.Validator).ValidateFull() != nil {
			return errOffsets
		}
		return validateArray(a.(array.ListLike).ListValues())
	case *array.RunEndEncoded:
		if array.ValidateFull(a.RunEndsArr()) != nil || a.ValidateFull() != nil {
			return errOffsets
		}
		return validateArray(a.Values())
	case *array.Dictionary:
		return validateDictionary(a)
	}
	if array.ValidateFull(arr) != nil { // its text may hold values
		return errOffsets
	}
	return nil
}

// validateDictionary checks that the indices that are not NULL are within the
// dictionary, and its values.
func validateDictionary(a *array.Dictionary) error {
	if array.ValidateFull(a.Indices()) != nil {
		return errOffsets
	}
	n := a.Dictionary().Len()
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		if at := a.GetValueIndex(i); at < 0 || at >= n {
			return errOffsets
		}
	}
	return validateArray(a.Dictionary())
}

// holdsValidity reports whether the bitmap of NULLs, if any, is long enough.
func holdsValidity(arr arrow.Array) bool {
	b := arr.Data().Buffers()
	return len(b) == 0 || b[0] == nil || int64(b[0].Len())*8 >= int64(arr.Data().Offset()+arr.Len())
}

func validateStruct(a *array.Struct) error {
	if a.Validate() != nil || !holdsValidity(a) {
		return errOffsets
	}
	for i := range a.NumField() {
		if err := validateArray(a.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// validateString checks text that is all ASCII, the usual case, in one pass over
// the bytes and one over the offsets, instead of one call for each value.
func validateString(s *array.String) error {
	if err := array.Validate(s); err != nil {
		return errOffsets
	}
	if s.Len() == 0 {
		return nil
	}
	data := s.Data()
	offsets := arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+s.Len()+1]
	if offsets[0] < 0 {
		return errOffsets
	}
	last := offsets[0]
	for _, o := range offsets[1:] {
		if o < last {
			return errOffsets
		}
		last = o
	}
	if data.Buffers()[2] == nil || isASCII(data.Buffers()[2].Bytes()[offsets[0]:last]) {
		return nil
	}
	for i := range s.Len() {
		if s.IsValid(i) && !utf8.ValidString(s.Value(i)) {
			return fmt.Errorf("row %d is not UTF-8", i)
		}
	}
	return nil
}

// isASCII looks at eight bytes at a time.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

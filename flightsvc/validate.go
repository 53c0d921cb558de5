package flightsvc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// validate checks that every offset of rec stays within its buffers and that
// text is UTF-8. Code below indexes without checking, in goroutines where a
// panic would end the process. Errors name the column and never a value.
func validate(rec arrow.RecordBatch) error {
	for i, col := range rec.Columns() {
		if int64(col.Len()) != rec.NumRows() {
			return fmt.Errorf("column %q has %d rows, its batch %d", rec.ColumnName(i), col.Len(), rec.NumRows())
		}
		if s, ok := col.(*array.String); ok {
			if err := validateString(s); err != nil {
				return fmt.Errorf("column %q: %w", rec.ColumnName(i), err)
			}
			continue
		}
		if err := array.ValidateFull(col); err != nil {
			return fmt.Errorf("column %q: offsets, indexes or UTF-8 are wrong", rec.ColumnName(i))
		}
	}
	return nil
}

// validateString checks text that is all ASCII, the usual case, in one pass over
// the bytes and one over the offsets, instead of one call for each value.
func validateString(s *array.String) error {
	if err := array.Validate(s); err != nil {
		return errors.New("its offsets are wrong")
	}
	if s.Len() == 0 {
		return nil
	}
	data := s.Data()
	offsets := arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+s.Len()+1]
	if offsets[0] < 0 {
		return errors.New("its offsets are wrong")
	}
	last := offsets[0]
	for _, o := range offsets[1:] {
		if o < last {
			return errors.New("its offsets are not ascending")
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

package writer

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// textKernel stores text in varchar and json, and bytes in blob. Text must be
// valid UTF-8, and valid JSON for json: readers refuse a whole file for less.
func textKernel(from arrow.DataType, to lake.Type) kernel {
	var store kernel
	isText := false
	switch from.ID() {
	case arrow.STRING:
		store, isText = appendSpans[int32], true
	case arrow.LARGE_STRING:
		store, isText = appendSpans[int64], true
	case arrow.STRING_VIEW:
		store, isText = appendViews, true
	case arrow.BINARY:
		store = appendSpans[int32]
	case arrow.LARGE_BINARY:
		store = appendSpans[int64]
	case arrow.BINARY_VIEW:
		store = appendViews
	case arrow.FIXED_SIZE_BINARY:
		store = appendFixed
	default:
		return nil
	}
	if isText != (to.ID != lake.TypeBlob) {
		return nil
	}
	if !isText {
		return store
	}
	return func(dst *pqenc.Values, arr arrow.Array, r rows) error {
		first := len(dst.Ends)
		if err := store(dst, arr, r); err != nil {
			return err
		}
		if err := checkUTF8(dst, first); err != nil || to.ID != lake.TypeJSON {
			return err
		}
		return checkJSON(dst, first)
	}
}

func startOf(dst *pqenc.Values, i int) uint32 {
	if i == 0 {
		return 0
	}
	return dst.Ends[i-1]
}

// checkUTF8 checks the values from first on: all bytes at once, and then that
// no value begins inside of a rune.
func checkUTF8(dst *pqenc.Values, first int) error {
	tail := dst.Data[startOf(dst, first):]
	valid := utf8.Valid(tail)
	for i := first; valid && i < len(dst.Ends); i++ {
		if at := startOf(dst, i); at < dst.Ends[i] {
			valid = utf8.RuneStart(dst.Data[at])
		}
	}
	if !valid {
		return lake.Errorf(lake.KindInvalid, "a text is not valid UTF-8")
	}
	return nil
}

func checkJSON(dst *pqenc.Values, first int) error {
	for i := first; i < len(dst.Ends); i++ {
		if value := dst.Data[startOf(dst, i):dst.Ends[i]]; !json.Valid(value) {
			return lake.Errorf(lake.KindInvalid, "malformed JSON: %.64q", value)
		}
	}
	return nil
}

func tooMuchText() error {
	return lake.Errorf(lake.KindExhausted, "a batch holds more than 2 GiB of text: send smaller batches")
}

// appendSpans appends values of a layout with offsets.
func appendSpans[O int32 | int64](dst *pqenc.Values, arr arrow.Array, r rows) error {
	data := arr.Data()
	if r.n == 0 {
		return nil
	}
	offsets := arrow.GetOffsets[O](data, 1)
	var raw []byte
	if b := data.Buffers()[2]; b != nil {
		raw = b.Bytes()
	}
	if r.idx == nil {
		start, end := offsets[r.lo], offsets[r.lo+r.n]
		base := int64(len(dst.Data)) - int64(start)
		if int64(end)+base > pqenc.MaxData {
			return tooMuchText()
		}
		dst.Data = append(dst.Data, raw[start:end]...)
		previous := start
		for _, o := range offsets[r.lo+1 : r.lo+r.n+1] {
			if o < previous {
				return lake.Errorf(lake.KindInvalid, "offsets of text do not ascend")
			}
			previous = o
			dst.Ends = append(dst.Ends, uint32(int64(o)+base))
		}
		return nil
	}
	for _, j := range r.idx {
		value := raw[offsets[j]:offsets[j+1]]
		if len(dst.Data)+len(value) > pqenc.MaxData {
			return tooMuchText()
		}
		dst.Data = append(dst.Data, value...)
		dst.Ends = append(dst.Ends, uint32(len(dst.Data)))
	}
	return nil
}

// appendViews appends values of a layout with views.
func appendViews(dst *pqenc.Values, arr arrow.Array, r rows) error {
	views := arr.(array.ViewLike) // kernelFor chose by type
	buffers := arr.Data().Buffers()[2:]
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		h := views.ValueHeader(at)
		if len(dst.Data)+h.Len() > pqenc.MaxData {
			return tooMuchText()
		}
		if h.IsInline() {
			dst.Data = append(dst.Data, h.InlineBytes()...)
		} else {
			start := int(h.BufferOffset())
			dst.Data = append(dst.Data, buffers[h.BufferIndex()].Bytes()[start:start+h.Len()]...)
		}
		dst.Ends = append(dst.Ends, uint32(len(dst.Data)))
	}
	return nil
}

// fixedBytes returns the values of a fixed_size_binary, end to end.
func fixedBytes(arr arrow.Array) (raw []byte, width int) {
	width = arr.DataType().(*arrow.FixedSizeBinaryType).ByteWidth // the kernel is of this type
	if b := arr.Data().Buffers()[1]; b != nil {
		raw = b.Bytes()[arr.Data().Offset()*width:]
	}
	return raw, width
}

func appendFixed(dst *pqenc.Values, arr arrow.Array, r rows) error {
	raw, width := fixedBytes(arr)
	if len(dst.Data)+r.n*width > pqenc.MaxData {
		return tooMuchText()
	}
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		dst.Data = append(dst.Data, raw[at*width:(at+1)*width]...)
		if dst.Leaf.Kind == pqenc.Bytes {
			dst.Ends = append(dst.Ends, uint32(len(dst.Data)))
		}
	}
	return nil
}

// uuidKernel stores the 16 bytes of a UUID, or its text.
func uuidKernel(from arrow.DataType) kernel {
	switch t := from.(type) {
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth == uuidWidth {
			return appendFixed
		}
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return appendParsedUUIDs
	}
	return nil
}

func appendParsedUUIDs(dst *pqenc.Values, arr arrow.Array, r rows) error {
	texts, ok := arr.(array.StringLike)
	if !ok {
		return lake.Errorf(lake.KindInternal, "%s is not text", arr.DataType())
	}
	for i := range r.n {
		at := r.lo + i
		if r.idx != nil {
			at = int(r.idx[i])
		}
		id, err := uuid.Parse(texts.Value(at))
		if err != nil {
			return lake.Errorf(lake.KindInvalid, "%.64q is not a UUID", texts.Value(at))
		}
		dst.Data = append(dst.Data, id[:]...)
	}
	return nil
}

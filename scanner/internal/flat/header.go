package flat

import "encoding/binary"

// Page types, with Parquet's numbers.
const (
	pageData       = 0
	pageDictionary = 2
)

// Encodings, with Parquet's numbers.
const (
	encodingPlain     = 0
	encodingPlainDict = 2 // an old name of encodingRLEDict
	encodingRLE       = 3
	encodingRLEDict   = 8
)

// header is a PageHeader. Which of its fields are set depends on its kind.
type header struct {
	kind                     int32
	uncompressed, compressed int32 // bytes of the body, levels included
	values                   int32 // with NULLs; entries of a dictionary
	encoding                 int32
	defEncoding              int32 // of pageData
}

// parseHeader decodes the header at the front of b and returns its size.
func parseHeader(b []byte) (h header, size int, ok bool) {
	t := thriftReader{b: b}
	h.kind = -1
	t.structure(0, func(id int, typ byte) bool {
		switch {
		case id == 1 && typ == thriftI32:
			h.kind = t.i32()
		case id == 2 && typ == thriftI32:
			h.uncompressed = t.i32()
		case id == 3 && typ == thriftI32:
			h.compressed = t.i32()
		case (id == 5 || id == 7) && typ == thriftStruct:
			t.structure(1, func(id int, typ byte) bool { return h.data(&t, id, typ) })
		default:
			return false
		}
		return true
	})
	ok = !t.bad && h.uncompressed >= 0 && h.compressed >= 0 && h.values >= 0
	return h, t.pos, ok
}

// data takes a field of a DataPageHeader, or of a DictionaryPageHeader, whose
// first two fields are the same.
func (h *header) data(t *thriftReader, id int, typ byte) bool {
	if typ != thriftI32 {
		return false
	}
	switch id {
	case 1:
		h.values = t.i32()
	case 2:
		h.encoding = t.i32()
	case 3:
		h.defEncoding = t.i32()
	default:
		return false
	}
	return true
}

// Types of Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12

	// thriftDepth is deeper than any page header is nested.
	thriftDepth = 8
)

// thriftReader reads Thrift's compact protocol. Once it is bad, it reads zeros.
type thriftReader struct {
	b   []byte
	pos int
	bad bool
}

func (t *thriftReader) byte() byte {
	if t.bad || t.pos >= len(t.b) {
		t.bad = true
		return 0
	}
	t.pos++
	return t.b[t.pos-1]
}

func (t *thriftReader) varint() uint64 {
	v, n := binary.Uvarint(t.b[t.pos:])
	if t.bad || n <= 0 {
		t.bad = true
		return 0
	}
	t.pos += n
	return v
}

func (t *thriftReader) i32() int32 {
	v := uint32(t.varint())
	return int32(v>>1) ^ -int32(v&1)
}

func (t *thriftReader) advance(n uint64) {
	if n > uint64(len(t.b)-t.pos) {
		t.bad = true
		return
	}
	t.pos += int(n)
}

// structure reads a struct; field reads a field's value, or reports false to
// have it skipped.
func (t *thriftReader) structure(depth int, field func(id int, typ byte) bool) {
	id := 0
	for !t.bad && depth < thriftDepth {
		head := t.byte()
		typ := head & 0xf
		if typ == 0 {
			return
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(t.i32())
		}
		if !field(id, typ) {
			t.skip(typ, depth)
		}
	}
	t.bad = true
}

func (t *thriftReader) skip(typ byte, depth int) {
	switch typ {
	case thriftTrue, thriftFalse: // the type is the value
	case thriftByte:
		t.advance(1)
	case thriftI16, thriftI32, thriftI64:
		t.varint()
	case thriftDouble:
		t.advance(8)
	case thriftBinary:
		t.advance(t.varint())
	case thriftStruct:
		t.structure(depth+1, func(int, byte) bool { return false })
	case thriftList, thriftSet:
		head := t.byte()
		n := uint64(head >> 4)
		if n == 0xf {
			n = t.varint()
		}
		for ; n > 0 && !t.bad; n-- {
			if element := head & 0xf; element <= thriftFalse {
				t.advance(1)
			} else {
				t.skip(element, depth+1)
			}
		}
	default:
		t.bad = true
	}
	t.bad = t.bad || depth >= thriftDepth
}

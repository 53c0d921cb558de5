package pqenc

import "encoding/binary"

// The type codes of thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thriftDepth bounds the nesting of structs: a footer nests six deep.
const thriftDepth = 16

// thriftWriter appends values in thrift's compact protocol. Fields of a struct
// are written in ascending order of their ids.
type thriftWriter struct {
	buf   []byte
	last  [thriftDepth]int16 // id of the last field, per open struct
	depth int
}

func (t *thriftWriter) varint(v uint64) { t.buf = binary.AppendUvarint(t.buf, v) }

func (t *thriftWriter) zigzag(v int64) { t.varint(uint64(v<<1) ^ uint64(v>>63)) }

func (t *thriftWriter) field(id int16, code byte) {
	delta := id - t.last[t.depth]
	if delta > 0 && delta < 16 {
		t.buf = append(t.buf, byte(delta)<<4|code)
	} else {
		t.buf = append(t.buf, code)
		t.zigzag(int64(id))
	}
	t.last[t.depth] = id
}

// open begins a struct that is not a field: the root, or a list's element.
func (t *thriftWriter) open() {
	t.depth++
	t.last[t.depth] = 0
}

func (t *thriftWriter) close() {
	t.buf = append(t.buf, 0)
	t.depth--
}

func (t *thriftWriter) structField(id int16) {
	t.field(id, thriftStruct)
	t.open()
}

// emptyStruct writes a field that is a struct without fields.
func (t *thriftWriter) emptyStruct(id int16) {
	t.structField(id)
	t.close()
}

func (t *thriftWriter) i32(id int16, v int32) {
	t.field(id, thriftI32)
	t.zigzag(int64(v))
}

func (t *thriftWriter) i16(id, v int16) {
	t.field(id, thriftI16)
	t.zigzag(int64(v))
}

func (t *thriftWriter) i64(id int16, v int64) {
	t.field(id, thriftI64)
	t.zigzag(v)
}

func (t *thriftWriter) i8(id int16, v int8) {
	t.field(id, thriftByte)
	t.buf = append(t.buf, byte(v))
}

func (t *thriftWriter) boolean(id int16, v bool) {
	if v {
		t.field(id, thriftTrue)
	} else {
		t.field(id, thriftFalse)
	}
}

func (t *thriftWriter) binary(id int16, v []byte) {
	t.field(id, thriftBinary)
	t.bytes(v)
}

func (t *thriftWriter) text(id int16, v string) {
	t.field(id, thriftBinary)
	t.varint(uint64(len(v)))
	t.buf = append(t.buf, v...)
}

// bytes writes a binary that is not a field: a list's element.
func (t *thriftWriter) bytes(v []byte) {
	t.varint(uint64(len(v)))
	t.buf = append(t.buf, v...)
}

func (t *thriftWriter) list(id int16, code byte, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.buf = append(t.buf, byte(n)<<4|code)
		return
	}
	t.buf = append(t.buf, 0xf0|code)
	t.varint(uint64(n))
}

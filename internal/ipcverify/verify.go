package ipcverify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of what a stream may declare.
type Limits struct {
	// DepthMax is how many types may lie within each other; a column is at 1.
	DepthMax int
	// FieldsMax bounds the fields of a schema, nested ones included.
	FieldsMax int
	// BytesMax bounds the bytes of one message after decompression.
	BytesMax int64
	// DictionaryBytesMax bounds the bytes of all dictionaries of a stream together.
	DictionaryBytesMax int64
}

// ErrLimit says that a stream is well-formed as far as it was checked, and beyond a limit.
var ErrLimit = errors.New("beyond a limit")

func limitError(format string, args ...any) error {
	return &beyond{text: fmt.Sprintf(format, args...)}
}

// beyond is ErrLimit with what it is about.
type beyond struct{ text string }

func (e *beyond) Error() string { return e.text }
func (e *beyond) Unwrap() error { return ErrLimit }

// rowsWithoutBytesMax is how many rows a batch may have of which there are no bytes: those of
// NULLs alone.
const rowsWithoutBytesMax = 1 << 24

// Kinds of messages, as MessageHeader numbers them.
const (
	headerSchema     = 1
	headerDictionary = 2
	headerBatch      = 3
)

// metadataV5 is the version of the metadata since Arrow 1.0, and V4 that before.
const (
	metadataV4 = 3
	metadataV5 = 4
)

// Verifier checks the messages of one stream, in their order. It is not safe for
// concurrent use.
type Verifier struct {
	limits       Limits
	begun        bool // the schema has come
	fields       []field
	count        int              // of all fields
	dictionaries map[int64]*field // what dictionaries hold, by id
	dictionary   int64            // bytes of dictionaries so far
}

// New returns the Verifier of a stream that has not begun.
func New(l Limits) *Verifier { return &Verifier{limits: l, dictionaries: map[int64]*field{}} }

// Message checks one message: its metadata, a FlatBuffer, and its body. It returns the bytes
// that decompressing the body takes, which are at most Limits.BytesMax; 0 if it is not compressed.
//
// Errors say what is wrong with the message, and no value of it; ErrLimit.
func (v *Verifier) Message(metadata, body []byte) (int64, error) {
	m, err := buffer(metadata).root()
	if err != nil {
		return 0, err
	}
	version, err := m.integer(0, 2, 0)
	if err != nil {
		return 0, err
	}
	if version != metadataV4 && version != metadataV5 {
		return 0, errors.New("its metadata is of a version that is not supported")
	}
	kind, err := m.integer(1, 1, 0)
	if err != nil {
		return 0, err
	}
	header, ok, err := m.table(2)
	if err != nil || !ok {
		return 0, errFlatBuffer
	}
	bodyLength, err := m.integer(3, 8, 0)
	if err != nil || bodyLength < 0 || bodyLength > int64(len(body)) {
		return 0, errors.New("its body is shorter than it says")
	}
	if err := m.keyValues(4); err != nil {
		return 0, err
	}
	switch kind {
	case headerSchema:
		return 0, v.schema(header)
	case headerDictionary:
		return v.dictionaryBatch(header, body, version)
	case headerBatch:
		if !v.begun {
			return 0, errors.New("a batch comes before the schema")
		}
		return v.batch(header, body, v.fields, version)
	}
	return 0, errors.New("a message is neither a schema nor a batch")
}

func (v *Verifier) dictionaryBatch(header table, body []byte, version int64) (int64, error) {
	id, err := header.integer(0, 8, 0)
	if err != nil {
		return 0, err
	}
	values, ok := v.dictionaries[id]
	if !ok {
		return 0, errors.New("a dictionary is of no column")
	}
	data, ok, err := header.table(1)
	if err != nil || !ok {
		return 0, errFlatBuffer
	}
	if _, err := header.integer(2, 1, 0); err != nil {
		return 0, err
	}
	size, err := v.batch(data, body, []field{*values}, version)
	if err != nil {
		return 0, err
	}
	if v.dictionary += max(size, int64(len(body))); v.dictionary > v.limits.DictionaryBytesMax {
		return 0, limitError("its dictionaries take more than %d bytes", v.limits.DictionaryBytesMax)
	}
	return size, nil
}

// batch checks a RecordBatch of columns of the fields.
func (v *Verifier) batch(header table, body []byte, fields []field, version int64) (int64, error) {
	b := &batch{header: header, body: body, version: version, bytesMax: v.limits.BytesMax}
	var err error
	if b.rows, err = header.integer(0, 8, 0); err != nil {
		return 0, err
	}
	if b.rows < 0 || b.rows > math.MaxInt32 {
		return 0, errors.New("a batch has no possible number of rows")
	}
	if b.nodes, b.nodeCount, err = header.vector(1, 16); err != nil {
		return 0, err
	}
	if b.buffers, b.bufferCount, err = header.vector(2, 16); err != nil {
		return 0, err
	}
	if b.variadic, b.variadicCount, err = header.vector(4, 8); err != nil {
		return 0, err
	}
	if err := b.compression(); err != nil {
		return 0, err
	}
	for i := range fields {
		if err := b.column(&fields[i], true); err != nil {
			return 0, err
		}
	}
	if b.nodeCount != 0 || b.bufferCount != 0 || b.variadicCount != 0 {
		return 0, errors.New("a batch has more columns than its schema")
	}
	if !b.compressed {
		return 0, nil
	}
	return b.bytes, nil
}

// batch is what is left to check of a RecordBatch.
type batch struct {
	header      table
	body        []byte
	version     int64
	rows        int64
	bytesMax    int64
	bytes       int64 // after decompression, of the buffers checked
	compressed  bool
	zstd        bool  // as Zstandard; else as LZ4, whose decoders need no more than 4 MiB
	nodes       int64 // where the next FieldNode is, and how many follow
	nodeCount   int64
	buffers     int64 // where the next Buffer is, and how many follow
	bufferCount int64

	variadic, variadicCount int64 // the same for the counts of buffers of views
}

// compression checks the BodyCompression.
func (b *batch) compression() error {
	c, ok, err := b.header.table(3)
	if err != nil || !ok {
		return err
	}
	codec, err := c.integer(0, 1, 0)
	if err != nil {
		return err
	}
	method, err := c.integer(1, 1, 0)
	if err != nil {
		return err
	}
	if codec != 0 && codec != 1 || method != 0 { // LZ4 frames and Zstandard, by buffer
		return errors.New("it is compressed in a way that is not supported")
	}
	b.compressed, b.zstd = true, codec == 1
	return nil
}

var errFewNodes = errors.New("a batch has fewer columns than its schema")

// column checks the nodes and buffers of a field and of what lies in it. top is set for
// a column of the batch, which has its rows.
func (b *batch) column(f *field, top bool) error {
	if b.nodeCount == 0 {
		return errFewNodes
	}
	buf := b.header.buf
	length, nulls := int64(binary.LittleEndian.Uint64(buf[b.nodes:])), int64(binary.LittleEndian.Uint64(buf[b.nodes+8:]))
	b.nodes, b.nodeCount = b.nodes+16, b.nodeCount-1
	if length < 0 || length > math.MaxInt32 || nulls < 0 || nulls > length || top && length != b.rows {
		return errors.New("a column has no possible number of rows")
	}
	count := f.buffers(b.version)
	if f.views() {
		if b.variadicCount == 0 {
			return errFewNodes
		}
		more := int64(binary.LittleEndian.Uint64(buf[b.variadic:]))
		b.variadic, b.variadicCount = b.variadic+8, b.variadicCount-1
		if more < 0 || more > b.bufferCount {
			return errors.New("a column of views has no possible number of buffers")
		}
		count += more
	}
	before := b.bytes
	for range count {
		if err := b.buffer(); err != nil {
			return err
		}
	}
	if f.dictionary {
		return b.backed(length, before) // its values are in messages of their own
	}
	for i := range f.children {
		if err := b.column(&f.children[i], false); err != nil {
			return err
		}
	}
	return b.backed(length, before)
}

// backed refuses many rows of which there are no bytes: whoever makes them pays nothing,
// and whoever reads them must.
func (b *batch) backed(length, before int64) error {
	if length > rowsWithoutBytesMax && (b.bytes-before)*8 < length {
		return limitError("a column has more than %d rows without values", rowsWithoutBytesMax)
	}
	return nil
}

// buffer checks the next Buffer.
func (b *batch) buffer() error {
	if b.bufferCount == 0 {
		return errFewNodes
	}
	buf := b.header.buf
	offset, length := int64(binary.LittleEndian.Uint64(buf[b.buffers:])), int64(binary.LittleEndian.Uint64(buf[b.buffers+8:]))
	b.buffers, b.bufferCount = b.buffers+16, b.bufferCount-1
	if !buffer(b.body).within(offset, length) {
		return errors.New("a buffer lies outside of the body")
	}
	size := length
	if b.compressed && length > 0 {
		if length < 8 {
			return errors.New("a compressed buffer is too short")
		}
		size = int64(binary.LittleEndian.Uint64(b.body[offset:]))
		switch {
		case size == -1: // not compressed, since that would take more
			size = length - 8
		case size < 0:
			return errors.New("a compressed buffer has no possible length")
		case b.zstd:
			if err := checkZstd(b.body[offset+8:offset+length], size); err != nil {
				return err
			}
		}
	}
	if size > b.bytesMax-b.bytes {
		return limitError("a message takes more than %d bytes", b.bytesMax)
	}
	b.bytes += size
	return nil
}

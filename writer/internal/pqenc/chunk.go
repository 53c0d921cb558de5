package pqenc

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/flightlake/flightlake/lake"
)

const (
	// pageRows and pageBytes bound a data page. 20,480 rows make the page index
	// useful for a lookup and cost nothing that could be measured against
	// 131,072 rows.
	pageRows  = 20480
	pageBytes = 1 << 20
	// maxPage is the largest page that fits the 32-bit sizes of its header.
	maxPage = 1<<30 + 1<<29
)

// Encodings, with Parquet's numbers.
const (
	encodingPlain   = 0
	encodingRLE     = 3
	encodingRLEDict = 8
)

// Page types, with Parquet's numbers.
const (
	pageData       = 0
	pageDictionary = 2
)

// page is what the page index says of a data page.
type page struct {
	offset   int64 // in the chunk, then in the file
	size     int32 // with its header
	firstRow int64
	levels   int
	nulls    int64
	bounds   encodedBounds
}

// encodedBounds are bounds as Parquet encodes them.
type encodedBounds struct {
	least, greatest           []byte
	hasLeast, hasGreatest     bool
	leastExact, greatestExact bool
}

// Chunk is an encoded column chunk. Its memory is used again when it is encoded
// anew.
type Chunk struct {
	Stats lake.ColumnStats
	Rows  int

	leaf         *Leaf
	codec        int32
	buf          []byte
	pages        []page
	bounds       encodedBounds // of the chunk
	indexable    bool          // every page that is not all NULL has both bounds
	uncompressed int64
	dictBytes    int64 // size of the dictionary page with its header; 0 if none
	levels       int64
	nulls        int64
}

// Encoder encodes column chunks, of any leaf, one after the other. It keeps its
// scratch between calls. It is used by one goroutine at a time.
type Encoder struct {
	codec      compress.Codec // nil if not compressed
	codecID    int32
	level      int
	dict       dictionary
	marks      []uint32 // by entry of dict: the last page that it occurs in
	raw        []byte
	compressed []byte
	chunk      *Chunk // being encoded
}

// NewEncoder returns an encoder that compresses pages with the codec of the
// given name and level; see Codec.
func NewEncoder(c Codec) (*Encoder, error) {
	e := &Encoder{codecID: c.id, level: c.Level}
	if c.codec != compress.Codecs.Uncompressed {
		codec, err := compress.GetCodec(c.codec)
		if err != nil {
			return nil, lake.Wrap(lake.KindInternal, "compression", err)
		}
		e.codec = codec
	}
	return e, nil
}

// Encode encodes all of v as the column chunk c.
//
// Errors: KindUnsupported for a row whose values exceed the size of a page.
func (e *Encoder) Encode(v *Values, c *Chunk) error {
	*c = Chunk{
		leaf: v.Leaf, codec: e.codecID, buf: c.buf[:0], pages: c.pages[:0], Rows: v.Rows,
		levels: int64(v.Levels), nulls: int64(v.Missing), indexable: true,
	}
	e.chunk = c
	d := &e.dict
	if d.build(v) {
		e.writeDictionary(v)
	} else {
		d = nil
	}
	var total bounds
	row, value := int64(0), 0
	for lo := 0; lo < v.Levels; {
		hi, rows, present := e.nextPage(v, lo, value)
		b, err := e.writePage(v, d, span{lo: lo, hi: hi, first: value, end: value + present, row: row})
		if err != nil {
			return err
		}
		total.merge(v.Leaf, &b)
		lo, row, value = hi, row+rows, value+present
	}
	e.finish(v, &total)
	return nil
}

// nextPage returns where the page that begins at level lo and value first
// ends, and how many rows and values it has. Pages end at rows.
func (e *Encoder) nextPage(v *Values, lo, first int) (hi int, rows int64, present int) {
	if v.Defs == nil {
		most := min(pageRows, v.Levels-lo)
		for most > 1 && v.plainSize(first, first+most) > pageBytes {
			most = (most + 1) / 2
		}
		return lo + most, int64(most), most
	}
	size := 0
	for hi = lo; hi < v.Levels; hi++ {
		if v.Reps == nil || v.Reps[hi] == 0 {
			if hi-lo >= pageRows || size >= pageBytes {
				break
			}
			rows++
		}
		if v.Defs[hi] == v.Leaf.MaxDef {
			size += v.sizeOf(first + present)
			present++
		}
	}
	return hi, rows, present
}

// sizeOf returns the size of value i in the encoding PLAIN, in whole bytes.
func (v *Values) sizeOf(i int) int {
	switch v.Leaf.Kind {
	case Bytes:
		return 4 + len(v.value(i))
	case Int64, Float64:
		return 8
	case Fixed:
		return v.Leaf.Width
	case Bool:
		return 1
	case Int32, Float32:
	}
	return 4
}

func (e *Encoder) writeDictionary(v *Values) {
	e.raw = e.dict.appendPage(e.raw[:0], v)
	size := e.appendPage(pageDictionary, func(t *thriftWriter) {
		t.structField(7)
		t.i32(1, int32(len(e.dict.first)))
		t.i32(2, encodingPlain)
		t.close()
	})
	e.chunk.dictBytes = size
	if len(e.marks) < len(e.dict.first) {
		e.marks = make([]uint32, len(e.dict.first))
	}
	for i := range e.dict.first {
		e.marks[i] = noStamp
	}
}

// span is what a page holds of Values: levels [lo, hi) and values [first, end).
type span struct {
	lo, hi     int
	first, end int
	row        int64 // the first row
}

// writePage writes the page of s; if d is not nil, by its indices.
func (e *Encoder) writePage(v *Values, d *dictionary, s span) (bounds, error) {
	levels := s.hi - s.lo
	raw := e.raw[:0]
	if v.Leaf.MaxRep > 0 {
		raw = appendLevels(raw, v.Reps[s.lo:s.hi], levels, v.Leaf.MaxRep)
	}
	if v.Leaf.MaxDef > 0 {
		defs := v.Defs
		if defs != nil {
			defs = defs[s.lo:s.hi]
		}
		raw = appendLevels(raw, defs, levels, v.Leaf.MaxDef)
	}
	encoding := int32(encodingPlain)
	if d != nil {
		encoding = encodingRLEDict
		raw = d.appendIndices(raw, s.first, s.end)
	} else {
		raw = v.appendPlain(raw, s.first, s.end)
	}
	e.raw = raw
	if len(raw) > maxPage {
		return bounds{}, lake.Errorf(lake.KindUnsupported, "a row holds %d bytes in one column: more than a Parquet page of %d", len(raw), maxPage)
	}
	offset := int64(len(e.chunk.buf))
	size := e.appendPage(pageData, func(t *thriftWriter) {
		t.structField(5)
		t.i32(1, int32(levels))
		t.i32(2, encoding)
		t.i32(3, encodingRLE)
		t.i32(4, encodingRLE)
		t.close()
	})
	b := e.boundsOf(v, d, s.first, s.end)
	encoded := b.encode(v.Leaf)
	if s.first < s.end && !(encoded.hasLeast && encoded.hasGreatest) {
		e.chunk.indexable = false
	}
	e.chunk.pages = append(e.chunk.pages, page{
		offset: offset, size: int32(size), firstRow: s.row, levels: levels,
		nulls: int64(levels - (s.end - s.first)), bounds: encoded,
	})
	return b, nil
}

// appendPage compresses e.raw and appends it with its header to the chunk.
func (e *Encoder) appendPage(kind int32, header func(*thriftWriter)) int64 {
	body := e.raw
	if e.codec != nil {
		if need := e.codec.CompressBound(int64(len(e.raw))); int64(len(e.compressed)) < need {
			e.compressed = make([]byte, need)
		}
		body = e.codec.EncodeLevel(e.compressed, e.raw, e.level)
	}
	start := len(e.chunk.buf)
	t := thriftWriter{buf: e.chunk.buf}
	t.open()
	t.i32(1, kind)
	t.i32(2, int32(len(e.raw)))
	t.i32(3, int32(len(body)))
	header(&t)
	t.close()
	headerSize := len(t.buf) - start
	e.chunk.buf = append(t.buf, body...)
	e.chunk.uncompressed += int64(headerSize + len(e.raw))
	return int64(headerSize + len(body))
}

// finish sets the statistics of the chunk.
func (e *Encoder) finish(v *Values, total *bounds) {
	c := e.chunk
	c.bounds = total.encode(v.Leaf)
	c.Stats = lake.ColumnStats{
		Field: v.Leaf.Field, ValueCount: c.levels, NullCount: c.nulls, NaNCount: total.nans, Bytes: int64(len(c.buf)),
	}
	c.Stats.Min, c.Stats.Max, c.Stats.MinExact, c.Stats.MaxExact = total.values(v.Leaf)
}

// encode returns b as Parquet encodes bounds. A float that is NaN anywhere has
// none: readers that do not know of NaN would prune it away.
func (b *bounds) encode(l *Leaf) encodedBounds {
	if !b.has || b.nans > 0 {
		return encodedBounds{}
	}
	if byBytes(l) {
		least, leastExact := CutLeast(b.least, text(l))
		greatest, greatestExact, ok := CutGreatest(b.greatest, text(l))
		if !ok {
			greatest = nil
		}
		return encodedBounds{
			least: cloneBound(least), greatest: cloneBound(greatest), hasLeast: true, hasGreatest: ok,
			leastExact: leastExact, greatestExact: greatestExact,
		}
	}
	return encodedBounds{
		least: encodeNumber(l, b.number, true), greatest: encodeNumber(l, b.numberMax, false),
		hasLeast: true, hasGreatest: true, leastExact: true, greatestExact: true,
	}
}

// cloneBound copies a bound, so that footers do not hold on to values.
func cloneBound(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// encodeNumber returns v in the encoding PLAIN. A zero bound of a float is -0
// below and +0 above (Parquet, ColumnOrder).
func encodeNumber(l *Leaf, v lake.Value, least bool) []byte {
	// Of an integer's Value only one of Int and Uint is set; a decimal's low
	// word is in Uint.
	word := uint64(v.Int) | v.Uint
	if l.Type.ID == lake.TypeDecimal {
		word = v.Uint
	}
	switch l.Kind {
	case Bool:
		return []byte{byte(v.Int)}
	case Int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(word))
	case Int64:
		return binary.LittleEndian.AppendUint64(nil, word)
	case Float32:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(signZero(v.Float, least))))
	case Float64:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(signZero(v.Float, least)))
	case Fixed:
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(v.Int)), v.Uint)
	case Bytes:
	}
	return nil
}

func signZero(v float64, negative bool) float64 {
	switch {
	case v != 0:
		return v
	case negative:
		return math.Copysign(0, -1)
	}
	return 0
}

func asUint32(v []int32) []uint32 {
	return arrow.Uint32Traits.CastFromBytes(arrow.Int32Traits.CastToBytes(v))
}

func asUint64(v []int64) []uint64 {
	return arrow.Uint64Traits.CastFromBytes(arrow.Int64Traits.CastToBytes(v))
}

package lake

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/bits"
)

// The zone map of a data file holds its row groups and their statistics in one
// compact value; docs/format.md specifies every byte.
const (
	zoneMapMagic   = "FLZM"
	zoneMapVersion = 1
	zoneMapHeader  = len(zoneMapMagic) + 2 + 2 + 4 + 4
	zoneMapTrailer = 4
	// zoneMapBytesMax bounds what is decoded; an entry takes from 1 to some 100 bytes.
	zoneMapBytesMax = 256 << 20
	// zoneMapEntriesMax bounds row groups times columns. An entry takes some
	// 200 bytes in memory, so that a hostile value costs at most 420 MB.
	zoneMapEntriesMax = 1 << 21
)

// Bits of a zone map entry's flags.
const (
	zonePresent = 1 << iota
	zoneHasMin
	zoneHasMax
	zoneMinExact
	zoneMaxExact
)

// zoneMapTypes numbers the types on disk: the index is the code. Codes are
// never reused, and new types go to the end.
var zoneMapTypes = [...]TypeID{
	TypeInvalid, TypeBoolean, TypeInt8, TypeInt16, TypeInt32, TypeInt64, TypeInt128,
	TypeUint8, TypeUint16, TypeUint32, TypeUint64, TypeUint128, TypeFloat32, TypeFloat64, TypeDecimal,
	TypeDate, TypeTime, TypeTimeNS, TypeTimeTZ,
	TypeTimestampS, TypeTimestampMS, TypeTimestamp, TypeTimestampNS, TypeTimestampTZ,
	TypeInterval, TypeVarchar, TypeBlob, TypeUUID, TypeJSON, TypeVariant, TypeGeometry,
}

// EncodeZoneMap returns the zone map of the row groups. types gives the type of
// each leaf. The bounds are stored as they are.
//
// Errors: KindInvalid for a field that types does not know or that is nested,
// for a field listed twice in a row group, and for more than 2 Mi entries (row
// groups times columns).
func EncodeZoneMap(groups []RowGroup, types func(FieldID) (Type, bool)) ([]byte, error) {
	columns, err := zoneColumns(groups, types)
	if err != nil {
		return nil, err
	}
	if len(groups)*max(len(columns), 1) > zoneMapEntriesMax {
		return nil, Errorf(KindInvalid, "zone map of %d row groups and %d columns is too large", len(groups), len(columns))
	}
	e := zoneEncoder{dst: make([]byte, 0, zoneMapHeader+len(groups)*8+len(columns)*64)}
	e.dst = append(e.dst, zoneMapMagic...)
	e.dst = binary.LittleEndian.AppendUint16(e.dst, zoneMapVersion)
	e.dst = binary.LittleEndian.AppendUint16(e.dst, 0)
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(len(groups)))
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(len(columns)))
	for i := range groups {
		e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(groups[i].Index))
	}
	e.scratch = make([]uint64, len(groups))
	e.ints(func(i int) int64 { return groups[i].Rows })
	e.ints(func(i int) int64 { return groups[i].Bytes })
	for i := range columns {
		e.column(&columns[i])
	}
	return binary.LittleEndian.AppendUint32(e.dst, crc32.Checksum(e.dst, castagnoli())), nil
}

// DecodeZoneMap returns the row groups of a zone map. types gives the type
// that each leaf has now; a leaf that it does not know, or whose values are
// not values of the new type in the same order (see Widen), is left out. With
// nil types every leaf is returned as it was stored.
//
// Errors: KindCorrupt for anything but the output of EncodeZoneMap, KindState
// for a newer version. It does not panic, and allocates at most some 200 bytes
// for a byte of data.
func DecodeZoneMap(data []byte, types func(FieldID) (Type, bool)) ([]RowGroup, error) {
	d, err := openZoneMap(data)
	if err != nil {
		return nil, err
	}
	groups := make([]RowGroup, d.groups)
	for i := range groups {
		groups[i].Index = int32(d.uint32())
	}
	d.ints(func(i int, v int64) { groups[i].Rows = v })
	d.ints(func(i int, v int64) { groups[i].Bytes = v })
	entries := make([]ColumnStats, d.groups*d.columns)
	for i := range groups {
		groups[i].Columns = entries[i*d.columns : i*d.columns : (i+1)*d.columns]
	}
	d.scratch = make([]ColumnStats, d.groups)
	d.slab = make([]Value, 2*len(entries))
	for range d.columns {
		if d.failed {
			break
		}
		d.column(groups, types)
	}
	if d.failed || len(d.data) != 0 {
		return nil, Errorf(KindCorrupt, "zone map is cut short or has bytes left over")
	}
	return groups, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// zoneColumn holds the statistics of one leaf, by row group; nil where the row
// group has none.
type zoneColumn struct {
	field FieldID
	typ   Type
	stats []*ColumnStats
}

func zoneColumns(groups []RowGroup, types func(FieldID) (Type, bool)) ([]zoneColumn, error) {
	var columns []zoneColumn
	index := map[FieldID]int{}
	for g := range groups {
		for c := range groups[g].Columns {
			stats := &groups[g].Columns[c]
			at, ok := index[stats.Field]
			if !ok {
				t, known := types(stats.Field)
				if !known || zoneTypeCode(t.ID) == 0 {
					return nil, Errorf(KindInvalid, "zone map: field %d is no leaf of the table", stats.Field)
				}
				at = len(columns)
				index[stats.Field] = at
				columns = append(columns, zoneColumn{field: stats.Field, typ: t, stats: make([]*ColumnStats, len(groups))})
			}
			if columns[at].stats[g] != nil {
				return nil, Errorf(KindInvalid, "zone map: field %d is listed twice in row group %d", stats.Field, groups[g].Index)
			}
			columns[at].stats[g] = stats
		}
	}
	return columns, nil
}

// zoneTypeCode returns the code of a leaf type on disk, 0 if it has none.
func zoneTypeCode(id TypeID) byte {
	for code, t := range zoneMapTypes {
		if t == id {
			return byte(code)
		}
	}
	return 0
}

// zoneWords lists which parts of a Value a type uses.
type zoneWords struct{ ints, uints, floats, bytes bool }

func zoneWordsOf(id TypeID) zoneWords {
	switch id {
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		return zoneWords{uints: true}
	case TypeInt128, TypeUint128, TypeDecimal:
		return zoneWords{ints: true, uints: true}
	case TypeFloat32, TypeFloat64:
		return zoneWords{floats: true}
	case TypeVarchar, TypeJSON, TypeBlob, TypeUUID:
		return zoneWords{bytes: true}
	case TypeInterval, TypeVariant, TypeGeometry:
		return zoneWords{}
	default:
		return zoneWords{ints: true}
	}
}

type zoneEncoder struct {
	dst     []byte
	scratch []uint64 // one per row group
}

func (e *zoneEncoder) column(c *zoneColumn) {
	e.dst = binary.AppendVarint(e.dst, int64(c.field))
	e.dst = append(e.dst, zoneTypeCode(c.typ.ID))
	if c.typ.ID == TypeDecimal {
		e.dst = append(e.dst, byte(c.typ.Precision), byte(c.typ.Scale))
	}
	words := zoneWordsOf(c.typ.ID)
	hasBounds := words != zoneWords{}
	for _, s := range c.stats {
		e.dst = append(e.dst, zoneFlags(s, hasBounds))
	}
	absent := ColumnStats{}
	at := func(i int) *ColumnStats {
		if c.stats[i] == nil {
			return &absent
		}
		return c.stats[i]
	}
	e.ints(func(i int) int64 { return at(i).ValueCount })
	e.ints(func(i int) int64 { return at(i).NullCount })
	e.ints(func(i int) int64 { return at(i).NaNCount })
	e.ints(func(i int) int64 { return at(i).Bytes })
	e.values(words, func(i int) *Value { return at(i).Min })
	e.values(words, func(i int) *Value { return at(i).Max })
}

func zoneFlags(s *ColumnStats, hasBounds bool) byte {
	if s == nil {
		return 0
	}
	flags := byte(zonePresent)
	if s.Min != nil && hasBounds {
		flags |= zoneHasMin
	}
	if s.Max != nil && hasBounds {
		flags |= zoneHasMax
	}
	if s.MinExact {
		flags |= zoneMinExact
	}
	if s.MaxExact {
		flags |= zoneMaxExact
	}
	return flags
}

// values writes one bound of all row groups, those that have none as zero.
func (e *zoneEncoder) values(words zoneWords, at func(int) *Value) {
	zero := Value{}
	value := func(i int) *Value {
		if v := at(i); v != nil {
			return v
		}
		return &zero
	}
	if words.ints {
		e.ints(func(i int) int64 { return value(i).Int })
	}
	if words.uints {
		e.ints(func(i int) int64 { return int64(value(i).Uint) })
	}
	if words.floats {
		e.ints(func(i int) int64 { return int64(math.Float64bits(value(i).Float)) })
	}
	if words.bytes {
		e.ints(func(i int) int64 { return int64(len(value(i).Bytes)) })
		for i := range e.scratch {
			e.dst = append(e.dst, value(i).Bytes...)
		}
	}
}

// ints writes one 64-bit word per row group as differences to the smallest, in
// the fewest bytes of 0, 1, 2, 4 or 8 that hold all of them.
func (e *zoneEncoder) ints(at func(int) int64) {
	base := int64(0)
	for i := range e.scratch {
		v := at(i)
		e.scratch[i] = uint64(v)
		if i == 0 || v < base {
			base = v
		}
	}
	var all uint64
	for i := range e.scratch {
		e.scratch[i] -= uint64(base)
		all |= e.scratch[i]
	}
	width := zoneWidth(all)
	e.dst = append(e.dst, byte(width))
	e.dst = binary.AppendVarint(e.dst, base)
	for _, v := range e.scratch {
		for range width {
			e.dst = append(e.dst, byte(v))
			v >>= 8
		}
	}
}

func zoneWidth(v uint64) int {
	switch n := (bits.Len64(v) + 7) / 8; {
	case n == 3:
		return 4
	case n > 4:
		return 8
	default:
		return n
	}
}

// zoneDecoder consumes data. Once failed it yields zeros.
type zoneDecoder struct {
	data    []byte
	groups  int
	columns int
	failed  bool
	scratch []ColumnStats // of one column, one per row group
	slab    []Value       // of which the bounds are cut
}

func openZoneMap(data []byte) (*zoneDecoder, error) {
	if len(data) < zoneMapHeader+zoneMapTrailer || string(data[:len(zoneMapMagic)]) != zoneMapMagic {
		return nil, Errorf(KindCorrupt, "zone map has no header")
	}
	if len(data) > zoneMapBytesMax {
		return nil, Errorf(KindCorrupt, "zone map of %d bytes is larger than %d", len(data), zoneMapBytesMax)
	}
	body := data[:len(data)-zoneMapTrailer]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(data[len(body):]) {
		return nil, Errorf(KindCorrupt, "zone map has a wrong checksum")
	}
	d := &zoneDecoder{data: body[len(zoneMapMagic):]}
	if version, flags := d.uint16(), d.uint16(); version != zoneMapVersion || flags != 0 {
		return nil, Errorf(KindState, "zone map has version %d and flags %d, known are version %d and no flags",
			version, flags, zoneMapVersion)
	}
	groups, columns := int64(d.uint32()), int64(d.uint32())
	// Each row group takes 4 bytes for its index and one per column for flags.
	if groups*4 > int64(len(d.data)) || columns > int64(len(d.data)) ||
		groups*columns > min(int64(len(d.data)), zoneMapEntriesMax) {
		return nil, Errorf(KindCorrupt, "zone map names %d row groups and %d columns in %d bytes", groups, columns, len(data))
	}
	d.groups, d.columns = int(groups), int(columns)
	return d, nil
}

// take returns the next n bytes, or nil after failing.
func (d *zoneDecoder) take(n int) []byte {
	if d.failed || n < 0 || n > len(d.data) {
		d.failed = true
		return nil
	}
	out := d.data[:n]
	d.data = d.data[n:]
	return out
}

func (d *zoneDecoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *zoneDecoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *zoneDecoder) varint() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *zoneDecoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// ints reads one word per row group; see zoneEncoder.ints.
func (d *zoneDecoder) ints(set func(i int, v int64)) {
	width := int(d.byte())
	base := d.varint()
	switch width {
	case 0, 1, 2, 4, 8:
	default:
		d.failed = true
		return
	}
	packed := d.take(width * d.groups)
	if d.failed {
		return
	}
	for i := range d.groups {
		var v uint64
		for j := width - 1; j >= 0; j-- {
			v = v<<8 | uint64(packed[i*width+j])
		}
		set(i, int64(uint64(base)+v))
	}
}

// column reads one leaf and appends it to the row groups that have it.
func (d *zoneDecoder) column(groups []RowGroup, types func(FieldID) (Type, bool)) {
	field, code := FieldID(d.varint()), int(d.byte())
	if code == 0 || code >= len(zoneMapTypes) {
		d.failed = true
		return
	}
	stored := Type{ID: zoneMapTypes[code]}
	if stored.ID == TypeDecimal {
		stored.Precision, stored.Scale = int32(d.byte()), int32(d.byte())
	}
	flags := d.take(d.groups)
	column := d.scratch
	clear(column)
	d.ints(func(i int, v int64) { column[i].ValueCount = v })
	d.ints(func(i int, v int64) { column[i].NullCount = v })
	d.ints(func(i int, v int64) { column[i].NaNCount = v })
	d.ints(func(i int, v int64) { column[i].Bytes = v })
	words := zoneWordsOf(stored.ID)
	mins, maxs := d.values(words), d.values(words)
	if d.failed {
		return
	}
	wanted := stored
	if types != nil {
		var known bool
		if wanted, known = types(field); !known {
			return
		}
	}
	for i := range column {
		if flags[i]&zonePresent == 0 {
			continue
		}
		c := &column[i]
		c.Field = field
		if flags[i]&zoneHasMin != 0 && widenInPlace(stored, wanted, &mins[i]) {
			c.Min, c.MinExact = &mins[i], flags[i]&zoneMinExact != 0
		}
		if flags[i]&zoneHasMax != 0 && widenInPlace(stored, wanted, &maxs[i]) {
			c.Max, c.MaxExact = &maxs[i], flags[i]&zoneMaxExact != 0
		}
		groups[i].Columns = append(groups[i].Columns, *c)
	}
}

// widenInPlace widens a bound. A NaN bounds nothing.
func widenInPlace(from, to Type, v *Value) bool {
	wide, ok := Widen(from, to, *v)
	*v = wide
	return ok && !math.IsNaN(v.Float)
}

// values reads one bound of all row groups.
func (d *zoneDecoder) values(words zoneWords) []Value {
	values := d.slab[:d.groups:d.groups]
	d.slab = d.slab[d.groups:]
	if words.ints {
		d.ints(func(i int, v int64) { values[i].Int = v })
	}
	if words.uints {
		d.ints(func(i int, v int64) { values[i].Uint = uint64(v) })
	}
	if words.floats {
		d.ints(func(i int, v int64) { values[i].Float = math.Float64frombits(uint64(v)) })
	}
	if words.bytes {
		d.ints(func(i int, v int64) { values[i].Int = v })
		for i := range values {
			n := values[i].Int
			values[i].Int = 0
			if n < 0 || n > int64(len(d.data)) {
				d.failed = true
				return values
			}
			values[i].Bytes = string(d.take(int(n)))
		}
	}
	return values
}

package flat

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

const (
	// slotBytes is the longest entry of a dictionary of short ones, which are
	// copied in one fixed size.
	slotBytes = 32
	// shortBytes is up to where a value of a page is copied in one fixed size.
	shortBytes = padBytes
)

// slot is a short entry of a dictionary.
type slot struct {
	value [slotBytes]byte
	size  int32
}

// text builds text and bytes.
type text struct {
	mem     memory.Allocator
	slots   []slot   // the dictionary, if all its entries are short
	entries [][]byte // the dictionary otherwise
	expect  int      // bytes of the last batch

	rawOffsets []byte
	offsets    []int32 // rawOffsets; one more than rows
	n          int     // values in offsets
	data       []byte  // longer than what is used by padBytes or more
	used       int
}

func (t *text) setDictionary(n int, buf []byte, pos, end int) error {
	if n > (end-pos)/4 {
		return errCorrupt("the dictionary page is cut off")
	}
	plain := append(make([]byte, 0, end-pos), buf[pos:end]...) // the buffer is used again
	t.entries = make([][]byte, n)
	longest := 0
	for i, at := 0, 0; i < n; i++ {
		size, ok := prefix(plain, at, len(plain))
		if !ok {
			return errCorrupt("the dictionary page is cut off")
		}
		t.entries[i] = plain[at+4 : at+4+size]
		at += 4 + size
		longest = max(longest, size)
	}
	if longest > slotBytes {
		return nil
	}
	t.slots = make([]slot, n)
	for i, e := range t.entries {
		t.slots[i].size = int32(copy(t.slots[i].value[:], e))
	}
	t.entries = nil
	return nil
}

// prefix returns the size of the value whose length is at pos.
func prefix(buf []byte, pos, end int) (int, bool) {
	if end-pos < 4 {
		return 0, false
	}
	size := int(binary.LittleEndian.Uint32(buf[pos:]))
	return size, size <= end-pos-4
}

func (t *text) begin(rows int) {
	t.rawOffsets = allocate(t.mem, arrow.Int32Traits.BytesRequired(rows+1))
	t.offsets = arrow.Int32Traits.CastFromBytes(t.rawOffsets)
	t.offsets[0], t.n, t.used = 0, 0, 0
	t.data = allocate(t.mem, t.expect+t.expect/16+padBytes)
}

// reserve makes room for n more bytes.
func (t *text) reserve(n int) error {
	need := t.used + n + padBytes
	if need <= len(t.data) {
		return nil
	}
	if need > math.MaxInt32 {
		return lake.Errorf(lake.KindUnsupported, "the text of a batch exceeds 2 GiB")
	}
	bigger := allocate(t.mem, max(need, min(2*len(t.data), math.MaxInt32)))
	copy(bigger, t.data[:t.used])
	t.mem.Free(t.data)
	t.data = bigger
	return nil
}

func (t *text) appendPlain(n int, buf []byte, pos, end int) (int, error) {
	at, total := pos, 0
	for range n {
		size, ok := prefix(buf, at, end)
		if !ok {
			return pos, errCorrupt("the values of a page are cut off")
		}
		at += 4 + size
		total += size
	}
	if err := t.reserve(total); err != nil {
		return pos, err
	}
	offsets, data, used := t.offsets[t.n+1:t.n+1+n], t.data, t.used
	for i := range offsets {
		size := int(binary.LittleEndian.Uint32(buf[pos:]))
		pos += 4
		if size <= shortBytes {
			*(*[shortBytes]byte)(data[used:]) = [shortBytes]byte(buf[pos:])
		} else {
			copy(data[used:], buf[pos:pos+size])
		}
		pos += size
		used += size
		offsets[i] = int32(used)
	}
	t.n, t.used = t.n+n, used
	return pos, nil
}

func (t *text) appendIndices(indices []uint32) error {
	if t.slots == nil {
		return t.appendLong(indices)
	}
	if err := t.reserve(len(indices) * slotBytes); err != nil {
		return err
	}
	slots, offsets, data, used := t.slots, t.offsets[t.n+1:t.n+1+len(indices)], t.data, t.used
	for i, index := range indices {
		if int(index) >= len(slots) {
			return errCorrupt("a dictionary of %d entries has no entry %d", len(slots), index)
		}
		s := &slots[index]
		*(*[slotBytes]byte)(data[used:]) = s.value
		used += int(s.size)
		offsets[i] = int32(used)
	}
	t.n, t.used = t.n+len(indices), used
	return nil
}

// appendLong appends entries of a dictionary of any sizes.
func (t *text) appendLong(indices []uint32) error {
	total := 0
	for _, index := range indices {
		if int(index) >= len(t.entries) {
			return errCorrupt("a dictionary of %d entries has no entry %d", len(t.entries), index)
		}
		total += len(t.entries[index])
	}
	if err := t.reserve(total); err != nil {
		return err
	}
	for _, index := range indices {
		t.used += copy(t.data[t.used:], t.entries[index])
		t.n++
		t.offsets[t.n] = int32(t.used)
	}
	return nil
}

func (t *text) spread(levels []uint32, values int) {
	first := t.n - values
	for i := len(levels) - 1; i >= 0; i-- {
		t.offsets[first+1+i] = t.offsets[first+values]
		values -= int(levels[i])
	}
	t.n = first + len(levels)
}

func (t *text) finish() []*memory.Buffer {
	offsets := memory.NewBufferWithAllocator(t.rawOffsets, t.mem)
	data := memory.NewBufferWithAllocator(t.data, t.mem)
	data.ResizeNoShrink(t.used)
	t.expect = t.used
	t.rawOffsets, t.offsets, t.data = nil, nil, nil
	return []*memory.Buffer{offsets, data}
}

func (t *text) abandon() {
	if t.rawOffsets != nil {
		t.mem.Free(t.rawOffsets)
		t.mem.Free(t.data)
		t.rawOffsets, t.offsets, t.data = nil, nil, nil
	}
}

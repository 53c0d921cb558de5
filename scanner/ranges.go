package scanner

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

const (
	// gapBytesMax is how much unneeded data is read rather than asked around:
	// a request to a remote store takes as long as reading some 100 KiB.
	gapBytesMax = 128 << 10
	// rangeBytesMax ends a range that could be longer, so that buffers are of
	// sizes that a Pool keeps.
	rangeBytesMax = 32 << 20
)

// byteRange is a part of an object, with its bytes once they are read.
type byteRange struct {
	from, to int64
	data     []byte
}

// ranges serves the column chunks of a row group from memory, as the
// io.ReaderAt and io.Seeker that a Parquet reader asks for.
type ranges struct {
	ctx    context.Context // io.ReaderAt has none; ranges live as long as one unit
	reader objstore.Reader
	mem    *Pool
	held   []byteRange // sorted
	pos    int64
}

// fetch reads the wanted parts, near ones together.
func (r *ranges) fetch(wanted []byteRange) error {
	slices.SortFunc(wanted, func(a, b byteRange) int { return cmp.Compare(a.from, b.from) })
	var merged []byteRange
	for _, w := range wanted {
		if w.from < 0 || w.to < w.from || w.to > r.reader.Size() {
			return lake.Errorf(lake.KindCorrupt, "a column chunk at bytes %d to %d lies outside the file of %d bytes", w.from, w.to, r.reader.Size())
		}
		if last := len(merged) - 1; last >= 0 && w.from <= merged[last].to+gapBytesMax &&
			max(w.to, merged[last].to)-merged[last].from <= rangeBytesMax {
			merged[last].to = max(merged[last].to, w.to)
			continue
		}
		merged = append(merged, w)
	}
	for _, m := range merged {
		m.data = r.mem.AllocateDirty(int(m.to - m.from))
		r.held = append(r.held, m)
		if err := readFull(r.ctx, r.reader, m.data, m.from); err != nil {
			return err
		}
	}
	slices.SortFunc(r.held, func(a, b byteRange) int { return cmp.Compare(a.from, b.from) })
	return nil
}

// bytes returns a part that was fetched, without copying it, until release;
// nil if it was not.
func (r *ranges) bytes(part byteRange) []byte {
	for _, h := range r.held {
		if part.from >= h.from && part.to <= h.to {
			return h.data[part.from-h.from : part.to-h.from]
		}
	}
	return nil
}

// release frees the memory; nothing may read afterwards.
func (r *ranges) release() {
	for _, h := range r.held {
		r.mem.Free(h.data)
	}
	r.held = nil
}

// ReadAt reads what was fetched from memory and the rest from the object.
func (r *ranges) ReadAt(p []byte, offset int64) (int, error) {
	for _, h := range r.held {
		if offset >= h.from && offset+int64(len(p)) <= h.to {
			return copy(p, h.data[offset-h.from:]), nil
		}
	}
	return r.reader.ReadAt(r.ctx, p, offset)
}

// Read and Seek are asked for by the Parquet reader's interface.
func (r *ranges) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (r *ranges) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.reader.Size()
	}
	r.pos = offset
	return offset, nil
}

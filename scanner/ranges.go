package scanner

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

const (
	// rangeBytesMax ends a range that could be longer, so that buffers are of
	// sizes that a Pool keeps.
	rangeBytesMax = 32 << 20
	// rangesAtOnceMax bounds the ranges of a row group that are asked for at once.
	// A store across a network answers each after some ten milliseconds.
	rangesAtOnceMax = 4
)

// heldRange is a part of an object with its bytes.
type heldRange struct {
	objstore.Range
	data []byte
}

// ranges serves the column chunks of a row group from memory, as the
// io.ReaderAt and io.Seeker that a Parquet reader asks for.
type ranges struct {
	ctx    context.Context // io.ReaderAt has none; ranges live as long as one unit
	reader objstore.Reader
	mem    *Pool
	held   []heldRange
	pos    int64
}

// fetch reads the wanted parts, near ones together.
func (r *ranges) fetch(wanted []objstore.Range) error {
	for _, w := range wanted {
		if w.From < 0 || w.To < w.From || w.To > r.reader.Size() {
			return lake.Errorf(lake.KindCorrupt, "a column chunk at bytes %d to %d lies outside the file of %d bytes", w.From, w.To, r.reader.Size())
		}
	}
	merged := objstore.Coalesce(wanted, objstore.GapBytesMax, rangeBytesMax)
	fresh := make([]heldRange, len(merged))
	for i, m := range merged {
		fresh[i] = heldRange{Range: m, data: r.mem.AllocateDirty(int(m.To - m.From))}
	}
	r.held = append(r.held, fresh...)
	if len(fresh) == 1 {
		return readFull(r.ctx, r.reader, fresh[0].data, fresh[0].From)
	}
	group, ctx := errgroup.WithContext(r.ctx)
	group.SetLimit(rangesAtOnceMax)
	for _, h := range fresh {
		group.Go(func() error { return readFull(ctx, r.reader, h.data, h.From) })
	}
	return group.Wait()
}

// bytes returns a part that was fetched, without copying it, until release;
// nil if it was not.
func (r *ranges) bytes(part objstore.Range) []byte {
	for _, h := range r.held {
		if part.From >= h.From && part.To <= h.To {
			return h.data[part.From-h.From : part.To-h.From]
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
		if offset >= h.From && offset+int64(len(p)) <= h.To {
			return copy(p, h.data[offset-h.From:]), nil
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

package flat

import "encoding/binary"

// padBytes follow every page in its buffer, so that values at its end can be
// loaded and copied in fixed sizes.
const padBytes = 64

// hybrid decodes the RLE/bit-packing hybrid of buf[pos:end], which is followed
// by padBytes.
type hybrid struct {
	buf      []byte
	pos, end int
	width    int // bits of a value, 0 to 32

	left   int // values of the current run
	packed bool
	bit    int    // of a packed run: position in buf of the next value
	value  uint32 // of a repeated one
}

// run goes on to the next run.
func (h *hybrid) run() error {
	head, n := binary.Uvarint(h.buf[h.pos:h.end])
	if n <= 0 || head>>1 > maxRun {
		return errCorrupt("a run of indices or levels is cut off")
	}
	h.pos += n
	h.left, h.packed = int(head>>1), head&1 == 1 && h.width > 0
	if h.packed {
		// A writer may leave out the padding of the last group.
		size := min(h.left*h.width, h.end-h.pos)
		h.left, h.bit = size*8/h.width, h.pos*8
		h.pos += size
		return nil
	}
	if head&1 == 1 { // groups of values without bits
		h.left *= 8
	}
	size := (h.width + 7) / 8
	if size > h.end-h.pos {
		return errCorrupt("a run of indices or levels is cut off")
	}
	h.value = binary.LittleEndian.Uint32(h.buf[h.pos:]) & (1<<(8*size) - 1)
	h.pos += size
	return nil
}

// maxRun is more than any page holds.
const maxRun = 1 << 31

// read decodes as many values as dst has.
func (h *hybrid) read(dst []uint32) error {
	for len(dst) > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
			continue
		}
		n := min(h.left, len(dst))
		if h.packed {
			h.unpack(dst[:n])
		} else {
			for i := range dst[:n] {
				dst[i] = h.value
			}
		}
		h.left -= n
		dst = dst[n:]
	}
	return nil
}

func (h *hybrid) unpack(dst []uint32) {
	mask := uint64(1)<<h.width - 1
	buf, bit, width := h.buf, h.bit, h.width
	for i := range dst {
		word := binary.LittleEndian.Uint64(buf[bit>>3:])
		dst[i] = uint32(word >> (bit & 7) & mask)
		bit += width
	}
	h.bit = bit
}

// ones consumes n values if they all are 1 and of one run.
func (h *hybrid) ones(n int) (bool, error) {
	for h.left == 0 && n > 0 {
		if err := h.run(); err != nil {
			return false, err
		}
	}
	if h.packed || h.value != 1 || h.left < n {
		return false, nil
	}
	h.left -= n
	return true, nil
}

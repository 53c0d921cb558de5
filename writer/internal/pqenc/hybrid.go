package pqenc

import (
	"encoding/binary"
	"math/bits"
)

// hybridGroup is how many values a bit-packed group holds.
const hybridGroup = 8

// appendHybrid appends values, all below 1<<width, in the RLE/bit-packing
// hybrid (Parquet Encodings.md, RLE = 3). Equal values become a run as soon as
// they fill a group; the rest is bit-packed.
func appendHybrid[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	if width == 0 {
		return appendRun(dst, uint32(0), len(values), 0)
	}
	start := 0 // first value of the pending bit-packed groups
	for i := 0; i < len(values); {
		n := runLength(values[i:])
		if n < hybridGroup {
			i += hybridGroup
			continue
		}
		dst = appendPacked(dst, values[start:i], width)
		dst = appendRun(dst, uint32(values[i]), n, width)
		i += n
		start = i
	}
	return appendPacked(dst, values[start:], width)
}

// runLength returns how many values at the front are equal, or less than a
// group if they do not fill one.
func runLength[T uint8 | uint32](values []T) int {
	if len(values) < hybridGroup || values[0] != values[hybridGroup-1] {
		return 0
	}
	first := values[0]
	for i, v := range values {
		if v != first {
			return i
		}
	}
	return len(values)
}

func appendRun(dst []byte, value uint32, n, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for w := 0; w < width; w += 8 {
		dst = append(dst, byte(value>>w))
	}
	return dst
}

// appendPacked appends values as one bit-packed run, padded with zeros to a
// whole group.
func appendPacked[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + hybridGroup - 1) / hybridGroup
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var acc uint64
	var used int
	for _, v := range values {
		acc |= uint64(v) << used
		used += width
		if used >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc >>= 32
			used -= 32
		}
	}
	for ; used > 0; used -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// bitWidth returns the width of values up to most.
func bitWidth(most int) int { return bits.Len(uint(most)) }

// appendLevels appends levels up to most as a data page of version 1 holds
// them: the length in four bytes, then the hybrid. If levels is nil, n levels
// of value most are meant.
func appendLevels(dst []byte, levels []uint8, n int, most uint8) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	width := bitWidth(int(most))
	if levels == nil {
		dst = appendRun(dst, uint32(most), n, width)
	} else {
		dst = appendHybrid(dst, levels, width)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

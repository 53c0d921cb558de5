package ipcverify

import (
	"encoding/binary"
	"errors"
)

const (
	zstdMagic = 0xFD2FB528
	// windowBytesMax is the window that every decoder of Zstandard should support (RFC 8878,
	// section 3.1.1.1.2), and encoders need for their usual levels. A decoder allocates it.
	windowBytesMax = 8 << 20
)

var errZstd = errors.New("a compressed buffer is damaged")

// checkZstd checks a buffer that holds one Zstandard frame (RFC 8878, section 3.1.1) of size
// bytes: its window, and that nothing follows it.
func checkZstd(b []byte, size int64) error {
	const header = 5 // magic and descriptor
	if len(b) < header || binary.LittleEndian.Uint32(b) != zstdMagic {
		return errZstd
	}
	descriptor := b[4]
	single, checksum := descriptor&0x20 != 0, descriptor&0x04 != 0
	if descriptor&0x08 != 0 || descriptor&0x03 != 0 { // reserved; or with a dictionary
		return errZstd
	}
	rest := b[header:]
	window := int64(0)
	if !single {
		if len(rest) == 0 {
			return errZstd
		}
		base := int64(1) << (10 + rest[0]>>3)
		window = base + base/8*int64(rest[0]&7)
		rest = rest[1:]
	}
	content, rest, ok := zstdContent(rest, descriptor>>6, single)
	if !ok || content >= 0 && content != size {
		return errZstd
	}
	if single {
		window = content
	}
	if window > max(windowBytesMax, size) {
		return limitError("a compressed buffer needs a window of more than %d bytes", windowBytesMax)
	}
	for last := false; !last; {
		if len(rest) < 3 {
			return errZstd
		}
		block := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last = block&1 != 0
		length := block >> 3
		switch block >> 1 & 3 {
		case 1: // one byte, repeated
			length = 1
		case 3:
			return errZstd
		}
		if rest = rest[3:]; len(rest) < length {
			return errZstd
		}
		rest = rest[length:]
	}
	if checksum && len(rest) == 4 || !checksum && len(rest) == 0 {
		return nil
	}
	return errZstd
}

// zstdContent reads the size of a frame's content, and returns -1 if the frame does not say
// it.
func zstdContent(b []byte, flag byte, single bool) (content int64, rest []byte, ok bool) {
	width := 1 << flag
	if flag == 0 && !single {
		return -1, b, true
	}
	if len(b) < width {
		return 0, nil, false
	}
	switch flag {
	case 0:
		content = int64(b[0])
	case 1:
		content = int64(binary.LittleEndian.Uint16(b)) + 256
	case 2:
		content = int64(binary.LittleEndian.Uint32(b))
	default:
		content = int64(binary.LittleEndian.Uint64(b))
	}
	return content, b[width:], content >= 0
}

package flightsvc

import (
	"encoding/binary"
	"math"

	"github.com/flightlake/flightlake/lake"
)

// decoder reads the fields of a sealed body; bad is set once the body is too
// short or a number is out of range.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	size, n := binary.Uvarint(d.rest)
	if n <= 0 || size > uint64(len(d.rest)-n) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[n : n+int(size)]
	d.rest = d.rest[n+int(size):]
	return b
}

func (d *decoder) bound() lake.Bound {
	file, group := d.varint(), d.varint()
	if group < math.MinInt32 || group > math.MaxInt32 {
		d.bad = true
	}
	return lake.Bound{File: lake.FileID(file), RowGroup: int32(group)}
}

func appendInts(b []byte, values ...int64) []byte {
	for _, v := range values {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func appendText[T string | []byte](b []byte, field T) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

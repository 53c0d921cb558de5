package pqenc

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// decodeHybrid is the plain decoder that appendHybrid is checked against.
func decodeHybrid(t *rapid.T, data []byte, width, n int) []uint32 {
	var values []uint32
	for len(values) < n {
		header, size := binary.Uvarint(data)
		require.Positive(t, size)
		data = data[size:]
		if header&1 == 0 {
			value := uint32(0)
			for i := range (width + 7) / 8 {
				value |= uint32(data[i]) << (8 * i)
			}
			data = data[(width+7)/8:]
			for range header >> 1 {
				values = append(values, value)
			}
			continue
		}
		count := int(header>>1) * 8
		for i := range count {
			value := uint32(0)
			for b := range width {
				at := i*width + b
				value |= uint32(data[at/8]>>(at%8)&1) << b
			}
			values = append(values, value)
		}
		data = data[count*width/8:]
	}
	require.Empty(t, data)
	return values[:n]
}

func TestHybridIsDecodedToTheSameValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(1, 32).Draw(rt, "width")
		var values []uint32
		for range rapid.IntRange(1, 20).Draw(rt, "runs") {
			value := uint32(rapid.Uint64Range(0, 1<<width-1).Draw(rt, "value"))
			for range rapid.SampledFrom([]int{1, 2, 7, 8, 9, 16, 100}).Draw(rt, "length") {
				values = append(values, value)
			}
		}
		data := appendHybrid(nil, values, width)
		require.Equal(rt, values, decodeHybrid(rt, data, width, len(values)))
	})
}

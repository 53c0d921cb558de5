package lake_test

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestHalfToFloatIsExact(t *testing.T) {
	t.Parallel()
	for bits := range 1 << 16 {
		sign, exponent, mantissa := bits>>15, bits>>10&0x1f, bits&0x3ff
		got := lake.HalfToFloat(float16.FromBits(uint16(bits)))
		want := math.Ldexp(float64(mantissa), -24)
		switch {
		case exponent == 31 && mantissa != 0:
			require.True(t, math.IsNaN(float64(got)), "%x", bits)
			continue
		case exponent == 31:
			want = math.Inf(1)
		case exponent > 0:
			want = math.Ldexp(float64(1<<10|mantissa), exponent-25)
		}
		if sign == 1 {
			want = math.Copysign(want, -1)
		}
		require.Equal(t, math.Float64bits(want), math.Float64bits(float64(got)), "%x", bits)
	}
}

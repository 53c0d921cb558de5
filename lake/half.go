package lake

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/float16"
)

// HalfToFloat returns a half-precision number (IEEE 754 binary16) as a float32, which holds
// all of them. It stands in for float16.Num.Float32, which gets subnormal numbers wrong.
func HalfToFloat(h float16.Num) float32 {
	const mantissaBits, exponentMax, subnormal = 10, 0x1f, 1.0 / (1 << 24)
	bits := uint32(h.Uint16())
	sign, exponent, mantissa := bits>>15<<31, bits>>mantissaBits&exponentMax, bits&(1<<mantissaBits-1)
	switch exponent {
	case 0:
		f := float32(mantissa) * subnormal
		return math.Float32frombits(sign | math.Float32bits(f))
	case exponentMax:
		return math.Float32frombits(sign | 0xff<<23 | mantissa<<(23-mantissaBits))
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | mantissa<<(23-mantissaBits))
}

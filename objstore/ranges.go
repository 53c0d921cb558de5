package objstore

import (
	"cmp"
	"slices"
)

// GapBytesMax is how much unneeded data is better read than asked around: a
// request to a store across a network takes as long as reading some 100 KiB.
const GapBytesMax = 128 << 10

// Range is a part of an object: the bytes from From up to, but without, To.
type Range struct{ From, To int64 }

// Coalesce returns the ranges to read for the given ones, sorted: those that
// overlap or are at most gapBytesMax apart are read as one, unless that would be
// longer than bytesMax. Each given range lies in one of the result, also one
// that is itself longer. It sorts ranges.
func Coalesce(ranges []Range, gapBytesMax, bytesMax int64) []Range {
	slices.SortFunc(ranges, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To))
	})
	var merged []Range
	for _, r := range ranges {
		if len(merged) > 0 {
			last := &merged[len(merged)-1]
			if r.To <= last.To {
				continue
			}
			if r.From <= last.To+gapBytesMax && r.To-last.From <= bytesMax {
				last.To = r.To
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

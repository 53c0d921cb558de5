package scanner

import "sync/atomic"

// budget is what the scans of a Scanner hold ahead of their consumers. No scan
// waits for another: one that finds no room goes on with what its own consumer
// waits for, and looks again when that has taken something.
type budget struct {
	scanMax, totalMax int64 // bytes

	scans atomic.Int64 // open ones
	used  atomic.Int64 // bytes of all
}

// fits reports whether a scan that holds own bytes may hold more of them.
func (b *budget) fits(own, more int64) bool {
	share := min(b.scanMax, b.totalMax/max(b.scans.Load(), 1))
	return own+more <= share && b.used.Load()+more <= b.totalMax
}

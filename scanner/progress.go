package scanner

import "github.com/apache/arrow-go/v18/arrow/memory"

// WithAllocator returns a Scanner whose batches come from what wrapFunc makes of
// its allocator, such as one that counts, and else is s: both share their limits.
func (s *Scanner) WithAllocator(wrapFunc func(memory.Allocator) memory.Allocator) *Scanner {
	out := *s
	out.mem = wrapFunc(s.mem)
	return &out
}

// Progress returns the share of the row groups whose rows were handed out or found
// not to match, within [0, 1]. It may be called while the reader is read.
func (r *orderedReader) Progress() float64 {
	p := r.pipeline
	p.mu.Lock()
	defer p.mu.Unlock()
	left := 0
	for _, u := range p.units {
		if !u.done || len(u.queue) > 0 {
			left++
		}
	}
	// A file whose row groups were not known counts as one at first.
	total := max(r.units, left)
	if total == 0 {
		return 1
	}
	return 1 - float64(left)/float64(total)
}

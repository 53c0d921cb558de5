package scanner

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Buffers between these sizes are kept for reuse, in classes of four per
// power of two; smaller ones cost less to make, larger ones are rare.
const (
	poolBytesMin = 4 << 10
	poolBytesMax = 64 << 20
	poolClasses  = 4 * 16
)

// Pool is a memory.Allocator that reuses buffers. The scan of a large table
// allocates gigabytes in buffers of a few sizes, which without it the garbage
// collector has to find. A buffer that is never freed is collected as usual.
// It is safe for concurrent use.
type Pool struct {
	fresh   memory.GoAllocator
	classes [poolClasses]sync.Pool // of *[]byte whose length is the class's size
}

var _ memory.Allocator = (*Pool)(nil)

// NewPool returns an empty Pool.
func NewPool() *Pool { return &Pool{} }

// classOf returns the smallest class that holds n bytes, and its size.
func classOf(n int) (class, size int) {
	if n <= poolBytesMin || n > poolBytesMax {
		return -1, n
	}
	power := bits.Len(uint(n-1)) - 1 // 2^power < n <= 2^(power+1)
	quarter := 1 << (power - 2)
	step := (n - 1 - 1<<power) / quarter
	return (power-bits.Len(poolBytesMin)+1)*4 + step, 1<<power + (step+1)*quarter
}

// Allocate returns n zeroed bytes, aligned to 64. They are zeroed because what
// lies under a NULL travels to clients.
func (p *Pool) Allocate(n int) []byte {
	class, size := classOf(n)
	if class < 0 {
		return p.fresh.Allocate(n)
	}
	if kept, ok := p.classes[class].Get().(*[]byte); ok {
		b := (*kept)[:n]
		clear(b)
		return b
	}
	return p.fresh.Allocate(size)[:n]
}

// AllocateDirty returns n bytes, aligned to 64, of any content, for a caller
// that overwrites all of them.
func (p *Pool) AllocateDirty(n int) []byte {
	if class, _ := classOf(n); class >= 0 {
		if kept, ok := p.classes[class].Get().(*[]byte); ok {
			return (*kept)[:n]
		}
	}
	return p.Allocate(n)
}

// Reallocate returns b with the length n, moved if it does not fit.
func (p *Pool) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		if n > len(b) {
			clear(b[len(b):n])
		}
		return b[:n]
	}
	out := p.Allocate(n)
	copy(out, b)
	p.Free(b)
	return out
}

// Free keeps b for reuse.
func (p *Pool) Free(b []byte) {
	if class, size := classOf(cap(b)); class >= 0 && size == cap(b) {
		b = b[:size]
		p.classes[class].Put(&b)
	}
}

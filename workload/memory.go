package workload

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// Allocator counts what the statement allocates. Memory may be freed after End.
type Allocator struct {
	memory.Allocator
	statement *turn
	registry  *Registry
}

var _ memory.Allocator = (*Allocator)(nil)

// Allocator returns one that allocates from mem and counts the bytes for the
// statement. It does not refuse: Check does.
func (s *Statement) Allocator(mem memory.Allocator) *Allocator {
	return &Allocator{Allocator: mem, statement: s.turn, registry: s.registry}
}

// Allocate implements memory.Allocator.
func (a *Allocator) Allocate(size int) []byte {
	a.add(int64(size))
	return a.Allocator.Allocate(size)
}

// AllocateDirty returns bytes of any content, for a caller that overwrites all of
// them: an allocator that hands out used buffers need not zero them. Without it
// the scanner would zero every buffer before it decodes into it.
func (a *Allocator) AllocateDirty(size int) []byte {
	a.add(int64(size))
	if below, ok := a.Allocator.(interface{ AllocateDirty(size int) []byte }); ok {
		return below.AllocateDirty(size)
	}
	return a.Allocator.Allocate(size)
}

// Reallocate implements memory.Allocator.
func (a *Allocator) Reallocate(size int, b []byte) []byte {
	a.add(int64(size - len(b)))
	return a.Allocator.Reallocate(size, b)
}

// Free implements memory.Allocator.
func (a *Allocator) Free(b []byte) {
	a.add(-int64(len(b)))
	a.Allocator.Free(b)
}

func (a *Allocator) add(n int64) {
	a.statement.memory.Add(n)
	a.registry.memory.Add(n)
}

// Hold counts bytes that the statement holds beside its allocators: by how many they
// grew, or shrank.
func (s *Statement) Hold(delta int64) {
	s.turn.memory.Add(delta)
	s.registry.memory.Add(delta)
}

// Share returns how many bytes a statement may hold so that all that run now may hold as
// much: what all may hold together divided by their number, at most what one may hold.
func (s *Statement) Share() int64 {
	r := s.registry
	r.mu.Lock()
	running := int64(max(1, r.running))
	r.mu.Unlock()
	return min(r.options.MemoryBytesMax, r.options.MemoryTotalMax/running)
}

// checkMemory ends the statement if it holds too much, and the one that holds
// most if all together do.
//
// Errors: KindExhausted if it was this one.
func (r *Registry) checkMemory(s *Statement) error {
	held := s.turn.memory.Load()
	if limit := r.options.MemoryBytesMax; held > limit {
		err := lake.Errorf(lake.KindExhausted, "statement %s holds %d bytes of memory; one statement may hold %d (statement_memory_bytes)",
			s.info.ID, held, limit)
		s.stop(err)
		return err
	}
	if r.memory.Load() <= r.options.MemoryTotalMax {
		return nil
	}
	largest, calls := r.largest()
	if largest == nil {
		return nil // others hold it who have ended, and are about to free it
	}
	err := lake.Errorf(lake.KindExhausted, "statement %s was ended because it holds most of the %d bytes of memory that all statements may hold (statements_memory_bytes)",
		largest.info.ID, r.options.MemoryTotalMax)
	for _, call := range calls {
		call.stop(err)
	}
	if largest != s.turn {
		return nil
	}
	return err
}

// largest returns the statement whose allocators hold most, and its calls; nil if
// none holds anything.
func (r *Registry) largest() (*turn, []*Statement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var most *turn
	var bytes int64
	for _, t := range r.turns {
		if held := t.memory.Load(); held > bytes {
			most, bytes = t, held
		}
	}
	if most == nil {
		return nil, nil
	}
	return most, slices.Clone(most.calls)
}

// Package cache holds what is expensive to fetch again, in memory, within
// budgets of bytes: Cache is a least-recently-used map with loading; Tables
// and States stand in front of the catalog, Bucket in front of the object
// store and keeps the ends of objects, where footers are.
//
// Everything cached is immutable by design (a snapshot's files, a schema
// version, an object), so entries are evicted but never go stale. The package
// knows neither the catalog nor Parquet.
package cache

import (
	"context"
	"iter"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/flightlake/flightlake/internal/invariant"
)

// EntryBytes is charged for each entry on top of its cost: the list element,
// two map entries and the counters. It keeps entries that cost nothing bounded.
const EntryBytes = 256

// Stats are the counters of a cache since it was made, and its size now.
type Stats struct {
	Hits      int64 // answered from memory
	Misses    int64 // loads begun, failed ones included
	Shared    int64 // answered by the load of another caller
	Evictions int64 // entries dropped to stay within the budget
	Entries   int64
	Bytes     int64
	BytesMax  int64
}

// Cache maps keys to immutable values, of which it keeps the most recently
// used within a budget. It is safe for concurrent use: values are loaded without mu,
// once for all callers who miss them meanwhile, so that no hit waits for I/O.
type Cache[K comparable, V any] struct {
	bytesMax int64
	ledger   ledger[K, V]

	// mu guards the fields below.
	mu      sync.Mutex
	entries *simplelru.LRU[K, V]
	flights map[K]*flight[V]
	// INVARIANT: stats.Bytes is the sum of what ledger charged for entries, and EntryBytes for each.
	stats Stats
}

// ledger returns what entries cost. All but cost are called with Cache.mu held.
type ledger[K comparable, V any] interface {
	// cost returns the bytes that the value holds by itself.
	cost(K, V) int64
	// charge returns the bytes by which memory grows with the entry.
	charge(K, V) int64
	// refund returns the bytes by which memory shrinks without the entry.
	refund(K, V) int64
	// sum returns the bytes that entries take together, computed anew: what was
	// charged for them and not refunded.
	sum(iter.Seq2[K, V]) int64
}

// flight is a load that is under way.
type flight[V any] struct {
	done chan struct{} // closed after the fields below are set

	value V
	err   error
	// abandoned says that the load ended without a result that concerns
	// others: its caller was cancelled, or panicked.
	abandoned bool
}

// New returns an empty Cache of at most bytesMax bytes; with 0 nothing is
// kept, but loads are still shared. costFunc returns the bytes of an entry,
// must always return the same for the same entry, and may be called from
// several goroutines.
func New[K comparable, V any](bytesMax int64, costFunc func(K, V) int64) *Cache[K, V] {
	return newCache(bytesMax, plainLedger[K, V](costFunc))
}

func newCache[K comparable, V any](bytesMax int64, l ledger[K, V]) *Cache[K, V] {
	entries, err := simplelru.NewLRU[K, V](math.MaxInt, nil)
	if err != nil {
		panic(err) // only for a size of zero or less
	}
	return &Cache[K, V]{bytesMax: bytesMax, ledger: l, entries: entries, flights: map[K]*flight[V]{}}
}

// Get returns the value of key, by load if it is not cached. Callers that miss
// the same key at once share one load, which runs with the context of the
// first. If that one is cancelled, the next loads in its place; if another is,
// the load goes on without it. Errors are returned to all who wait and are not
// cached. A value that is larger than the budget is returned and not kept.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	var zero V
	for {
		if err := ctx.Err(); err != nil {
			return zero, err
		}
		c.mu.Lock()
		if value, ok := c.entries.Get(key); ok {
			c.stats.Hits++
			c.mu.Unlock()
			return value, nil
		}
		f, ok := c.flights[key]
		if !ok {
			f = &flight[V]{done: make(chan struct{})}
			c.flights[key] = f
			c.stats.Misses++
			c.mu.Unlock()
			return c.fly(ctx, key, f, load)
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return zero, ctx.Err()
		}
		if !f.abandoned {
			c.mu.Lock()
			c.stats.Shared++
			c.mu.Unlock()
			return f.value, f.err
		}
	}
}

// fly runs load and hands its result to the cache and to those who wait for f.
func (c *Cache[K, V]) fly(
	ctx context.Context, key K, f *flight[V], load func(context.Context) (V, error),
) (V, error) {
	f.abandoned = true // until load returns: it may panic
	defer func() {
		c.land(key, f)
		close(f.done)
	}()
	f.value, f.err = load(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
	return f.value, f.err
}

// land ends a flight and keeps its value, unless Remove was called meanwhile.
func (c *Cache[K, V]) land(key K, f *flight[V]) {
	cost := int64(0)
	if !f.abandoned && f.err == nil {
		cost = c.ledger.cost(key, f.value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] != f {
		return
	}
	delete(c.flights, key)
	if !f.abandoned && f.err == nil && cost <= c.bytesMax-EntryBytes {
		c.drop(key) // a Put may have come first
		c.put(key, f.value)
	}
}

// Peek returns the value of key if it is cached. It counts nothing and does
// not make the entry more recent.
func (c *Cache[K, V]) Peek(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Peek(key)
}

// Lookup returns the value of key if it is cached, and counts it. A miss is
// counted by the Get that follows.
func (c *Cache[K, V]) Lookup(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.entries.Get(key)
	if ok {
		c.stats.Hits++
	}
	return value, ok
}

// Put keeps value for key instead of what is cached, unless it is larger than
// the budget, and reports whether it did.
func (c *Cache[K, V]) Put(key K, value V) bool {
	fits := c.ledger.cost(key, value) <= c.bytesMax-EntryBytes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	if fits {
		c.put(key, value)
	}
	return fits
}

// put adds an entry that is not there and evicts others. mu is held.
func (c *Cache[K, V]) put(key K, value V) {
	c.entries.Add(key, value)
	c.stats.Bytes += c.ledger.charge(key, value) + EntryBytes
	for c.stats.Bytes > c.bytesMax {
		oldest, old, ok := c.entries.RemoveOldest()
		if !ok {
			break
		}
		c.stats.Bytes -= c.ledger.refund(oldest, old) + EntryBytes
		c.stats.Evictions++
	}
	c.checkBytes()
}

// drop removes an entry if it is there. mu is held.
func (c *Cache[K, V]) drop(key K) {
	if value, ok := c.entries.Peek(key); ok {
		c.entries.Remove(key)
		c.stats.Bytes -= c.ledger.refund(key, value) + EntryBytes
		c.checkBytes()
	}
}

// checkBytes is called after every change of entries. mu is held.
func (c *Cache[K, V]) checkBytes() {
	invariant.Check("stats.Bytes is the sum of what ledger charged for entries, and EntryBytes for each.", func() bool {
		charged := c.ledger.sum(func(yield func(K, V) bool) {
			for _, key := range c.entries.Keys() {
				if value, ok := c.entries.Peek(key); !ok || !yield(key, value) {
					return
				}
			}
		})
		return c.stats.Bytes == charged+EntryBytes*int64(c.entries.Len())
	})
}

// Remove drops the entry of key. The result of a load that is under way is
// handed to those who wait for it and not kept; later callers load anew.
func (c *Cache[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, key)
	c.drop(key)
}

// RemoveFunc is Remove for every key that match accepts. Its cost is linear in
// the number of entries; match must not call the Cache.
func (c *Cache[K, V]) RemoveFunc(match func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.flights {
		if match(key) {
			delete(c.flights, key)
		}
	}
	for _, key := range c.entries.Keys() {
		if match(key) {
			c.drop(key)
		}
	}
}

// Stats returns the counters.
func (c *Cache[K, V]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries, s.BytesMax = int64(c.entries.Len()), c.bytesMax
	return s
}

// plainLedger charges every entry its own cost.
type plainLedger[K comparable, V any] func(K, V) int64

func (l plainLedger[K, V]) cost(k K, v V) int64   { return l(k, v) }
func (l plainLedger[K, V]) charge(k K, v V) int64 { return l(k, v) }
func (l plainLedger[K, V]) refund(k K, v V) int64 { return l(k, v) }

func (l plainLedger[K, V]) sum(entries iter.Seq2[K, V]) int64 {
	var bytes int64
	for k, v := range entries {
		bytes += l(k, v)
	}
	return bytes
}

package flightsvc

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// messagePool lends buffers for outgoing messages. gRPC's own pool clears what it
// lends, which is 8 % of the server's time in an export, and messages are
// overwritten in full anyway.
type messagePool struct {
	pool *sync.Pool
}

var _ mem.BufferPool = messagePool{}

// messageBuffers is shared by all streams; it holds only what the garbage
// collector leaves it.
var messageBuffers = messagePool{pool: new(sync.Pool)}

// Get returns a buffer of the given length with any content.
func (p messagePool) Get(length int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok && cap(*b) >= length {
		*b = (*b)[:length]
		return b
	}
	b := make([]byte, length)
	return &b
}

// Put takes a buffer back.
func (p messagePool) Put(b *[]byte) { p.pool.Put(b) }

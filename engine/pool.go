package engine

import (
	"context"
	"sync"
	"time"
)

// pool is a bounded set of connections of one instance. Those who find none
// free wait in the order of the channel.
type pool struct {
	instance *instance
	slots    chan struct{}

	mu   sync.Mutex
	idle []*connection // guarded by mu
}

func newPool(in *instance, connectionsMax int) *pool {
	return &pool{instance: in, slots: make(chan struct{}, connectionsMax)}
}

// take returns a connection of which the caller has the sole use, and waits for
// one if all are in use.
func (p *pool) take(ctx context.Context) (*connection, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := p.instance.connect()
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

// put gives a connection back.
func (p *pool) put(c *connection) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	<-p.slots
}

// discard closes a connection that is not fit for use any more.
func (p *pool) discard(c *connection) {
	c.close()
	<-p.slots
}

// close closes the idle connections.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}

// interruptInterval is how often a cancelled connection is interrupted until
// the call in progress returns: DuckDB forgets an interruption that arrives
// just before a statement begins.
const interruptInterval = 5 * time.Millisecond

// watch interrupts c when ctx ends, and cancels the reads of the sources, for
// which DuckDB waits. The caller calls stop when the connection is idle; after
// stop has returned no interruption happens.
func watch(ctx context.Context, c *connection, sources ...*registration) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	idle, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-idle:
			return
		case <-ctx.Done():
		}
		for _, source := range sources {
			source.cancel()
		}
		tick := time.NewTicker(interruptInterval)
		defer tick.Stop()
		for {
			c.interrupt()
			select {
			case <-idle:
				return
			case <-tick.C:
			}
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() { close(idle) })
		<-done
	}
}

package engine

import (
	"context"
	"sync"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// pool is a bounded set of connections of one instance.
type pool struct {
	instance  *instance
	slots     chan struct{}
	abandoned abandoned

	mu   sync.Mutex
	idle []*connection // guarded by mu
}

func newPool(in *instance, connectionsMax int) *pool {
	return &pool{instance: in, slots: make(chan struct{}, connectionsMax)}
}

// take returns a connection of which the caller has the sole use, and waits for
// one if all are in use, in the order of the channel.
//
// Errors: KindExhausted while too many calls were abandoned; that of ctx.
func (p *pool) take(ctx context.Context) (*connection, error) {
	if err := p.abandoned.check(); err != nil {
		return nil, err
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.get()
}

// takeNow is take for those who must not wait.
//
// Errors: KindExhausted if all connections are in use.
func (p *pool) takeNow() (*connection, error) {
	if err := p.abandoned.check(); err != nil {
		return nil, err
	}
	select {
	case p.slots <- struct{}{}:
	default:
		return nil, lake.Errorf(lake.KindExhausted, "%d results are open in the engine, which is the limit; read or close some", cap(p.slots))
	}
	return p.get()
}

// get returns an idle connection, or a new one. The caller has a slot.
func (p *pool) get() (*connection, error) {
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

// lose gives up a connection in which an abandoned call goes on: whoever ends that
// closes it.
func (p *pool) lose() { <-p.slots }

// close closes the idle connections. It reports false if abandoned calls still use
// others, so that the instance cannot be closed.
func (p *pool) close() bool {
	p.mu.Lock()
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
	p.mu.Unlock()
	return p.abandoned.wait()
}

// with runs f on a connection of the pool and returns what it does, or the error of ctx
// soon after that has ended; see call. after runs when f has ended, in whatever goroutine.
func with[T any](ctx context.Context, p *pool, f func(*connection) (T, error), after func()) (T, error) {
	c, err := p.take(ctx)
	if err != nil {
		after()
		var zero T
		return zero, err
	}
	value, err, lost := call(ctx, &p.abandoned, c, func() (T, error) { return f(c) }, func(T, error) {
		c.close()
		after()
	})
	if lost {
		p.lose()
		return value, err
	}
	p.put(c)
	after()
	return value, err
}

// interruptInterval is how often a cancelled connection is interrupted until
// the call in progress returns: DuckDB forgets an interruption that arrives
// just before a statement begins.
const interruptInterval = 5 * time.Millisecond

// interruptUntil interrupts what runs on c again and again until ended is closed.
func (c *connection) interruptUntil(ended <-chan struct{}) {
	tick := time.NewTicker(interruptInterval)
	defer tick.Stop()
	for {
		c.interrupt()
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

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
		c.interruptUntil(idle)
	}()
	var once sync.Once
	return func() {
		once.Do(func() { close(idle) })
		<-done
	}
}

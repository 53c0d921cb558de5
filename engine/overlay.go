package engine

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Overlay is what one query sees in place of what the mirror shows of schemas,
// tables and views: in information_schema, DESCRIBE, SHOW and the binding of the
// client's own text. It is not modified while a query uses it. It costs an instance
// of DuckDB for as long as the query runs, so queries whose tables are all
// sources should do without.
type Overlay struct {
	// State is what is shown of the lake.
	State *lake.State
	// Temporary are shown as temporary tables, which unqualified names find first.
	Temporary []lake.Table
}

// overlays are the executors on which queries with an Overlay run, one on each
// at a time: DuckDB refuses that two transactions make tables of one name, and a
// Sync must not wait for the readers of a client.
type overlays struct {
	main  *Executor
	slots chan struct{} // one for each that is in use

	mu     sync.Mutex
	idle   []*Executor // guarded by mu
	closed bool        // guarded by mu
}

const (
	// overlaysIdleMax is how many executors are kept for later queries.
	overlaysIdleMax = 4
	// overlayWait is how long a query waits for an executor: longer than others use one that
	// look at schemas, and not for ever, as a client may not read on.
	overlayWait = 5 * time.Second
)

// take returns an executor that shows what the overlay says and of which the
// caller has the sole use until it calls finish.
//
// Errors: KindExhausted if too many are in use for a while; that of ctx.
func (o *overlays) take(ctx context.Context, overlay *Overlay) (*Executor, error) {
	x, err := o.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.mirror.show(ctx, x.syncing, overlay.State); err != nil {
		o.put(x)
		return nil, err
	}
	return x, nil
}

func (o *overlays) get(ctx context.Context) (*Executor, error) {
	timer := time.NewTimer(overlayWait)
	defer timer.Stop()
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, lake.Errorf(lake.KindExhausted, "%d results are open that show schemas of transactions, temporary tables or what not everybody sees, "+
			"which is the limit; read or close some", cap(o.slots))
	}
	o.mu.Lock()
	if n := len(o.idle); n > 0 {
		x := o.idle[n-1]
		o.idle = o.idle[:n-1]
		o.mu.Unlock()
		return x, nil
	}
	o.mu.Unlock()
	x, err := o.open()
	if err != nil {
		<-o.slots
	}
	return x, err
}

func (o *overlays) open() (*Executor, error) {
	opts := o.main.opts
	opts.ConnectionsMax = 1
	opts.MemoryLimitBytes /= int64(opts.OverlaysMax) // all of them together have as much again
	opts.TempDir = ""                                // a folder of temporary files is of one instance
	return newExecutor(o.main.mem, opts, o.main)
}

// put gives an executor back.
func (o *overlays) put(x *Executor) {
	o.mu.Lock()
	keep := !o.closed && len(o.idle) < overlaysIdleMax
	if keep {
		o.idle = append(o.idle, x)
	}
	o.mu.Unlock()
	if !keep {
		x.Close()
	}
	<-o.slots
}

func (o *overlays) close() {
	o.mu.Lock()
	idle := o.idle
	o.idle, o.closed = nil, true
	o.mu.Unlock()
	for _, x := range idle {
		x.Close()
	}
}

// takeFor returns a connection whose default schema is schema, and the executor
// that it belongs to, which is another one if there is an overlay. The caller
// calls finish of that executor.
func (x *Executor) takeFor(ctx context.Context, schema string, overlay *Overlay) (*Executor, *connection, error) {
	if overlay == nil {
		c, err := x.take(schema)
		return x, c, err
	}
	side, err := x.overlays.take(ctx, overlay)
	if err != nil {
		return nil, nil, err
	}
	c, err := side.take(schema)
	if err != nil {
		x.overlays.put(side)
		return nil, nil, err
	}
	return side, c, nil
}

// beginReading begins a read-only transaction, in which temporary tables can be
// made, and makes those of the overlay but for one with the name given.
func (c *connection) beginReading(overlay *Overlay, but string) error {
	if err := c.exec("BEGIN TRANSACTION READ ONLY"); err != nil || overlay == nil {
		return err
	}
	for i := range overlay.Temporary {
		t := &overlay.Temporary[i]
		if strings.EqualFold(t.Name, but) {
			continue
		}
		name := lake.TemporarySchema + "." + lake.DefaultSchema + "." + lake.QuoteIdent(t.Name)
		if c.exec("%s", temporaryDDL(name, t.Columns, true)) != nil {
			if err := c.exec("%s", temporaryDDL(name, t.Columns, false)); err != nil {
				return lake.Wrap(lake.KindInternal, "show a temporary table", err)
			}
		}
		c.temporary = append(c.temporary, t.Name)
		if comments := commentsOf(name, t); comments != "" {
			if err := c.exec("%s", comments); err != nil {
				return lake.Wrap(lake.KindInternal, "show the comments of a temporary table", err)
			}
		}
	}
	return nil
}

func temporaryDDL(name string, columns []lake.Column, defaults bool) string {
	return "CREATE TEMPORARY" + strings.TrimPrefix(columnsDDL(name, columns, defaults), "CREATE")
}

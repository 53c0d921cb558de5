package lakehouse

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/lease"
	"github.com/flightlake/flightlake/change"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakefn"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/staging"
	"github.com/flightlake/flightlake/txn"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// Components are the parts that a Lakehouse puts together. All but Outside and
// Policy are required.
type Components struct {
	Catalog catalog.Catalog
	Bucket  objstore.Bucket
	// Outside opens the files outside of Bucket that the catalog names; nil means
	// that there are none to be read.
	Outside  scanner.Outside
	Frontend *engine.Frontend
	Executor *engine.Executor
	Clock    clock.Clock
	Log      *slog.Logger
	// Policy says who may do what; nil means that everybody may do everything.
	Policy *auth.Policy
}

// Options are the settings of a Lakehouse. The zero value is usable.
type Options struct {
	// CacheBytes bounds the metadata cache: table versions with their zone maps,
	// schemas, ends of files and decoded footers. 0 means 128 MiB.
	CacheBytes int64
	// ReadAheadBytes bounds what one scan holds in memory. 0 means 64 MiB.
	ReadAheadBytes int64
	// EndpointsMax is into how many parts a large scan is divided, for clients that
	// fetch them in parallel; 0 means one for each processor, at most 8; 1 divides none.
	EndpointsMax int
	// EndpointBytesMin is the least that such a part holds, compressed; 0 means 32 MiB.
	EndpointBytesMin int64
	// Transactions, Sessions and Workload are the limits of what clients keep and run.
	Transactions txn.Options
	Sessions     session.Options
	Workload     workload.Options
}

// Defaults of Options, and how CacheBytes is shared out, in percent.
const (
	cacheBytesDefault     = 128 << 20
	readAheadBytesDefault = 64 << 20
	endpointsMaxDefault   = 8
	endpointBytesDefault  = 32 << 20
	cacheShareTables      = 70
	cacheShareStates      = 4
	cacheShareRestricted  = 1
	cacheShareObjects     = 10
	cacheShareFooters     = 15
)

func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, cacheBytesDefault)
	o.ReadAheadBytes = cmp.Or(o.ReadAheadBytes, readAheadBytesDefault)
	o.EndpointsMax = cmp.Or(o.EndpointsMax, min(runtime.GOMAXPROCS(0), endpointsMaxDefault))
	o.EndpointBytesMin = cmp.Or(o.EndpointBytesMin, endpointBytesDefault)
	return o
}

// Lakehouse runs statements and appends. It is safe for concurrent use.
type Lakehouse struct {
	Sessions     *Sessions
	Transactions *txn.Manager
	Statements   *Statements

	caches  caches
	staging *staging.Area
}

// caches are what is kept of the catalog and the store.
type caches struct {
	states  *cache.States
	tables  *cache.Tables
	objects *cache.Bucket
	footers *cache.Cache[scanner.FooterKey, *scanner.Footer]
}

func newCaches(c Components, o Options) caches {
	share := func(percent int64) int64 { return o.CacheBytes / 100 * percent }
	return caches{
		states:  cache.NewStates(c.Catalog, cache.StatesOptions{BytesMax: share(cacheShareStates)}),
		tables:  cache.NewTables(tableSource{c.Catalog}, cache.TablesOptions{BytesMax: share(cacheShareTables)}),
		objects: cache.NewBucket(c.Bucket, cache.BucketOptions{BytesMax: share(cacheShareObjects)}),
		footers: cache.New(share(cacheShareFooters), func(k scanner.FooterKey, f *scanner.Footer) int64 {
			return int64(len(k.Path)) + f.Bytes()
		}),
	}
}

// New returns a Lakehouse over the components, which stay the caller's to close.
func New(c Components, o Options) *Lakehouse {
	o = o.withDefaults()
	kept := newCaches(c, o)
	area := staging.New(lease.New(c.Catalog, c.Clock, c.Log, lease.Options{}), c.Catalog, c.Bucket, c.Log)
	running := workload.New(c.Clock, o.Workload)
	if c.Policy != nil {
		o.Sessions.AdminFunc, o.Transactions.AdminFunc = c.Policy.Admin, c.Policy.Admin
	}
	open := session.NewRegistry(c.Clock, o.Sessions)
	transactions := txn.NewManager(txn.Components{Store: txnStore{c.Catalog, area}, Clock: c.Clock, Log: c.Log}, o.Transactions)
	views := view.New(view.Components{
		Catalog: c.Catalog, States: kept.states, Tables: kept.tables, Transactions: transactions, Clock: c.Clock, Policy: c.Policy,
	}, view.Options{RestrictedBytesMax: o.CacheBytes / 100 * cacheShareRestricted})
	scan := scanner.New(open.Files().Bucket(kept.objects), nil, scanner.Options{ReadAheadBytes: o.ReadAheadBytes}).WithFooters(kept.footers).WithOutside(c.Outside)
	queries := query.New(query.Components{
		Views: views, Catalog: c.Catalog, Bucket: c.Bucket, Frontend: c.Frontend, Executor: c.Executor, Scanner: scan,
		Allocator: memory.DefaultAllocator,
	}, query.Options{EndpointsMax: o.EndpointsMax, EndpointBytesMin: o.EndpointBytesMin})
	queries.SetFunctions(lakefn.New(lakefn.Components{
		Catalog: c.Catalog, Bucket: c.Bucket, Views: views, Queries: queries, Sessions: open, Statements: running, Policy: c.Policy,
	}))
	sessions := &Sessions{
		registry: open, transactions: transactions, statements: running, views: views, queries: queries, footers: kept.footers,
	}
	return &Lakehouse{
		Sessions: sessions, Transactions: transactions, caches: kept, staging: area,
		Statements: &Statements{
			sessions: sessions, running: running, views: views, queries: queries, policy: c.Policy,
			changes: change.New(change.Components{
				Views: views, Queries: queries, Engine: c.Executor, Catalog: c.Catalog, Writer: writer.New(c.Bucket, area.Stage, writer.Settings{}),
				Staging: area, Policy: c.Policy,
			}),
		},
	}
}

// txnStore is what transactions need of the lake.
type txnStore struct {
	catalog catalog.Committer
	*staging.Area
}

var _ txn.Store = txnStore{}

// Commit implements txn.Store.
func (s txnStore) Commit(ctx context.Context, c catalog.Commit) (catalog.Result, error) {
	return s.catalog.Commit(ctx, c)
}

// tableSource makes a catalog what cache.Tables loads from.
type tableSource struct{ catalog catalog.Reader }

// Files implements cache.TableSource.
func (t tableSource) Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (cache.TableChanges, error) {
	files, err := t.catalog.Files(ctx, table, after, upTo)
	if err != nil {
		return cache.TableChanges{}, err
	}
	return cache.TableChanges(files), nil
}

// Recover removes what a crashed process left. It is called before the first statement.
func (l *Lakehouse) Recover(ctx context.Context) error { return l.staging.Recover(ctx) }

// sweepInterval is how often Maintain looks for what was idle for too long.
const sweepInterval = 10 * time.Second

// Maintain ends what is idle for too long, and renews the leases of files that are being
// written, until ctx ends. The server runs it once, in a goroutine of its own.
func (l *Lakehouse) Maintain(ctx context.Context) {
	var leases sync.WaitGroup
	defer leases.Wait()
	leases.Go(func() { l.staging.Run(ctx) })
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.Sweep(ctx)
		}
	}
}

// Sweep ends what is idle for too long at this time of the clock.
func (l *Lakehouse) Sweep(ctx context.Context) {
	l.Sessions.sweep(ctx)
	l.Transactions.Sweep(ctx)
	l.Statements.views.Sweep()
}

// Close ends all statements, sessions and transactions. Rows that were handed out stay
// their readers' to release.
func (l *Lakehouse) Close(ctx context.Context) {
	l.Statements.running.Close()
	l.Transactions.Close(ctx)
	l.Sessions.closeAll(ctx)
}

// OldestSnapshot returns the oldest snapshot that a statement, an open ticket or a
// transaction reads; ok is false if none does. What it and younger ones consist of must
// stay.
func (l *Lakehouse) OldestSnapshot() (oldest lake.SnapshotID, ok bool) {
	oldest, ok = l.Statements.running.OldestSnapshot()
	if id, open := l.Transactions.OldestSnapshot(); open && (!ok || id < oldest) {
		return id, true
	}
	return oldest, ok
}

// Stats are the counters of a Lakehouse.
type Stats struct {
	Tables  cache.TablesStats // table versions with their files and zone maps
	States  cache.Stats       // schemas
	Objects cache.Stats       // ends of files: Parquet footers
	Footers cache.Stats       // Parquet footers, decoded
	Plans   cache.Stats       // planned queries

	Workload workload.Stats // statements
	Sessions int64          // that are open
}

// Stats returns the counters. It is safe for concurrent use and cheap.
func (l *Lakehouse) Stats() Stats {
	return Stats{
		Tables: l.caches.tables.Stats(), States: l.caches.states.Stats(), Objects: l.caches.objects.Stats(),
		Footers: l.caches.footers.Stats(), Plans: l.Statements.queries.Stats(),
		Workload: l.Statements.running.Stats(), Sessions: int64(l.Sessions.registry.Count()),
	}
}

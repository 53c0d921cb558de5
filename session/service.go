package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// Names that every client sees (design of the interface).
const (
	CatalogName   = "lake"
	DefaultSchema = "main"
)

// Limits of a Service.
const (
	// leaseDuration is how long a staged object is presumed to be in use by the
	// process that staged it. A restarted server holds the exclusive lock of the
	// catalog and need not wait for it.
	leaseDuration = 24 * time.Hour
	// cleanupTimeout bounds what is done after a statement's context has ended.
	cleanupTimeout = 30 * time.Second
	// plansBytesMax bounds the planned statements that are kept between prepare,
	// GetFlightInfo and DoGet: about a hundred over tables of 1,000 files.
	plansBytesMax = 16 << 20
)

// Components are the parts that a Service puts together. All but Outside and
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

// Options are the settings of a Service. The zero value is usable.
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
	// TransactionIdleTimeout is after how long without a statement a transaction
	// that changed something is rolled back; 0 means 10 minutes.
	TransactionIdleTimeout time.Duration
	// Workload are the limits of statements that run.
	Workload workload.Options
	// StatementTimeout ends statements that take longer, unless their session sets
	// another; 0 means never.
	StatementTimeout time.Duration
	// SessionsMax is the number of open sessions, beyond which those give way that
	// keep nothing; 0 means 10,000.
	SessionsMax int
	// TemporaryBytesMax bounds the files of the temporary tables of one session;
	// 0 means 256 MiB.
	TemporaryBytesMax int64
	// SessionIdleTimeout is how long a session may be unused; 0 means 8 hours.
	SessionIdleTimeout time.Duration
}

// Defaults of Options, and how CacheBytes is shared out, in percent.
const (
	cacheBytesDefault     = 128 << 20
	readAheadBytesDefault = 64 << 20
	endpointsMaxDefault   = 8
	endpointBytesDefault  = 32 << 20
	sessionsMaxDefault    = 10_000
	sessionIdleDefault    = 8 * time.Hour
	temporaryBytesDefault = 256 << 20
	cacheShareTables      = 70
	cacheShareStates      = 5
	cacheShareObjects     = 10
	cacheShareFooters     = 15
)

func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, cacheBytesDefault)
	o.ReadAheadBytes = cmp.Or(o.ReadAheadBytes, readAheadBytesDefault)
	o.EndpointsMax = cmp.Or(o.EndpointsMax, min(runtime.GOMAXPROCS(0), endpointsMaxDefault))
	o.EndpointBytesMin = cmp.Or(o.EndpointBytesMin, endpointBytesDefault)
	o.TransactionIdleTimeout = cmp.Or(o.TransactionIdleTimeout, transactionIdleTimeoutDefault)
	o.SessionsMax = cmp.Or(o.SessionsMax, sessionsMaxDefault)
	o.TemporaryBytesMax = cmp.Or(o.TemporaryBytesMax, temporaryBytesDefault)
	o.SessionIdleTimeout = cmp.Or(o.SessionIdleTimeout, sessionIdleDefault)
	return o
}

// Service runs statements and appends. It is safe for concurrent use.
type Service struct {
	Components
	states  *cache.States
	tables  *cache.Tables
	objects *cache.Bucket
	footers *cache.Cache[scanner.FooterKey, *scanner.Footer]
	scanner *scanner.Scanner
	planner *planner.Planner
	writer  *writer.Writer
	plans   *cache.Cache[planKey, *selectPlan]
	visible *visibleStates
	mem     memory.Allocator
	holder  string // names this process in staged files

	transactions *transactions
	views        *keptViews
	idleTimeout  time.Duration // of transactions
	// newIDs and newTemporaryIDs are the last ids of tables that the catalog does not have.
	newIDs, newTemporaryIDs atomic.Int64

	sessions         *sessions
	statements       *workload.Registry
	statementTimeout time.Duration
	endpointsMax     int
	endpointBytesMin int64 // compressed

	temporaryFiles    *temporaryFiles
	temporaryBytesMax int64
}

// New returns a Service over the components, which stay the caller's to close.
func New(c Components, o Options) (*Service, error) {
	o = o.withDefaults()
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	s := &Service{
		Components: c,
		states:     cache.NewStates(c.Catalog, cache.StatesOptions{BytesMax: o.CacheBytes / 100 * cacheShareStates}),
		tables:     cache.NewTables(tableSource{c.Catalog}, cache.TablesOptions{BytesMax: o.CacheBytes / 100 * cacheShareTables}),
		objects:    cache.NewBucket(c.Bucket, cache.BucketOptions{BytesMax: o.CacheBytes / 100 * cacheShareObjects}),
		footers: cache.New(o.CacheBytes/100*cacheShareFooters, func(k scanner.FooterKey, f *scanner.Footer) int64 {
			return int64(len(k.Path)) + f.Bytes()
		}),
		planner: planner.New(c.Frontend),
		plans:   cache.New(plansBytesMax, planBytes),
		mem:     memory.DefaultAllocator,
		holder:  fmt.Sprintf("process %d on %s", os.Getpid(), host),

		transactions: newTransactions(),
		views:        newKeptViews(viewLifetime),
		idleTimeout:  o.TransactionIdleTimeout,

		sessions:         newSessions(o),
		statements:       workload.New(c.Clock, o.Workload),
		statementTimeout: o.StatementTimeout,
		endpointsMax:     o.EndpointsMax,
		endpointBytesMin: o.EndpointBytesMin,

		temporaryFiles:    newTemporaryFiles(),
		temporaryBytesMax: o.TemporaryBytesMax,
	}
	s.scanner = scanner.New(readBucket{Bucket: s.objects, temporary: s.temporaryFiles}, nil, scanner.Options{ReadAheadBytes: o.ReadAheadBytes}).WithFooters(s.footers).WithOutside(c.Outside)
	s.writer = writer.New(c.Bucket, s.stage)
	s.newTemporaryIDs.Store(temporaryIDs)
	if s.visible, err = newVisibleStates(); err != nil {
		return nil, err
	}
	return s, nil
}

// tableSource makes a catalog what cache.Tables loads from.
type tableSource struct{ catalog catalog.Catalog }

// Files implements cache.TableSource.
func (t tableSource) Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (cache.TableChanges, error) {
	files, err := t.catalog.Files(ctx, table, after, upTo)
	if err != nil {
		return cache.TableChanges{}, err
	}
	return cache.TableChanges(files), nil
}

// State returns the schemas and tables that a caller sees now.
func (s *Service) State(ctx context.Context, c Caller) (Visible, error) {
	v, done, err := s.enter(ctx, c, Scope{}, entry{join: true})
	if err != nil {
		return Visible{}, err
	}
	defer done()
	seen := Visible{State: v.state, Snapshot: v.snapshot}
	if v.temp != nil {
		for i := range v.temp.state.Schemas {
			seen.Temporary = append(seen.Temporary, v.temp.state.Schemas[i].Tables...)
		}
	}
	return seen, nil
}

// latest returns the latest schemas and tables, and their snapshot.
func (s *Service) latest(ctx context.Context) (*lake.State, lake.SnapshotID, error) {
	head, err := s.Catalog.Snapshot(ctx, catalog.Selector{})
	if err != nil {
		return nil, 0, err
	}
	state, err := s.states.State(ctx, head)
	if err != nil {
		return nil, 0, err
	}
	return state, head.ID, nil
}

// stateAt returns the schemas and tables of a snapshot.
func (s *Service) stateAt(ctx context.Context, id lake.SnapshotID) (*lake.State, error) {
	snapshot, err := s.Catalog.Snapshot(ctx, catalog.Selector{ID: &id})
	if err != nil {
		return nil, err
	}
	return s.states.State(ctx, snapshot)
}

// stage registers objects before their upload begins.
func (s *Service) stage(ctx context.Context, paths []string) error {
	lease := s.Clock.Now().Add(leaseDuration)
	files := make([]catalog.StagedFile, len(paths))
	for i, path := range paths {
		files[i] = catalog.StagedFile{Path: path, Holder: s.holder, LeaseUntil: lease}
	}
	return s.Catalog.Stage(ctx, files)
}

// Recover removes the objects that a crashed process had staged and not
// published. It is called before the first statement, by the process that
// holds the catalog's exclusive lock, so no staged object is in use.
func (s *Service) Recover(ctx context.Context) error {
	staged, err := s.Catalog.Staged(ctx)
	if err != nil {
		return fmt.Errorf("recover staged files: %w", err)
	}
	paths := make([]string, len(staged))
	for i, f := range staged {
		paths[i] = f.Path
	}
	if err := s.discard(ctx, paths); err != nil {
		return fmt.Errorf("recover staged files: %w", err)
	}
	if len(paths) > 0 {
		s.Log.InfoContext(ctx, "removed files of unfinished appends", slog.Int("files", len(paths)))
	}
	return nil
}

// discard deletes objects that are in no Snapshot, then forgets them. An object
// that cannot be deleted stays staged, for the next Recover.
func (s *Service) discard(ctx context.Context, paths []string) error {
	var errs []error
	left := map[string]bool{}
	for _, f := range objstore.DeleteAll(ctx, s.Bucket, paths) {
		errs = append(errs, fmt.Errorf("delete %s: %w", f.Key, f.Err))
		left[f.Key] = true
	}
	gone := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return left[path] })
	if len(gone) > 0 {
		errs = append(errs, s.Catalog.Unstage(ctx, gone))
	}
	return errors.Join(errs...)
}

// resolve splits the schema of a name from the scope's default.
func (sc Scope) schema(name string) string {
	switch {
	case name != "":
		return name
	case sc.Schema != "":
		return sc.Schema
	}
	return DefaultSchema
}

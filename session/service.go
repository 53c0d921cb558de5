package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/scanner"
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

// Components are the parts that a Service puts together. All are required.
type Components struct {
	Catalog  catalog.Catalog
	Bucket   objstore.Bucket
	Frontend *engine.Frontend
	Executor *engine.Executor
	Clock    clock.Clock
	Log      *slog.Logger
}

// Options are the settings of a Service. The zero value is usable.
type Options struct {
	// CacheBytes bounds the metadata cache: table versions with their zone maps,
	// schemas, ends of files and decoded footers. 0 means 128 MiB.
	CacheBytes int64
	// ReadAheadBytes bounds what one scan holds in memory. 0 means 64 MiB.
	ReadAheadBytes int64
}

// Defaults of Options, and how CacheBytes is shared out, in percent.
const (
	cacheBytesDefault     = 128 << 20
	readAheadBytesDefault = 64 << 20
	cacheShareTables      = 70
	cacheShareStates      = 5
	cacheShareObjects     = 10
	cacheShareFooters     = 15
)

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
	mem     memory.Allocator
	holder  string // names this process in staged files
}

// New returns a Service over the components, which stay the caller's to close.
func New(c Components, o Options) (*Service, error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = cacheBytesDefault
	}
	if o.ReadAheadBytes == 0 {
		o.ReadAheadBytes = readAheadBytesDefault
	}
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
	}
	s.scanner = scanner.New(s.objects, nil, scanner.Options{ReadAheadBytes: o.ReadAheadBytes}).WithFooters(s.footers)
	s.writer = writer.New(c.Bucket, s.stage)
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
	v, err := s.view(ctx, c, Scope{})
	if err != nil {
		return Visible{}, err
	}
	return Visible{State: v.state, Snapshot: v.snapshot}, nil
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
	gone := make([]string, 0, len(paths))
	for _, path := range paths {
		if err := s.Bucket.Delete(ctx, path); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", path, err))
			continue
		}
		gone = append(gone, path)
	}
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

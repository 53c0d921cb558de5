package engine

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
)

// Options are the settings of an Executor. The zero value is usable.
type Options struct {
	// MemoryLimitBytes bounds DuckDB's memory, beyond which it spills to
	// TempDir or fails; 0 means DuckDB's default, 80 % of the machine. Queries with an
	// Overlay have as much again, of which each can take an equal share and spills nothing.
	MemoryLimitBytes int64
	// Threads is the number of worker threads that all queries share; 0 means
	// one per core.
	Threads int
	// TempDir is the folder for what does not fit into memory; empty means that
	// nothing is spilled.
	TempDir string
	// AllowedDirs are the folders of the files that RegisterFiles may name; none by default.
	AllowedDirs []string
	// ConnectionsMax bounds the queries that run at the same time, readers that
	// are not released yet included: others are refused. It is no limit of the work,
	// which is the caller's to set, but of what results hold that nobody reads. 0 means 1,024.
	ConnectionsMax int
	// OverlaysMax bounds those of them that have an Overlay; 0 means 16.
	OverlaysMax int
}

// Defaults of Options.
const (
	executorConnectionsMax = 1024
	executorOverlaysMax    = 16
)

// readAheadBytes is what DuckDB computes ahead of the reader of a result. DuckDB does not
// count the bytes of texts in it: by its default of a megabyte, 64 results of rows of 3 KB
// that nobody read held 9.3 GB, whatever its memory limit, and hold 1 GB so. Each thread is
// ahead by a chunk all the same, and BenchmarkLineitem is no slower. DuckDB divides it, and
// waits for ever for a part of 0 bytes: a single byte is too little.
const readAheadBytes = 10_000

// Executor runs statements. Safe for concurrent use.
type Executor struct {
	instance *instance
	pool     *pool
	mem      memory.Allocator
	threads  int
	hidden   []string // folders that error texts must not show
	sources  *registry
	mirror   mirror
	scratch  *scratch
	opts     Options
	overlays *overlays
	// home is where the executor of a query with an Overlay is put back; nil in others.
	home  *overlays
	names *systemNames
	// syncing is the mirror's own connection: Sync must not wait for readers.
	syncing *connection // of whoever has entered the mirror
}

// NewExecutor opens the executor's DuckDB. mem holds the batches of results;
// nil means Go's heap.
func NewExecutor(mem memory.Allocator, opts Options) (*Executor, error) {
	if opts.ConnectionsMax == 0 {
		opts.ConnectionsMax = executorConnectionsMax
	}
	if opts.OverlaysMax == 0 {
		opts.OverlaysMax = executorOverlaysMax
	}
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	x, err := newExecutor(mem, opts, nil)
	if err != nil {
		return nil, err
	}
	if x.scratch, err = newScratch(); err != nil {
		x.Close()
		return nil, lake.Wrap(lake.KindInternal, "set up the scratch catalog", err)
	}
	return x, nil
}

// newExecutor opens an instance. If main is not nil it is for the queries with
// an Overlay of that executor, whose sources they read.
func newExecutor(mem memory.Allocator, opts Options, main *Executor) (*Executor, error) {
	settings := map[string]string{"temp_directory": opts.TempDir}
	if opts.MemoryLimitBytes > 0 {
		settings["memory_limit"] = strconv.FormatInt(opts.MemoryLimitBytes, 10) + "B"
	}
	if opts.Threads > 0 {
		settings["threads"] = strconv.Itoa(opts.Threads)
	}
	in, err := openInstance(settings)
	if err != nil {
		return nil, err
	}
	x := &Executor{instance: in, mem: mem, hidden: opts.AllowedDirs, opts: opts, mirror: mirror{changing: make(chan struct{}, 1)}}
	if main != nil {
		x.sources, x.home, x.names = main.sources, main.overlays, main.names
	}
	if err := x.configure(opts); err != nil {
		x.disconnect()
		return nil, lake.Wrap(lake.KindInternal, "set up the executor", err)
	}
	x.pool = newPool(in, opts.ConnectionsMax)
	x.overlays = &overlays{main: x, slots: make(chan struct{}, opts.OverlaysMax)}
	return x, nil
}

func (x *Executor) configure(opts Options) error {
	c, err := x.instance.connect()
	if err != nil {
		return err
	}
	x.syncing = c
	rows, err := c.texts("SELECT current_setting('threads')::VARCHAR")
	if err != nil {
		return err
	}
	if x.threads, err = strconv.Atoi(rows[0][0]); err != nil {
		return err
	}
	if x.names == nil {
		if x.names, err = c.systemNames(); err != nil {
			return err
		}
	}
	if x.sources == nil {
		x.sources = &registry{threads: x.threads, sources: map[string]*registration{}}
	}
	if err := x.sources.register(c); err != nil {
		return err
	}
	dirs := make([]string, len(opts.AllowedDirs))
	for i, dir := range opts.AllowedDirs {
		dirs[i] = lake.QuoteLiteral(strings.TrimSuffix(dir, "/") + "/")
	}
	// The catalog that DuckDB opens with is of no use to clients: detach it.
	return c.exec(`SET GLOBAL TimeZone = 'UTC'; ATTACH ':memory:' AS %s; USE %s; DETACH memory;
		SET GLOBAL allowed_directories = [%s]; SET GLOBAL enable_external_access = false;
		SET GLOBAL allowed_configs = ['streaming_buffer_size']; SET GLOBAL lock_configuration = true`,
		lake.CatalogName, lake.CatalogName, strings.Join(dirs, ", "))
}

// Close frees the executor. Every reader must have been released. What calls abandoned it
// waits for, for a while; an instance in which such work goes on even then ends with the
// process.
func (x *Executor) Close() {
	x.overlays.close()
	if x.pool.close() {
		x.disconnect()
	}
	if x.scratch != nil {
		x.scratch.close()
	}
}

func (x *Executor) disconnect() {
	if x.syncing != nil {
		x.syncing.close()
	}
	x.instance.close()
}

// take returns a connection whose default schema is schema.
//
// Errors: KindNotFound if there is no such schema; KindExhausted if too many results are open.
func (x *Executor) take(schema string) (*connection, error) {
	if schema == "" {
		schema = lake.DefaultSchema
	}
	c, err := x.pool.takeNow()
	if err != nil {
		return nil, err
	}
	if c.schema == schema {
		return c, nil
	}
	if err := c.exec("USE %s.%s", lake.CatalogName, lake.QuoteIdent(schema)); err != nil {
		x.pool.discard(c)
		return nil, lake.Errorf(lake.KindNotFound, "schema %q does not exist", schema)
	}
	c.schema = schema
	if c.reports {
		return c, nil
	}
	// Without a progress bar, which is not to be printed, DuckDB counts nothing.
	if err := c.exec("PRAGMA enable_progress_bar; PRAGMA disable_print_progress_bar; SET streaming_buffer_size = '%dB'", readAheadBytes); err != nil {
		x.pool.discard(c)
		return nil, err
	}
	c.reports = true
	return c, nil
}

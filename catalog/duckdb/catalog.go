package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/sqlcatalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/internal/durable"
	"github.com/flightlake/flightlake/lake"
)

const (
	// DefaultMemoryBytes is the memory limit of the catalog's DuckDB.
	DefaultMemoryBytes = 256 << 20
	// threads is what a commit needs; a second one costs it more than it helps scans.
	threads = 1
	// connectionsMax bounds the readers; the committer has one more.
	connectionsMax = 16
	// walBytesMax is the size of the write-ahead log from which a commit also
	// checkpoints: 16 MB take some 10 ms to write back.
	walBytesMax = 16 << 20
	// attachedName is the name of the file's database in DuckDB: that under
	// which the ducklake extension shows the tables of a lake named lake.
	attachedName = "__ducklake_metadata_lake"
	checkpoint   = "CHECKPOINT " + attachedName
)

// Options configure Open.
type Options struct {
	// Path is the DuckDB file, without a question mark. Its folder must exist. Empty means a catalog in
	// memory, which ends with Close.
	Path string
	// DataPath is where the keys of the lake's files begin: an absolute path or
	// a URL. A "/" is added if it does not end with one.
	DataPath string
	// Clock dates snapshots. It must not be nil.
	Clock clock.Clock
	// Logger receives what an administrator should know; nil means nothing.
	Logger *slog.Logger
	// MemoryBytes limits DuckDB's memory; 0 means DefaultMemoryBytes.
	MemoryBytes int64
}

// Catalog is a catalog in a DuckDB file that this process has locked.
type Catalog struct {
	*sqlcatalog.Catalog
	lock    *lockFile // nil for a catalog in memory
	witness *witness  // likewise
	log     *slog.Logger

	closeOnce sync.Once
	closeErr  error
}

// Open opens the catalog, and creates it if the file does not exist.
//
// Errors: KindState, with nothing changed, if another process holds the file
// (it is named), if the file is no DuckDB database or of a version that this
// server does not know, and those of sqlcatalog.Open; KindInvalid for a
// Path with a question mark; KindCorrupt if DuckDB cannot read it.
func Open(ctx context.Context, o Options) (_ *Catalog, err error) {
	if o.Clock == nil {
		return nil, lake.Errorf(lake.KindInvalid, "open catalog: no clock")
	}
	c := &Catalog{log: o.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if strings.Contains(o.Path, "?") {
		// DuckDB takes what follows for parameters and names its log otherwise.
		return nil, lake.Errorf(lake.KindInvalid, "catalog path %q has a question mark", o.Path)
	}
	if o.Path != "" {
		if o.Path, err = filepath.Abs(o.Path); err != nil {
			return nil, lake.Errorf(lake.KindInvalid, "catalog path %q: %w", o.Path, err)
		}
		if c.lock, err = lockCatalog(o.Path, o.Clock.Now()); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.lock.release())
		}
	}()
	if o.Path != "" {
		if err := checkMissing(o.Path, o.DataPath); err != nil {
			return nil, err
		}
	}
	logged := hasLog(o.Path)
	db, err := c.open(ctx, o)
	if err != nil {
		return nil, err
	}
	if logged {
		// A process that was killed left its log, which every start replays.
		if _, checkpointErr := db.ExecContext(ctx, checkpoint); checkpointErr != nil {
			// DuckDB is unusable after some failures, such as of a full disk.
			_ = c.Catalog.Close()
			if _, err = c.open(ctx, o); err != nil {
				return nil, err
			}
		}
	}
	if o.Path != "" {
		folder := filepath.Dir(o.Path)
		if err := durable.SyncFolder(folder); err != nil {
			return nil, errors.Join(lake.Wrap(lake.KindUnavailable, "sync folder "+folder, err), c.Catalog.Close())
		}
		if c.witness, err = openWitness(ctx, c.Catalog, o.Path); err != nil {
			return nil, errors.Join(err, c.Catalog.Close())
		}
	}
	return c, nil
}

// open sets c.Catalog and returns its database.
func (c *Catalog) open(ctx context.Context, o Options) (*sql.DB, error) {
	db, err := openDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	base := context.WithoutCancel(ctx)
	c.Catalog, err = sqlcatalog.Open(ctx, db, dialect(), sqlcatalog.Options{
		DataPath: o.DataPath, Clock: o.Clock, Log: o.Logger,
		// What this does not write stays in the log, which the next Open replays.
		BeforeCloseFunc: func() { _, _ = db.ExecContext(base, checkpoint) },
	})
	return db, damaged(o.Path, err)
}

// hasLog reports whether a catalog has a write-ahead log that is not empty.
func hasLog(path string) bool {
	if path == "" {
		return false
	}
	info, err := os.Stat(path + ".wal")
	return err == nil && info.Size() > 0
}

// Close writes the log back into the file, closes it and releases its lock.
func (c *Catalog) Close() error {
	c.closeOnce.Do(func() { c.closeErr = errors.Join(c.Catalog.Close(), c.witness.close(), c.lock.release()) })
	return c.closeErr
}

// Snapshot is that of sqlcatalog.Catalog; KindUnavailable if the file is not there any more.
func (c *Catalog) Snapshot(ctx context.Context, sel catalog.Selector) (lake.Snapshot, error) {
	if err := c.witness.present(); err != nil {
		return lake.Snapshot{}, err
	}
	return c.Catalog.Snapshot(ctx, sel)
}

// Commit is that of sqlcatalog.Catalog; KindUnavailable, with nothing committed, if the file
// is not there any more, and KindIndeterminate if it went meanwhile.
func (c *Catalog) Commit(ctx context.Context, commit catalog.Commit) (catalog.Result, error) {
	if err := c.witness.present(); err != nil {
		return catalog.Result{}, err
	}
	result, err := c.Catalog.Commit(ctx, commit)
	if err != nil {
		return result, err
	}
	if err := c.witness.present(); err != nil {
		return catalog.Result{}, lake.Wrap(lake.KindIndeterminate, "commit", err)
	}
	if err := c.witness.advance(result.Snapshot.ID); err != nil {
		c.log.WarnContext(ctx, "the witness of the catalog is behind", slog.String("error", err.Error()))
	}
	return result, nil
}

// openDatabase attaches the file to a DuckDB that lives in memory: so its path
// may hold any character.
func openDatabase(ctx context.Context, o Options) (*sql.DB, error) {
	memory := o.MemoryBytes
	if memory == 0 {
		memory = DefaultMemoryBytes
	}
	dsn := fmt.Sprintf(":memory:?threads=%d&memory_limit=%dB&autoinstall_known_extensions=false"+
		"&autoload_known_extensions=false&allow_community_extensions=false", threads, memory)
	connector, err := duckdbgo.NewConnector(dsn, nil)
	if err != nil {
		return nil, lake.Errorf(lake.KindInternal, "open catalog: start DuckDB: %w", err)
	}
	db := sql.OpenDB(&attached{connector})
	db.SetMaxOpenConns(connectionsMax + 1)
	db.SetMaxIdleConns(connectionsMax + 1)
	if err := attach(ctx, connector, o.Path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// attach opens the file and then closes DuckDB to every other one.
func attach(ctx context.Context, connector *duckdbgo.Connector, path string) error {
	conn, err := connector.Connect(ctx)
	if err != nil {
		return lake.Errorf(lake.KindInternal, "open catalog: connect to DuckDB: %w", err)
	}
	defer func() { _ = conn.Close() }()
	run := func(query string) error {
		_, err := conn.(driver.ExecerContext).ExecContext(ctx, query, nil)
		return err
	}
	source := ":memory:"
	if path != "" {
		source = path
	}
	if err := run("ATTACH " + lake.QuoteLiteral(source) + " AS " + attachedName + " (TYPE duckdb)"); err != nil {
		return attachError(path, err)
	}
	for _, setting := range []string{
		fmt.Sprintf("SET GLOBAL wal_autocheckpoint = '%dB'", int64(walBytesMax)),
		"SET GLOBAL TimeZone = 'UTC'",
		"SET GLOBAL enable_external_access = false",
	} {
		if err := run(setting); err != nil {
			return lake.Errorf(lake.KindInternal, "open catalog: %s: %w", setting, err)
		}
	}
	return nil
}

func attachError(path string, err error) error {
	if e, ok := errors.AsType[*duckdbgo.Error](err); ok && (e.Type != duckdbgo.ErrorTypeIO || unreadable(e)) {
		err = damaged(path, err)
	}
	if lake.KindOf(err) == lake.KindCorrupt {
		return err
	}
	return lake.Errorf(lake.KindState, "open catalog %s: %s", path, strings.TrimSpace(err.Error()))
}

// damaged names the file, and not the statement that met it, if err says that
// DuckDB cannot read its tables.
func damaged(path string, err error) error {
	e, ok := errors.AsType[*duckdbgo.Error](err)
	if !ok {
		return err
	}
	switch e.Type {
	case duckdbgo.ErrorTypeIO, duckdbgo.ErrorTypeFatal, duckdbgo.ErrorTypeInternal, duckdbgo.ErrorTypeSerialization:
	default:
		return err
	}
	if strings.Contains(e.Msg, "No space left") {
		return err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(e.Msg), "\n")
	return lake.Errorf(lake.KindCorrupt, "catalog %s is damaged: %s", path, first)
}

// unreadable reports whether an error of DuckDB's input is one of the file's
// content. It has no code of its own.
func unreadable(e *duckdbgo.Error) bool {
	return strings.Contains(e.Msg, "Corrupt database file") || strings.Contains(e.Msg, "enough bytes")
}

// attached connects to the attached database.
type attached struct{ *duckdbgo.Connector }

// Connect returns a connection whose tables are the catalog's.
func (a *attached) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := a.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("DuckDB's connection runs no statements"), conn.Close())
	}
	if _, err := execer.ExecContext(ctx, "USE "+attachedName, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

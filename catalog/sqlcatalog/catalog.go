package sqlcatalog

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// queueMax is how many writes may wait for the committer before callers block.
const queueMax = 1024

// Options configure Open.
type Options struct {
	// DataPath is where the keys of files begin: an absolute path or a URL. A
	// "/" is added if it does not end with one.
	DataPath string
	// Clock dates snapshots, and times out writes if it is a clock.Timer. It must
	// not be nil.
	Clock clock.Clock
	// CommitTimeout bounds how long a write may take; 0 means CommitTimeoutDefault.
	CommitTimeout time.Duration
	// Log receives what an administrator should know; nil means nothing.
	Log *slog.Logger
	// BeforeCloseFunc runs once, after the last write and before the database
	// is closed; nil means nothing.
	BeforeCloseFunc func()
}

// Catalog is a catalog.Catalog over database/sql.
type Catalog struct {
	db       *sql.DB
	dialect  Dialect
	clock    clock.Clock
	log      *slog.Logger
	dataPath string

	latest atomic.Pointer[lake.Snapshot] // if the dialect is exclusive
	newest atomic.Pointer[lake.State]    // that this process loaded or committed; nil before
	queue  chan *request

	commitTimeout time.Duration

	closing   chan struct{}
	closeOnce sync.Once
	committer sync.WaitGroup
	closeErr  error
	// beforeClose is Options.BeforeCloseFunc.
	beforeClose func()
}

var _ catalog.Catalog = (*Catalog)(nil)

// Open prepares the catalog in db: it creates the tables in an empty database,
// adds flightlake's own to a DuckLake catalog that has none, and starts the
// committer. The Catalog owns db and closes it, also on error.
//
// Errors: KindState, with nothing changed, for a catalog of another version,
// for a database that holds something else, and for a catalog whose data lies
// elsewhere.
func Open(ctx context.Context, db *sql.DB, dialect Dialect, o Options) (*Catalog, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Catalog{
		db: db, dialect: dialect, clock: o.Clock, log: log, dataPath: o.DataPath,
		queue: make(chan *request, queueMax), closing: make(chan struct{}),
		beforeClose: o.BeforeCloseFunc, commitTimeout: cmp.Or(o.CommitTimeout, CommitTimeoutDefault),
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(dialect.wrap("open catalog", err), db.Close())
	}
	if err := c.prepare(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(), db.Close())
	}
	c.committer.Add(1)
	go func() {
		defer c.committer.Done()
		w := writer{c: c, conn: conn}
		w.run(context.WithoutCancel(ctx))
	}()
	return c, nil
}

// Capabilities tells what the catalog does.
func (c *Catalog) Capabilities() catalog.Capabilities {
	return catalog.Capabilities{Exclusive: c.dialect.Exclusive, Metadata: true}
}

// Close ends the committer after what it has begun, then closes the database.
// Writes that wait return KindUnavailable.
func (c *Catalog) Close() error {
	c.closeOnce.Do(func() {
		close(c.closing)
		c.committer.Wait()
		if c.beforeClose != nil {
			c.beforeClose()
		}
		c.closeErr = c.db.Close()
	})
	return c.closeErr
}

// transaction runs fn in a read-only transaction of a connection of its own.
func (c *Catalog) transaction(ctx context.Context, op string, fn func(*session) error) error {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return c.dialect.wrap(op, c.unavailable(err))
	}
	s := &session{conn: conn, dialect: &c.dialect}
	defer func() { _ = conn.Close() }()
	if err := s.exec(ctx, c.dialect.BeginRead); err != nil {
		return c.dialect.wrap(op, err)
	}
	err = fn(s)
	// A read has nothing to lose: a failing rollback drops the connection.
	if rollbackErr := s.exec(context.WithoutCancel(ctx), "ROLLBACK"); rollbackErr != nil {
		s.discard()
	}
	return c.dialect.wrap(op, err)
}

// unavailable explains the error of a database that Close has closed.
func (c *Catalog) unavailable(err error) error {
	select {
	case <-c.closing:
		return lake.Errorf(lake.KindUnavailable, "the catalog is closed")
	default:
		return err
	}
}

// session is one connection, used by one goroutine.
type session struct {
	conn    *sql.Conn
	dialect *Dialect
	// prepared keeps the statements of conn; nil for a connection that runs
	// each of them once.
	prepared *prepared
}

func (s *session) exec(ctx context.Context, query string, args ...any) error {
	var err error
	if bound := s.dialect.rebind(query); s.prepared != nil {
		err = s.prepared.exec(ctx, bound, args...)
	} else {
		_, err = s.conn.ExecContext(ctx, bound, args...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", firstWords(query), err)
	}
	return nil
}

// each calls fn for every row; fn scans it.
func (s *session) each(ctx context.Context, query string, args []any, fn func(scan func(...any) error) error) error {
	rows, err := s.query(ctx, s.dialect.rebind(query), args)
	if err != nil {
		return fmt.Errorf("%s: %w", firstWords(query), err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *session) query(ctx context.Context, bound string, args []any) (*sql.Rows, error) {
	if s.prepared != nil {
		return s.prepared.query(ctx, bound, args...)
	}
	return s.conn.QueryContext(ctx, bound, args...)
}

// one scans the only row of a query. It reports false if there is none.
func (s *session) one(ctx context.Context, query string, args []any, dst ...any) (bool, error) {
	found := false
	err := s.each(ctx, query, args, func(scan func(...any) error) error {
		found = true
		return scan(dst...)
	})
	return found, err
}

// discard takes the connection out of the pool.
func (s *session) discard() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// firstWords names a statement in an error without its values.
func firstWords(query string) string {
	const length = 60
	for i := range len(query) {
		if query[i] == '\n' || i == length {
			return query[:i]
		}
	}
	return query
}

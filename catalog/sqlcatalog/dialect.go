package sqlcatalog

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// Dialect is what differs between the databases that can hold a catalog. SQL
// in this package uses "?" for parameters and is otherwise common to all.
type Dialect struct {
	// Name is the database's name in errors, such as "DuckDB".
	Name string
	// Exclusive says that no other process changes the catalog while it is
	// open, so that the committer may keep what it read.
	Exclusive bool
	// NumberedParameters says that parameters are $1, $2 ... instead of ?.
	NumberedParameters bool

	// BeginWrite and BeginRead begin a transaction that sees one state.
	BeginWrite, BeginRead string
	// BlobType, TimestampType and UUIDType name the types of columns that hold
	// bytes, an instant in microseconds, and a UUID.
	BlobType, TimestampType, UUIDType string
	// EpochMicros is an expression with one %s that yields an instant as
	// microseconds since 1970-01-01 UTC, and UUIDText one that yields a UUID as text.
	EpochMicros, UUIDText string
	// TablesQuery lists the names of all tables of the catalog's schema.
	TablesQuery string

	// ClassifyFunc returns the Kind of an error of the database, by its code.
	ClassifyFunc func(err error) lake.Kind
	// QueryFunc runs a query and returns its rows as Arrow. The connection is in
	// use until the reader is released.
	QueryFunc func(ctx context.Context, conn *sql.Conn, query string, args ...any) (array.RecordReader, error)
	// InsertFunc inserts rows.
	InsertFunc func(ctx context.Context, conn *sql.Conn, rows Rows) error
	// CommitFunc ends a write transaction; nil means the statement COMMIT. After
	// an error the outcome is looked up.
	CommitFunc func(ctx context.Context, conn *sql.Conn) error
	// TransientFunc reports whether the database refused a transaction for a reason
	// that may have passed when it is drafted anew: another one changed the same rows
	// or took the same snapshot id, or the database was busy. nil means never.
	TransientFunc func(err error) bool
	// InlinedFunc returns an SQL expression that yields a column of inlined rows from
	// what is stored, nil if the inlined table does not have it: then it yields the
	// initial default. QueryFunc yields what it returns in lake.ArrowSchema's type of the
	// column, but for leaves of int128, uint128, uuid, json and timetz, which may be text.
	InlinedFunc func(column, stored *lake.Column) string
	// CheckSelectFunc returns KindInvalid unless query is one SELECT.
	CheckSelectFunc func(ctx context.Context, conn *sql.Conn, query string) error
}

// Rows are rows to be inserted into some columns of a table; the others are NULL.
type Rows struct {
	Table   string
	Columns []string // without quotes
	// Values has one entry per row, with a value for each of Columns: nil, int64,
	// bool, string, []byte, time.Time or uuid.UUID.
	Values [][]any
}

// rebind replaces "?" outside of quotes by the dialect's parameters.
func (d *Dialect) rebind(query string) string {
	if !d.NumberedParameters {
		return query
	}
	var b strings.Builder
	n, quote := 0, byte(0)
	for i := range len(query) {
		ch := query[i]
		switch {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// wrap marks an error of the database with its Kind. Errors that carry a Kind,
// and those of a context, stay as they are.
func (d *Dialect) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return lake.Wrap(d.kind(err), op, err)
}

// transient reports whether a transaction may be tried again after err.
func (d *Dialect) transient(err error) bool { return d.TransientFunc != nil && d.TransientFunc(err) }

func (d *Dialect) kind(err error) lake.Kind {
	if kind := lake.KindOf(err); kind != lake.KindInternal {
		return kind
	}
	return d.ClassifyFunc(err)
}

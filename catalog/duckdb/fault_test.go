package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/sqlcatalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

var errInjected = errors.New("injected fault")

// openFaulty opens a catalog whose dialect change may break.
func openFaulty(t *testing.T, change func(*sqlcatalog.Dialect)) *sqlcatalog.Catalog {
	t.Helper()
	db, err := openDatabase(t.Context(), Options{Path: filepath.Join(t.TempDir(), "catalog.ducklake")})
	require.NoError(t, err)
	d := dialect()
	change(&d)
	c, err := sqlcatalog.Open(t.Context(), db, d, sqlcatalog.Options{DataPath: "/data/", Clock: clock.System{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func create(name string) catalog.Commit {
	columns, _ := lake.AssignFieldIDs([]lake.Column{{Name: "i", Type: lake.Type{ID: lake.TypeInt64}}})
	return catalog.Commit{Operations: []catalog.Operation{
		catalog.CreateTable{Schema: "main", Name: name, Columns: columns, Path: "main/" + name + "/"},
	}}
}

func tableNames(t *testing.T, c catalog.Catalog) []string {
	t.Helper()
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	state, err := c.State(t.Context(), head.ID)
	require.NoError(t, err)
	var names []string
	for _, table := range state.Schemas[0].Tables {
		names = append(names, table.Name)
	}
	return names
}

func TestCommitWithALostReplyIsFound(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	c := openFaulty(t, func(d *sqlcatalog.Dialect) {
		d.CommitFunc = func(ctx context.Context, conn *sql.Conn) error {
			if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil || !lose.Load() {
				return err
			}
			return errInjected
		}
	})
	_, err := c.Commit(t.Context(), create("a"))
	require.NoError(t, err)
	lose.Store(true)
	r, err := c.Commit(t.Context(), create("b"))
	require.NoError(t, err, "the snapshot is there: the commit succeeded")
	require.EqualValues(t, 2, r.Snapshot.ID)
	lose.Store(false)
	_, err = c.Commit(t.Context(), create("c"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, tableNames(t, c))
}

func TestCommitThatTheDatabaseRefusesWritesNothing(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	c := openFaulty(t, func(d *sqlcatalog.Dialect) {
		d.CommitFunc = func(ctx context.Context, conn *sql.Conn) error {
			if refuse.Load() {
				return errInjected
			}
			_, err := conn.ExecContext(ctx, "COMMIT")
			return err
		}
	})
	refuse.Store(true)
	_, err := c.Commit(t.Context(), create("a"))
	require.ErrorIs(t, err, errInjected)
	require.NotErrorIs(t, err, lake.ErrIndeterminate, "the snapshot is not there: the outcome is known")
	refuse.Store(false)
	r, err := c.Commit(t.Context(), create("a"))
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Snapshot.ID)
}

func TestCommitOfUnknownOutcomeSaysSo(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	var db *sql.DB
	db, err := openDatabase(t.Context(), Options{})
	require.NoError(t, err)
	d := dialect()
	d.CommitFunc = func(ctx context.Context, conn *sql.Conn) error {
		if !broken.Load() {
			_, err := conn.ExecContext(ctx, "COMMIT")
			return err
		}
		return errors.Join(errInjected, db.Close()) // nothing answers any more
	}
	c, err := sqlcatalog.Open(t.Context(), db, d, sqlcatalog.Options{DataPath: "/data/", Clock: clock.System{}})
	require.NoError(t, err)
	broken.Store(true)
	_, err = c.Commit(t.Context(), create("a"))
	require.ErrorIs(t, err, lake.ErrIndeterminate)
	require.NoError(t, c.Close())
}

// TestOneFaultyCommitOfAGroupDoesNotHurtTheOthers lets the database refuse the
// rows of one table, while others wait in the same group.
func TestOneFaultyCommitOfAGroupDoesNotHurtTheOthers(t *testing.T) {
	t.Parallel()
	c := openFaulty(t, func(d *sqlcatalog.Dialect) {
		insert := d.InsertFunc
		d.InsertFunc = func(ctx context.Context, conn *sql.Conn, rows sqlcatalog.Rows) error {
			for _, row := range rows.Values {
				if rows.Table == "ducklake_table" && row[slices.Index(rows.Columns, "table_name")] == "poison" {
					return errInjected
				}
			}
			return insert(ctx, conn, rows)
		}
	})
	const commits = 20
	errs := make(chan error, commits)
	for i := range commits {
		go func() {
			name := fmt.Sprintf("t%02d", i)
			if i == commits/2 {
				name = "poison"
			}
			_, err := c.Commit(context.WithoutCancel(t.Context()), create(name))
			errs <- err
		}()
	}
	failed := 0
	for range commits {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, errInjected)
			failed++
		}
	}
	require.Equal(t, 1, failed)
	require.Len(t, tableNames(t, c), commits-1)
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	require.EqualValues(t, commits-1, head.ID)
}

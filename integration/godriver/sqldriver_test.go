package godriver

import (
	"database/sql"
	"testing"
	"time"

	_ "github.com/apache/arrow-go/v18/arrow/flight/flightsql/driver"
	"github.com/stretchr/testify/require"
)

// open returns a pool of one connection, so that its session is one too.
func open(t *testing.T, s *server) *sql.DB {
	t.Helper()
	db, err := sql.Open("flightsql", "flightsql://"+s.address+"?timeout=30s")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func count(t *testing.T, q interface {
	QueryRow(query string, args ...any) *sql.Row
}, query string, args ...any,
) int64 {
	t.Helper()
	var n int64
	require.NoError(t, q.QueryRow(query, args...).Scan(&n))
	return n
}

func TestDatabaseSQL(t *testing.T) {
	db := open(t, start(t))
	require.NoError(t, db.PingContext(t.Context()))
	result, err := db.ExecContext(t.Context(), "CREATE TABLE t (id BIGINT NOT NULL, name VARCHAR, ts TIMESTAMP)")
	require.NoError(t, err)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.Zero(t, affected, "DDL affects no rows")

	at := time.Date(2026, 7, 1, 12, 30, 0, 0, time.UTC)
	// The driver cannot bind timestamps.
	insert, err := db.PrepareContext(t.Context(), "INSERT INTO t VALUES (?, ?, TIMESTAMP '2026-07-01 12:30:00')")
	require.NoError(t, err)
	for i, name := range []string{"one", "two", "three"} {
		result, err := insert.ExecContext(t.Context(), int64(i), name)
		require.NoError(t, err)
		affected, err := result.RowsAffected()
		require.NoError(t, err)
		require.EqualValues(t, 1, affected)
	}
	require.NoError(t, insert.Close())

	rows, err := db.QueryContext(t.Context(), "SELECT id, name, ts FROM t WHERE id >= ? ORDER BY id", int64(1))
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var names []string
	for rows.Next() {
		var id int64
		var name string
		var got time.Time
		require.NoError(t, rows.Scan(&id, &name, &got))
		require.True(t, at.Equal(got), got)
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"two", "three"}, names)

	_, err = db.ExecContext(t.Context(), "INSERT INTO missing VALUES (1)")
	require.ErrorContains(t, err, "missing")
	require.EqualValues(t, 3, count(t, db, "SELECT count(*) FROM t"), "a failed statement must not break the connection")
}

func TestDatabaseSQLTransactions(t *testing.T) {
	s := start(t)
	db, other := open(t, s), open(t, s)
	_, err := db.ExecContext(t.Context(), "CREATE TABLE t (id BIGINT)")
	require.NoError(t, err)

	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1), (2)")
	require.NoError(t, err)
	require.EqualValues(t, 2, count(t, tx, "SELECT count(*) FROM t"), "a transaction reads its own writes")
	require.Zero(t, count(t, other, "SELECT count(*) FROM t"), "others must not see them before the commit")
	require.NoError(t, tx.Commit())
	require.EqualValues(t, 2, count(t, other, "SELECT count(*) FROM t"))

	tx, err = db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "CREATE TABLE u AS SELECT * FROM t")
	require.NoError(t, err)
	require.EqualValues(t, 2, count(t, tx, "SELECT count(*) FROM u"))
	require.NoError(t, tx.Rollback())
	_, err = db.QueryContext(t.Context(), "SELECT count(*) FROM u") //nolint:rowserrcheck // it must fail
	require.ErrorContains(t, err, "u")
}

package duckdb_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// helperVariable makes this test binary hold a catalog or a DuckDB file until
// its stdin ends: "server PATH" or "shell PATH".
const helperVariable = "FLIGHTLAKE_TEST_HOLD"

func TestMain(m *testing.M) {
	what, path, ok := strings.Cut(os.Getenv(helperVariable), " ")
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}
	if err := hold(what, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hold(what, path string) error {
	if what == "shell" {
		db, err := sql.Open("duckdb", path)
		if err != nil {
			return err
		}
		if err := db.Ping(); err != nil {
			return err
		}
	} else if _, err := duckdb.Open(context.Background(), options(path)); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "holding")
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err == nil || strings.Contains(err.Error(), "EOF") {
		return nil // without closing: as a crash would
	}
	return err
}

func options(path string) duckdb.Options {
	return duckdb.Options{Path: path, DataPath: filepath.Dir(path) + "/data/", Clock: clock.System{}}
}

// holdElsewhere lets another process hold path, and returns its id and what ends it.
func holdElsewhere(t *testing.T, what, path string) (pid int, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+what+" "+path)
	cmd.Stderr = &testWriter{t}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "holding\n", line)
	return cmd.Process.Pid, func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, cmd.Wait())
	}
}

func TestSecondServerIsToldWhoHoldsTheLake(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	pid, end := holdElsewhere(t, "server", path)
	_, err := duckdb.Open(t.Context(), options(path))
	require.ErrorIs(t, err, lake.ErrState)
	host, _ := os.Hostname()
	require.ErrorContains(t, err, fmt.Sprintf("lake is in use by process %d on %s since ", pid, host))
	end()
	c, err := duckdb.Open(t.Context(), options(path))
	require.NoError(t, err, "the lock file of a process that ended is no lock")
	require.NoError(t, c.Close())
}

func TestLogOfAKilledServerIsWrittenBack(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	_, end := holdElsewhere(t, "server", path)
	end() // without closing
	info, err := os.Stat(path + ".wal")
	require.NoError(t, err)
	require.NotZero(t, info.Size())
	c := openAt(t, path)
	if info, err = os.Stat(path + ".wal"); err == nil {
		require.Zero(t, info.Size())
	}
	publish(t, c, partitioned())
}

func TestSecondOpenOfOneProcessIsRefused(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	_, err := duckdb.Open(t.Context(), options(path))
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, fmt.Sprintf("in use by process %d", os.Getpid()))
	publish(t, c, partitioned()) // the first is not harmed
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.NoError(t, openAt(t, path).Close())
}

func TestDuckDBShellIsToldByProcess(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	require.NoError(t, openAt(t, path).Close())
	pid, end := holdElsewhere(t, "shell", path)
	_, err := duckdb.Open(t.Context(), options(path))
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, fmt.Sprintf("in use by process %d", pid))
	end()
	require.NoError(t, openAt(t, path).Close())
}

func TestCommitsSurviveACrash(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, partitioned())
	// DuckDB has not written the log back: what a crash would leave is copied.
	crashed := newPath(t)
	for _, suffix := range []string{"", ".wal"} {
		cmd := exec.CommandContext(t.Context(), "cp", path+suffix, crashed+suffix) // not by this process: see lockCatalog
		require.NoError(t, cmd.Run())
	}
	after := openAt(t, crashed)
	want := currentState(t, c)
	got := currentState(t, after)
	require.Equal(t, want.Schemas, got.Schemas)
}

func TestFilesThatAreNoCatalog(t *testing.T) {
	t.Parallel()
	text := newPath(t)
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database ", 1000)), 0o600))
	folder := newPath(t)
	require.NoError(t, os.Mkdir(folder, 0o755))
	other := newPath(t)
	execOn(t, other, "CREATE TABLE mine(i INT)")
	newer := newPath(t)
	require.NoError(t, openAt(t, newer).Close())
	execOn(t, newer, `UPDATE ducklake_metadata SET "value" = '1.1' WHERE "key" = 'version'`)
	format := newPath(t)
	require.NoError(t, openAt(t, format).Close())
	execOn(t, format, `UPDATE flightlake_metadata SET "value" = '2' WHERE "key" = 'format_version'`)
	elsewhere := newPath(t)
	require.NoError(t, openAt(t, elsewhere).Close())
	execOn(t, elsewhere, `UPDATE ducklake_metadata SET "value" = 's3://bucket/lake/' WHERE "key" = 'data_path'`)
	for path, want := range map[string]string{
		text: "no DuckDB database", folder: "is a directory", other: "holds other tables",
		newer:  `DuckLake version "1.1", this server reads and writes "1.0"`,
		format: `format version "2", this server reads and writes "1"`, elsewhere: "files are in s3://bucket/lake/",
		filepath.Join(t.TempDir(), "no", "folder"): "no such file or directory",
	} {
		before, _ := os.ReadFile(path)
		_, err := duckdb.Open(t.Context(), options(path))
		require.ErrorIs(t, err, lake.ErrState)
		require.ErrorContains(t, err, want)
		after, _ := os.ReadFile(path)
		require.Equal(t, before, after, "%s is as it was", want)
	}
	_, err := duckdb.Open(t.Context(), options("/tmp/a?b"))
	require.ErrorIs(t, err, lake.ErrInvalid)
}

func execOn(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	require.NoError(t, err)
	_, err = db.Exec(query)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestTypeThatIsNotKnownIsNamedWithItsColumn(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	publish(t, c, partitioned())
	require.NoError(t, c.Close())
	execOn(t, path, `UPDATE ducklake_column SET column_type = 'point' WHERE column_name = 'ts'`)
	c = openAt(t, path)
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	state, err := c.State(t.Context(), head.ID)
	require.NoError(t, err, "other tables can be used")
	table, ok := state.Table("main", "p")
	require.True(t, ok)
	err = table.Check()
	require.ErrorIs(t, err, lake.ErrUnsupported)
	require.ErrorContains(t, err, `table "p" cannot be used, only dropped: column "ts": `)
}

func TestMovedLakeFindsItsFiles(t *testing.T) {
	t.Parallel()
	from, to := newPath(t), newPath(t)
	require.NoError(t, openAt(t, from).Close())
	require.NoError(t, os.Rename(from, to))
	c := openAt(t, to)
	require.Equal(t, filepath.Dir(to)+"/data/", currentState(t, c).Options["data_path"])
}

func TestMetadataReachesNothingOutside(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := openAt(t, path)
	secret := filepath.Join(filepath.Dir(path), "secret.csv")
	require.NoError(t, os.WriteFile(secret, []byte("a\n1\n"), 0o600))
	for _, query := range []string{
		"FROM read_csv('" + secret + "')", "FROM '" + secret + "'", "SELECT * FROM read_text('" + path + ".lock')",
		"FROM glob('/*')", "FROM read_parquet('https://127.0.0.1/x.parquet')", "FROM parquet_metadata('" + path + "')",
		"FROM read_duckdb('" + path + "')", "SELECT getenv('HOME')",
	} {
		_, err := c.Metadata(t.Context(), query)
		require.ErrorIs(t, err, lake.ErrInvalid, query)
	}
	var _ catalog.Catalog = c
}

func TestCatalogInMemory(t *testing.T) {
	t.Parallel()
	c, err := duckdb.Open(t.Context(), duckdb.Options{DataPath: "mem:", Clock: clock.System{}})
	require.NoError(t, err)
	publish(t, c, partitioned())
	require.NoError(t, c.Close())
}

// definitions lists the columns of DuckLake's tables and their constraints.
func definitions(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.Query(`SELECT concat_ws(' ', table_name, column_index, column_name, data_type, is_nullable) FROM duckdb_columns()
		WHERE table_name LIKE 'ducklake_%' AND NOT regexp_matches(table_name, '_[0-9]+$')
		UNION ALL SELECT concat_ws(' ', table_name, constraint_text) FROM duckdb_constraints() WHERE table_name LIKE 'ducklake_%' ORDER BY 1`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var out []string
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		out = append(out, text)
	}
	require.NoError(t, rows.Err())
	return out
}

func TestTablesAreThoseOfTheExtension(t *testing.T) {
	t.Parallel()
	theirs, ours := newPath(t), newPath(t)
	extension(t, theirs, "create")
	require.NoError(t, openAt(t, ours).Close())
	require.Equal(t, definitions(t, theirs), definitions(t, ours))
}

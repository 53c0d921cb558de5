package lakehouse_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/flightlake/flightlake/auth"
	catalogduckdb "github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// world is a service with users. Rows of sales.orders whose note holds "hidden"
// are hidden from those with a filter.
type world struct {
	*bundle
	policy *auth.Policy
	auth   *auth.Authenticator
}

const usersOfWorld = `
[users.root]
roles = ["admin"]
[users.rita]
roles = ["reader"]
[users.wim]
roles = ["writer"]
[users.eve] # a filter that the scanner evaluates
roles = ["eu"]
[users.odd] # a filter that only DuckDB evaluates
roles = ["odd"]
[users.tom]
grants = [{privileges = ["select", "insert"], schema = "sales", table = "orders"}]
[users.ian]
grants = [{privileges = ["insert"], schema = "sales", table = "orders"}]
[users.mia]
grants = [{privileges = ["select", "create", "insert"], schema = "work"}]
roles = ["eu"]
[users.max]
roles = ["eu"]
grants = [{privileges = ["insert"], schema = "sales", table = "orders"}]
[users.none]
[roles.eu]
inherits = ["reader"]
row_filters = [{schema = "sales", table = "orders", filter = "region = 'EU'"}]
[roles.odd]
inherits = ["reader"]
row_filters = [{schema = "sales", table = "orders", filter = "lower(reverse(region)) = 'ue' -- odd"}]
`

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	salt := []byte("0123456789abcdef")
	b64 := base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$argon2id$v=19$m=8,t=1,p=1$%s$%s", b64(salt), b64(argon2.IDKey([]byte("pw"), salt, 1, 8, 1, 32)))
	var users strings.Builder
	for line := range strings.Lines(usersOfWorld) {
		users.WriteString(line)
		if strings.HasPrefix(line, "[users.") {
			users.WriteString("password = '" + hash + "'\n")
		}
	}
	path := filepath.Join(dir, "auth.toml")
	require.NoError(t, os.WriteFile(path, []byte(users.String()), 0o600))
	w := &world{}
	var err error
	w.auth, w.policy, err = auth.Load(path, auth.Options{})
	require.NoError(t, err)

	data := filepath.Join(dir, "data")
	bucket, err := local.New(data) // so that DuckDB could read the files by itself
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	cat, err := catalogduckdb.Open(t.Context(), catalogduckdb.Options{DataPath: data, Clock: clock.System{}, Logger: log})
	require.NoError(t, err)
	frontend, err := engine.NewFrontend(engine.FrontendOptions{})
	require.NoError(t, err)
	executor, err := engine.NewExecutor(nil, engine.Options{AllowedDirs: []string{data}})
	require.NoError(t, err)
	t.Cleanup(func() {
		executor.Close()
		frontend.Close()
		require.NoError(t, cat.Close())
	})
	w.bundle = newBundle(lakehouse.Components{
		Catalog: cat, Bucket: bucket, Frontend: frontend, Executor: executor, Clock: clock.System{}, Log: log, Policy: w.policy,
	}, lakehouse.Options{})
	for _, sql := range []string{
		"CREATE SCHEMA sales", "CREATE SCHEMA vault", "CREATE SCHEMA work",
		"CREATE TABLE sales.orders (region VARCHAR, amount BIGINT, note VARCHAR)",
		"INSERT INTO sales.orders VALUES ('EU', 1, 'able'), ('EU', 2, 'able'), ('US', 777001, 'hidden'), (NULL, 777002, 'hidden')",
		"INSERT INTO sales.orders VALUES ('US', 777003, 'hidden-3'), ('US', 777004, 'hidden-4')",
		"CREATE TABLE vault.zebras (zstripes VARCHAR)", "INSERT INTO vault.zebras VALUES ('hidden')",
		"CREATE TABLE main.open (v BIGINT)", "INSERT INTO open VALUES (1), (777001)",
	} {
		w.as(t, "root").exec(t, sql)
	}
	return w
}

// actor is a user of a world.
type actor struct {
	*world
	caller session.Caller
}

func (w *world) as(t *testing.T, user string) *actor {
	t.Helper()
	id, err := w.auth.Password(t.Context(), user, "pw")
	require.NoError(t, err)
	return &actor{world: w, caller: session.Caller{Identity: id}}
}

// inSession is as for a client with a session of its own.
func (w *world) inSession(t *testing.T, user string) *actor {
	t.Helper()
	a := w.as(t, user)
	var err error
	a.caller.Session, err = w.Sessions.Open(t.Context(), a.caller.Identity)
	require.NoError(t, err)
	return a
}

func (a *actor) statement(sql string) statement.Statement {
	return statement.Statement{SQL: sql, Caller: a.caller}
}

func (a *actor) exec(t *testing.T, sql string) {
	t.Helper()
	require.NoError(t, a.try(t.Context(), sql), sql)
}

func (a *actor) try(ctx context.Context, sql string) error {
	_, err := a.Execute(ctx, a.statement(sql))
	return err
}

func (a *actor) rows(t *testing.T, sql string) []string {
	t.Helper()
	out, err := a.query(t.Context(), a.statement(sql))
	require.NoError(t, err, sql)
	return out
}

func (a *actor) queryError(t *testing.T, sql string) error {
	t.Helper()
	out, err := a.query(t.Context(), a.statement(sql))
	require.Error(t, err, "%s gave %v", sql, out)
	return err
}

func (a *actor) table(t *testing.T, schema, name string) bool {
	t.Helper()
	seen, err := a.State(t.Context(), a.caller)
	require.NoError(t, err)
	_, ok := seen.State.Table(schema, name)
	return ok
}

func TestWhatIsNotVisibleDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tom := w.as(t, "tom")
	require.True(t, tom.table(t, "sales", "orders"))
	require.False(t, tom.table(t, "vault", "zebras"))
	require.False(t, tom.table(t, "main", "open"))
	for _, c := range [][2]string{ // of one that exists, and of one that does not
		{"SELECT * FROM vault.zebras", "SELECT * FROM vault.zebrax"},
		{"SELECT zstripes FROM vault.zebras", "SELECT zstripes FROM vault.zebrax"},
		{"SELECT * FROM open", "SELECT * FROM opex"},
		{"DESCRIBE vault.zebras", "DESCRIBE vault.zebrax"},
		{"SUMMARIZE vault.zebras", "SUMMARIZE vault.zebrax"},
		{"PIVOT vault.zebras ON zstripes", "PIVOT vault.zebrax ON zstripes"},
		{"FROM lake.list_files('vault.zebras')", "FROM lake.list_files('vault.zebrax')"},
		{"FROM lake.row_groups('vault.zebras')", "FROM lake.row_groups('vault.zebrax')"},
		{"SELECT * FROM vault.zebras AT (VERSION => 8)", "SELECT * FROM vault.zebrax AT (VERSION => 8)"},
		{"FROM lake.scan_plan('FROM vault.zebras')", "FROM lake.scan_plan('FROM vault.zebrax')"},
	} {
		there, not := tom.queryError(t, c[0]), tom.queryError(t, c[1])
		require.Equal(t, lake.KindOf(not), lake.KindOf(there), c[0])
		first, _, _ := strings.Cut(not.Error(), "\n") // the rest shows the statement, for PIVOT with a random name
		require.Contains(t, strings.ReplaceAll(strings.ReplaceAll(there.Error(), "zebras", "zebrax"), "open", "opex"), first, c[0])
	}
	for _, c := range [][2]string{
		{"INSERT INTO vault.zebras VALUES ('x')", "INSERT INTO vault.zebrax VALUES ('x')"},
		{"DROP TABLE vault.zebras", "DROP TABLE vault.zebrax"},
		{"COMMENT ON TABLE vault.zebras IS 'x'", "COMMENT ON TABLE vault.zebrax IS 'x'"},
		{
			"CALL lake.set_option('parquet_compression', 'zstd', schema => 'vault', table_name => 'zebras')",
			"CALL lake.set_option('parquet_compression', 'zstd', schema => 'vault', table_name => 'zebrax')",
		},
		{"CREATE TABLE vault.zebras (i INT)", "CREATE TABLE vault.zebrax (i INT)"},
		{"DROP SCHEMA vault", "DROP SCHEMA vaulx"},
		{"COMMENT ON SCHEMA vault IS 'x'", "COMMENT ON SCHEMA vaulx IS 'x'"},
	} {
		there, not := tom.try(t.Context(), c[0]), tom.try(t.Context(), c[1])
		require.Error(t, there, c[0])
		require.Error(t, not, c[1])
		same := strings.NewReplacer("zebras", "zebrax", "vault", "vaulx")
		require.Equal(t, same.Replace(not.Error()), same.Replace(there.Error()), c[0])
	}
	require.NotContains(t, tom.queryError(t, "SELECT * FROM plan").Error(), "zebras", "near names")
}

func TestMetadataShowsWhatIsVisible(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tom, none := w.as(t, "tom"), w.as(t, "none")
	for _, sql := range []string{
		"SELECT table_name FROM information_schema.tables", "SELECT column_name FROM information_schema.columns",
		"SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'lake'",
		"SHOW TABLES", "SHOW ALL TABLES", "FROM duckdb_tables()", "FROM duckdb_columns()", "FROM duckdb_schemas()", "FROM duckdb_tables",
		"SELECT * FROM pg_catalog.pg_class", "FROM pg_tables", "SELECT relname FROM pg_class", "FROM pg_namespace", "FROM pg_attribute", "FROM sqlite_master",
		"FROM lake.table_info()", "FROM lake.options()", "FROM lake.snapshots()", "FROM lake.snapshot_files(8)",
		"SELECT (SELECT string_agg(table_name) FROM duckdb_tables())",
		"SELECT * FROM sales.orders WHERE note IN (SELECT table_name FROM information_schema.tables)",
		"FROM pragma_show('vault.zebras')", "FROM pragma_table_info('vault.zebras')", "SHOW TABLES FROM vault",
		"SELECT error(string_agg(table_name || column_name)) FROM information_schema.columns",
		"SELECT 1 FROM sales.orders AT (VERSION => (SELECT error(string_agg(table_name)) FROM information_schema.tables))",
		"SELECT 1 FROM sales.orders AT (VERSION => (SELECT count(*) FROM duckdb_tables() WHERE error(table_name) IS NULL))",
		"SELECT zebra FROM sales.orders", "SELECT zebra.zstripe FROM sales.orders",
	} {
		for _, a := range []*actor{tom, none} {
			out, err := a.query(t.Context(), a.statement(sql))
			text := strings.Join(out, "\n")
			if err != nil {
				text = err.Error()
			}
			if strings.Contains(sql, "vault.zebras") {
				text = strings.ReplaceAll(text, "vault.zebras", "")
			}
			for _, name := range []string{"zebras", "zstripes"} {
				if at := strings.Index(text, name); at >= 0 {
					require.Failf(t, "a hidden name is shown", "%s: ...%s", sql, text[max(0, at-40):min(len(text), at+40)])
				}
			}
		}
	}
	require.Equal(t, []string{"orders"}, tom.rows(t, "SELECT table_name FROM information_schema.tables"))
	require.Equal(t, []string{"orders"}, tom.rows(t, "SELECT table_name FROM duckdb_tables()"))
	require.Empty(t, none.rows(t, "SELECT table_name FROM information_schema.tables"))
	require.Len(t, w.as(t, "rita").rows(t, "SELECT table_name FROM information_schema.tables"), 3)
	require.NotContains(t, tom.rows(t, "SELECT schema_name FROM information_schema.schemata"), "vault")
	const dataPath = "SELECT count(*) FROM lake.options() WHERE option_name = 'data_path'"
	require.Equal(t, []string{"0"}, tom.rows(t, dataPath), "a folder of the server")
	require.Equal(t, []string{"1"}, w.as(t, "rita").rows(t, dataPath))
	tom.exec(t, "INSERT INTO sales.orders VALUES ((SELECT string_agg(table_name) FROM information_schema.tables), 5, 'from metadata')")
	require.NotContains(t, tom.rows(t, "SELECT region FROM sales.orders WHERE note = 'from metadata'")[0], "zebras")
}

func TestPrivilegesAreAskedOnEveryPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ user, sql string }{
		{"rita", "INSERT INTO open VALUES (9)"},
		{"rita", "INSERT INTO open SELECT 9"},
		{"rita", "CREATE TABLE mine (i INT)"},
		{"rita", "CREATE OR REPLACE TABLE open (i INT)"},
		{"rita", "CREATE TABLE mine AS SELECT 1 AS i"},
		{"rita", "CREATE SCHEMA mine"},
		{"rita", "CREATE OR REPLACE SCHEMA work"},
		{"rita", "DROP TABLE open"},
		{"rita", "DROP TABLE IF EXISTS open"},
		{"rita", "DROP SCHEMA work"},
		{"rita", "DROP SCHEMA vault CASCADE"},
		{"rita", "COMMENT ON TABLE open IS 'x'"},
		{"rita", "COMMENT ON COLUMN open.v IS 'x'"},
		{"rita", "COMMENT ON SCHEMA work IS 'x'"},
		{"rita", "CALL lake.set_option('parquet_compression', 'zstd')"},
		{"rita", "CALL lake.set_option('parquet_compression', 'zstd', table_name => 'open')"},
		{"rita", "GRANT SELECT ON open TO tom"},
		{"rita", "REVOKE SELECT ON sales.orders FROM tom"},
		{"rita", "GRANT admin TO rita"},
		{"wim", "CALL lake.set_option('parquet_compression', 'zstd')"},
		{"wim", "GRANT SELECT ON open TO wim"},
		{"mia", "CREATE OR REPLACE TABLE sales.orders AS SELECT 1"},
		{"mia", "CREATE SCHEMA other"},
		{"tom", "DROP TABLE sales.orders"},
		{"tom", "CREATE OR REPLACE TABLE sales.orders (i INT)"},
		{"ian", "CREATE TABLE work2 AS SELECT * FROM sales.orders"},
		{"ian", "INSERT INTO sales.orders SELECT * FROM sales.orders"},
		{"ian", "INSERT INTO sales.orders VALUES ('x', (SELECT max(amount) FROM sales.orders), 'x')"},
	} {
		require.ErrorIs(t, w.as(t, c.user).try(t.Context(), c.sql), lake.ErrForbidden, "%s: %s", c.user, c.sql)
	}
	ian := w.as(t, "ian")
	ian.exec(t, "INSERT INTO sales.orders VALUES ('EU', 3, 'able')")
	require.ErrorIs(t, ian.queryError(t, "FROM sales.orders"), lake.ErrForbidden, "visible, and not permitted")
	for _, sql := range []string{
		"SELECT count(*) FROM sales.orders", "SUMMARIZE sales.orders", "EXPLAIN FROM sales.orders",
		"FROM lake.row_groups('sales.orders')", "FROM lake.list_files('sales.orders')", "FROM lake.scan_plan('FROM sales.orders')",
	} {
		require.ErrorIs(t, ian.queryError(t, sql), lake.ErrForbidden, sql)
	}
	wim := w.as(t, "wim")
	for _, sql := range []string{
		"CREATE SCHEMA temporary_work", "CREATE TABLE temporary_work.t AS SELECT 1 AS i", "CREATE OR REPLACE TABLE temporary_work.t AS SELECT 2 AS i",
		"INSERT INTO temporary_work.t VALUES (3)", "COMMENT ON TABLE temporary_work.t IS 'x'",
		"CALL lake.set_option('parquet_compression', 'zstd', schema => 'temporary_work', table_name => 't')", "DROP SCHEMA temporary_work CASCADE",
	} {
		wim.exec(t, sql)
	}
}

// A token that one user has used up would else lose the rows of another.
func TestAppendTokensAreTheirUsersOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, wim := w.as(t, "root"), w.as(t, "wim")
	into := func(a *actor) statement.Ingest {
		return statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsAppend, Token: "load-1", Caller: a.caller}
	}
	root.exec(t, "CREATE TABLE work.numbers (i BIGINT, s VARCHAR)")
	for range 2 {
		_, err := w.Ingest(t.Context(), into(wim), numbers(t, 0, 5, 5))
		require.NoError(t, err)
	}
	up, err := w.Ingest(t.Context(), into(root), numbers(t, 0, 7, 7))
	require.NoError(t, err)
	require.False(t, up.Replayed)
	st := root.statement("INSERT INTO work.numbers SELECT * FROM work.numbers LIMIT 1")
	st.Token = "load-1"
	up, err = w.Execute(t.Context(), st)
	require.NoError(t, err)
	require.True(t, up.Replayed, "statements and ingests of one user share their tokens")
	require.Equal(t, []string{"12"}, root.rows(t, "SELECT count(*) FROM work.numbers"))
	_, err = w.Ingest(t.Context(), into(w.as(t, "tom")), numbers(t, 0, 5, 5))
	require.ErrorIs(t, err, lake.ErrNotFound, "a known token asks for privileges too")
}

func TestIngestAsksForPrivileges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.as(t, "root").exec(t, "CREATE TABLE work.numbers (i BIGINT, s VARCHAR)")
	for _, c := range []struct {
		user string
		in   statement.Ingest
		want error
	}{
		{"rita", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsAppend}, lake.ErrForbidden},
		{"rita", statement.Ingest{Table: "other", Schema: "work", IfMissing: statement.MissingCreate}, lake.ErrForbidden},
		{"rita", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsReplace}, lake.ErrForbidden},
		{"mia", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsReplace}, lake.ErrForbidden},
		{"tom", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsAppend}, lake.ErrNotFound},
		{"mia", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsAppend}, nil},
		{"mia", statement.Ingest{Table: "other", Schema: "work", IfMissing: statement.MissingCreate}, nil},
		{"wim", statement.Ingest{Table: "numbers", Schema: "work", IfExists: statement.ExistsReplace}, nil},
	} {
		c.in.Caller = w.as(t, c.user).caller
		_, err := w.Ingest(t.Context(), c.in, numbers(t, 0, 10, 10))
		if c.want == nil {
			require.NoError(t, err, "%s %v", c.user, c.in)
			continue
		}
		require.ErrorIs(t, err, c.want, "%s %v", c.user, c.in)
	}
}

func TestRevokeEndsWhatWasPlannedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, tom := w.as(t, "root"), w.as(t, "tom")
	before, err := tom.Plan(t.Context(), tom.statement("SELECT amount FROM sales.orders"))
	require.NoError(t, err)
	require.Len(t, tom.rows(t, "SELECT amount FROM sales.orders"), 6)
	root.exec(t, "REVOKE SELECT ON sales.orders FROM tom")
	_, err = w.Run(t.Context(), before)
	require.ErrorIs(t, err, lake.ErrForbidden, "a ticket from before")
	require.ErrorIs(t, tom.queryError(t, "SELECT amount FROM sales.orders"), lake.ErrForbidden, "a plan that is kept")
	_, err = tom.Describe(t.Context(), tom.statement("SELECT amount FROM sales.orders"))
	require.ErrorIs(t, err, lake.ErrForbidden)
	root.exec(t, "GRANT SELECT ON TABLE sales.orders TO tom")
	require.Len(t, tom.rows(t, "SELECT amount FROM sales.orders"), 6)
	root.exec(t, "REVOKE ALL ON sales.orders FROM tom")
	require.ErrorIs(t, tom.queryError(t, "SELECT amount FROM sales.orders"), lake.ErrNotFound)
	root.exec(t, "GRANT eu TO tom")
	require.Len(t, tom.rows(t, "SELECT amount FROM sales.orders"), 2)
}

func TestTimeTravelObeysTheRulesOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, eve, tom := w.as(t, "root"), w.as(t, "eve"), w.as(t, "tom")
	head := root.rows(t, "SELECT id FROM lake.current_snapshot()")[0]
	root.exec(t, "DROP TABLE vault.zebras")
	root.exec(t, "DROP SCHEMA vault")
	require.Len(t, eve.rows(t, "SELECT note FROM sales.orders AT (VERSION => "+head+")"), 2)
	require.ErrorIs(t, tom.queryError(t, "FROM vault.zebras AT (VERSION => "+head+")"), lake.ErrNotFound)
	require.Len(t, root.rows(t, "FROM vault.zebras AT (VERSION => "+head+")"), 1)
}

func TestGrantStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, none := w.as(t, "root"), w.as(t, "none")
	root.exec(t, "GRANT SELECT, INSERT ON sales.orders, open TO none, ian")
	none.exec(t, "INSERT INTO open VALUES (2)")
	require.Len(t, none.rows(t, "FROM open"), 3)
	require.Len(t, w.as(t, "ian").rows(t, "FROM sales.orders"), 6)
	root.exec(t, "REVOKE INSERT ON open FROM none")
	require.ErrorIs(t, none.try(t.Context(), "INSERT INTO open VALUES (2)"), lake.ErrForbidden)
	root.exec(t, "GRANT SELECT ON ALL TABLES IN SCHEMA vault TO none")
	require.Len(t, none.rows(t, "FROM vault.zebras"), 1)
	root.exec(t, "GRANT ALL ON LAKE lake TO none")
	none.exec(t, "CREATE SCHEMA third")
	root.exec(t, "REVOKE ALL ON LAKE lake FROM none")
	require.ErrorIs(t, none.queryError(t, "FROM open"), lake.ErrNotFound)
	root.exec(t, "GRANT reader TO none")
	require.Len(t, none.rows(t, "FROM open"), 3)
	for sql, kind := range map[string]error{
		"GRANT SELECT ON nowhere TO none":        lake.ErrNotFound,
		"GRANT SELECT ON SCHEMA nowhere TO none": lake.ErrNotFound,
		"GRANT SELECT ON LAKE other TO none":     lake.ErrNotFound,
		"GRANT SELECT ON open TO nobody":         lake.ErrNotFound,
		"GRANT USAGE ON SCHEMA sales TO none":    lake.ErrInvalid,
		"REVOKE SELECT ON open FROM rita":        lake.ErrNotFound,
		"GRANT SELECT ON open, nowhere TO wim":   lake.ErrNotFound,
	} {
		require.ErrorIs(t, root.try(t.Context(), sql), kind, sql)
	}
	root.exec(t, "GRANT SELECT ON vault.zebras TO ian")
	root.exec(t, "DROP TABLE vault.zebras")
	root.exec(t, "REVOKE SELECT ON vault.zebras FROM ian") // a grant on what is gone
}

func TestGrantWithoutUsersSaysHow(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "GRANT SELECT ON LAKE lake TO x"})
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, "--auth-file")
}

func TestRemovedUserIsRefusedAtTheNextCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ghost := &actor{world: w, caller: session.Caller{Identity: &auth.Identity{User: "ghost", Roles: []string{"admin"}, Expires: time.Time{}}}}
	require.ErrorIs(t, ghost.queryError(t, "FROM sales.orders"), lake.ErrNotFound)
	require.ErrorIs(t, ghost.try(t.Context(), "GRANT admin TO none"), lake.ErrForbidden)
}

func TestDefaultsTellNothingOfHiddenTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mia := w.as(t, "mia")
	for _, expression := range []string{
		"(SELECT string_agg(table_name) FROM duckdb_tables())", "pg_get_viewdef(1)", "(SELECT max(zstripes) FROM vault.zebras)",
	} {
		err := mia.try(t.Context(), "CREATE TABLE work.d (i INT, s VARCHAR DEFAULT "+expression+")")
		require.ErrorIs(t, err, lake.ErrInvalid, expression)
	}
}

func TestHiddenSchemaAsTheDefaultDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tom := w.as(t, "tom")
	for _, sql := range []string{
		"SELECT 1", "SELECT * FROM sales.orders", "SELECT amount + 1 FROM sales.orders", "SHOW TABLES", "FROM zebras",
		"INSERT INTO sales.orders VALUES ('x', 1, 'x')", "INSERT INTO sales.orders SELECT * FROM sales.orders",
	} {
		var texts [2]string
		for i, schema := range []string{"vault", "vaulx"} {
			st := tom.statement(sql)
			st.Scope.Schema = schema
			run := func() error { _, err := tom.query(t.Context(), st); return err }
			if strings.HasPrefix(sql, "INSERT") {
				run = func() error { _, err := tom.Execute(t.Context(), st); return err }
			}
			err := run()
			require.ErrorIs(t, err, lake.ErrNotFound, "%s in %s", sql, schema)
			texts[i] = strings.ReplaceAll(err.Error(), "vaulx", "vault")
		}
		require.Equal(t, texts[1], texts[0], sql)
	}
}

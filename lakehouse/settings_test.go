package lakehouse_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

func TestASessionIsFoundByItsUserUntilItEnds(t *testing.T) {
	t.Parallel()
	c := &manualClock{now: time.Unix(1_700_000_000, 0)}
	b := setupLimited(t, c, lakehouse.Options{Sessions: session.Options{IdleTimeout: time.Minute}})
	ann := &auth.Identity{User: "ann"}
	x, err := b.Sessions.Open(t.Context(), ann)
	require.NoError(t, err)
	got, err := b.Sessions.Use(x.ID(), &auth.Identity{User: "ann"})
	require.NoError(t, err)
	require.Same(t, x, got)
	require.Equal(t, ann, x.Identity())
	require.GreaterOrEqual(t, len(x.ID()), 26, "128 bits")
	for name, of := range map[string]*auth.Identity{"another user": {User: "bob"}, "nobody": nil} {
		_, err = b.Sessions.Use(x.ID(), of)
		require.ErrorIs(t, err, lake.ErrUnauthenticated, name)
	}
	_, err = b.Sessions.Use("unknown", ann)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)

	c.advance(50 * time.Second)
	_, err = b.Sessions.Use(x.ID(), ann) // which is a use
	require.NoError(t, err)
	c.advance(50 * time.Second)
	b.Sweep(t.Context())
	_, err = b.Sessions.Use(x.ID(), ann)
	require.NoError(t, err)
	c.advance(61 * time.Second)
	_, err = b.Sessions.Use(x.ID(), ann)
	require.ErrorIs(t, err, lake.ErrUnauthenticated, "before anybody swept")
	b.Sweep(t.Context())
	c.advance(-61 * time.Second)
	_, err = b.Sessions.Use(x.ID(), ann)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	require.ErrorIs(t, x.SetOption(t.Context(), b.Sessions, "schema", "main"), lake.ErrUnauthenticated)
	_, err = b.Execute(t.Context(), statement.Statement{SQL: "CREATE SCHEMA s", Caller: session.Caller{Identity: ann, Session: x}})
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	b.Sessions.Close(t.Context(), x.ID())
	b.Sessions.Close(t.Context(), "unknown")
}

func TestASessionWithAStatementIsNotIdle(t *testing.T) {
	t.Parallel()
	c := &manualClock{now: time.Unix(1_700_000_000, 0)}
	b := setupLimited(t, c, lakehouse.Options{Sessions: session.Options{IdleTimeout: time.Minute}})
	who := b.connect(t)
	q, err := b.Plan(t.Context(), statement.Statement{SQL: "SELECT 1", Caller: who.caller})
	require.NoError(t, err)
	rows, err := b.Run(t.Context(), q)
	require.NoError(t, err)
	c.advance(time.Hour)
	b.Sweep(t.Context())
	_, err = b.Sessions.Use(who.caller.Session.ID(), nil)
	require.NoError(t, err)
	c.advance(time.Hour)
	rows.Reader.Release() // counts as its use
	b.Sweep(t.Context())
	_, err = b.Sessions.Use(who.caller.Session.ID(), nil)
	require.NoError(t, err)
	c.advance(time.Hour)
	b.Sweep(t.Context())
	_, err = b.Sessions.Use(who.caller.Session.ID(), nil)
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
}

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Sessions: session.Options{SessionsMax: 2}})
	b.connect(t)
	second := b.connect(t)
	_, err := b.Sessions.Open(t.Context(), nil)
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorContains(t, err, "2 sessions")
	b.Sessions.Close(t.Context(), second.caller.Session.ID())
	b.connect(t)
}

func TestSettingsAreSetByEveryName(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Sessions: session.Options{StatementTimeout: time.Minute}})
	b.exec(t, "CREATE SCHEMA Sales")
	b.exec(t, "CREATE TABLE sales.t AS SELECT 1 AS a")
	for _, c := range []struct{ sql, option, want string }{
		{"SET schema = 'sales'", "schema", "Sales"},
		{"SET search_path TO sales", "schema", "Sales"},
		{"SET database = 'sales'", "schema", "Sales"},
		{"SET database = 'lake'", "schema", "main"},
		{"USE sales", "schema", "Sales"},
		{"USE lake.SALES", "schema", "Sales"},
		{"USE lake", "schema", "main"},
		{"SET schema = 'lake.sales'", "schema", "Sales"},
		{"SET catalog = 'LAKE'", "catalog", "lake"},
		{"SET statement_timeout = '30s'", "statement_timeout", "30s"},
		{"SET statement_timeout = 1500", "statement_timeout", "1500ms"},
		{"SET statement_timeout = '1.5 s'", "statement_timeout", "1500ms"},
		{"SET statement_timeout TO '5min'", "statement_timeout", "5min"},
		{"SET statement_timeout = 0", "statement_timeout", "0"},
		{"SET statement_timeout = DEFAULT", "statement_timeout", "1min"},
		{"SET timestamptz = 'NAIVE'", "timestamptz", "naive"},
		{"SET application_name = 'my tool'", "application_name", "my tool"},
		{"SET TIME ZONE 'UTC'", "timezone", "UTC"},
		{"SET TimeZone = 'utc'", "timezone", "UTC"},
	} {
		who := b.connect(t)
		who.do(c.sql)
		require.Equal(t, c.want, who.caller.Session.Options()[c.option], c.sql)
		if strings.HasSuffix(c.want, "Sales") {
			require.Equal(t, []string{"Sales"}, who.read("SELECT current_schema()"), c.sql)
			require.Equal(t, []string{"1"}, who.read("FROM t"), c.sql)
		}
		require.Equal(t, []string{c.want}, who.read("SELECT value FROM lake.settings() WHERE name = '"+c.option+"'"), c.sql)
		who.do("RESET ALL")
		require.Equal(t, b.connect(t).caller.Session.Options(), who.caller.Session.Options(), c.sql)
	}
	require.Equal(t, map[string]any{
		"catalog": "lake", "schema": "main", "statement_timeout": "1min", "timestamptz": "utc", "timezone": "UTC", "application_name": "",
	}, b.connect(t).caller.Session.Options())
}

func TestAWrongSettingChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE SCHEMA sales")
	for _, c := range []struct {
		sql  string
		is   error
		text string
	}{
		{"SET schema = 'sale'", lake.ErrNotFound, `did you mean "sales"?`},
		{"USE nope", lake.ErrNotFound, `"nope"`},
		{"USE other.sales", lake.ErrNotFound, `catalog "other"`},
		{"SET catalog = 'other'", lake.ErrNotFound, `the catalog is "lake"`},
		{"SET statement_timeou = 1", lake.ErrNotFound, `did you mean "statement_timeout"?`},
		{"RESET nope", lake.ErrNotFound, `setting "nope" does not exist`},
		{"SET threads = 1", lake.ErrForbidden, `setting "threads" is one of the server's engine`},
		{"SET memory_limit = '1GB'", lake.ErrForbidden, "engine"},
		{"RESET memory_limit", lake.ErrForbidden, "engine"},
		{"SET statement_timeout = '-1'", lake.ErrInvalid, "expected milliseconds"},
		{"SET statement_timeout = '1 fortnight'", lake.ErrInvalid, "expected milliseconds"},
		{"SET statement_timeout = 'NaN'", lake.ErrInvalid, "expected milliseconds"},
		{"SET statement_timeout = '99999999999h'", lake.ErrInvalid, "longer than"},
		{"SET timestamptz = 'local'", lake.ErrInvalid, `"utc" or "naive"`},
		{"SET TIME ZONE 'Europe/Berlin'", lake.ErrInvalid, "always UTC"},
		{"SET application_name = '" + strings.Repeat("x", 257) + "'", lake.ErrInvalid, "257 bytes"},
		{"SET GLOBAL schema = 'sales'", lake.ErrForbidden, "SET GLOBAL"},
		{"SET LOCAL schema = 'sales'", lake.ErrUnsupported, "SET LOCAL"},
	} {
		who := b.connect(t)
		before := who.caller.Session.Options()
		_, err := who.try(c.sql)
		require.ErrorIs(t, err, c.is, c.sql)
		require.ErrorContains(t, err, c.text, c.sql)
		require.Equal(t, before, who.caller.Session.Options(), c.sql)
	}
	x := b.connect(t).caller.Session
	require.ErrorIs(t, x.SetOption(t.Context(), b.Sessions, "schema", []string{"sales"}), lake.ErrInvalid)
	require.NoError(t, x.SetOption(t.Context(), b.Sessions, "statement_timeout", int64(100)))
	require.NoError(t, x.SetOption(t.Context(), b.Sessions, "statement_timeout", nil))
}

func TestSettingsNeedASession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "SET schema = 'main'"})
	require.ErrorIs(t, err, lake.ErrState)
	opened := 0
	caller := session.Caller{OpenFunc: func(ctx context.Context) (*session.Session, error) {
		opened++
		return b.Sessions.Open(ctx, nil)
	}}
	_, err = b.Execute(t.Context(), statement.Statement{SQL: "SET application_name = 'x'", Caller: caller})
	require.NoError(t, err)
	require.Equal(t, 1, opened)
	require.Equal(t, []string{"x"}, b.rows(t, "SELECT application_name FROM lake.sessions()"))
}

func TestStatementsOfSessionsArePreparedAsUpdates(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, sql := range []string{"SET schema = 'main'", "RESET ALL", "USE main", "KILL 'x'"} {
		d, err := b.Describe(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err, sql)
		require.True(t, d.Update, sql)
		require.Nil(t, d.Result, sql)
	}
}

func TestManyEmptySessionsAreSmall(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, clock.System{}, lakehouse.Options{Sessions: session.Options{SessionsMax: 5000}})
	var ids []session.ID
	for range 5000 {
		x, err := b.Sessions.Open(t.Context(), nil)
		require.NoError(t, err)
		ids = append(ids, x.ID())
	}
	require.Equal(t, []string{"5000|5000"}, b.rows(t, "SELECT count(*), count(DISTINCT id) FROM lake.sessions()"))
	for _, id := range ids {
		b.Sessions.Close(t.Context(), id)
	}
	require.Equal(t, []string{"0"}, b.rows(t, "SELECT count(*) FROM lake.sessions()"))
}

func TestOnlyTheTimeZoneOfTheEnginesSettingsIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t AS SELECT 'TimeZone' AS s")
	require.Equal(t, []string{"UTC"}, b.rows(t, "SELECT current_setting('TimeZone')"))
	require.Equal(t, []string{"UTC"}, b.rows(t, "SELECT CURRENT_SETTING('timezone') FROM t WHERE current_setting('TIMEZONE') = 'UTC'"))
	for _, sql := range []string{
		"SELECT current_setting('threads')", "SELECT current_setting('TimeZone'), current_setting('threads')",
		"SELECT current_setting('Time' || 'Zone')", "SELECT current_setting(s) FROM t", "SELECT current_setting(NULL)",
		"SELECT 1 WHERE current_setting('TimeZone') = (SELECT current_setting('temp_directory'))",
		"SELECT current_setting('TimeZone'), getenv('HOME')", "PIVOT (SELECT current_setting('threads') AS a FROM t) ON a USING count(*)",
	} {
		_, err := b.Plan(t.Context(), statement.Statement{SQL: sql})
		require.ErrorIs(t, err, lake.ErrForbidden, sql)
	}
}

func TestADefaultSchemaThatDoesNotExistIsWhatTheErrorNames(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (i INT)")
	b.exec(t, "CREATE SCHEMA sales")
	before := "AT (VERSION => 1)"
	for _, sql := range []string{"FROM t", "FROM nosuch", "DESCRIBE t", "SELECT * FROM t WHERE i = 1", "FROM t " + before, "PIVOT t ON i USING count(*)"} {
		_, err := b.Plan(t.Context(), statement.Statement{SQL: sql, Scope: session.Scope{Schema: "slaes"}})
		require.ErrorIs(t, err, lake.ErrNotFound, sql)
		require.ErrorContains(t, err, `schema "slaes" does not exist`, sql)
	}
	for _, sql := range []string{"FROM main.t", "FROM t", "FROM t " + before} {
		_, err := b.Plan(t.Context(), statement.Statement{SQL: sql, Scope: session.Scope{Schema: "sales"}})
		require.NoError(t, err, "%s: a schema need not have existed in the past", sql)
	}
}

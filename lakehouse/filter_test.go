package lakehouse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// attempts are queries that try to get around a row filter of sales.orders.
// They must show no amount above 777000 and no note that says hidden.
func attempts() []string {
	const never = "CASE WHEN note LIKE 'hidden%' THEN error(note || amount) ELSE note END"
	return []string{
		"SELECT * FROM sales.orders",
		"FROM sales.orders",
		"TABLE sales.orders",
		"SELECT * FROM lake.sales.orders",
		"SELECT * FROM SALES.\"Orders\"",
		"SELECT o.* FROM sales.orders AS o",
		"SELECT o.c FROM sales.orders AS o(a, b, c)",
		"SELECT orders.note, sales.orders.amount FROM sales.orders",
		"SELECT note FROM sales.orders WHERE region = 'US' OR true",
		"SELECT note FROM sales.orders WHERE region = 'US'",
		"SELECT note FROM sales.orders WHERE region IS NULL",
		"SELECT note FROM sales.orders WHERE NOT (region = 'EU')",
		"SELECT max(amount), max(note), min(region) FROM sales.orders",
		"SELECT max(amount) FROM sales.orders",
		"SELECT (SELECT max(note) FROM sales.orders)",
		"SELECT * FROM (SELECT * FROM (FROM sales.orders))",
		"WITH orders AS (SELECT * FROM sales.orders) SELECT * FROM orders",
		"WITH orders AS (SELECT 1 AS x) SELECT o.* FROM orders, sales.orders AS o",
		"WITH RECURSIVE r AS (SELECT note, 1 AS i FROM sales.orders UNION ALL SELECT note, i + 1 FROM r WHERE i < 2) SELECT * FROM r",
		"WITH m AS MATERIALIZED (FROM sales.orders) SELECT * FROM m WHERE region = 'US'",
		"SELECT * FROM open JOIN sales.orders ON v = amount",
		"SELECT * FROM open LEFT JOIN sales.orders ON v = amount",
		"SELECT note FROM sales.orders WHERE amount IN (FROM open)",
		"SELECT v FROM open WHERE EXISTS (SELECT 1 FROM sales.orders WHERE amount = v AND v > 1)",
		"SELECT v FROM open SEMI JOIN sales.orders ON v = amount WHERE v > 1",
		"SELECT * FROM sales.orders UNION ALL SELECT * FROM sales.orders",
		"SELECT l.note FROM open, LATERAL (SELECT note FROM sales.orders WHERE amount >= v) AS l",
		"SELECT list(note), string_agg(note), array_agg(amount) FROM sales.orders",
		"SELECT * FROM sales.orders AT (VERSION => (SELECT 5))",
		"SELECT * FROM sales.orders AT (TIMESTAMP => now())",
		"SUMMARIZE sales.orders",
		"SUMMARIZE SELECT * FROM sales.orders",
		"FROM (SUMMARIZE sales.orders)",
		"PIVOT sales.orders ON region USING max(amount)",
		"PIVOT sales.orders ON note USING max(amount)",
		"UNPIVOT sales.orders ON amount",
		"SELECT * FROM (PIVOT sales.orders ON note USING sum(amount))",
		"SELECT * FROM sales.orders USING SAMPLE 100%",
		"SELECT * FROM sales.orders TABLESAMPLE 100%",
		"SELECT note FROM sales.orders ORDER BY region = 'US' DESC LIMIT 1",
		"SELECT first(note ORDER BY amount DESC) FROM sales.orders",
		"SELECT max(note) OVER () FROM sales.orders",
		"SELECT note FROM sales.orders QUALIFY row_number() OVER (ORDER BY amount DESC) = 1",
		"SELECT COLUMNS('.*') FROM sales.orders",
		"SELECT orders FROM sales.orders",
		"SELECT approx_top_k(note, 9), histogram(note), mode(note), arg_max(note, amount) FROM sales.orders",
		"SELECT stats(amount), stats(note) FROM sales.orders",
		"SELECT DISTINCT ON (region) note FROM sales.orders",
		"SELECT note FROM sales.orders GROUP BY ALL",
		"SELECT * FROM sales.orders POSITIONAL JOIN open",
		"SELECT * FROM sales.orders ASOF JOIN open ON amount >= v",
		"SELECT * FROM sales.orders a, sales.orders b WHERE a.region = 'US' OR b.region = 'US'",
		"SELECT * FROM sales.orders NATURAL JOIN sales.orders AS x",
		"SELECT note FROM sales.orders WHERE true) OR (true",
		"SELECT note FROM sales.orders -- ",
		"SELECT rowid FROM sales.orders WHERE rowid > 3",
		"SELECT filename FROM sales.orders",
		"VALUES ((SELECT max(amount) FROM sales.orders))",
		// Errors that hold values.
		"SELECT " + never + " FROM sales.orders",
		"SELECT 1 FROM sales.orders WHERE " + never + " IS NOT NULL",
		"SELECT 1 FROM sales.orders WHERE error(note || amount) IS NULL AND note <> 'able'",
		"SELECT CAST(note AS INTEGER) FROM sales.orders WHERE note <> 'able'",
		"SELECT 1 FROM sales.orders WHERE CASE WHEN amount > 700000 THEN CAST(note || amount AS DATE) > '2000-01-01' ELSE true END",
		"SELECT 1 FROM sales.orders WHERE CAST(amount AS UTINYINT) >= 0",
		"SELECT count(*) FROM sales.orders WHERE amount * (9223372036854775807 // 777000) > 0",
		"SELECT 1 FROM open JOIN sales.orders ON CAST(amount AS TINYINT) = v",
		"SELECT sum(CAST(amount AS TINYINT)) FROM sales.orders",
		"SELECT 1 FROM sales.orders ORDER BY " + never,
		"SELECT 1 FROM sales.orders GROUP BY CAST(amount AS TINYINT)",
		"SELECT 1 / (amount - 777001), CAST(CASE WHEN amount = 777001 THEN note ELSE '1' END AS INTEGER) FROM sales.orders",
		"SELECT strptime(note, '%d') FROM sales.orders WHERE note LIKE 'h%'",
		"SELECT json(note) FROM sales.orders WHERE note LIKE 'h%'",
		"FROM sales.orders WHERE regexp_matches('x', '(' || note) AND note LIKE 'h%'",
		"PIVOT sales.orders ON error(note) USING max(amount)",
	}
}

func TestNoQueryGetsAroundARowFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, user := range []string{"eve", "odd"} {
		a := w.as(t, user)
		require.Equal(t, []string{"EU|1|able", "EU|2|able"}, a.rows(t, "SELECT * FROM sales.orders ORDER BY amount"), user)
		require.Equal(t, []string{"2|3"}, a.rows(t, "SELECT count(*), sum(amount) FROM sales.orders"), user)
		require.Equal(t, []string{"2"}, a.rows(t, "SELECT count(*) FROM sales.orders"), user)
		for _, sql := range attempts() {
			out, err := a.query(t.Context(), a.statement(sql))
			text := strings.Join(out, "\n")
			if err != nil {
				text += err.Error()
			}
			text = strings.ReplaceAll(text, sql, "") // an error may quote the statement
			if !strings.Contains(sql, "open") {
				require.NotContains(t, text, "777", "%s: %s", user, sql)
				require.NotContains(t, text, "scan('", "%s: %s: an excerpt of what the server wrote", user, sql)
			}
			require.NotContains(t, text, "hidden", "%s: %s", user, sql)
			require.NotContains(t, text, "US|", "%s: %s", user, sql)
		}
	}
	// The attempts are good ones: most of them show what they are after to who may see it.
	root, shown := w.as(t, "root"), 0
	for _, sql := range attempts() {
		out, err := root.query(t.Context(), root.statement(sql))
		text := strings.Join(out, "\n") + fmt.Sprint(err)
		if strings.Contains(text, "hidden") || strings.Contains(text, "777") {
			shown++
		}
	}
	require.Greater(t, shown, len(attempts())*3/4)
}

func TestSemiJoinTellsNothingOfHiddenRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, user := range []string{"eve", "odd"} {
		a := w.as(t, user)
		for _, sql := range []string{
			"SELECT v FROM open WHERE v IN (SELECT amount FROM sales.orders)",
			"SELECT v FROM open WHERE EXISTS (FROM sales.orders WHERE amount = v)",
			"SELECT v FROM open SEMI JOIN sales.orders ON v = amount",
			"SELECT v FROM open JOIN sales.orders ON v = amount",
		} {
			require.Equal(t, []string{"1"}, a.rows(t, sql), "%s: %s", user, sql)
		}
		require.Equal(t, []string{"777001"}, a.rows(t, "SELECT v FROM open ANTI JOIN sales.orders ON v = amount"), user)
	}
}

func TestFilterHoldsForWhatIsWrittenFromAQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mia := w.as(t, "mia")
	mia.exec(t, "CREATE TABLE work.copy AS SELECT * FROM sales.orders")
	mia.exec(t, "INSERT INTO work.copy SELECT * FROM sales.orders")
	mia.exec(t, "INSERT INTO work.copy VALUES ('X', (SELECT max(amount) FROM sales.orders), (SELECT max(note) FROM sales.orders))")
	for _, row := range w.as(t, "root").rows(t, "FROM work.copy") {
		require.NotContains(t, row, "hidden")
		require.NotContains(t, row, "777")
	}
	require.Equal(t, []string{"5"}, w.as(t, "root").rows(t, "SELECT count(*) FROM work.copy"))
}

func TestFactsAboutHiddenRowsAreClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, user := range []string{"eve", "odd"} {
		a := w.as(t, user)
		for _, sql := range []string{
			"FROM lake.list_files('sales.orders')", "FROM ducklake_list_files('lake', 'orders', schema => 'sales')",
			"FROM lake.row_groups('sales.orders')", "CALL lake.row_groups('sales.orders')",
			"FROM lake.scan_plan('FROM sales.orders')", "FROM lake.scan_plan('SELECT * FROM open, sales.orders')",
			"FROM lake.scan_plan('FROM lake.row_groups(''sales.orders'')')",
			"EXPLAIN SELECT * FROM sales.orders WHERE amount > 5", "EXPLAIN ANALYZE SELECT * FROM sales.orders",
			"EXPLAIN SELECT * FROM open WHERE v IN (SELECT amount FROM sales.orders)",
			"FROM __ducklake_metadata_lake.ducklake_data_file", "SELECT * FROM __ducklake_metadata_lake.ducklake_table",
			"WITH x AS (FROM __ducklake_metadata_lake.ducklake_file_column_stats) FROM x",
			"FROM lake.scan_plan('FROM __ducklake_metadata_lake.ducklake_table')",
		} {
			require.ErrorIs(t, a.queryError(t, sql), lake.ErrForbidden, "%s: %s", user, sql)
		}
		require.NotContains(t, a.rows(t, "SELECT table_name FROM lake.table_info()"), "orders")
		require.Contains(t, a.rows(t, "SELECT table_name FROM lake.table_info()"), "open")
		for _, snapshot := range []string{"5", "6"} {
			require.Empty(t, a.rows(t, "FROM lake.snapshot_files("+snapshot+")"))
		}
		require.NotEmpty(t, a.rows(t, "FROM lake.list_files('open')"))
		require.NotEmpty(t, a.rows(t, "EXPLAIN SELECT * FROM open"))
		require.Equal(t, []string{"0"}, a.rows(t, "SELECT count(changes) + count(author) + count(commit_message) FROM lake.snapshots()"))

		q, err := a.Plan(t.Context(), a.statement("SELECT * FROM sales.orders"))
		require.NoError(t, err)
		require.Equal(t, lake.Unknown, q.Rows)
		require.Equal(t, lake.Unknown, q.Bytes)
		require.Empty(t, q.Parts)
	}
	root := w.as(t, "root")
	root.exec(t, "CREATE TABLE sales.now AS SELECT * FROM sales.orders")
	root.exec(t, "CREATE OR REPLACE TABLE sales.orders AS SELECT * FROM sales.now WHERE region = 'EU'")
	q, err := w.as(t, "eve").Plan(t.Context(), w.as(t, "eve").statement("SELECT * FROM sales.orders"))
	require.NoError(t, err)
	require.Equal(t, lake.Unknown, q.Rows, "that the files hide nothing is not told")
	require.NotEmpty(t, root.rows(t, "FROM lake.row_groups('sales.orders')"))
	require.NotEmpty(t, root.rows(t, "FROM __ducklake_metadata_lake.ducklake_data_file"))
	require.NotEqual(t, []string{"0"}, root.rows(t, "SELECT count(changes) FROM lake.snapshots()"))
	require.NotEmpty(t, w.as(t, "rita").rows(t, "FROM lake.row_groups('sales.orders')"))
}

func TestTicketGivesTheRowsOfWhoRedeemsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, eve := w.as(t, "root"), w.as(t, "eve")
	q, err := root.Plan(t.Context(), root.statement("SELECT note FROM sales.orders"))
	require.NoError(t, err)
	q.Statement.Caller = eve.caller // as with a ticket that another sends
	rows, err := w.Run(t.Context(), q)
	require.NoError(t, err)
	text, err := drainText(rows)
	require.NoError(t, err)
	require.Equal(t, []string{"able", "able"}, text)
	require.Len(t, root.rows(t, "SELECT note FROM sales.orders"), 6, "the plans of one are not those of the other")
	require.Len(t, eve.rows(t, "SELECT note FROM sales.orders"), 2)
	q.Statement.Caller = w.as(t, "none").caller
	_, err = w.Run(t.Context(), q)
	require.ErrorIs(t, err, lake.ErrNotFound)
	q.Statement.Caller = session.Caller{}
	_, err = w.Run(t.Context(), q)
	require.ErrorIs(t, err, lake.ErrNotFound, "a call without identity")
}

func TestFilterThatDoesNotFitTheTableLetsNothingThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, eve := w.as(t, "root"), w.as(t, "eve")
	root.exec(t, "CREATE OR REPLACE TABLE sales.orders AS SELECT 'hidden' AS note")
	err := eve.queryError(t, "FROM sales.orders")
	require.ErrorContains(t, err, "row filter")
	require.NotContains(t, err.Error(), "hidden")
}

func TestFilterHoldsInsideOfATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maxim := w.inSession(t, "max")
	maxim.exec(t, "BEGIN")
	maxim.exec(t, "INSERT INTO sales.orders VALUES ('US', 777009, 'hidden, although its own'), ('EU', 9, 'able')")
	for range 2 { // inside, and after the commit
		require.Equal(t, []string{"1|able", "2|able", "9|able"}, maxim.rows(t, "SELECT amount, note FROM sales.orders ORDER BY amount"))
		require.Equal(t, []string{"3|9"}, maxim.rows(t, "SELECT count(*), max(amount) FROM sales.orders"))
		require.ErrorIs(t, maxim.queryError(t, "EXPLAIN FROM sales.orders"), lake.ErrForbidden)
		require.ErrorIs(t, maxim.queryError(t, "FROM lake.row_groups('sales.orders')"), lake.ErrForbidden)
		_ = maxim.try(t.Context(), "COMMIT")
	}
	require.Equal(t, []string{"8"}, w.as(t, "root").rows(t, "SELECT count(*) FROM sales.orders"))
}

func TestViewOfATransactionIsFilteredAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, tom := w.as(t, "root"), w.inSession(t, "tom")
	tom.exec(t, "BEGIN")
	tom.exec(t, "INSERT INTO sales.orders VALUES ('EU', 9, 'able')")
	q, err := tom.Plan(t.Context(), tom.statement("SELECT amount FROM sales.orders"))
	require.NoError(t, err)
	require.NotEmpty(t, q.View)
	stolen := q
	stolen.Statement.Caller = w.as(t, "eve").caller
	_, err = w.Run(t.Context(), stolen)
	require.ErrorIs(t, err, lake.ErrNotFound, "the view of a transaction is its user's")
	root.exec(t, "GRANT eu TO tom")
	root.exec(t, "REVOKE SELECT ON sales.orders FROM tom")
	rows, err := w.Run(t.Context(), q)
	require.NoError(t, err)
	text, err := drainText(rows)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"1", "2", "9"}, text, "the rights of now")
	root.exec(t, "REVOKE eu FROM tom")
	_, err = w.Run(t.Context(), q)
	require.ErrorIs(t, err, lake.ErrForbidden)
	require.ErrorIs(t, tom.queryError(t, "FROM sales.orders"), lake.ErrForbidden)
	root.exec(t, "REVOKE ALL ON sales.orders FROM tom")
	_, err = w.Run(t.Context(), q)
	require.ErrorIs(t, err, lake.ErrNotFound)
	require.ErrorIs(t, tom.queryError(t, "FROM sales.orders"), lake.ErrNotFound)
}

func TestTemporaryTablesNeedNoPrivilege(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, user := range []string{"tom", "eve", "none"} {
		a := w.inSession(t, user)
		want := "0"
		switch user {
		case "tom":
			a.exec(t, "CREATE TEMP TABLE copy AS SELECT * FROM sales.orders")
			want = "6"
		case "eve":
			a.exec(t, "CREATE TEMP TABLE copy AS SELECT * FROM sales.orders")
			want = "2"
		default:
			require.ErrorIs(t, a.try(t.Context(), "CREATE TEMP TABLE copy AS SELECT * FROM sales.orders"), lake.ErrNotFound)
			a.exec(t, "CREATE TEMP TABLE copy (region VARCHAR, amount BIGINT, note VARCHAR)")
		}
		require.Equal(t, []string{want}, a.rows(t, "SELECT count(*) FROM copy"), user)
		a.exec(t, "INSERT INTO copy VALUES ('x', 1, 'x')")
		require.NotEmpty(t, a.rows(t, "FROM lake.row_groups('copy')"), user)
		require.Contains(t, a.rows(t, "SELECT table_name FROM information_schema.tables"), "copy", user)
		require.NotContains(t, strings.Join(w.inSession(t, user).rows(t, "SHOW TABLES"), " "), "copy", user)
		a.exec(t, "DROP TABLE copy")
	}
	tom := w.inSession(t, "tom")
	require.ErrorIs(t, tom.try(t.Context(), "CREATE TABLE copy AS SELECT * FROM sales.orders"), lake.ErrForbidden)
	_, err := w.Ingest(t.Context(), statement.Ingest{Table: "fresh", Temporary: true, IfMissing: statement.MissingCreate, Caller: tom.caller}, numbers(t, 0, 5, 5))
	require.NoError(t, err)
	require.Len(t, tom.rows(t, "FROM fresh"), 5)
	require.NotContains(t, strings.Join(tom.rows(t, "SELECT table_name FROM information_schema.tables"), " "), "zebras")
}

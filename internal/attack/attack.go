// Package attack generates statements that try to call what is closed to clients, for the
// tests of those who must refuse them: a name in every position where SQL takes one, and in
// every spelling that DuckDB may understand.
package attack

import (
	"iter"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// positions are statements with a call, $f, where SQL takes one. The tables t and u
// exist, with a column i.
func positions() []string {
	return []string{
		"SELECT $f", "SELECT $f FROM t", "SELECT * FROM $f", "FROM $f", "FROM t, $f", "FROM t, LATERAL $f", "FROM t JOIN $f ON true", "FROM t JOIN u ON $f IS NULL",
		"SELECT (SELECT 1 FROM $f)", "SELECT (SELECT $f)", "WITH x AS (SELECT * FROM $f) FROM x", "WITH x AS MATERIALIZED (SELECT $f) FROM x",
		"WITH RECURSIVE x AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM x, $f WHERE i < 3) FROM x", "SELECT 1 WHERE EXISTS (FROM $f)", "SELECT 1 IN (FROM $f)",
		"SELECT i FROM t WHERE $f IS NULL", "SELECT count(*) FROM t GROUP BY $f", "SELECT i FROM t ORDER BY $f", "SELECT i FROM t LIMIT $f",
		"SELECT i FROM t QUALIFY $f IS NULL", "SELECT sum(i) FILTER (WHERE $f IS NULL) FROM t", "SELECT sum(i) OVER (ORDER BY $f) FROM t", "SELECT i FROM t GROUP BY i HAVING $f IS NULL",
		"SELECT list_transform([1], lambda x: $f)", "SELECT [$f FOR x IN [1]]", "SELECT CASE WHEN $f IS NULL THEN 1 END", "SELECT {'a': $f}", "SELECT MAP {1: $f}", "SELECT TRY($f)",
		"VALUES ($f)", "FROM (VALUES ($f))", "SELECT 1 UNION ALL SELECT 1 FROM $f", "TABLE t UNION BY NAME SELECT 1 AS i FROM $f",
		"PIVOT (SELECT * FROM $f) ON i", "PIVOT $f ON i USING count(*)", "PIVOT (SELECT * FROM t JOIN u ON true, $f) ON i USING count(*)",
		"PIVOT (SELECT * FROM t JOIN u USING (i), $f) ON i USING count(*)", "PIVOT (SELECT * FROM t TABLESAMPLE 100%, $f) ON i USING count(*)",
		"PIVOT t ON $f", "PIVOT t ON i USING max($f)", "PIVOT t ON i IN (1) USING max($f)", "FROM (PIVOT t ON i), $f", "WITH x AS (PIVOT $f ON i) FROM x",
		"UNPIVOT (SELECT * FROM $f) ON i", "FROM t UNPIVOT (v FOR n IN (i)), $f", "FROM t PIVOT (max($f) FOR i IN (1))",
		"SELECT * FROM t AT (VERSION => $f)", "SELECT * FROM t AT (VERSION => (SELECT 1 FROM $f))", "SELECT * FROM t AT (TIMESTAMP => $f)",
		"EXPLAIN SELECT $f", "EXPLAIN ANALYZE SELECT * FROM $f", "EXPLAIN (FORMAT json) FROM $f", "DESCRIBE SELECT * FROM $f", "SUMMARIZE SELECT * FROM $f", "SUMMARIZE FROM $f",
		"FROM (DESCRIBE FROM $f)", "SELECT * FROM (SHOW TABLES), $f", "SELECT 'SHOW' FROM $f", "SELECT 1 AS describe FROM $f", "CALL $f",
		"FROM (FROM (FROM $f))", "FROM a: $f", "SELECT COLUMNS(c -> $f IS NULL) FROM t", "SELECT * REPLACE ($f AS i) FROM t", "SELECT t.* EXCLUDE (i), $f FROM t",
		"SELECT $f.x", "SELECT ($f)[1]", "SELECT $f::VARCHAR", "SELECT $f COLLATE nocase", "SELECT -$f", "SELECT i BETWEEN $f AND 1 FROM t", "SELECT DISTINCT ON ($f) i FROM t",
		"FROM t POSITIONAL JOIN $f", "FROM t ASOF JOIN $f ON t.i >= i", "SELECT i FROM t USING SAMPLE 10 ROWS UNION FROM $f",
	}
}

// definitions are statements of DDL and DML, like the positions.
func definitions() []string {
	return []string{
		"CREATE TABLE x (a VARCHAR DEFAULT ($f))", "CREATE TABLE x (a INT, b VARCHAR DEFAULT coalesce($f, 'x'))", "CREATE TEMP TABLE x (a VARCHAR DEFAULT $f)",
		"CREATE TABLE x AS SELECT * FROM $f", "CREATE TABLE x AS SELECT $f AS a", "CREATE OR REPLACE TABLE x AS PIVOT $f ON i",
		"INSERT INTO t VALUES ($f)", "INSERT INTO t VALUES ((SELECT 1 FROM $f))", "INSERT INTO t SELECT 1 FROM $f", "INSERT INTO t BY NAME SELECT $f AS i", "INSERT INTO t (i) FROM $f",
		"INSERT INTO t WITH x AS (FROM $f) SELECT 1 FROM x", "INSERT INTO t PIVOT $f ON i",
	}
}

func arguments() []string { return []string{"()", "('x')", "('x', 'y')", "(1)"} }

// spellings are texts of a name, $n, up to its bracket.
func spellings() []string {
	spellings := []string{
		"$n", `"$n"`, "$N", `"$N"`, "main.$n", "system.main.$n", `"system"."main"."$n"`, "system.$n", "pg_catalog.$n",
		"$n/**/", "$n/* /* */ ( */", "$n--(\n", "/*;*/$n", "$n /*'*/ ", `$n /*"*/ `,
	}
	for _, blank := range []string{
		" ", "\t", "\n", "\r\n", "\v", "\f", "\u00a0", "\u1680", "\u2000", "\u2003", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\u2060", "\ufeff", "\u0085", "\u180e",
	} {
		spellings = append(spellings, "$n"+blank, blank+"$n", blank+`"$n"`+blank)
	}
	return spellings
}

// Queries yields queries that call name, spelt plainly with several arguments in every position.
func Queries(name string) iter.Seq[string] { return calls(positions(), name) }

// Changes yields DDL and DML that call name.
func Changes(name string) iter.Seq[string] { return calls(definitions(), name) }

func calls(positions []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, position := range positions {
			a := arguments()[i%len(arguments())]
			if !yield(strings.ReplaceAll(position, "$f", name+a)) {
				return
			}
		}
	}
}

// Spelt yields queries that call name with an argument in every spelling, in every position, also
// with the blanks between all words of the query.
func Spelt(name, argument string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, spelling := range spellings() {
			call := strings.NewReplacer("$n", name, "$N", strings.ToUpper(name)).Replace(spelling) + "(" + argument + ")"
			for _, position := range positions() {
				sql := strings.ReplaceAll(position, "$f", call)
				if !yield(sql) {
					return
				}
				if blank, ok := strings.CutPrefix(spelling, "$n"); ok && blank != "" && !yield(strings.ReplaceAll(sql, " ", blank)) {
					return
				}
			}
		}
	}
}

// Refused reports whether err says that a statement was refused for what it names, before
// DuckDB bound it, or does not parse.
func Refused(err error) bool {
	switch lake.KindOf(err) {
	case lake.KindForbidden, lake.KindUnsupported:
		return err != nil
	case lake.KindInvalid:
		text := strings.ToLower(err.Error())
		return strings.Contains(text, "syntax error") || strings.Contains(text, "parser error") || strings.Contains(text, "cannot pivot on")
	default:
		return false
	}
}

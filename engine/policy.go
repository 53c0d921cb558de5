package engine

import (
	_ "embed" // functionsText
	"strings"
	"sync"
	"unicode"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// What clients may run is closed in three times. The first word of a statement
// must be one of readWords; DuckDB must then call the statement a SELECT,
// EXPLAIN or CALL; and it runs in a read-only transaction of an instance without
// access to files (but for the data folder), network, extensions and settings.
// The functions that a statement may call are checked twice, on two syntax trees: by the
// caller, with AllowedTableFunction, AllowedFunction and Frontend.AllowedSystemView, and by
// the executor just before it binds the statement, with check.

// AllowedTableFunction reports whether clients may call the table function or
// table macro of DuckDB with this name, compared without case. Functions that
// read files, show settings or logs, change something, or take SQL or the name of
// a table as text (histogram, query_table) are not on the list, and neither is any function that a later DuckDB adds.
func AllowedTableFunction(name string) bool {
	switch strings.ToLower(name) {
	case "range", "generate_series", "unnest", "repeat", "repeat_row", "summary",
		"json_each", "json_tree",
		"duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_indexes",
		"duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types", "duckdb_views",
		"icu_calendar_names", "pg_timezone_names", "pragma_collations", "pragma_show", "pragma_table_info",
		"pragma_version":
		return true
	}
	return false
}

// AllowedSystemView reports whether clients may read the view of DuckDB with
// this schema (as written; empty if not given) and name, compared without case:
// views that describe the lake. Those that show settings, logs or other
// clients' statements are not on the list, and neither is any view that a later
// DuckDB adds. It is a method because package planner asks its SQL front-end.
func (*Frontend) AllowedSystemView(schema, name string) bool { return allowedSystemView(schema, name) }

func allowedSystemView(schema, name string) bool {
	if strings.EqualFold(schema, "information_schema") {
		return true
	}
	switch strings.ToLower(name) {
	case "duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_indexes", "duckdb_schemas",
		"duckdb_tables", "duckdb_types", "duckdb_views", "pragma_database_list",
		"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema",
		"pg_am", "pg_attrdef", "pg_attribute", "pg_class", "pg_collation", "pg_constraint", "pg_database", "pg_depend",
		"pg_description", "pg_enum", "pg_index", "pg_indexes", "pg_namespace", "pg_proc", "pg_sequence", "pg_sequences",
		"pg_tables", "pg_tablespace", "pg_type", "pg_views":
		return true
	}
	return false
}

// functionsText names, one in a line, the functions that clients may call; see AllowedFunction.
//
//go:embed functions.txt
var functionsText string

var allowedFunctions = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.Lines(functionsText) {
		names[strings.TrimSpace(name)] = true
	}
	return names
})

// AllowedFunction reports whether clients may call the scalar function, aggregate, window
// function or macro of DuckDB with this name, compared without case, or, if its name has no
// letters, the operator. What it returns depends on its arguments, time, chance, and the
// schemas that the engine shows. Functions that read the environment, settings, statistics or
// other statements, write logs, set the seed that others draw from, hold a thread, take
// SQL as text or the bytes of an aggregate's state are not on the list, and neither is any
// function that a later DuckDB adds.
func AllowedFunction(name string) bool {
	lower := strings.ToLower(name)
	return allowedFunctions()[lower] || !strings.ContainsFunc(lower, unicode.IsLetter)
}

// ClosedFunction reports whether DuckDB has a function of any kind with this name, compared
// without case, that clients may not call. Of a function that is not there it is DuckDB that says so.
func (x *Executor) ClosedFunction(name string) bool {
	return !AllowedFunction(name) && x.names.functions[strings.ToLower(name)]
}

// AllowedSetting reports whether clients may ask current_setting for the setting
// with this name, compared without case: the time zone, which is UTC.
func AllowedSetting(name string) bool { return strings.EqualFold(name, "timezone") }

// HasSetting reports whether DuckDB has a setting of that name, compared without case.
func (x *Executor) HasSetting(name string) bool { return x.names.settings[strings.ToLower(name)] }

// StatementKind says how a statement is run.
type StatementKind uint8

// The kinds of statements that Query runs.
const (
	KindSelect  StatementKind = iota + 1 // SELECT, VALUES, FROM, DESCRIBE, SHOW, SUMMARIZE, PIVOT, UNPIVOT
	KindExplain                          // EXPLAIN, EXPLAIN ANALYZE
	KindCall                             // CALL
)

// checkFirstWord refuses, by name, statements that are no queries.
//
// Errors: KindForbidden for statements that reach out of the lake or change
// the engine; KindUnsupported for others; KindInvalid for no statement.
func checkFirstWord(sql string) error {
	words := leadingWords(sql)
	if len(words) == 0 {
		return lake.Errorf(lake.KindInvalid, "the statement is empty")
	}
	word := words[0]
	if word == "EXPLAIN" && len(words) > 1 {
		word = words[1]
	}
	if isQueryWord(word) {
		return nil
	}
	switch word {
	case "ATTACH", "DETACH", "COPY", "EXPORT", "IMPORT", "INSTALL", "LOAD", "FORCE", "SET", "RESET", "PRAGMA", "USE",
		"CHECKPOINT", "VACUUM", "ANALYZE":
		return lake.Errorf(lake.KindForbidden, "%s is not permitted: it would reach beyond the lake or change the engine", word)
	case "PREPARE", "EXECUTE", "DEALLOCATE":
		return lake.Errorf(lake.KindUnsupported, "%s is not supported in SQL: prepare the statement through the client", word)
	case "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "COMMENT", "TRUNCATE", "BEGIN", "START",
		"COMMIT", "ROLLBACK", "ABORT", "END":
		return lake.Errorf(lake.KindUnsupported, "%s is not a query", word)
	}
	return nil // not SQL: let DuckDB say what is wrong
}

// isQueryWord reports whether a query begins with that word.
func isQueryWord(word string) bool {
	switch word {
	case "SELECT", "WITH", "FROM", "VALUES", "TABLE", "(", "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "SUMMARIZE",
		"PIVOT", "PIVOT_WIDER", "PIVOT_LONGER", "UNPIVOT", "CALL":
		return true
	}
	return false
}

// checkType refuses what DuckDB does not call a query.
func checkType(t duckdb.StatementType) (StatementKind, error) {
	switch t {
	case duckdb.StatementTypeSelect, duckdb.StatementTypeRelation:
		return KindSelect, nil
	case duckdb.StatementTypeExplain:
		return KindExplain, nil
	case duckdb.StatementTypeCall:
		return KindCall, nil
	}
	return 0, lake.Errorf(lake.KindForbidden, "the statement is not a query")
}

// leadingWords returns the first word of a statement in upper case, and for
// EXPLAIN also the first word of what is explained. An opening bracket is a word.
func leadingWords(sql string) []string {
	word, _ := nextWord(sql)
	switch word {
	case "":
		return nil
	case "EXPLAIN":
		next, _ := nextWord(explained(sql))
		return []string{word, next}
	}
	return []string{word}
}

// queryOf returns the query that an EXPLAIN is about, or that a CALL stands for; others as
// they are.
func queryOf(sql string) string {
	sql = explained(sql)
	if word, rest := nextWord(sql); word == "CALL" {
		return "FROM" + rest
	}
	return sql
}

// explained returns the statement that an EXPLAIN is about; other statements as
// they are.
func explained(sql string) string {
	word, rest := nextWord(sql)
	if word != "EXPLAIN" {
		return sql
	}
	next, after := nextWord(rest)
	if next == "ANALYZE" || next == "ANALYSE" {
		rest = after
		next, after = nextWord(rest)
	}
	if next == "(" { // EXPLAIN (FORMAT json, ANALYZE) ..., or EXPLAIN (SELECT ...)
		if inner, _ := nextWord(after); inner == "FORMAT" || inner == "ANALYZE" || inner == "ANALYSE" {
			if end := strings.IndexByte(after, ')'); end >= 0 {
				return after[end+1:]
			}
		}
	}
	return rest
}

// nextWord returns the first word after blanks, comments and semicolons, in
// upper case, and the text behind it.
func nextWord(sql string) (word, rest string) {
	sql = skipBlank(sql)
	if sql == "" {
		return "", ""
	}
	end := 0
	for end < len(sql) && (sql[end] == '_' || sql[end] >= 0x80 || isLetter(sql[end]) || end > 0 && sql[end] >= '0' && sql[end] <= '9') {
		end++
	}
	end = max(end, 1)
	return strings.ToUpper(sql[:end]), sql[end:]
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func skipBlank(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v;\u00a0\ufeff")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			sql = skipComment(sql)
		default:
			return sql
		}
	}
}

// skipComment skips a block comment, which may hold others.
func skipComment(sql string) string {
	depth := 0
	for i := 0; i < len(sql); i++ {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return sql[i+1:]
			}
		}
	}
	return ""
}

package lakehouse_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	catalogmem "github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/lakehouse"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// modelTable is a table of numbers. Two tables of one name differ by id.
type modelTable struct {
	id   int
	rows []int // only ever appended to
}

// modelLake is the schemas of the test, with their tables, by name.
type modelLake map[string]modelSchema

type modelSchema struct {
	id     int
	tables map[string]modelTable
}

func (l modelLake) clone() modelLake {
	out := maps.Clone(l)
	for name, s := range out {
		out[name] = modelSchema{id: s.id, tables: maps.Clone(s.tables)}
	}
	return out
}

// table finds a table by its id.
func (l modelLake) table(id int) (schema, name string, ok bool) {
	for schema, s := range l {
		for name, t := range s.tables {
			if t.id == id {
				return schema, name, true
			}
		}
	}
	return "", "", false
}

// text lists tables and rows, sorted.
func (l modelLake) text() []string {
	var out []string
	for schema, s := range l {
		for name, t := range s.tables {
			rows := slices.Sorted(slices.Values(t.rows))
			out = append(out, fmt.Sprint(schema, ".", name, " ", rows))
		}
	}
	slices.Sort(out)
	return out
}

// merge commits what a transaction made of base to the lake; ok is false if that
// is a conflict, and changed is false if there is nothing to commit.
func (l modelLake) merge(base, now modelLake) (merged modelLake, changed, ok bool) {
	out := l.clone()
	for _, s := range base {
		for _, t := range s.tables {
			if _, _, kept := now.table(t.id); kept {
				continue
			}
			schema, name, there := out.table(t.id)
			if changed = true; !there || len(out[schema].tables[name].rows) > len(t.rows) {
				return l, true, false // it is gone, or has rows that the transaction did not see
			}
			delete(out[schema].tables, name)
		}
	}
	for name, s := range base {
		if now[name].id == s.id {
			continue
		}
		if changed = true; out[name].id != s.id || len(out[name].tables) > 0 {
			return l, true, false
		}
		delete(out, name)
	}
	for name, s := range now {
		if base[name].id == s.id {
			continue
		}
		changed = true
		if _, taken := out[name]; taken {
			return l, true, false
		}
		out[name] = modelSchema{id: s.id, tables: map[string]modelTable{}}
	}
	for schema, s := range now {
		for name, t := range s.tables {
			before := 0
			if in, n, old := base.table(t.id); old {
				before = len(base[in].tables[n].rows)
				if len(t.rows) == before {
					continue
				}
				if _, _, there := out.table(t.id); !there {
					return l, true, false
				}
			} else {
				_, taken := out[schema].tables[name]
				if out[schema].id != s.id || taken {
					return l, true, false
				}
			}
			changed = true
			target := out[schema].tables[name]
			target.id = t.id
			target.rows = append(slices.Clip(target.rows), t.rows[before:]...)
			out[schema].tables[name] = target
		}
	}
	return out, changed, true
}

// modelTransaction is an open transaction, or what is outside of all.
type modelTransaction struct {
	caller     session.Caller
	base, now  modelLake // nil until it is pinned
	savepoints []modelLake
}

// machine runs random operations against the service and the model.
type machine struct {
	b *bundle
	t *testing.T // owns what lives longer than a run
	// sql says that tables are created and read by SQL, in DuckDB.
	sql       bool
	prefix    string // of the schemas of this run
	committed modelLake
	open      [2]*modelTransaction // nil: not open
	lastID    int
}

func (m *machine) id() int {
	m.lastID++
	return m.lastID
}

// actor draws a transaction, or nil for a statement that commits by itself.
func (m *machine) actor(t *rapid.T) *modelTransaction {
	i := rapid.IntRange(0, 2).Draw(t, "actor")
	if i == 2 {
		return nil
	}
	if m.open[i] == nil {
		id, err := m.b.Transactions.Begin(t.Context(), session.Caller{})
		require.NoError(t, err)
		m.open[i] = &modelTransaction{caller: session.Caller{Transaction: id}}
	}
	return m.open[i]
}

// change runs one statement in the transaction; change does to the model what the
// statement does, and returns the error that is expected, nil for none.
func (m *machine) change(t *rapid.T, tx *modelTransaction, what string, run func(session.Caller) error, change func(modelLake) error) {
	now, caller := m.committed.clone(), session.Caller{}
	if tx != nil {
		if tx.now == nil {
			tx.base, tx.now = m.committed, m.committed
		}
		now, caller = tx.now.clone(), tx.caller
	}
	want := change(now)
	err := run(caller)
	if want != nil {
		require.ErrorIs(t, err, want, what)
		return
	}
	require.NoError(t, err, what)
	if tx != nil {
		tx.now = now
	} else {
		m.committed = now
	}
}

func (m *machine) execute(t *rapid.T, tx *modelTransaction, sql string, change func(modelLake) error) {
	m.change(t, tx, sql, func(c session.Caller) error {
		_, err := m.b.Execute(t.Context(), statement.Statement{SQL: sql, Caller: c})
		return err
	}, change)
}

func (m *machine) schema(t *rapid.T) string {
	return m.prefix + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "schema")
}

func (m *machine) name(t *rapid.T) (schema, table string) {
	return m.schema(t), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "table")
}

func (m *machine) createSchema(t *rapid.T) {
	name := m.schema(t)
	m.execute(t, m.actor(t), "CREATE SCHEMA "+name, func(l modelLake) error {
		if _, ok := l[name]; ok {
			return lake.ErrExists
		}
		l[name] = modelSchema{id: m.id(), tables: map[string]modelTable{}}
		return nil
	})
}

func (m *machine) dropSchema(t *rapid.T) {
	name := m.schema(t)
	m.execute(t, m.actor(t), "DROP SCHEMA "+name+" CASCADE", func(l modelLake) error {
		if _, ok := l[name]; !ok {
			return lake.ErrNotFound
		}
		delete(l, name)
		return nil
	})
}

func (m *machine) createTable(rt *rapid.T) {
	schema, name := m.name(rt)
	replace := rapid.Bool().Draw(rt, "replace")
	create, in := "CREATE TABLE ", statement.Ingest{Schema: schema, Table: name, IfMissing: statement.MissingCreate}
	if replace {
		create, in.IfExists = "CREATE OR REPLACE TABLE ", statement.ExistsReplace
	}
	run := func(c session.Caller) error {
		var err error
		if in.Caller = c; m.sql {
			_, err = m.b.Execute(rt.Context(), statement.Statement{SQL: create + schema + "." + name + " (i BIGINT, s VARCHAR)", Caller: c})
		} else {
			_, err = m.b.Ingest(rt.Context(), in, numbers(m.t, 0, 0, 1))
		}
		return err
	}
	m.change(rt, m.actor(rt), create+schema+"."+name, run, func(l modelLake) error {
		s, ok := l[schema]
		if !ok {
			return lake.ErrNotFound
		}
		if _, exists := s.tables[name]; exists && !replace {
			return lake.ErrExists
		}
		s.tables[name] = modelTable{id: m.id()}
		return nil
	})
}

func (m *machine) dropTable(t *rapid.T) {
	schema, name := m.name(t)
	m.execute(t, m.actor(t), "DROP TABLE "+schema+"."+name, func(l modelLake) error {
		if _, ok := l[schema].tables[name]; !ok {
			return lake.ErrNotFound
		}
		delete(l[schema].tables, name)
		return nil
	})
}

func (m *machine) ingest(rt *rapid.T) {
	schema, name := m.name(rt)
	first, rows := m.id(), rapid.IntRange(1, 3).Draw(rt, "rows")
	in := statement.Ingest{Schema: schema, Table: name, IfMissing: statement.MissingCreate, IfExists: statement.ExistsAppend}
	if rapid.Bool().Draw(rt, "replace") {
		in.IfExists = statement.ExistsReplace
	}
	run := func(c session.Caller) error {
		in.Caller = c
		_, err := m.b.Ingest(rt.Context(), in, numbers(m.t, first, rows, 2))
		return err
	}
	m.change(rt, m.actor(rt), "ingest into "+schema+"."+name, run, func(l modelLake) error {
		s, ok := l[schema]
		if !ok {
			return lake.ErrNotFound
		}
		table, exists := s.tables[name]
		if !exists || in.IfExists == statement.ExistsReplace {
			table = modelTable{id: m.id()}
		}
		table.rows = slices.Clip(table.rows)
		for i := range rows {
			table.rows = append(table.rows, first+i)
		}
		s.tables[name] = table
		return nil
	})
}

func (m *machine) savepoint(t *rapid.T) {
	tx := m.actor(t)
	if tx == nil {
		return
	}
	if tx.now == nil { // pin, so that the model knows what is returned to
		tx.base, tx.now = m.committed, m.committed
		_, err := m.b.query(t.Context(), statement.Statement{SQL: "SELECT 1", Caller: tx.caller})
		require.NoError(t, err)
	}
	_, err := m.b.Execute(t.Context(), statement.Statement{SQL: "SAVEPOINT s" + strconv.Itoa(len(tx.savepoints)), Caller: tx.caller})
	require.NoError(t, err)
	tx.savepoints = append(tx.savepoints, tx.now)
}

func (m *machine) endSavepoint(t *rapid.T) {
	tx := m.actor(t)
	if tx == nil || len(tx.savepoints) == 0 {
		return
	}
	i := rapid.IntRange(0, len(tx.savepoints)-1).Draw(t, "savepoint")
	sql := "RELEASE s" + strconv.Itoa(i)
	if rapid.Bool().Draw(t, "return") {
		sql = "ROLLBACK TO s" + strconv.Itoa(i)
		tx.now = tx.savepoints[i]
		tx.savepoints = tx.savepoints[:i+1]
	} else {
		tx.savepoints = tx.savepoints[:i]
	}
	_, err := m.b.Execute(t.Context(), statement.Statement{SQL: sql, Caller: tx.caller})
	require.NoError(t, err)
}

func (m *machine) end(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "transaction")
	tx := m.open[i]
	if tx == nil {
		return
	}
	m.open[i] = nil
	commit := rapid.IntRange(0, 3).Draw(t, "commit") > 0
	before := m.b.headOf(t)
	_, err := m.b.Transactions.End(t.Context(), session.Caller{}, tx.caller.Transaction, commit)
	if !commit || tx.now == nil {
		require.NoError(t, err)
		require.Equal(t, before, m.b.headOf(t))
		return
	}
	merged, changed, ok := m.committed.merge(tx.base, tx.now)
	if !ok {
		require.ErrorIs(t, err, lake.ErrConflict)
		require.Equal(t, before, m.b.headOf(t))
		return
	}
	require.NoError(t, err)
	if m.committed = merged; changed {
		before++
	}
	require.Equal(t, before, m.b.headOf(t))
}

func (m *machine) look(t *rapid.T) {
	tx := m.actor(t)
	if tx == nil {
		m.check(t, session.Caller{}, m.committed)
		return
	}
	if tx.now == nil {
		tx.base, tx.now = m.committed, m.committed
		_, err := m.b.query(t.Context(), statement.Statement{SQL: "SELECT 1", Caller: tx.caller})
		require.NoError(t, err)
	}
	m.check(t, tx.caller, tx.now)
}

// check compares what a caller sees with the model.
func (m *machine) check(t *rapid.T, c session.Caller, want modelLake) {
	seen, err := m.b.State(t.Context(), c)
	require.NoError(t, err)
	got := modelLake{}
	var tables []*lake.Table
	for _, s := range seen.State.Schemas {
		if s.Name[:len(s.Name)-1] != m.prefix {
			continue
		}
		got[s.Name] = modelSchema{tables: map[string]modelTable{}}
		for i := range s.Tables {
			tables = append(tables, &s.Tables[i])
		}
	}
	rows := m.readFiles
	if m.sql {
		rows = m.query
	}
	for i, numbers := range rows(t, c, tables) {
		got[tables[i].Schema].tables[tables[i].Name] = modelTable{rows: numbers}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
	require.Equal(t, want.text(), got.text())
}

// query reads tables with SQL, and has it count them, which metadata answers.
func (m *machine) query(t *rapid.T, c session.Caller, tables []*lake.Table) [][]int {
	out := make([][]int, len(tables))
	for i, table := range tables {
		from := " FROM " + table.Schema + "." + table.Name
		out[i] = m.numbers(t, c, "SELECT i"+from)
		require.Equal(t, []int{len(out[i])}, m.numbers(t, c, "SELECT count(*)"+from))
	}
	return out
}

func (m *machine) numbers(t *rapid.T, c session.Caller, sql string) []int {
	texts, err := m.b.query(t.Context(), statement.Statement{SQL: sql, Caller: c})
	require.NoError(t, err)
	out := make([]int, len(texts))
	for i, text := range texts {
		out[i] = number(t, text)
	}
	return out
}

// readFiles tells the rows of tables by the statistics of their files: each holds
// numbers that follow each other.
func (m *machine) readFiles(t *rapid.T, c session.Caller, tables []*lake.Table) [][]int {
	out := make([][]int, len(tables))
	for i, table := range tables {
		version, err := m.b.FilesOf(t.Context(), c, table)
		require.NoError(t, err)
		for _, f := range version.Files {
			stats, ok := f.ColumnStats(table.Columns[0].ID)
			require.True(t, ok)
			for j := range int(f.Rows) {
				out[i] = append(out[i], int(stats.Min.Int)+j)
			}
			require.Equal(t, int(stats.Max.Int), out[i][len(out[i])-1])
		}
	}
	return out
}

func number(t *rapid.T, text string) int {
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func (b *bundle) headOf(t *rapid.T) lake.SnapshotID {
	seen, err := b.State(t.Context(), session.Caller{})
	require.NoError(t, err)
	return seen.Snapshot
}

// TestTransactionsAgreeWithAModel runs random statements in two transactions and
// outside of them. Snapshot isolation, conflicts and savepoints are those of a
// simple model in memory, and nothing is left of what was not committed. Over the
// catalog in memory ten times as many statements take the time of one over DuckDB.
func TestTransactionsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	t.Run("duckdb", func(t *testing.T) {
		t.Parallel()
		checkTransactions(t, setup(t, nil), true)
	})
	t.Run("mem", func(t *testing.T) {
		t.Parallel()
		components := setup(t, nil).components
		for range 10 {
			c, err := catalogmem.Open(nil, catalogmem.Options{DataPath: "mem:", Clock: components.Clock})
			require.NoError(t, err)
			components.Catalog, components.Bucket = c, mem.New(mem.Options{})
			checkTransactions(t, newBundle(components, lakehouse.Options{}), false)
		}
	})
}

func checkTransactions(t *testing.T, b *bundle, sql bool) {
	t.Helper()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &machine{b: b, t: t, sql: sql, prefix: "r" + strconv.Itoa(run), committed: modelLake{}}
		rt.Repeat(map[string]func(*rapid.T){
			"create schema": m.createSchema,
			"drop schema":   m.dropSchema,
			"create table":  m.createTable,
			"drop table":    m.dropTable,
			"ingest":        m.ingest,
			"append":        m.ingest,
			"savepoint":     m.savepoint,
			"end savepoint": m.endSavepoint,
			"end":           m.end,
			"look":          m.look,
		})
		for i := range m.open {
			if m.open[i] != nil {
				_, err := b.Transactions.End(rt.Context(), session.Caller{}, m.open[i].caller.Transaction, false)
				require.NoError(rt, err)
			}
		}
		m.check(rt, session.Caller{}, m.committed)
		for name := range m.committed {
			m.execute(rt, nil, "DROP SCHEMA "+name+" CASCADE", func(l modelLake) error { delete(l, name); return nil })
		}
	})
	b.Close(t.Context()) // rolls back what a run left open that was cut short
	staged, err := b.catalog.Staged(t.Context())
	require.NoError(t, err)
	require.Empty(t, staged)
	require.ElementsMatch(t, b.namedFiles(t), b.objects(t), "every object is one that the catalog names")
}

// namedFiles returns the data files of all snapshots.
func (b *bundle) namedFiles(t *testing.T) []string {
	t.Helper()
	if b.catalog.Capabilities().Metadata { // one query instead of one or more per snapshot
		reader, err := b.catalog.Metadata(t.Context(), `SELECT s.path || t.path || f.path FROM ducklake_data_file f
			JOIN (SELECT DISTINCT table_id, schema_id, path FROM ducklake_table) t USING (table_id) JOIN ducklake_schema s USING (schema_id)`)
		require.NoError(t, err)
		paths, err := drainText(statement.Rows{Reader: reader})
		require.NoError(t, err)
		return paths
	}
	snapshots, err := b.catalog.Snapshots(t.Context())
	require.NoError(t, err)
	paths := map[string]bool{}
	for _, snapshot := range snapshots {
		state, err := b.catalog.State(t.Context(), snapshot.ID)
		require.NoError(t, err)
		for _, s := range state.Schemas {
			for _, table := range s.Tables {
				files, err := b.catalog.Files(t.Context(), table.ID, 0, snapshot.ID)
				require.NoError(t, err)
				for _, f := range files.Files {
					paths[f.Path] = true
				}
			}
		}
	}
	return slices.Collect(maps.Keys(paths))
}

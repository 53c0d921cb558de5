package overlay_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/overlay"
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	require.TestingT
	Helper()
	Context() context.Context
}

func columns() []lake.Column {
	out, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "i", Type: lake.Type{ID: lake.TypeInt64}}, {Name: "s", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true},
	})
	return out
}

func newCatalog(t tester) *mem.Catalog {
	t.Helper()
	c, err := mem.Open(nil, mem.Options{Clock: clock.System{}})
	require.NoError(t, err)
	return c
}

// latest returns the newest state and its snapshot.
func latest(t tester, c *mem.Catalog) (*lake.State, lake.SnapshotID) {
	t.Helper()
	head, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	state, err := c.State(t.Context(), head.ID)
	require.NoError(t, err)
	return state, head.ID
}

func commit(t tester, c *mem.Catalog, ops ...catalog.Operation) catalog.Result {
	t.Helper()
	r, err := c.Commit(t.Context(), catalog.Commit{Operations: ops})
	require.NoError(t, err)
	return r
}

// text describes a state without ids and snapshots; files returns the paths of a table's.
func text(s *lake.State, files func(*lake.Table) []string) []string {
	out := []string{fmt.Sprint("lake ", s.Options)}
	for i := range s.Schemas {
		sc := &s.Schemas[i]
		out = append(out, fmt.Sprintf("%s %q %s", sc.Name, sc.Comment, sc.Path))
		for j := range sc.Tables {
			t := &sc.Tables[j]
			var fields []lake.PartitionField
			if t.Partition != nil {
				fields = t.Partition.Fields
			}
			out = append(out, fmt.Sprintf("%s.%s %q %v %v %v %v %v", t.Schema, t.Name, t.Comment, t.Columns, t.Options, fields, t.PrimaryKey, files(t)))
		}
	}
	return out
}

// committed returns the paths of the files of a table that are in the catalog.
func committed(t tester, c *mem.Catalog, at lake.SnapshotID) func(*lake.Table) []string {
	return func(table *lake.Table) []string {
		files, err := c.Files(t.Context(), table.ID, 0, at)
		require.NoError(t, err)
		var out []string
		for i := range files.Files {
			out = append(out, files.Files[i].Path)
		}
		return out
	}
}

// statements draws what statements do to the tables that a state has.
type statements struct {
	*rapid.T
	files int
}

func (r *statements) pick(label string, values ...string) string {
	return rapid.SampledFrom(values).Draw(r.T, label)
}

// next returns the operations of a statement that names what it is about: the same
// statement does the same to another state with the same names. Often it does not fit.
func (r *statements) next() func(*lake.State) []catalog.Operation {
	schema, name := r.pick("schema", "main", "a"), r.pick("table", "x", "y")
	text := r.pick("text", "", "one", "two")
	r.files++
	path, rows := strconv.Itoa(r.files), rapid.IntRange(0, 2).Draw(r.T, "files")
	files := func(t *lake.Table) []lake.DataFile {
		var out []lake.DataFile
		for i := range rows {
			out = append(out, lake.DataFile{Path: fmt.Sprint(t.Path, path, "-", i), Rows: 1, Bytes: 1})
		}
		return out
	}
	create := func(s *lake.State) catalog.CreateTable {
		op := catalog.CreateTable{Schema: schema, Name: name, Columns: columns(), Path: schema + "/" + name + "/", Comment: text, PrimaryKey: []string{"i"}}
		if sc, ok := s.Schema(schema); ok {
			op.Path = sc.Path + name + "/"
		}
		op.Options = map[string]string{"o": "created"}
		op.Files = files(&lake.Table{Path: op.Path})
		return op
	}
	table := func(s *lake.State) *lake.Table {
		if t, ok := s.Table(schema, name); ok {
			return t
		}
		return &lake.Table{ID: 1 << 40, Path: "none/"}
	}
	one := func(op func(*lake.State) catalog.Operation) func(*lake.State) []catalog.Operation {
		return func(s *lake.State) []catalog.Operation { return []catalog.Operation{op(s)} }
	}
	switch rapid.IntRange(0, 10).Draw(r.T, "statement") {
	case 0:
		return one(func(*lake.State) catalog.Operation { return catalog.CreateSchema{Name: "a"} })
	case 1:
		return func(s *lake.State) []catalog.Operation { // DROP SCHEMA CASCADE
			var ops []catalog.Operation
			if sc, ok := s.Schema("a"); ok {
				for i := range sc.Tables {
					ops = append(ops, catalog.DropTable{ID: sc.Tables[i].ID})
				}
			}
			return append(ops, catalog.DropSchema{Name: "a"})
		}
	case 2, 3:
		return one(func(s *lake.State) catalog.Operation { return create(s) })
	case 4:
		return func(s *lake.State) []catalog.Operation { // CREATE OR REPLACE
			return []catalog.Operation{catalog.DropTable{ID: table(s).ID}, create(s)}
		}
	case 5:
		return one(func(s *lake.State) catalog.Operation {
			return catalog.DropTable{ID: table(s).ID, Layout: table(s).LayoutBegin}
		})
	case 6, 7:
		return one(func(s *lake.State) catalog.Operation {
			return catalog.AddFiles{Table: table(s).ID, Layout: table(s).LayoutBegin, Files: files(table(s))}
		})
	case 8:
		column := lake.FieldID(rapid.IntRange(0, 3).Draw(r.T, "column"))
		return one(func(*lake.State) catalog.Operation {
			return catalog.SetComment{Schema: schema, Table: name, Column: column, Text: text}
		})
	case 9:
		return one(func(*lake.State) catalog.Operation { return catalog.SetComment{Schema: schema, Text: text} })
	}
	of := rapid.Bool().Draw(r.T, "of a table")
	return one(func(*lake.State) catalog.Operation {
		op := catalog.SetOption{Name: "o", Value: text}
		if of {
			op.Schema, op.Table = schema, name
		}
		return op
	})
}

// TestNetEffectIsWhatTheStatementsDo runs statements on an overlay and, one commit each,
// on a catalog. The overlay shows what that catalog has, and so does another catalog
// that got the overlay's net effect as one commit.
func TestNetEffectIsWhatTheStatementsDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		each, once := newCatalog(rt), newCatalog(rt)
		r := &statements{T: rt}
		var ids atomic.Int64
		for range rapid.IntRange(0, 5).Draw(rt, "before") {
			st := r.next()
			for _, c := range []*mem.Catalog{each, once} {
				s, _ := latest(rt, c)
				_, _ = c.Commit(rt.Context(), catalog.Commit{Operations: st(s)})
			}
		}
		base, at := latest(rt, once)
		over := overlay.New(base, at, overlay.Options{IDs: &ids, Origin: lake.OriginTransaction})
		seen := []*overlay.Overlay{over}
		texts := [][]string{text(over.State(), shown(rt, once, over))}
		for range rapid.IntRange(0, 12).Draw(rt, "statements") {
			st := r.next()
			now, _ := latest(rt, each)
			_, want := each.Commit(rt.Context(), catalog.Commit{Operations: st(now)})
			next, _, err := over.Apply(catalog.Commit{Operations: st(over.State())})
			require.Equal(rt, lake.KindOf(want), lake.KindOf(err), "%v, %v", want, err)
			over = next
			now, head := latest(rt, each)
			require.Equal(rt, text(now, committed(rt, each, head)), text(over.State(), shown(rt, once, over)))
			seen, texts = append(seen, over), append(texts, text(over.State(), shown(rt, once, over)))
		}
		for i := range seen {
			require.Equal(rt, texts[i], text(seen[i].State(), shown(rt, once, seen[i])), "no version changes")
		}
		if ops, tokens := over.Operations(); len(ops) > 0 {
			_, err := once.Commit(rt.Context(), catalog.Commit{Base: &at, Operations: ops, Appends: tokens})
			require.NoError(rt, err)
		}
		want, head := latest(rt, each)
		got, gotHead := latest(rt, once)
		require.Equal(rt, text(want, committed(rt, each, head)), text(got, committed(rt, once, gotHead)))
	})
}

// shown returns the paths of the files of a table that the overlay shows.
func shown(t tester, c *mem.Catalog, over *overlay.Overlay) func(*lake.Table) []string {
	return func(table *lake.Table) []string {
		var base *lake.TableVersion
		if table.ID > 0 {
			files, err := c.Files(t.Context(), table.ID, 0, over.Snapshot())
			require.NoError(t, err)
			base = &lake.TableVersion{Partitions: files.Partitions}
			for i := range files.Files {
				base.Files = append(base.Files, &files.Files[i])
			}
		}
		var out []string
		for _, f := range over.Version(table, base).Files {
			out = append(out, f.Path)
		}
		return out
	}
}

func TestTokensOfAppendsAreThoseOfTheCommit(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	commit(t, c, catalog.CreateTable{Schema: "main", Name: "t", Columns: columns(), Path: "main/t/"})
	base, at := latest(t, c)
	table, _ := base.Table("main", "t")
	var ids atomic.Int64
	add := catalog.AddFiles{Table: table.ID, Layout: table.LayoutBegin, Files: []lake.DataFile{{Path: "main/t/1", Rows: 7, Bytes: 1}}}
	over, r, err := overlay.New(base, at, overlay.Options{IDs: &ids, Origin: lake.OriginTransaction}).Apply(catalog.Commit{Token: "one", Operations: []catalog.Operation{add}})
	require.NoError(t, err)
	require.EqualValues(t, 7, r.Rows)
	again, r, err := over.Apply(catalog.Commit{Token: "one", Operations: []catalog.Operation{add}})
	require.NoError(t, err)
	require.Same(t, over, again)
	require.Equal(t, catalog.Result{Snapshot: lake.Snapshot{ID: at}, Rows: 7, Replayed: true}, r)
	replace := []catalog.Operation{
		catalog.DropTable{ID: table.ID},
		catalog.CreateTable{Schema: "main", Name: "t", Columns: columns(), Path: "main/t/", Files: []lake.DataFile{{Path: "main/t/2", Rows: 3, Bytes: 1}}},
	}
	over, _, err = over.Apply(catalog.Commit{Token: "two", Operations: replace})
	require.NoError(t, err)
	ops, tokens := over.Operations()
	require.Len(t, ops, 2)
	require.Equal(t, []catalog.AppendToken{{Token: "one", Rows: 7}, {Token: "two", Rows: 3, Operations: []int{1}}}, tokens, "rows that were dropped are in no operation")
	_, _, err = over.Apply(catalog.Commit{Operations: []catalog.Operation{add}})
	require.ErrorIs(t, err, lake.ErrConflict)
	require.ErrorContains(t, err, "dropped by the same transaction")
	require.True(t, slices.ContainsFunc(ops, func(op catalog.Operation) bool {
		create, ok := op.(catalog.CreateTable)
		return ok && strings.HasSuffix(create.Files[0].Path, "2")
	}))
}

// TestAppendsShareTheState would make each append copy a lake of many tables.
func TestAppendsShareTheState(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	var ops []catalog.Operation
	for i := range 1000 {
		name := fmt.Sprint("t", i)
		ops = append(ops, catalog.CreateTable{Schema: "main", Name: name, Columns: columns(), Path: "main/" + name + "/"})
	}
	commit(t, c, ops...)
	base, at := latest(t, c)
	table, _ := base.Table("main", "t500")
	var ids atomic.Int64
	over := overlay.New(base, at, overlay.Options{IDs: &ids, Origin: lake.OriginTransaction})
	for n := range 10 {
		add := catalog.AddFiles{Table: table.ID, Layout: table.LayoutBegin, Files: []lake.DataFile{{Path: fmt.Sprint("main/t500/", n), Rows: 1, Bytes: 1}}}
		next, _, err := over.Apply(catalog.Commit{Operations: []catalog.Operation{add}})
		require.NoError(t, err)
		require.Same(t, base, next.State())
		over = next
	}
	over, _, err := over.Apply(catalog.Commit{Operations: []catalog.Operation{catalog.CreateSchema{Name: "s"}}})
	require.NoError(t, err)
	was, _ := base.Schema("main")
	is, _ := over.State().Schema("main")
	require.Same(t, &was.Tables[0], &is.Tables[0], "schemas that do not change share their tables")
}

package catalogtest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/mem"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// testFailedPreconditions has each precondition fail.
func testFailedPreconditions(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	commit(t, c, createTable("t"), createTable("u"))
	tt, u := table(t, c, "main", "t"), table(t, c, "main", "u")
	base := latest(t, c).ID
	commit(t, c, addTo(tt, "1.parquet"), catalog.DropTable{ID: u.ID})
	for _, tc := range []struct {
		op   catalog.Operation
		want transition.Precondition
	}{
		{catalog.CreateSchema{Name: "MAIN"}, transition.Precondition{Kind: transition.NameFree, Schema: "main"}},
		{createTable("T"), transition.Precondition{Kind: transition.NameFree, Schema: "main", Table: "T"}},
		{catalog.DropSchema{Name: "none"}, transition.Precondition{Kind: transition.NameTaken, Schema: "none"}},
		{catalog.SetComment{Schema: "main", Table: "v", Text: "x"}, transition.Precondition{Kind: transition.NameTaken, Schema: "main", Table: "v"}},
		{catalog.DropTable{ID: u.ID}, transition.Precondition{Kind: transition.TableLive, ID: u.ID}},
		{catalog.DropTable{ID: 99}, transition.Precondition{Kind: transition.TableLive, ID: 99}},
		{catalog.DropTable{ID: tt.ID, Layout: 9}, transition.Precondition{Kind: transition.LayoutUnchanged, Schema: "main", Table: "t", ID: tt.ID}},
		{catalog.DropSchema{Name: "Main"}, transition.Precondition{Kind: transition.SchemaEmpty, Schema: "main"}},
		{
			catalog.SetComment{Schema: "main", Table: "t", Column: 9, Text: "x"},
			transition.Precondition{Kind: transition.ColumnExists, Schema: "main", Table: "t", ID: tt.ID, Column: 9},
		},
		{catalog.DropTable{ID: tt.ID}, transition.Precondition{Kind: transition.FilesSeen, Schema: "main", Table: "t", ID: tt.ID}},
	} {
		_, err := c.Commit(t.Context(), catalog.Commit{Base: &base, Operations: []catalog.Operation{tc.op}})
		var failed *transition.Failed
		require.ErrorAs(t, err, &failed, "%+v", tc.op)
		require.Equal(t, tc.want, failed.Precondition)
	}
}

// randomCommits draws commits for a lake whose state it is told. Most operations fit
// the state, and many do not.
type randomCommits struct {
	*rapid.T
	state *lake.State
	files *int // made so far
}

func (r randomCommits) oneOf(label string, values ...string) string {
	return rapid.SampledFrom(values).Draw(r.T, label)
}

func (r randomCommits) schema() string { return r.oneOf("schema", "main", "a", "B", "b") }

func (r randomCommits) name() string { return r.oneOf("table", "x", "y", "X") }

// table returns a table that is there, or one with an id that may have been one.
func (r randomCommits) table() *lake.Table {
	var all []*lake.Table
	for i := range r.state.Schemas {
		for j := range r.state.Schemas[i].Tables {
			all = append(all, &r.state.Schemas[i].Tables[j])
		}
	}
	i := rapid.IntRange(0, len(all)).Draw(r.T, "which")
	if i < len(all) {
		return all[i]
	}
	return &lake.Table{ID: lake.TableID(rapid.IntRange(1, 20).Draw(r.T, "id")), Path: "main/t/", LayoutBegin: 1}
}

func (r randomCommits) newFiles(path string, partitioned bool) []lake.DataFile {
	var out []lake.DataFile
	for range rapid.IntRange(0, 2).Draw(r.T, "files") {
		*r.files++
		f := dataFile(fmt.Sprintf("%s%d.parquet", path, *r.files), int64(*r.files), rapid.Int64Range(1, 3).Draw(r.T, "rows"))
		if partitioned {
			f.PartitionValues = []*lake.Value{{Bytes: r.oneOf("partition", "a", "b")}}
		}
		out = append(out, f)
	}
	return out
}

func (r randomCommits) operation() catalog.Operation {
	switch rapid.IntRange(0, 8).Draw(r.T, "operation") {
	case 0:
		return catalog.CreateSchema{Name: r.schema()}
	case 1:
		return catalog.DropSchema{Name: r.schema()}
	case 2, 3:
		op := createTable(r.name())
		op.Schema = r.schema()
		op.Path = op.Schema + "/" + op.Name + "/"
		if s, ok := r.state.Schema(op.Schema); ok {
			op.Path = s.Path + op.Name + "/"
		}
		op.Comment = r.oneOf("comment", "", "c")
		op.Options = map[string]string{"o": r.oneOf("option", "1", "2")}
		partitioned := rapid.Bool().Draw(r.T, "partitioned")
		if partitioned {
			op.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{{Column: 2, Transform: lake.TransformIdentity}}}
		}
		op.Files = r.newFiles(op.Path, partitioned)
		return op
	case 4:
		op := catalog.DropTable{ID: r.table().ID}
		if rapid.Bool().Draw(r.T, "with layout") {
			op.Layout = r.table().LayoutBegin
		}
		return op
	case 5, 6:
		t := r.table()
		return catalog.AddFiles{Table: t.ID, Layout: t.LayoutBegin, Files: r.newFiles(t.Path, t.Partition != nil)}
	case 7:
		op := catalog.SetComment{Schema: r.schema(), Text: r.oneOf("text", "", "one", "two")}
		if rapid.Bool().Draw(r.T, "of a table") {
			op.Table = r.name()
			op.Column = lake.FieldID(rapid.IntRange(0, 3).Draw(r.T, "column"))
		}
		return op
	}
	op := catalog.SetOption{Name: r.oneOf("option", "o", "p", "version"), Value: r.oneOf("value", "1", "2")}
	if rapid.Bool().Draw(r.T, "of a table") {
		op.Schema, op.Table = r.schema(), r.name()
	}
	return op
}

func (r randomCommits) commit(head lake.SnapshotID) catalog.Commit {
	var c catalog.Commit
	for range rapid.IntRange(1, 4).Draw(r.T, "operations") {
		c.Operations = append(c.Operations, r.operation())
	}
	if rapid.Bool().Draw(r.T, "based") {
		base := max(0, head-lake.SnapshotID(rapid.IntRange(0, 5).Draw(r.T, "ago")))
		c.Base = &base
	}
	c.Token = r.oneOf("token", "", "", "1", "2", "3")
	return c
}

// withoutIDs returns a state without what is random in it.
func withoutIDs(s *lake.State) *lake.State {
	out := *s
	out.Schemas = slices.Clone(s.Schemas)
	out.Options = nil // of the lake: they name its path
	for i := range out.Schemas {
		out.Schemas[i].Tables = slices.Clone(out.Schemas[i].Tables)
		for j := range out.Schemas[i].Tables {
			out.Schemas[i].Tables[j].UUID = ""
		}
	}
	return &out
}

// testRandomCommits commits the same to the catalog and to one in memory: they say the
// same, and hold the same. What they hold is what transition.Apply makes of the
// operations one by one.
func testRandomCommits(t *testing.T, l Lake) {
	clk, files, next := newClock(), 0, int64(1)
	c := open(t, l, clk)
	reference, err := mem.Open(nil, mem.Options{Clock: clk})
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		for range 8 {
			before := stateAt(t, reference, latest(t, reference).ID)
			r := randomCommits{T: rt, state: before, files: &files}
			cm := r.commit(latest(t, reference).ID)
			want, wantErr := reference.Commit(rt.Context(), cm)
			got, err := c.Commit(rt.Context(), cm)
			require.Equal(rt, want, got)
			if wantErr != nil {
				require.EqualError(rt, err, wantErr.Error())
				require.Equal(rt, lake.KindOf(wantErr), lake.KindOf(err))
				continue
			}
			require.NoError(rt, err)
			after := withoutIDs(state(t, reference))
			require.Equal(rt, after, withoutIDs(state(t, c)))
			if !want.Replayed {
				require.Equal(rt, after, withoutIDs(applied(rt, before, cm.Operations, want.Snapshot, &next)))
			}
		}
		sameFiles(t, reference, c, lake.SnapshotID(rapid.Int64Range(0, int64(latest(t, reference).ID)).Draw(rt, "after")))
	})
	require.NoError(t, c.Close())
	c = open(t, l, clk)
	require.Equal(t, withoutIDs(state(t, reference)), withoutIDs(state(t, c)))
	sameFiles(t, reference, c, 0, latest(t, c).ID/2, latest(t, c).ID-1)
}

// applied applies operations one by one, as a commit with that snapshot does. next is
// the next id.
func applied(t *rapid.T, s *lake.State, ops []catalog.Operation, snapshot lake.Snapshot, next *int64) *lake.State {
	env := transition.Env{
		At:             snapshot.ID,
		NextIDFunc:     func() int64 { *next++; return *next - 1 },
		NextFileIDFunc: func() lake.FileID { return 0 },
		UUIDFunc:       uuid.New,
	}
	for _, op := range ops {
		step, err := transition.Apply(s, op, env)
		require.NoError(t, err)
		require.Equal(t, step.Delta.NewSchemaVersion, s != step.State, "a state changes or is the same")
		s = step.State
	}
	out := *s
	out.SchemaVersion = snapshot.SchemaVersion
	return &out
}

// sameFiles compares the files of all tables at the newest snapshot, since others.
func sameFiles(t *testing.T, want, got catalog.Catalog, since ...lake.SnapshotID) {
	t.Helper()
	head := latest(t, want).ID
	s := state(t, want)
	for i := range s.Schemas {
		for j := range s.Schemas[i].Tables {
			id := s.Schemas[i].Tables[j].ID
			for _, after := range since {
				w, g := filesAt(t, want, id, after, head), filesAt(t, got, id, after, head)
				slices.SortFunc(w.Partitions, func(a, b lake.PartitionSpec) int { return cmp.Compare(a.ID, b.ID) })
				require.Equal(t, w, g)
			}
		}
	}
}

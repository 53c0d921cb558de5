package expr_test

import (
	"math"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// table is random rows of random typed columns with field ids from 1.
type table struct {
	columns []lake.Column
	values  [][]*lake.Value // by column
	rows    int
}

func drawTable(t *rapid.T) table {
	types := rapid.SliceOfN(rapid.SampledFrom(leafTypes()), 1, 3).Draw(t, "types")
	tab := table{rows: rapid.IntRange(0, 12).Draw(t, "rows")}
	for i, typ := range types {
		tab.columns = append(tab.columns, lake.Column{ID: lake.FieldID(i + 1), Name: string(rune('a' + i)), Type: typ, Nullable: true})
		nullPercent := rapid.SampledFrom([]int{0, 0, 30, 100}).Draw(t, "nulls")
		same := rapid.Bool().Draw(t, "same")
		column := make([]*lake.Value, tab.rows)
		for r := range column {
			if rapid.IntRange(0, 99).Draw(t, "null") < nullPercent {
				continue
			}
			v := valueOf(typ).Draw(t, "value")
			if same && r > 0 && column[0] != nil {
				v = *column[0]
			}
			column[r] = &v
		}
		tab.values = append(tab.values, column)
	}
	return tab
}

func (tab table) row(i int) row {
	out := make(row)
	for c := range tab.columns {
		out[tab.columns[c].ID] = tab.values[c][i]
	}
	return out
}

func (tab table) batch(mem memory.Allocator) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(tab.columns))
	for i := range arrays {
		arrays[i] = buildArray(mem, tab.columns[i], tab.values[i])
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(lake.ArrowSchema(tab.columns), arrays, int64(tab.rows))
}

func drawPredicate(t *rapid.T, columns []lake.Column, depth int) expr.Predicate {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if depth == 0 {
		kind = rapid.IntRange(3, 7).Draw(t, "leaf")
	}
	terms := func() []expr.Predicate {
		var out []expr.Predicate
		for range rapid.IntRange(0, 3).Draw(t, "terms") {
			out = append(out, drawPredicate(t, columns, depth-1))
		}
		return out
	}
	c := rapid.SampledFrom(columns).Draw(t, "column")
	switch kind {
	case 0:
		return expr.And{Terms: terms()}
	case 1:
		return expr.Or{Terms: terms()}
	case 2:
		return expr.Not{Term: drawPredicate(t, columns, depth-1)}
	case 3:
		return expr.IsNull{Field: c.ID}
	case 4:
		values := rapid.SliceOfN(valueOf(c.Type), 0, 4).Draw(t, "in")
		slices.SortFunc(values, func(a, b lake.Value) int { return lake.Compare(c.Type, a, b) })
		return expr.In{Field: c.ID, Type: c.Type, Values: values}
	case 5:
		return rapid.SampledFrom([]expr.Predicate{expr.Constant{}, expr.Constant{Value: true}, expr.Constant{Null: true}}).Draw(t, "constant")
	}
	return expr.Compare{
		Field: c.ID, Type: c.Type,
		Op:    expr.Op(rapid.IntRange(0, 5).Draw(t, "op")),
		Value: valueOf(c.Type).Draw(t, "constant"),
	}
}

// loosen makes statistics say less than is true, in each way that files do.
func loosen(t *rapid.T, typ lake.Type, s lake.ColumnStats) lake.ColumnStats {
	flags := rapid.SliceOfN(rapid.IntRange(0, 3), 6, 6).Draw(t, "loosen")
	if flags[0] == 0 {
		s.Min = nil
	}
	if flags[1] == 0 {
		s.Max = nil
	}
	if flags[2] == 0 {
		s.NullCount = lake.Unknown
	}
	if flags[3] == 0 && typ.Float() {
		s.NaNCount = lake.Unknown
	}
	if flags[4] == 0 {
		s.ValueCount = lake.Unknown
	}
	if flags[5] == 0 && (typ.ID == lake.TypeVarchar || typ.ID == lake.TypeBlob) {
		s.MinExact, s.MaxExact = false, false
		if s.Min != nil && s.Min.Bytes != "" {
			s.Min = &lake.Value{Bytes: s.Min.Bytes[:1]}
		}
		if s.Max != nil && len(s.Max.Bytes) > 1 && s.Max.Bytes[0] != 0xFF {
			s.Max = &lake.Value{Bytes: string([]byte{s.Max.Bytes[0] + 1})}
		}
	}
	return s
}

func (tab table) stats(t *rapid.T) *lake.RowGroup {
	g := &lake.RowGroup{Rows: int64(tab.rows)}
	for i, c := range tab.columns {
		if rapid.IntRange(0, 5).Draw(t, "absent") > 0 {
			g.Columns = append(g.Columns, loosen(t, c.Type, statsOf(c.ID, c.Type, tab.values[i])))
		}
	}
	return g
}

func outcomeOf(v int) expr.Outcome {
	return map[int]expr.Outcome{1: expr.CanTrue, 0: expr.CanFalse, -1: expr.CanNull}[v]
}

// TestStatisticsNeverContradictRows is the proof of pruning: whatever a row
// yields is among the outcomes that the statistics allow.
func TestStatisticsNeverContradictRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tab := drawTable(t)
		stats := expr.RowGroupStats(tab.stats(t))
		for range 4 {
			p := drawPredicate(t, tab.columns, 2)
			got := expr.Evaluate(p, stats)
			simplified := expr.Evaluate(expr.Simplify(p), stats)
			for i := range tab.rows {
				want := outcomeOf(truth(p, tab.row(i)))
				require.NotZero(t, got&want, "%s on row %d", expr.Format(p, tab.columns), i)
				require.NotZero(t, simplified&want, "simplified %s on row %d", expr.Format(p, tab.columns), i)
				require.True(t, want != expr.CanTrue || expr.CanMatch(p, stats))
				require.True(t, want == expr.CanTrue || !expr.AllMatch(p, stats))
			}
		}
	})
}

func TestFilterEqualsPlainEvaluator(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		tab := drawTable(t)
		batch := tab.batch(mem)
		from := rapid.IntRange(0, tab.rows).Draw(t, "from")
		slice := batch.NewSlice(int64(from), int64(tab.rows)) // offsets must be honoured
		for range 4 {
			p := drawPredicate(t, tab.columns, 2)
			if !expr.Evaluable(p) { // times with a zone
				continue
			}
			f, err := expr.NewFilter(p, tab.columns)
			require.NoError(t, err)
			rows, err := f.Select(slice, nil)
			require.NoError(t, err)
			want := []int32{}
			kept := table{columns: tab.columns, values: make([][]*lake.Value, len(tab.columns))}
			for i := from; i < tab.rows; i++ {
				if truth(p, tab.row(i)) == 1 {
					want = append(want, int32(i-from))
					kept.rows++
					for c := range tab.columns {
						kept.values[c] = append(kept.values[c], tab.values[c][i])
					}
				}
			}
			require.Equal(t, want, append([]int32{}, rows...), expr.Format(p, tab.columns))
			requireTaken(t, mem, rows, slice, kept)
		}
		slice.Release()
		batch.Release()
		mem.AssertSize(t, 0)
	})
}

func requireTaken(t *rapid.T, mem memory.Allocator, rows []int32, batch arrow.RecordBatch, kept table) {
	got, err := expr.Take(batch, rows, mem)
	require.NoError(t, err)
	defer got.Release()
	want := kept.batch(mem)
	defer want.Release()
	require.Equal(t, want.NumRows(), got.NumRows())
	for i, c := range kept.columns {
		if c.Type.Float() {
			require.True(t, array.ApproxEqual(want.Column(i), got.Column(i), array.WithNaNsEqual(true)))
			continue
		}
		require.True(t, array.Equal(want.Column(i), got.Column(i)), "%s: %s and %s", c.Type, want.Column(i), got.Column(i))
	}
}

// TestPartitionNeverContradictsRows routes rows by every transform and checks
// that what their partition values tell is true of them.
func TestPartitionNeverContradictsRows(t *testing.T) {
	t.Parallel()
	transforms := []lake.Transform{
		lake.TransformIdentity, lake.TransformYear, lake.TransformMonth,
		lake.TransformDay, lake.TransformHour, lake.TransformBucket,
	}
	rapid.Check(t, func(t *rapid.T) {
		tab := drawTable(t)
		var spec lake.PartitionSpec
		for range rapid.IntRange(1, 4).Draw(t, "fields") {
			c := rapid.SampledFrom(tab.columns).Draw(t, "source")
			f := lake.PartitionField{Column: c.ID, Transform: rapid.SampledFrom(transforms).Draw(t, "transform"), Buckets: 4}
			spec.Fields = append(spec.Fields, f)
		}
		typeFunc := func(id lake.FieldID) (lake.Type, bool) { return tab.columns[id-1].Type, true }
		for i := range tab.rows {
			values := make([]*lake.Value, len(spec.Fields))
			r := tab.row(i)
			for k, f := range spec.Fields {
				if v := r[f.Column]; v != nil {
					got, ok := expr.ApplyTransform(f, tab.columns[f.Column-1].Type, *v)
					if !ok && f.Transform == lake.TransformBucket {
						return // not a partitioning that a writer accepts
					}
					if ok {
						values[k] = &got
					}
				}
			}
			part := expr.NewPartition(&spec, values, 1, typeFunc)
			for range 3 {
				p := drawPredicate(t, tab.columns, 1)
				require.NotZero(t, expr.Evaluate(p, part)&outcomeOf(truth(p, r)), "%s by %v", expr.Format(p, tab.columns), spec)
			}
		}
	})
}

func TestFormatValueParsesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(leafTypes()).Draw(t, "type")
		v := valueOf(typ).Draw(t, "value")
		if typ.ID == lake.TypeFloat32 {
			v.Float = float64(float32(v.Float))
		}
		got, err := expr.ParseValue(typ, expr.FormatValue(typ, v))
		require.NoError(t, err, expr.FormatValue(typ, v))
		if math.IsNaN(v.Float) {
			require.True(t, math.IsNaN(got.Float))
			return
		}
		require.Equal(t, v, got, expr.FormatValue(typ, v))
	})
}

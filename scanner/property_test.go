package scanner_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// wide is a table with leaves, a list, a struct and a map.
func wide() []lake.Column {
	return []lake.Column{
		required(column(1, "id", lake.TypeInt64)),
		column(2, "x", lake.TypeInt32),
		column(3, "s", lake.TypeVarchar),
		column(4, "l", lake.TypeList, column(5, "element", lake.TypeVarchar)),
		column(6, "st", lake.TypeStruct, column(7, "a", lake.TypeInt32), column(8, "b", lake.TypeVarchar)),
		column(9, "m", lake.TypeMap, required(column(10, "key", lake.TypeVarchar)), column(11, "value", lake.TypeInt64)),
		column(12, "f", lake.TypeBoolean),
	}
}

func drawRows(t *rapid.T, first, n int) string {
	pick := func(values ...string) string { return rapid.SampledFrom(values).Draw(t, "value") }
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"x":%s,"s":%s,"l":%s,"st":%s,"m":%s,"f":%s}`, first+i,
			pick("null", "1", "2", "3", "-7"), pick("null", `""`, `"a"`, `"bc"`, `"`+strings.Repeat("z", 40)+`"`),
			pick("null", "[]", `["a",null]`, `["x","y","z"]`), pick("null", `{"a":1,"b":"p"}`, `{"a":null,"b":"q"}`, `{"a":2,"b":null}`),
			pick("null", "[]", `[{"key":"k","value":1}]`, `[{"key":"k","value":null},{"key":"j","value":2}]`), pick("null", "true", "false")))
	}
	return "[" + strings.Join(rows, ",") + "]"
}

func drawResidual(t *rapid.T) expr.Predicate {
	integer := lake.Type{ID: lake.TypeInt32}
	x := expr.Compare{Field: 2, Type: integer, Op: expr.Op(rapid.IntRange(0, 5).Draw(t, "op")), Value: lake.Value{Int: 2}}
	a := expr.Compare{Field: 7, Type: integer, Op: expr.OpEqual, Value: lake.Value{Int: 1}}
	id := expr.Compare{Field: 1, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpGreater, Value: lake.Value{Int: rapid.Int64Range(0, 200).Draw(t, "bound")}}
	return rapid.SampledFrom([]expr.Predicate{
		nil, nil, x, a, id,
		expr.And{Terms: []expr.Predicate{id, x}},
		expr.Or{Terms: []expr.Predicate{x, expr.IsNull{Field: 4}}},
		expr.Not{Term: expr.IsNull{Field: 6}},
		expr.Constant{},
		expr.Constant{Value: true},
	}).Draw(t, "residual")
}

// world is a table of some files and what a scan of it must return.
type world struct {
	store bucket
	scan  *expr.Scan
	want  arrow.RecordBatch
}

// drawWorld writes random files with random deletes, and computes the answer
// from the rows themselves.
func drawWorld(t *rapid.T, alloc memory.Allocator) world {
	columns := wide()
	w := world{store: newBucket(), scan: &expr.Scan{
		Table: &lake.Table{Name: "t", Columns: columns}, Snapshot: 10, Limit: lake.Unknown, Residual: drawResidual(t),
	}}
	for _, c := range rapid.Permutation(columns).Draw(t, "projection")[:rapid.IntRange(0, len(columns)).Draw(t, "projected")] {
		w.scan.Projection = append(w.scan.Projection, c.ID)
	}
	var parts []arrow.RecordBatch
	next := 0
	for f := range rapid.IntRange(0, 3).Draw(t, "files") {
		parts = append(parts, w.addFile(t, alloc, f, &next)...)
	}
	w.scan.Offset = rapid.SampledFrom([]int64{0, 0, 1, 20}).Draw(t, "offset")
	w.scan.Limit = rapid.SampledFrom([]int64{lake.Unknown, lake.Unknown, 0, 1, 15}).Draw(t, "limit")
	w.want = w.answer(t, alloc, parts)
	return w
}

// addFile writes a file and returns its live rows.
func (w *world) addFile(t *rapid.T, alloc memory.Allocator, f int, next *int) []arrow.RecordBatch {
	df := &lake.DataFile{Path: fmt.Sprintf("f%d.parquet", f)}
	task := lake.ScanTask{File: df}
	var groups, live []arrow.RecordBatch
	del := lake.Delete{Begin: 5}
	for g := range rapid.IntRange(1, 3).Draw(t, "groups") {
		n := rapid.SampledFrom([]int{1, 7, 100}).Draw(t, "rows")
		rows := fromJSON(t, alloc, w.scan.Table.Columns, drawRows(t, *next, n))
		*next += n
		labeled := relabeled(rows, withIDs(rows.Schema(), w.scan.Table.Columns))
		groups = append(groups, labeled)
		df.RowGroups = append(df.RowGroups, lake.RowGroup{Index: int32(g), Rows: int64(n), Bytes: 100})
		read := rapid.Bool().Draw(t, "read")
		if read {
			task.RowGroups = append(task.RowGroups, int32(g))
		}
		var kept []int32
		for i := range n {
			if rapid.IntRange(0, 9).Draw(t, "deleted") == 0 {
				del.Positions = append(del.Positions, df.Rows+int64(i))
			} else {
				kept = append(kept, int32(i))
			}
		}
		if read {
			taken, err := expr.Take(rows, kept, alloc)
			require.NoError(t, err)
			live = append(live, taken)
		}
		df.Rows += int64(n)
		rows.Release()
	}
	if len(task.RowGroups) == 0 {
		task.RowGroups = []int32{}
	}
	data := encode(t, groups...)
	for _, g := range groups {
		g.Release()
	}
	df.Bytes = int64(len(data))
	df.Deletes = []lake.Delete{del, {Begin: 11, Positions: []int64{0}}, {Begin: 1, End: 10, Positions: []int64{0}}}
	w.store.put(t, df.Path, data)
	w.scan.Tasks = append(w.scan.Tasks, task)
	return live
}

// answer filters, projects, skips and limits the live rows.
func (w *world) answer(t *rapid.T, alloc memory.Allocator, parts []arrow.RecordBatch) arrow.RecordBatch {
	all, err := array.NewRecordReader(lake.ArrowSchema(w.scan.Table.Columns), parts)
	require.NoError(t, err)
	for _, p := range parts {
		p.Release()
	}
	r, err := scanner.Filtered(all, w.scan, alloc)
	require.NoError(t, err)
	defer r.Release()
	joined := concat(t, alloc, r)
	defer joined.Release()
	from := min(w.scan.Offset, joined.NumRows())
	to := joined.NumRows()
	if w.scan.Limit >= 0 {
		to = min(to, from+w.scan.Limit)
	}
	return joined.NewSlice(from, to)
}

func drawOptions(t *rapid.T) scanner.Options {
	return scanner.Options{
		BatchRows:      rapid.SampledFrom([]int64{0, 1, 8, 33}).Draw(t, "batchRows"),
		BatchBytes:     rapid.SampledFrom([]int64{0, 1, 500}).Draw(t, "batchBytes"),
		ReadAheadBytes: rapid.SampledFrom([]int64{0, 1, 2000}).Draw(t, "readAhead"),
		Workers:        rapid.IntRange(0, 4).Draw(t, "workers"),
	}
}

func TestScanEqualsFilteredRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		w := drawWorld(t, alloc)
		got := collect(t, scanner.New(w.store, alloc, drawOptions(t)), alloc, w.scan)
		requireRows(t, w.want, got)
		got.Release()
		w.want.Release()
		alloc.AssertSize(t, 0)
	})
}

// TestSetGivesEachRowOnce has several consumers; a limit then only fixes how many rows come.
func TestSetGivesEachRowOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		w := drawWorld(t, alloc)
		w.scan.Projection = []lake.FieldID{1}
		set, err := scanner.New(w.store, alloc, drawOptions(t)).Open(context.Background(), w.scan)
		require.NoError(t, err)
		var mu sync.Mutex
		var got []int64
		var consumers sync.WaitGroup
		for range 3 {
			consumers.Go(func() {
				for {
					batch, err := set.Next(context.Background())
					if errors.Is(err, io.EOF) {
						return
					}
					require.NoError(t, err)
					mu.Lock()
					got = append(got, batch.Column(0).(*array.Int64).Int64Values()...)
					mu.Unlock()
					batch.Release()
				}
			})
		}
		consumers.Wait()
		set.Close()
		slices.SortFunc(got, cmp.Compare[int64])
		require.Len(t, slices.Compact(slices.Clone(got)), len(got), "no row comes twice")
		require.Len(t, got, int(w.want.NumRows()))
		w.want.Release()
		alloc.AssertSize(t, 0)
	})
}

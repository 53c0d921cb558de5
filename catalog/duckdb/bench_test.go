package duckdb_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/duckdb"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// wideTable creates a table of 16 BIGINT columns and returns what adds to it.
func wideTable(b *testing.B, c catalog.Catalog) catalog.AddFiles {
	b.Helper()
	columns := make([]lake.Column, 16)
	for i := range columns {
		columns[i] = lake.Column{Name: fmt.Sprintf("c%d", i), Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}
	}
	columns, _ = lake.AssignFieldIDs(columns)
	r, err := c.Commit(b.Context(), catalog.Commit{Operations: []catalog.Operation{
		catalog.CreateTable{Schema: "main", Name: "t", Columns: columns, Path: "main/t/"},
	}})
	require.NoError(b, err)
	return catalog.AddFiles{Table: r.Tables[0], Layout: r.Snapshot.ID}
}

func wideFile(n int64) lake.DataFile {
	stats := make([]lake.ColumnStats, 16)
	for i := range stats {
		stats[i] = lake.ColumnStats{
			Field: lake.FieldID(i + 1), Min: &lake.Value{Int: n * 1000}, Max: &lake.Value{Int: n*1000 + 999},
			MinExact: true, MaxExact: true, ValueCount: 1000, Bytes: 4000 + n%100,
		}
	}
	return lake.DataFile{
		Path: fmt.Sprintf("main/t/0192f0c1-0000-7000-8000-%012d.parquet", n), Rows: 1000, Bytes: 64_000, FooterBytes: 4000,
		Stats: stats, RowGroups: []lake.RowGroup{{Rows: 1000, Bytes: 60_000, Columns: stats}},
	}
}

func openBench(b *testing.B) catalog.Catalog {
	b.Helper()
	path := filepath.Join(b.TempDir(), "catalog.ducklake")
	c, err := duckdb.Open(b.Context(), duckdb.Options{Path: path, DataPath: "/data/", Clock: clock.System{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	return c
}

// BenchmarkAppend commits one staged file of 16 columns at a time.
func BenchmarkAppend(b *testing.B) {
	c := openBench(b)
	add := wideTable(b, c)
	n := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		add.Files = []lake.DataFile{wideFile(n)}
		n++
		_, err := c.Commit(b.Context(), catalog.Commit{Token: strconv.FormatInt(n, 10), Operations: []catalog.Operation{add}})
		require.NoError(b, err)
	}
}

// BenchmarkFiles loads the files of a table of 16 columns.
func BenchmarkFiles(b *testing.B) {
	for _, files := range []int64{10_000, 100_000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			c := openBench(b)
			add := wideTable(b, c)
			const perCommit = 2500
			start := clock.System{}.Now()
			for n := range files / perCommit {
				add.Files = nil
				for i := range int64(perCommit) {
					add.Files = append(add.Files, wideFile(n*perCommit+i))
				}
				_, err := c.Commit(b.Context(), catalog.Commit{Operations: []catalog.Operation{add}})
				require.NoError(b, err)
			}
			b.Logf("committed %d files in %s", files, clock.System{}.Now().Sub(start).Round(time.Millisecond))
			head, err := c.Snapshot(b.Context(), catalog.Selector{})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				got, err := c.Files(b.Context(), add.Table, 0, head.ID)
				require.NoError(b, err)
				require.Len(b, got.Files, int(files))
			}
			b.ReportMetric(float64(files)*float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

// BenchmarkStagedAppend stages a file of 16 columns, then commits it: what an
// append asks of the catalog, in two transactions.
func BenchmarkStagedAppend(b *testing.B) {
	c := openBench(b)
	add := wideTable(b, c)
	n := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		add.Files = []lake.DataFile{wideFile(n)}
		n++
		require.NoError(b, c.Stage(b.Context(), []catalog.StagedFile{{Path: add.Files[0].Path, Holder: "benchmark"}}))
		_, err := c.Commit(b.Context(), catalog.Commit{Operations: []catalog.Operation{add}})
		require.NoError(b, err)
	}
}

package cache_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lake"
)

// budgets are those of the property tests: nothing, a few versions, all.
var budgets = []int64{-1, 1500, 4000, 20_000, 0} // read only

// setupTables returns a model with files 1..n added in snapshots 1..n to table 1.
func setupTables(n int) (*model, *cache.Tables) {
	m := newModel()
	for range n {
		m.append()
	}
	return m, cache.NewTables(m, cache.TablesOptions{})
}

// append commits one file to table 1.
func (m *model) append() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshot++
	m.files = append(m.files, lake.DataFile{ID: lake.FileID(len(m.files) + 1), Table: 1, Begin: m.snapshot})
}

func version(t testingT, tables *cache.Tables, table lake.TableID, s lake.SnapshotID) *lake.TableVersion {
	v, err := tables.Files(t.Context(), table, s)
	require.NoError(t, err)
	require.Equal(t, table, v.Table)
	require.Equal(t, s, v.Snapshot)
	return v
}

func TestNewerSnapshotLoadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(3)
	old := version(t, tables, 1, 3)
	m.append()
	m.append()
	v := version(t, tables, 1, 5)
	version(t, tables, 1, 5)
	require.Equal(t, []string{"1 (0, 3]", "1 (3, 5]"}, m.loads)
	require.Len(t, v.Files, 5)
	require.Len(t, old.Files, 3, "the older version stays as it is")
	for i, f := range old.Files {
		require.Same(t, f, v.Files[i], "unchanged files are shared")
	}
	s := tables.Stats()
	require.Equal(t, []int64{1, 1, 5, 1, 2}, []int64{s.Full, s.Incremental, s.FilesLoaded, s.Hits, s.Misses})
}

func TestUnchangedTableSharesTheWholeVersion(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(100)
	v := version(t, tables, 1, 100)
	before := tables.Stats().Bytes
	m.mu.Lock()
	m.snapshot += 10 // commits to other tables
	m.mu.Unlock()
	later := version(t, tables, 1, 110)
	require.Same(t, &v.Files[0], &later.Files[0])
	require.Less(t, tables.Stats().Bytes-before, int64(2*cache.EntryBytes))
}

func TestOlderSnapshotIsNotAnsweredFromANewerVersion(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(3)
	m.mu.Lock()
	m.snapshot++
	m.files[0].End = m.snapshot
	m.mu.Unlock()
	require.Len(t, version(t, tables, 1, 4).Files, 2)
	require.Len(t, version(t, tables, 1, 3).Files, 3, "file 1 had not ended")
	require.Len(t, version(t, tables, 1, 1).Files, 1)
	require.Equal(t, []string{"1 (0, 4]", "1 (0, 3]", "1 (0, 1]"}, m.loads)
	require.Len(t, version(t, tables, 1, 2).Files, 2)
	require.Equal(t, "1 (1, 2]", m.loads[3], "the nearest older version is refreshed")
}

func TestSnapshotBeforeTheTableIsEmpty(t *testing.T) {
	t.Parallel()
	_, tables := setupTables(3)
	require.Empty(t, version(t, tables, 1, 0).Files)
	require.Empty(t, version(t, tables, 2, 3).Files)
}

func TestVersionsOfATableThatManyAppendToAreBounded(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(1)
	version(t, tables, 2, 1)
	pinned := version(t, tables, 1, 1)
	for range 5 * cache.VersionsMax {
		m.append()
		version(t, tables, 1, m.latest())
		require.Same(t, pinned, version(t, tables, 1, 1), "a version in use stays")
	}
	s := tables.Stats()
	require.EqualValues(t, cache.VersionsMax+1, s.Entries, "with the other table's")
	require.EqualValues(t, 4*cache.VersionsMax+1, s.Evictions)
	require.EqualValues(t, 2, s.Full)
}

func TestFailedLoadLeavesTheCacheAsItWas(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(2)
	version(t, tables, 1, 1)
	before := tables.Stats()
	m.failNext = errors.New("down")
	_, err := tables.Files(t.Context(), 1, 2)
	require.ErrorContains(t, err, "down")
	after := tables.Stats()
	require.Equal(t, before.Bytes, after.Bytes)
	require.Equal(t, before.Incremental, after.Incremental)
	require.Len(t, version(t, tables, 1, 2).Files, 2)
}

func TestFilesOutOfOrderAreCorrupt(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(2)
	m.badOrder = true
	_, err := tables.Files(t.Context(), 1, 2)
	require.ErrorIs(t, err, lake.ErrCorrupt)
}

func TestForgetDropsVersionsThatAreBeingLoadedToo(t *testing.T) {
	t.Parallel()
	m, tables := setupTables(3)
	version(t, tables, 1, 2)
	version(t, tables, 2, 2)
	m.onLoad = func() { tables.Forget(1) }
	version(t, tables, 1, 3)
	m.onLoad = nil
	require.EqualValues(t, 1, tables.Stats().Entries, "the other table's")
	version(t, tables, 1, 3)
	require.Equal(t, "1 (0, 3]", m.loads[len(m.loads)-1])
}

func TestSourcesSlicesAreNotModified(t *testing.T) {
	t.Parallel()
	m := newModel()
	m.snapshot = 3
	m.files = []lake.DataFile{{ID: 1, Table: 1, Begin: 1, Deletes: []lake.Delete{
		{Begin: 1, End: 2, Count: 1}, {Begin: 2, Count: 2},
	}}}
	var returned cache.TableChanges
	m.returning = func(c cache.TableChanges) { returned = c }
	v := version(t, cache.NewTables(m, cache.TablesOptions{}), 1, 3)
	require.Equal(t, []lake.Delete{{Begin: 2, Count: 2}}, v.Files[0].Deletes)
	require.Len(t, returned.Files[0].Deletes, 2)
	require.EqualValues(t, 1, returned.Files[0].Deletes[0].Count)
}

// TestVersionsEqualTheNaiveModel commits and asks at random, and looks again at
// all versions that it was given at the end.
func TestVersionsEqualTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		bytesMax := rapid.SampledFrom(budgets).Draw(t, "bytes_max")
		c := cache.NewTables(m, cache.TablesOptions{BytesMax: bytesMax})
		var given []*lake.TableVersion
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				m.commit(func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) })
			},
			"ask": func(t *rapid.T) {
				table := lake.TableID(rapid.IntRange(1, tables).Draw(t, "table"))
				s := lake.SnapshotID(rapid.Int64Range(0, int64(m.latest())).Draw(t, "snapshot"))
				v := version(t, c, table, s)
				require.Empty(t, m.difference(v))
				given = append(given, v)
			},
			"ask the latest": func(t *rapid.T) {
				table := lake.TableID(rapid.IntRange(1, tables).Draw(t, "table"))
				v := version(t, c, table, m.latest())
				require.Empty(t, m.difference(v))
				given = append(given, v)
			},
			"forget": func(t *rapid.T) { c.Forget(lake.TableID(rapid.IntRange(1, tables).Draw(t, "table"))) },
			"": func(t *rapid.T) {
				s := c.Stats()
				require.LessOrEqual(t, s.Bytes, s.BytesMax)
				require.GreaterOrEqual(t, s.Bytes, s.Entries*cache.EntryBytes)
			},
		})
		for _, v := range given {
			require.Empty(t, m.difference(v), "a version changed after it was given")
		}
		for table := lake.TableID(1); table <= tables; table++ {
			c.Forget(table)
		}
		require.Zero(t, c.Stats().Bytes, "what was charged is refunded")
		require.Zero(t, c.Stats().Entries)
	})
}

// TestVersionsAreRightWhileOthersCommit asks for the latest and for older
// snapshots from many goroutines while the tables change.
func TestVersionsAreRightWhileOthersCommit(t *testing.T) {
	t.Parallel()
	for _, bytesMax := range budgets {
		t.Run(fmt.Sprint("bytes_max=", bytesMax), func(t *testing.T) {
			t.Parallel()
			const commits, readers, asks = 60, 4, 80
			m := newModel()
			c := cache.NewTables(m, cache.TablesOptions{BytesMax: bytesMax})
			var wait sync.WaitGroup
			wait.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(bytesMax))) // a test's seed
				for range commits {
					m.commit(func(_ string, n int) int { return random.IntN(n) })
				}
			})
			differences := make([]string, readers)
			for i := range readers {
				wait.Go(func() {
					random := rand.New(rand.NewPCG(2, uint64(i))) // a test's seed
					for range asks {
						s := m.latest()
						if random.IntN(3) == 0 {
							s = lake.SnapshotID(random.Int64N(int64(s) + 1))
						}
						v, err := c.Files(t.Context(), lake.TableID(1+random.IntN(tables)), s)
						if err != nil {
							differences[i] += err.Error()
							continue
						}
						differences[i] += m.difference(v)
					}
				})
			}
			wait.Wait()
			for _, d := range differences {
				require.Empty(t, d)
			}
			s := c.Stats()
			require.EqualValues(t, readers*asks, s.Hits+s.Misses+s.Shared)
			require.LessOrEqual(t, s.Bytes, s.BytesMax)
		})
	}
}

// BenchmarkRefresh is one append to a table and the next query of it.
func BenchmarkRefresh(b *testing.B) {
	for _, files := range []int{100, 10_000} {
		b.Run(fmt.Sprint("files=", files), func(b *testing.B) {
			source := &appendedTable{files: files}
			c := cache.NewTables(source, cache.TablesOptions{})
			b.ReportAllocs()
			for s := lake.SnapshotID(1); b.Loop(); s++ {
				if _, err := c.Files(b.Context(), 1, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package cache_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/lake"
)

// tables is how many tables the model has.
const tables = 3

// model is a lake whose whole history is kept: the plain way to tell what a
// table consists of at any snapshot. It is safe for concurrent use.
type model struct {
	mu        sync.RWMutex
	snapshot  lake.SnapshotID // the latest
	files     []lake.DataFile // all there ever were, with all their deletes
	inlined   map[lake.TableID]map[lake.SnapshotID]int64
	loads     []string // "table (after, upTo]" of each call of Files
	failNext  error
	badOrder  bool
	onLoad    func()
	returning func(cache.TableChanges)
}

func newModel() *model {
	return &model{inlined: map[lake.TableID]map[lake.SnapshotID]int64{}}
}

// draw yields a number in [0, n).
type draw func(label string, n int) int

// commit publishes a snapshot of random changes to one table.
func (m *model) commit(d draw) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshot++
	table := lake.TableID(1 + d("table", tables))
	for range d("files added", 3) {
		m.files = append(m.files, lake.DataFile{
			ID: lake.FileID(len(m.files) + 1), Table: table, Begin: m.snapshot,
			Path:        fmt.Sprintf("t%d/%d.parquet", table, len(m.files)+1),
			Rows:        int64(100 + len(m.files)),
			PartitionID: lake.PartitionID(d("partition", 3)),
		})
	}
	for i := range m.files {
		f := &m.files[i]
		if f.Table != table || f.End != 0 || f.Begin == m.snapshot {
			continue
		}
		switch d("change", 6) {
		case 0:
			f.End = m.snapshot
		case 1: // a delete file replaces the one before
			for j := range f.Deletes {
				if f.Deletes[j].End == 0 {
					f.Deletes[j].End = m.snapshot
				}
			}
			f.Deletes = append(slices.Clone(f.Deletes), lake.Delete{
				Begin: m.snapshot, Count: int64(len(f.Deletes) + 1), Path: fmt.Sprint("delete ", m.snapshot),
			})
		}
	}
	if rows := d("inlined rows", 4); rows > 0 {
		if m.inlined[table] == nil {
			m.inlined[table] = map[lake.SnapshotID]int64{}
		}
		m.inlined[table][m.snapshot] = int64(rows)
	}
}

// latest returns the id of the newest snapshot.
func (m *model) latest() lake.SnapshotID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.snapshot
}

// at returns f as it is at snapshot s. mu is held.
func at(f lake.DataFile, s lake.SnapshotID, liveDeletesOnly bool) lake.DataFile {
	if f.End > s {
		f.End = 0
	}
	var deletes []lake.Delete
	for _, d := range f.Deletes {
		if d.End > s {
			d.End = 0
		}
		if d.Begin <= s && (d.End == 0 || !liveDeletesOnly) {
			deletes = append(deletes, d)
		}
	}
	f.Deletes = deletes
	return f
}

// Files implements cache.TableSource. It also returns deletes that ended, as
// a source may.
func (m *model) Files(
	ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID,
) (cache.TableChanges, error) {
	if m.onLoad != nil {
		m.onLoad()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads = append(m.loads, fmt.Sprintf("%d (%d, %d]", table, after, upTo))
	if err := errors.Join(ctx.Err(), m.failNext); err != nil {
		m.failNext = nil
		return cache.TableChanges{}, err
	}
	changed := func(s lake.SnapshotID) bool { return after < s && s <= upTo }
	c := cache.TableChanges{Inlined: m.inlinedAt(table, upTo)}
	for _, f := range m.files {
		f = at(f, upTo, false)
		is := changed(f.Begin) || changed(f.End)
		for _, d := range f.Deletes {
			is = is || changed(d.Begin) || changed(d.End)
		}
		if f.Table != table || !is || after == 0 && !f.Live(upTo) {
			continue
		}
		c.Files = append(c.Files, f)
		if spec := (lake.PartitionSpec{ID: f.PartitionID}); spec.ID != 0 && !slices.ContainsFunc(c.Partitions,
			func(p lake.PartitionSpec) bool { return p.ID == spec.ID }) {
			c.Partitions = append(c.Partitions, spec)
		}
	}
	if m.badOrder {
		slices.Reverse(c.Files)
	}
	if m.returning != nil {
		m.returning(c)
	}
	return c, nil
}

func (m *model) inlinedAt(table lake.TableID, s lake.SnapshotID) []lake.Inlined {
	var rows int64
	for snapshot, n := range m.inlined[table] {
		if snapshot <= s {
			rows += n
		}
	}
	if rows == 0 {
		return nil
	}
	return []lake.Inlined{{Name: fmt.Sprint("inlined_", table), Rows: rows}}
}

// difference tells how v differs from the version of the naive way; "" if it
// does not.
func (m *model) difference(v *lake.TableVersion) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	want := []string{}
	specs := map[lake.PartitionID]bool{}
	for _, f := range m.files {
		if f.Table == v.Table && f.Live(v.Snapshot) {
			want = append(want, describe(at(f, v.Snapshot, true)))
			specs[f.PartitionID] = f.PartitionID != 0
		}
	}
	got := []string{}
	for _, f := range v.Files {
		got = append(got, describe(*f))
	}
	if !slices.Equal(want, got) {
		return fmt.Sprintf("table %d at %d: files\n%q\nnot\n%q", v.Table, v.Snapshot, got, want)
	}
	if inlined := m.inlinedAt(v.Table, v.Snapshot); !slices.Equal(inlined, v.Inlined) {
		return fmt.Sprintf("table %d at %d: inlined %v, not %v", v.Table, v.Snapshot, v.Inlined, inlined)
	}
	for id, named := range specs {
		if _, ok := v.Partition(id); ok != named {
			return fmt.Sprintf("table %d at %d: partition %d is there: %t", v.Table, v.Snapshot, id, ok)
		}
	}
	if !slices.IsSortedFunc(v.Partitions, func(a, b lake.PartitionSpec) int { return cmp.Compare(a.ID, b.ID) }) {
		return fmt.Sprintf("table %d at %d: partitions %v", v.Table, v.Snapshot, v.Partitions)
	}
	return ""
}

func describe(f lake.DataFile) string {
	return fmt.Sprintf("%d %s %d+%d p%d %v", f.ID, f.Path, f.Begin, f.End, f.PartitionID, f.Deletes)
}

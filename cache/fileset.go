package cache

import (
	"cmp"
	"iter"
	"slices"
	"unsafe"

	"github.com/flightlake/flightlake/internal/invariant"
	"github.com/flightlake/flightlake/lake"
)

// fileSet is the files of one or more versions of a table, sorted by ID.
// INVARIANT: files[i] == &entries[i].file.
type fileSet struct {
	files   []*lake.DataFile
	entries []*fileEntry
	bytes   int64 // of all entries and of the slices
	uses    int   // cached versions that have this set; guarded by Cache.mu
}

// fileEntry is one file, shared by the sets of all versions in which it is the same.
type fileEntry struct {
	file  lake.DataFile
	bytes int64
	uses  int // cached sets that hold it; guarded by Cache.mu
}

// merge returns the files that are live at snapshot: those of s, replaced or
// removed by changes, which must ascend by ID. It returns s itself if nothing
// changed.
func (s *fileSet) merge(changes []lake.DataFile, snapshot lake.SnapshotID) (*fileSet, error) {
	s.check() // readers had the files
	if len(changes) == 0 {
		return s, nil
	}
	merged := make([]*fileEntry, 0, len(s.entries)+len(changes))
	rest := s.entries
	for i := range changes {
		f := &changes[i]
		f.CheckInvariants()
		if i > 0 && changes[i-1].ID >= f.ID {
			return nil, lake.Errorf(lake.KindCorrupt, "file %d of table %d follows file %d", f.ID, f.Table, changes[i-1].ID)
		}
		n, found := slices.BinarySearchFunc(rest, f.ID, compareFile)
		merged = append(merged, rest[:n]...)
		if rest = rest[n:]; found {
			rest = rest[1:]
		}
		if f.Live(snapshot) {
			merged = append(merged, newFileEntry(f, snapshot))
		}
	}
	return newFileSet(append(merged, rest...)), nil
}

func newFileSet(entries []*fileEntry) *fileSet {
	s := &fileSet{entries: entries, files: make([]*lake.DataFile, len(entries))}
	for i, e := range entries {
		s.files[i] = &e.file
		s.bytes += e.bytes
	}
	s.bytes += s.sliceBytes()
	s.check()
	return s
}

func (s *fileSet) check() {
	invariant.Check("files[i] == &entries[i].file.", func() bool {
		return slices.EqualFunc(s.files, s.entries, func(f *lake.DataFile, e *fileEntry) bool { return f == &e.file })
	})
}

// newFileEntry copies f, so that it does not keep the other files of its slice
// in memory, and drops deletes that are not live.
func newFileEntry(f *lake.DataFile, snapshot lake.SnapshotID) *fileEntry {
	e := &fileEntry{file: *f}
	dead := func(d lake.Delete) bool {
		return d.Begin > snapshot || d.End != 0 && d.End <= snapshot
	}
	if slices.ContainsFunc(f.Deletes, dead) {
		e.file.Deletes = slices.DeleteFunc(slices.Clone(f.Deletes), dead)
	}
	e.bytes = fileBytes(&e.file)
	return e
}

func compareFile(e *fileEntry, id lake.FileID) int {
	return cmp.Compare(e.file.ID, id)
}

// sliceBytes returns the bytes of the set without its entries.
func (s *fileSet) sliceBytes() int64 {
	return int64(unsafe.Sizeof(*s)) + 2*pointerBytes*int64(len(s.entries))
}

// tableLedger charges each file once, in however many versions it is, and
// remembers which versions are cached. Its methods but cost are called with
// Cache.mu held, which guards all of it.
type tableLedger struct {
	cached map[lake.TableID][]cachedVersion // ascending by snapshot
	uses   int64                            // a clock that ticks with each use of a version
}

// cachedVersion is what tableLedger knows of a cached version.
type cachedVersion struct {
	snapshot lake.SnapshotID
	lastUse  int64
}

func compareVersion(v cachedVersion, snapshot lake.SnapshotID) int {
	return cmp.Compare(v.snapshot, snapshot)
}

// touch makes a version, if it is cached, the most recently used of its table.
func (l *tableLedger) touch(key tableKey) {
	versions := l.cached[key.table]
	if i, ok := slices.BinarySearchFunc(versions, key.snapshot, compareVersion); ok {
		l.uses++
		versions[i].lastUse = l.uses
	}
}

// surplus returns the least recently used version of a table that has more
// than VersionsMax.
func (l *tableLedger) surplus(table lake.TableID) (tableKey, bool) {
	versions := l.cached[table]
	if len(versions) <= VersionsMax {
		return tableKey{}, false
	}
	oldest := slices.MinFunc(versions, func(a, b cachedVersion) int { return cmp.Compare(a.lastUse, b.lastUse) })
	return tableKey{table: table, snapshot: oldest.snapshot}, true
}

// cost implements ledger: the bytes of a version that shares nothing.
func (l *tableLedger) cost(_ tableKey, v *version) int64 {
	return versionBytes(v) + v.set.bytes
}

// charge implements ledger.
func (l *tableLedger) charge(key tableKey, v *version) int64 {
	versions := l.cached[key.table]
	i, _ := slices.BinarySearchFunc(versions, key.snapshot, compareVersion)
	l.uses++
	l.cached[key.table] = slices.Insert(versions, i, cachedVersion{snapshot: key.snapshot, lastUse: l.uses})

	n := versionBytes(v)
	if v.set.uses++; v.set.uses > 1 {
		return n
	}
	n += v.set.sliceBytes()
	for _, e := range v.set.entries {
		if e.uses++; e.uses == 1 {
			n += e.bytes
		}
	}
	return n
}

// refund implements ledger.
func (l *tableLedger) refund(key tableKey, v *version) int64 {
	versions := l.cached[key.table]
	if i, ok := slices.BinarySearchFunc(versions, key.snapshot, compareVersion); ok {
		versions = slices.Delete(versions, i, i+1)
	}
	if l.cached[key.table] = versions; len(versions) == 0 {
		delete(l.cached, key.table)
	}

	n := versionBytes(v)
	if v.set.uses--; v.set.uses > 0 {
		return n
	}
	n += v.set.sliceBytes()
	for _, e := range v.set.entries {
		if e.uses--; e.uses == 0 {
			n += e.bytes
		}
	}
	return n
}

// sum implements ledger.
func (l *tableLedger) sum(versions iter.Seq2[tableKey, *version]) int64 {
	var bytes int64
	sets, entries := map[*fileSet]bool{}, map[*fileEntry]bool{}
	for _, v := range versions {
		bytes += versionBytes(v)
		if sets[v.set] {
			continue
		}
		sets[v.set] = true
		bytes += v.set.sliceBytes()
		for _, e := range v.set.entries {
			if !entries[e] {
				entries[e] = true
				bytes += e.bytes
			}
		}
	}
	return bytes
}

// versionBytes returns the bytes of a version without its files.
func versionBytes(v *version) int64 {
	n := int64(unsafe.Sizeof(*v))
	for i := range v.Inlined {
		n += int64(unsafe.Sizeof(v.Inlined[i])) + int64(len(v.Inlined[i].Name))
	}
	for i := range v.Partitions {
		n += specBytes(&v.Partitions[i])
	}
	return n
}

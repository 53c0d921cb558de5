package cache

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/flightlake/flightlake/internal/invariant"
	"github.com/flightlake/flightlake/lake"
)

// TablesBytesMaxDefault is the default budget of Tables: 10,000 files of ten
// row groups and 16 columns take about 250 MB.
const TablesBytesMaxDefault = 256 << 20

// VersionsMax bounds the cached versions of one table: the latest, those of
// running transactions and some of the past. Without it, the past of a table
// that many append to would fill the budget before anything else is evicted.
const VersionsMax = 16

// TableSource loads what changed in a table.
type TableSource interface {
	// Files returns the data files of a table that changed after snapshot
	// `after` and up to snapshot `upTo`: files begun in (after, upTo], and files
	// ended, or whose deletes begun or ended, in it, complete and ascending by
	// ID; with after = 0, every file live at upTo. The result is not modified
	// by anybody afterwards.
	// INVARIANT: once upTo exists, the same call always means the same.
	Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (TableChanges, error)
}

// TableChanges is the answer of a TableSource.
type TableChanges struct {
	// Files holds the changed files as they are at upTo; End is set in those
	// that ended at or before it.
	Files []lake.DataFile
	// Inlined names the tables of inlined rows at upTo, all of them.
	Inlined []lake.Inlined
	// Partitions holds every PartitionSpec that a file in Files names.
	Partitions []lake.PartitionSpec
}

// version is a cached lake.TableVersion.
type version struct {
	lake.TableVersion
	set *fileSet // whose files are Files
}

// TablesOptions are the settings of Tables.
type TablesOptions struct {
	// BytesMax is the budget. Zero means TablesBytesMaxDefault; a negative
	// number keeps nothing.
	BytesMax int64
}

// TablesStats are the counters of Tables.
type TablesStats struct {
	Stats
	Full        int64 // loads of all files of a table
	Incremental int64 // loads of changes since a cached version
	FilesLoaded int64 // files that the source returned
}

// Tables caches versions of tables. A version is loaded as the changes since
// the newest cached one that is older, if there is one; unchanged files are
// shared by both and counted once. A version never answers for another
// snapshot than its own. Tables is safe for concurrent use.
//
// It relies on a table's past to stay as it is. Whoever rewrites it (a merge
// of files that keeps their snapshots) calls Forget afterwards.
type Tables struct {
	source TableSource
	steady *steadySource // what source is where invariants are checked, nil elsewhere
	cache  *Cache[tableKey, *version]
	ledger *tableLedger

	full, incremental, filesLoaded atomic.Int64
}

type tableKey struct {
	table    lake.TableID
	snapshot lake.SnapshotID
}

// NewTables returns an empty cache in front of source.
func NewTables(source TableSource, options TablesOptions) *Tables {
	l := &tableLedger{cached: map[lake.TableID][]cachedVersion{}}
	t := &Tables{
		source: source,
		ledger: l,
		cache:  newCache(budget(options.BytesMax, TablesBytesMaxDefault), ledger[tableKey, *version](l)),
	}
	if invariant.Enabled {
		t.steady = &steadySource{TableSource: source}
		t.source = t.steady
	}
	return t
}

// Files returns the version of a table at a snapshot, which must exist: the
// version of one that is yet to come would miss what is committed until then.
//
// Errors: those of the source; KindCorrupt if it returns files out of order.
func (t *Tables) Files(ctx context.Context, table lake.TableID, snapshot lake.SnapshotID) (*lake.TableVersion, error) {
	key := tableKey{table: table, snapshot: snapshot}
	v, err := t.cache.Get(ctx, key, func(ctx context.Context) (*version, error) {
		return t.load(ctx, key)
	})
	if err != nil {
		return nil, err
	}
	t.used(key)
	return &v.TableVersion, nil
}

// used records the use of a version and drops what is too many of its table.
func (t *Tables) used(key tableKey) {
	t.cache.mu.Lock()
	defer t.cache.mu.Unlock()
	t.ledger.touch(key)
	for {
		surplus, ok := t.ledger.surplus(key.table)
		if !ok {
			return
		}
		t.cache.drop(surplus)
		t.cache.stats.Evictions++
	}
}

func (t *Tables) load(ctx context.Context, key tableKey) (*version, error) {
	base := t.base(key)
	changes, err := t.source.Files(ctx, key.table, base.Snapshot, key.snapshot)
	if err != nil {
		return nil, err
	}
	if base.Snapshot == 0 {
		t.full.Add(1)
	} else {
		t.incremental.Add(1)
	}
	t.filesLoaded.Add(int64(len(changes.Files)))
	set, err := base.set.merge(changes.Files, key.snapshot)
	if err != nil {
		return nil, lake.Wrap(lake.KindCorrupt, "load files", err)
	}
	return &version{set: set, TableVersion: lake.TableVersion{
		Table:      key.table,
		Snapshot:   key.snapshot,
		Files:      set.files,
		Inlined:    changes.Inlined,
		Partitions: mergePartitions(base.Partitions, changes.Partitions),
	}}, nil
}

// base returns the newest cached version of the table that is older than the
// snapshot, or an empty one at snapshot 0.
func (t *Tables) base(key tableKey) *version {
	t.cache.mu.Lock()
	defer t.cache.mu.Unlock()
	versions := t.ledger.cached[key.table]
	if i, _ := slices.BinarySearchFunc(versions, key.snapshot, compareVersion); i > 0 {
		older := tableKey{table: key.table, snapshot: versions[i-1].snapshot}
		if base, ok := t.cache.entries.Peek(older); ok {
			return base
		}
	}
	return &version{set: &fileSet{}}
}

// Forget drops all versions of a table, those that are being loaded included.
func (t *Tables) Forget(table lake.TableID) {
	t.cache.RemoveFunc(func(key tableKey) bool { return key.table == table })
	t.steady.forget(table)
}

// Stats returns the counters.
func (t *Tables) Stats() TablesStats {
	return TablesStats{
		Stats:       t.cache.Stats(),
		Full:        t.full.Load(),
		Incremental: t.incremental.Load(),
		FilesLoaded: t.filesLoaded.Load(),
	}
}

// mergePartitions returns the union, ascending by ID, and base itself if there
// is nothing to add.
func mergePartitions(base, more []lake.PartitionSpec) []lake.PartitionSpec {
	merged := base
	for _, spec := range more {
		i, found := slices.BinarySearchFunc(merged, spec.ID, lake.ComparePartition)
		if found {
			continue
		}
		// Clip, because base is shared: an insertion must not use its spare room.
		merged = slices.Insert(slices.Clip(merged), i, spec)
	}
	return merged
}

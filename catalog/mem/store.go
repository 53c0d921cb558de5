package mem

import (
	"sync"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// Store is what catalogs in memory share, as databases are: it outlives the Catalog
// that is open on it. The zero value is a lake that does not exist yet. It is safe for
// concurrent use.
type Store struct {
	mu sync.RWMutex
	// All that follows is guarded by mu. What versions and tables refer to is not
	// modified any more.
	versions []version // by snapshot id
	tables   map[lake.TableID]*files
	log      *transition.Log
	staged   map[string]catalog.StagedFile // by path
	ids      counters
}

// version is a snapshot with its schemas and tables.
type version struct {
	snapshot lake.Snapshot
	state    *lake.State
}

// files are the files that a table ever had, ascending by ID.
type files struct {
	list      []lake.DataFile
	specs     []lake.PartitionSpec // that they follow, ascending by ID
	nextRowID int64
}

// counters are the next ids.
type counters struct {
	id   int64
	file lake.FileID
}

// env is where operations take place; ids are counted in c.
func (c *counters) env() transition.Env {
	return transition.Env{
		NextIDFunc: func() int64 {
			c.id++
			return c.id - 1
		},
		NextFileIDFunc: func() lake.FileID {
			c.file++
			return c.file - 1
		},
		UUIDFunc: uuid.New,
	}
}

// create makes the lake unless it exists.
func (s *Store) create(o Options) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.versions) > 0 {
		return nil
	}
	s.log, s.tables, s.staged = transition.NewLog(nil), map[lake.TableID]*files{}, map[string]catalog.StagedFile{}
	d, err := transition.First(catalog.FirstOptions(o.DataPath), o.Clock.Now(), s.ids.env())
	if err != nil {
		return err
	}
	return s.publish(d)
}

// publish makes a draft the newest snapshot, or changes nothing. The caller holds mu.
//
// Errors: KindInvalid for statistics that cannot be kept.
func (s *Store) publish(d *transition.Draft) error {
	delta, snapshot := d.Delta(), d.Result().Snapshot
	kept := make([][]lake.DataFile, len(delta.Begun.Files))
	for i := range delta.Begun.Files {
		for _, f := range delta.Begun.Files[i].Files {
			k, err := keep(&delta.Begun.Files[i], f)
			if err != nil {
				return lake.Errorf(lake.KindOf(err), "file %s: %w", f.Path, err)
			}
			kept[i] = append(kept[i], k)
		}
	}
	for _, t := range delta.Begun.Tables {
		s.tables[t.Table.ID] = &files{}
	}
	for _, p := range delta.Begun.Partitions {
		t := s.tables[p.Table]
		t.specs = append(t.specs, p.Spec)
	}
	for i := range kept {
		t := s.tables[delta.Begun.Files[i].Table.ID]
		for _, f := range kept[i] {
			f.RowIDStart = t.nextRowID
			t.nextRowID += f.Rows
			t.list = append(t.list, f)
			delete(s.staged, f.Path)
		}
	}
	for _, id := range delta.Ended.Tables {
		for i := range s.tables[id].list {
			if f := &s.tables[id].list[i]; f.End == 0 {
				f.End = snapshot.ID
			}
		}
	}
	s.versions = append(s.versions, version{snapshot, d.State()})
	s.log.Record(d)
	return nil
}

// latest returns the newest snapshot. The caller holds mu.
func (s *Store) latest() version { return s.versions[len(s.versions)-1] }

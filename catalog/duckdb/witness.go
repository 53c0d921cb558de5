package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/durable"
	"github.com/flightlake/flightlake/lake"
)

// witnessSuffix is what the name of a catalog's witness ends with.
const witnessSuffix = ".witness"

// witness is a file beside the catalog that knows which lake the catalog is of and its latest
// snapshot. A catalog that is gone, cut short or another one is found out by it, and not
// taken for what was acknowledged. It holds two lines: the UUID of the lake's first schema, and
// the id of the snapshot, in 20 digits.
//
// It is written over in place after each commit, without a sync: a process that is killed leaves it
// exact, and after a power cut it may be behind the catalog, never ahead of it.
type witness struct {
	catalog string
	opened  os.FileInfo // of the catalog

	mu     sync.Mutex
	file   *os.File        // guarded by mu
	latest lake.SnapshotID // guarded by mu
}

// checkMissing refuses to begin an empty lake where there was one: beside a witness, or data
// files.
//
// Errors: KindCorrupt.
func checkMissing(path, dataPath string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if content, err := os.ReadFile(path + witnessSuffix); err == nil {
		_, latest, _ := parseWitness(content)
		return lake.Errorf(lake.KindCorrupt, "catalog %s is missing, and was at snapshot %d: restore it from a backup; "+
			"or remove %s to begin an empty lake", path, latest, path+witnessSuffix)
	}
	if !filepath.IsAbs(dataPath) {
		return nil
	}
	found := errors.New("found")
	var name string
	err := filepath.WalkDir(dataPath, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(file, ".parquet") {
			name = file
			return found
		}
		return nil // what cannot be read is no proof
	})
	if errors.Is(err, found) {
		return lake.Errorf(lake.KindCorrupt, "there is no catalog %s, and there are data files, such as %s: restore the catalog from a backup; "+
			"or move the files away to begin an empty lake", path, name)
	}
	return nil
}

func parseWitness(content []byte) (identity string, latest lake.SnapshotID, ok bool) {
	identity, rest, _ := strings.Cut(string(content), "\n")
	id, err := strconv.ParseInt(strings.TrimSuffix(rest, "\n"), 10, 64)
	return identity, lake.SnapshotID(id), err == nil && identity != ""
}

// openWitness compares a catalog that was opened with its witness, or makes that.
//
// Errors: KindCorrupt for a catalog that is another one, or lacks snapshots.
func openWitness(ctx context.Context, c catalog.Catalog, path string) (_ *witness, err error) {
	w := &witness{catalog: path}
	head, err := c.Snapshot(ctx, catalog.Selector{})
	if err != nil {
		return nil, err
	}
	identity, err := lakeIdentity(ctx, c)
	if err != nil {
		return nil, err
	}
	name := path + witnessSuffix
	content, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, lake.Wrap(lake.KindState, "open catalog", err)
	}
	if err == nil {
		if err := compareWitness(path, content, identity, head.ID); err != nil {
			return nil, err
		}
	}
	if w.opened, err = os.Stat(path); err != nil {
		return nil, lake.Wrap(lake.KindState, "open catalog", err)
	}
	if w.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, lake.Wrap(lake.KindState, "open catalog", err)
	}
	w.latest = head.ID
	text := witnessText(identity, head.ID)
	if _, err = w.file.WriteAt([]byte(text), 0); err == nil {
		err = errors.Join(w.file.Truncate(int64(len(text))), w.file.Sync(), durable.SyncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return nil, errors.Join(lake.Wrap(lake.KindState, "write "+name, err), w.file.Close())
	}
	return w, nil
}

func compareWitness(path string, content []byte, identity string, head lake.SnapshotID) error {
	name := path + witnessSuffix
	was, latest, ok := parseWitness(content)
	advice := "restore the catalog from a newer backup; or remove " + name + " to go on without"
	switch {
	case !ok:
		return lake.Errorf(lake.KindCorrupt, "%s is damaged: remove it if the catalog %s is the one that it should be", name, path)
	case was != identity:
		return lake.Errorf(lake.KindCorrupt, "catalog %s is of another lake than before (%s, and was %s): %s", path, identity, was, advice)
	case head < latest:
		return lake.Errorf(lake.KindCorrupt, "catalog %s ends with snapshot %d, and snapshot %d was committed: %s", path, head, latest, advice)
	}
	return nil
}

// lakeIdentity returns the UUID of the first schema, which no other lake has.
func lakeIdentity(ctx context.Context, c catalog.Catalog) (string, error) {
	reader, err := c.Metadata(ctx, "SELECT schema_uuid::VARCHAR FROM ducklake_schema ORDER BY schema_id, begin_snapshot LIMIT 1")
	if err != nil {
		return "", err
	}
	defer reader.Release()
	if !reader.Next() || reader.RecordBatch().NumRows() != 1 {
		return "", errors.Join(lake.Errorf(lake.KindCorrupt, "the catalog has no schema"), reader.Err())
	}
	return strings.Clone(reader.RecordBatch().Column(0).ValueStr(0)), nil // of memory that ends with the reader
}

func witnessText(identity string, latest lake.SnapshotID) string {
	return fmt.Sprintf("%s\n%020d\n", identity, int64(latest))
}

// present refuses to go on over a catalog that was removed or replaced: what is written to it is
// gone when it is closed. A nil witness is of a catalog in memory.
//
// Errors: KindUnavailable.
func (w *witness) present() error {
	if w == nil {
		return nil
	}
	now, err := os.Stat(w.catalog)
	if err == nil && os.SameFile(now, w.opened) {
		return nil
	}
	return lake.Errorf(lake.KindUnavailable, "catalog %s was removed or replaced while the server runs, which serves it no more: "+
		"stop the server, restore the catalog and start again", w.catalog)
}

// advance notes a snapshot that was committed.
func (w *witness) advance(id lake.SnapshotID) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if id <= w.latest {
		return nil
	}
	w.latest = id
	const afterUUID = 36 + 1
	_, err := w.file.WriteAt(fmt.Appendf(nil, "%020d\n", int64(id)), afterUUID)
	return err
}

func (w *witness) close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.file.Sync(), w.file.Close())
}

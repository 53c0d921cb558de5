// Package local is the object store driver over a folder of this machine. An
// object is the file of the same name, so that other programs can read it.
//
// A file is written under its final name: there are no temporary folders, and
// what a crash leaves behind is a file that no catalog names. The Bucket hides
// the files that it is still writing; other processes see them, and tell them
// from objects by the catalog.
package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/flightlake/flightlake/internal/durable"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// Permissions of what the driver creates, before the umask.
const (
	fileMode   fs.FileMode = 0o644
	folderMode fs.FileMode = 0o755
)

// durableFoldersMax bounds the set of folders known to be synced: 65,536
// partitions at about 100 bytes each are 6 MB. A set that is full is emptied,
// which costs repeated syncs and nothing else.
const durableFoldersMax = 1 << 16

// Bucket is a folder of files. It is safe for concurrent use by one process;
// processes may share the folder as long as they write different keys.
type Bucket struct {
	root string // absolute

	// mu guards pending, and is held while a file is created, opened or
	// removed, so that an uncommitted file is never mistaken for an object.
	mu      sync.RWMutex
	pending map[string]struct{} // keys of files that are not committed

	folders folders
}

var _ objstore.Bucket = (*Bucket)(nil)

// New returns the Bucket over the folder root, which is created if it does not
// exist. It checks that files can be created there.
//
// Errors: KindInvalid if root is empty or names something else than a folder;
// KindState if the folder cannot be written.
func New(root string) (*Bucket, error) {
	if root == "" {
		return nil, lake.Errorf(lake.KindInvalid, "open object store: the folder has no name")
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, lake.Errorf(lake.KindInvalid, "open object store %q: %w", root, err)
	}
	if err := makeRoot(absolute); err != nil {
		return nil, rootError(root, err)
	}
	if err := probe(absolute); err != nil {
		return nil, rootError(root, err)
	}
	return &Bucket{
		root:    absolute,
		pending: map[string]struct{}{},
		folders: folders{root: absolute, syncFunc: durable.SyncFolder, durable: map[string]struct{}{}},
	}, nil
}

// makeRoot creates root and its missing parents, durably.
func makeRoot(root string) error {
	info, err := os.Stat(root)
	if err == nil {
		if !info.IsDir() {
			return errNotFolder
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(root); parent != root {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(root, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncFolder(filepath.Dir(root))
}

// probe creates and removes a file. Permission bits alone do not tell whether
// that works: the file system may be read-only, the user may be root.
func probe(root string) error {
	file, err := os.CreateTemp(root, ".flightlake-probe-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Create implements objstore.Bucket. It also returns KindInvalid if a folder of
// the key is an object.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	name := b.path(key)
	if err := os.MkdirAll(filepath.Dir(name), folderMode); err != nil {
		return nil, createError(key, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, createError(key, err)
	}
	b.pending[key] = struct{}{}
	return &writer{bucket: b, key: key, file: file}, nil
}

// Open implements objstore.Bucket.
func (b *Bucket) Open(ctx context.Context, key string, _ objstore.OpenOptions) (objstore.Reader, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	file, size, err := b.open(key)
	if err != nil {
		return nil, storeError("open", key, err)
	}
	return &reader{key: key, file: file, size: size}, nil
}

func (b *Bucket) open(key string) (*os.File, int64, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if _, ok := b.pending[key]; ok {
		return nil, 0, fs.ErrNotExist
	}
	return openRegular(b.path(key))
}

// stat returns the file of a committed object, and fs.ErrNotExist for anything
// else: opening a pipe, for one, would block. The caller holds mu.
func (b *Bucket) stat(key string) (fs.FileInfo, error) {
	if _, ok := b.pending[key]; ok {
		return nil, fs.ErrNotExist
	}
	info, err := os.Stat(b.path(key))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return info, nil
}

// Delete implements objstore.Bucket. Folders stay, even if they are empty.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	return objstore.DeleteEach(ctx, keys, b.remove)
}

func (b *Bucket) remove(key string) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	_, err := b.stat(key)
	if err == nil {
		err = os.Remove(b.path(key))
	}
	if err = storeError("delete", key, err); errors.Is(err, lake.ErrNotFound) {
		return nil
	}
	return err
}

// Capabilities implements objstore.Bucket.
func (b *Bucket) Capabilities() objstore.Capabilities {
	return objstore.Capabilities{LocalPathFunc: b.path}
}

// path returns the file that holds key.
func (b *Bucket) path(key string) string {
	return filepath.Join(b.root, filepath.FromSlash(key))
}

// finish makes key a committed or absent object, after its file was synced or removed.
func (b *Bucket) finish(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pending, key)
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return objstore.ValidateKey(key)
}

// folders syncs the folders that lead to new files.
type folders struct {
	root     string
	syncFunc func(folder string) error // durable.SyncFolder but in tests

	mu sync.Mutex
	// durable holds the folders whose own entry, and those of their parents,
	// are known to be synced. mu guards it.
	durable map[string]struct{}
}

// sync makes the entry of a new file in folder durable, with the entries of
// all folders up to the root. A folder that was there before may be as new as
// the file: another writer, or a process that crashed, created it without
// committing anything. So each folder is synced once, whoever created it.
func (f *folders) sync(folder string) error {
	if err := f.syncFunc(folder); err != nil {
		return err
	}
	var synced []string
	for d := folder; d != f.root && !f.known(d); d = filepath.Dir(d) {
		if err := f.syncFunc(filepath.Dir(d)); err != nil {
			return err
		}
		synced = append(synced, d)
	}
	f.remember(synced)
	return nil
}

func (f *folders) known(folder string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.durable[folder]
	return ok
}

func (f *folders) remember(synced []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.durable)+len(synced) > durableFoldersMax {
		clear(f.durable)
	}
	for _, d := range synced {
		f.durable[d] = struct{}{}
	}
}

package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// List implements objstore.Bucket. It holds the names of one folder per level
// in memory. Files whose name is no valid key are not objects. Links to files
// are followed, links to folders are not: they could form a ring.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(objstore.Object) error) error {
	if err := objstore.ValidatePrefix(prefix); err != nil {
		return err
	}
	folder, name := objstore.SplitPrefix(prefix)
	if folder != "" {
		folder += "/"
	}
	return b.list(ctx, folder, name, fn)
}

// list lists the objects below folder, which is empty or ends with "/", in the
// files and folders whose name begins with namePrefix.
func (b *Bucket) list(ctx context.Context, folder, namePrefix string, fn func(objstore.Object) error) error {
	names, err := b.names(folder, namePrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := folder + name
		if strings.HasSuffix(key, "/") {
			err = b.list(ctx, key, "", fn)
		} else {
			err = b.deliver(key, fn)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// names returns the sorted names in folder, those of folders with a "/" at the
// end: so "a.b" comes before "a/b", as in the order of the keys.
func (b *Bucket) names(folder, namePrefix string) ([]string, error) {
	entries, err := os.ReadDir(b.path(folder))
	if err = storeError("list", folder, err); err != nil {
		if errors.Is(err, lake.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, namePrefix) || objstore.ValidateKey(folder+name) != nil {
			continue
		}
		if entry.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// deliver calls fn if key names an object.
func (b *Bucket) deliver(key string, fn func(objstore.Object) error) error {
	b.mu.RLock()
	info, err := b.stat(key)
	b.mu.RUnlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since the folder was read, uncommitted, or no file
	}
	if err != nil {
		return storeError("list", key, err)
	}
	return fn(objstore.Object{Key: key, Bytes: info.Size(), Modified: info.ModTime()})
}

package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/overlay"
)

// temporaryIDs is the last id before those of temporary tables, which are counted
// down from it: far below those of tables that transactions make.
const temporaryIDs = -1 << 40

// temporaryFolder begins the keys of the files of temporary tables. No folder of
// the lake begins with a dot.
const temporaryFolder = ".temporary/"

// TemporaryFiles are the buckets of the sessions that have temporary tables, by
// their folder. Safe for concurrent use.
type TemporaryFiles struct {
	mu      sync.RWMutex
	buckets map[string]*mem.Bucket // guarded by mu
}

func newTemporaryFiles() *TemporaryFiles {
	return &TemporaryFiles{buckets: map[string]*mem.Bucket{}}
}

// add makes a bucket for at most bytesMax bytes and returns its folder.
func (f *TemporaryFiles) add(bytesMax int64) (string, *mem.Bucket) {
	folder, bucket := temporaryFolder+uuid.NewString()+"/", mem.New(mem.Options{BytesMax: bytesMax})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buckets[folder] = bucket
	return folder, bucket
}

// remove forgets a bucket, which frees its memory once nobody reads it.
func (f *TemporaryFiles) remove(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.buckets, folder)
}

// open opens a file of a temporary table.
//
// Errors: KindState if it is gone.
func (f *TemporaryFiles) open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	folder := key[:strings.LastIndexByte(key[:len(temporaryFolder)+len(uuid.Nil.String())+1], '/')+1]
	f.mu.RLock()
	bucket := f.buckets[folder]
	f.mu.RUnlock()
	if bucket != nil {
		file, err := bucket.Open(ctx, key, o)
		if !errors.Is(err, lake.ErrNotFound) {
			return file, err
		}
	}
	return nil, lake.Errorf(lake.KindState, "a temporary table that the query reads was dropped or replaced, or its session has ended; run the query again")
}

// Bucket returns a bucket that also opens the files of temporary tables; all others
// are those of below.
func (f *TemporaryFiles) Bucket(below objstore.Bucket) objstore.Bucket {
	return readBucket{Bucket: below, temporary: f}
}

// readBucket reads the objects of the lake and those of temporary tables.
type readBucket struct {
	objstore.Bucket
	temporary *TemporaryFiles
}

var _ objstore.Bucket = readBucket{}

// Open implements objstore.Bucket.
func (b readBucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	if strings.HasPrefix(key, temporaryFolder) && len(key) > len(temporaryFolder)+len(uuid.Nil.String()) {
		return b.temporary.open(ctx, key, o)
	}
	return b.Bucket.Open(ctx, key, o)
}

// temporaryTables are those of one session. The zero value has none. The
// session's mu guards it.
type temporaryTables struct {
	over *overlay.Overlay // nil: none
	// folder and bucket hold their files; empty and nil until the first is made.
	folder string
	bucket *mem.Bucket
	// garbage is set if the bucket may hold files that no table has.
	garbage bool
	holders int // transactions that changed them and have not ended
	// owner is the transaction that changed them and has not ended: until then nobody else
	// changes them, because it would take that back with its own changes. Nil is nobody.
	owner any
}

// Temporary returns the temporary tables as they are now; nil means none.
func (x *Session) Temporary() *overlay.Overlay {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tables.over
}

// SetTemporary replaces the temporary tables: a rollback restores those of its
// beginning.
func (x *Session) SetTemporary(o *overlay.Overlay) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.tables.over, x.tables.garbage = o, true
	}
}

// SwapTemporary replaces the temporary tables if they are still the given ones. With an owner,
// a transaction, they are its own until ReleaseTemporary; nil is a statement outside of
// transactions.
//
// Errors: KindUnauthenticated if the session has ended; KindState if they are another
// transaction's.
func (x *Session) SwapTemporary(owner any, before, after *overlay.Overlay) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return false, errEnded()
	}
	if x.tables.owner != nil && x.tables.owner != owner {
		return false, lake.Errorf(lake.KindState, "a transaction of the session has changed its temporary tables; end it before others change them")
	}
	if x.tables.over != before {
		return false, nil
	}
	x.tables.owner = owner
	if len(after.State().Schemas[0].Tables) == 0 {
		after = nil
	}
	x.tables.over, x.tables.garbage = after, true
	return true, nil
}

// TemporaryBucket returns where the session keeps files, and the folder in it.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) TemporaryBucket() (string, *mem.Bucket, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return "", nil, errEnded()
	}
	if x.tables.bucket == nil {
		x.tables.folder, x.tables.bucket = x.registry.files.add(x.registry.options.TemporaryBytesMax)
	}
	return x.tables.folder, x.tables.bucket, nil
}

// NoTemporary returns the temporary tables of a session that has none, to be changed.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) NoTemporary() (*overlay.Overlay, error) {
	folder, _, err := x.TemporaryBucket()
	state := &lake.State{Schemas: []lake.Schema{{ID: temporaryIDs, Name: lake.TemporarySchema, Path: folder}}}
	return overlay.New(state, 0, overlay.Options{IDs: &x.registry.temporaryIDs, Origin: lake.OriginSession}), err
}

// TemporaryBytesMax bounds the files of the session's temporary tables.
func (x *Session) TemporaryBytesMax() int64 { return x.registry.options.TemporaryBytesMax }

// temporaryBytes returns what the files of the session take.
func (x *Session) temporaryBytes() int64 {
	x.mu.Lock()
	bucket := x.tables.bucket
	x.mu.Unlock()
	if bucket == nil {
		return 0
	}
	return bucket.Bytes()
}

// DeleteTemporary deletes files that no table has.
func (x *Session) DeleteTemporary(keys []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tables.bucket != nil {
		deleteAll(x.tables.bucket, keys)
	}
}

// DropTemporary forgets the temporary tables of a session that has ended. It
// returns the folder that their files were in, empty if there were none.
func (x *Session) DropTemporary() (folder string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	folder = x.tables.folder
	x.registry.files.remove(folder)
	x.tables = temporaryTables{holders: x.tables.holders, owner: x.tables.owner}
	return folder
}

// HoldTemporary keeps the files of all temporary tables, because a transaction
// that changes them may bring those back that it drops.
func (x *Session) HoldTemporary() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tables.holders++
}

// ReleaseTemporary ends what HoldTemporary began.
func (x *Session) ReleaseTemporary() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tables.holders--
	x.tables.owner = nil
	x.collect()
}

// collect deletes the files that no temporary table has, unless a statement of
// the session may still read or write them or a transaction bring them back. The
// caller holds mu.
func (x *Session) collect() {
	t := &x.tables
	if !t.garbage || t.holders > 0 || x.running > 0 || t.bucket == nil {
		return
	}
	used := t.over.Paths()
	t.bucket.DeleteFunc(func(key string) bool { return !used[key] })
	t.garbage = false
}

// deleteAll deletes objects.
func deleteAll(bucket *mem.Bucket, keys []string) {
	bucket.DeleteFunc(func(key string) bool { return slices.Contains(keys, key) })
}

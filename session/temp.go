package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/writer"
)

// temporaryFolder begins the keys of the files of temporary tables. No folder of
// the lake begins with a dot.
const temporaryFolder = ".temporary/"

// temporaryFiles are the buckets of the sessions that have temporary tables, by
// their folder. Safe for concurrent use.
type temporaryFiles struct {
	mu      sync.RWMutex
	buckets map[string]*mem.Bucket // guarded by mu
}

func newTemporaryFiles() *temporaryFiles {
	return &temporaryFiles{buckets: map[string]*mem.Bucket{}}
}

// add makes a bucket for at most bytesMax bytes and returns its folder.
func (f *temporaryFiles) add(bytesMax int64) (string, *mem.Bucket) {
	folder, bucket := temporaryFolder+uuid.NewString()+"/", mem.New(mem.Options{BytesMax: bytesMax})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buckets[folder] = bucket
	return folder, bucket
}

// remove forgets a bucket, which frees its memory once nobody reads it.
func (f *temporaryFiles) remove(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.buckets, folder)
}

// open opens a file of a temporary table.
//
// Errors: KindState if it is gone.
func (f *temporaryFiles) open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
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

// readBucket reads the objects of the lake, through its cache, and those of
// temporary tables.
type readBucket struct {
	*cache.Bucket
	temporary *temporaryFiles
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
	over *overlay // nil: none
	// folder and bucket hold their files; empty and nil until the first is made.
	folder string
	bucket *mem.Bucket
	// garbage is set if the bucket may hold files that no table has.
	garbage bool
	holders int // transactions that changed them and have not ended
}

// temporary returns the temporary tables as they are now; nil means none.
func (x *Session) temporary() *overlay {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tables.over
}

// setTemporary replaces the temporary tables: a rollback restores those of its
// beginning.
func (x *Session) setTemporary(o *overlay) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.tables.over, x.tables.garbage = o, true
	}
}

// swapTemporary replaces the temporary tables if they are still the given ones.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) swapTemporary(before, after *overlay) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return false, errSessionEnded()
	}
	if x.tables.over != before {
		return false, nil
	}
	if len(after.state.Schemas[0].Tables) == 0 {
		after = nil
	}
	x.tables.over, x.tables.garbage = after, true
	return true, nil
}

// temporaryBucket returns where the session keeps files, and the folder in it.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) temporaryBucket() (string, *mem.Bucket, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return "", nil, errSessionEnded()
	}
	if x.tables.bucket == nil {
		x.tables.folder, x.tables.bucket = x.service.temporaryFiles.add(x.service.temporaryBytesMax)
	}
	return x.tables.folder, x.tables.bucket, nil
}

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

// deleteTemporary deletes files that no table has.
func (x *Session) deleteTemporary(keys []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tables.bucket != nil {
		deleteAll(x.tables.bucket, keys)
	}
}

// dropTemporary forgets the temporary tables of a session that has ended. It
// returns the folder that their files were in, empty if there were none.
func (x *Session) dropTemporary() (folder string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	folder = x.tables.folder
	x.service.temporaryFiles.remove(folder)
	x.tables = temporaryTables{holders: x.tables.holders}
	return folder
}

// holdTemporary keeps the files of all temporary tables, because a transaction
// that changes them may bring those back that it drops.
func (x *Session) holdTemporary() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tables.holders++
}

// releaseTemporary ends what holdTemporary began.
func (x *Session) releaseTemporary() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tables.holders--
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
	used := t.over.paths()
	t.bucket.DeleteFunc(func(key string) bool { return !used[key] })
	t.garbage = false
}

// deleteAll deletes objects.
func deleteAll(bucket *mem.Bucket, keys []string) {
	bucket.DeleteFunc(func(key string) bool { return slices.Contains(keys, key) })
}

// inTemporary returns the view of a statement that changes temporary tables. It
// finds and makes tables among them only.
//
// Errors: KindState without a session, or in a transaction of another one: its
// end could not tell whose tables to bring back.
func (v *view) inTemporary() (*view, error) {
	if v.caller.Session == nil {
		return nil, lake.Errorf(lake.KindState, "temporary tables need a session, and the client has none")
	}
	if v.work != nil && v.work.session != v.caller.Session {
		return nil, lake.Errorf(lake.KindState, "temporary tables of a session cannot be changed in a transaction that another session began")
	}
	into := *v
	into.into = v.caller.Session
	return &into, nil
}

// tables returns the schemas and tables among which a statement makes its own.
//
// Errors: KindUnauthenticated if the session has ended.
func (v *view) tables() (*lake.State, error) {
	switch {
	case v.into == nil:
		return v.state, nil
	case v.temp != nil:
		return v.temp.state, nil
	}
	return v.into.noTables()
}

// noTables is the state of a session without temporary tables.
func (x *Session) noTables() (*lake.State, error) {
	folder, _, err := x.temporaryBucket()
	return &lake.State{Schemas: []lake.Schema{{ID: temporaryIDs, Name: temporarySchema, Path: folder}}}, err
}

// namesTemporary reports whether a name says that its table is temporary: temp.t,
// unless the lake has a schema of that name, or temp.main.t.
func (v *view) namesTemporary(name sqltext.ObjectName) bool {
	if name.Catalog != "" {
		return strings.EqualFold(name.Catalog, temporarySchema) && strings.EqualFold(name.Schema, DefaultSchema)
	}
	if !strings.EqualFold(name.Schema, temporarySchema) {
		return false
	}
	_, ok := v.state.Schema(name.Schema)
	return !ok
}

// saysTemporary reports whether a statement may make a temporary table, for
// which its client needs a session.
func saysTemporary(c *sqltext.Create) bool {
	return c.Temporary || strings.EqualFold(c.Name.Schema, temporarySchema) || strings.EqualFold(c.Name.Catalog, temporarySchema)
}

// placeOf returns the view in which a statement makes the table of a name, which
// was called temporary or not.
//
// Errors: KindInvalid for a temporary table in a schema of the lake; KindState
// without a session.
func (v *view) placeOf(name sqltext.ObjectName, temporary bool) (*view, error) {
	named := v.namesTemporary(name) || temporary && name.Catalog == "" && strings.EqualFold(name.Schema, temporarySchema)
	if temporary && name.Schema != "" && !named {
		return nil, lake.Errorf(lake.KindInvalid, "%s: a temporary table lies in no schema of the lake; write its name without one", name.String())
	}
	if !temporary && !named {
		return v, nil
	}
	return v.inTemporary()
}

// noTemporary is the error for a temporary table that does not exist.
func (v *view) noTemporary(name string) error {
	var state lake.State
	if v.temp != nil {
		state = *v.temp.state
	} else {
		state.Schemas = []lake.Schema{{Name: temporarySchema}}
	}
	return lake.TableNotFound(&state, temporarySchema, name)
}

// changeTemporary applies operations to the temporary tables of v.into.
//
// Errors: those of overlay.apply; KindUnauthenticated if the session has ended;
// KindState if the transaction has.
func (s *Service) changeTemporary(v *view, c catalog.Commit) (catalog.Result, error) {
	x := v.into
	for {
		before := x.temporary()
		over := before.clipped() // another statement may apply its change to the same version
		if over == nil {
			base, err := x.noTables()
			if err != nil {
				return catalog.Result{}, err
			}
			over = newOverlay(base, 0, &s.newTemporaryIDs)
		}
		after, result, err := over.apply(c)
		result.Snapshot.ID = v.snapshot
		if err != nil || result.Replayed {
			return result, err
		}
		swap := x.swapTemporary
		if v.work != nil {
			swap = v.work.swapTemporary
		}
		if done, err := swap(before, after); done || err != nil {
			return result, err
		}
	}
}

// writeTemporary writes rows to files of temporary tables.
//
// Errors: those of writer.Write; KindExhausted, naming the limit, if the tables of
// the session take too many bytes.
func (s *Service) writeTemporary(ctx context.Context, x *Session, spec writer.Spec, stream array.RecordReader) ([]lake.DataFile, error) {
	_, bucket, err := x.temporaryBucket()
	if err != nil {
		return nil, err
	}
	result, err := writer.New(bucket, func(context.Context, []string) error { return nil }).Write(ctx, spec, stream)
	if err == nil {
		return result.Files, nil
	}
	deleteAll(bucket, result.Left)
	if errors.Is(err, lake.ErrExhausted) && ctx.Err() == nil {
		err = lake.Errorf(lake.KindExhausted, "the temporary tables of a session may take %d bytes (temporary_bytes); drop some, or use a table of the lake",
			s.temporaryBytesMax)
	}
	return nil, err
}

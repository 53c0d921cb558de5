// Package objstore declares the contract of the store that holds a lake's
// objects, and the decorators over it. The drivers live in subpackages;
// objstoretest is the suite that specifies them.
//
// Objects are immutable: a key is written once. Keys use "/" and are relative
// to the Bucket's root; ValidateKey says which are allowed. A Bucket knows
// nothing of Parquet or of catalogs.
package objstore

import (
	"context"
	"time"
)

// DeleteKeysMax is how many keys one Delete takes: those of one request to S3.
// DeleteAll takes any number.
const DeleteKeysMax = 1000

// Bucket stores objects by key. Implementations are safe for concurrent use.
//
// Errors common to all methods: KindInvalid for a key that ValidateKey refuses;
// KindUnavailable for a store that does not answer; KindExhausted for a full
// disk; KindState for a store that became read-only; those of ctx.
type Bucket interface {
	// Create begins a new object. Nothing is visible under key before Writer.Commit:
	// Open does not find it, List does not name it and Delete leaves it alone.
	// Errors: KindExists, from here or from Commit, if key exists.
	Create(ctx context.Context, key string) (Writer, error)
	// Open opens an object for ranged reads. It need not ask the store for the
	// object if o tells its length: one that does not exist, or has another
	// length, may then be found by the first ReadAt only.
	// Errors: KindNotFound.
	Open(ctx context.Context, key string, o OpenOptions) (Reader, error)
	// Delete removes up to DeleteKeysMax objects, in one request where the store
	// can. Removing one that does not exist is not an error, and no keys are no
	// request. A removal need not survive a power loss.
	// Errors: a *DeleteError if objects could not be removed, which does not keep
	// the others; KindInvalid, and nothing is removed, for a key that ValidateKey
	// refuses or too many keys.
	Delete(ctx context.Context, keys ...string) error
	// List calls fn for each object whose key begins with prefix, ascending by
	// the bytes of key, in the caller's goroutine; an error of fn ends the
	// listing and is returned. The prefix may end inside a name. fn may call
	// the Bucket.
	List(ctx context.Context, prefix string, fn func(Object) error) error
	// Capabilities tells what may differ between drivers.
	Capabilities() Capabilities
}

// OpenOptions are what the caller of Open knows of the object.
type OpenOptions struct {
	// Bytes is the object's length, which a catalog knows. Zero and less mean
	// not known.
	Bytes int64
}

// Writer is one object being written, sequentially, by one goroutine. It is
// finished by Commit, whatever that returns, or by Abort; further writes and
// commits are KindState.
type Writer interface {
	// Write appends p, does not keep it, and returns how much of it was taken: all
	// of it, or an error. After an error, those of ctx among them, the object
	// cannot be committed: Commit discards it and returns that error.
	Write(ctx context.Context, p []byte) (int, error)
	// Commit makes the object durable and visible: after it returns nil the
	// object survives a power loss. On error the object is not visible.
	Commit(ctx context.Context) error
	// Abort discards the object. After Commit it does nothing, so that it can be
	// deferred. If ctx has ended, or ends meanwhile, the object is as invisible,
	// but a store across a network may keep what it was sent until it expires
	// there: give it a context that outlives what failed.
	Abort(ctx context.Context) error
}

// Reader reads ranges of one object. It is safe for concurrent use.
type Reader interface {
	// ReadAt is io.ReaderAt with a context. A range past the end returns io.EOF
	// with what was read; one that ends at the end returns nil.
	// Errors: KindInvalid for a negative offset, KindState after Close; of an
	// object that was opened by its length, KindNotFound if it does not exist and
	// KindCorrupt if it has another.
	ReadAt(ctx context.Context, p []byte, offset int64) (int, error)
	// Size returns the length of the object in bytes: the true one from a store
	// that knows it for nothing, else OpenOptions.Bytes.
	Size() int64
	// Close releases the Reader. It is no request and does not wait. Closing
	// twice is not an error.
	Close() error
}

// Object is an entry of a listing.
type Object struct {
	Key   string
	Bytes int64
	// Modified is when the object was committed or, in some stores, last written
	// before, by the clock of the store.
	Modified time.Time
}

// Capabilities tells what may differ between drivers.
type Capabilities struct {
	// LocalPathFunc returns the file that holds key; nil if objects are not
	// files of this machine.
	LocalPathFunc func(key string) string
}

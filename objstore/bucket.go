// Package objstore declares the contract of the store that holds a lake's
// objects, and the decorators over it. The drivers live in subpackages;
// objstoretest is the suite that specifies them.
//
// Objects are immutable: a key is written once. Keys use "/" and are relative
// to the Bucket's root. A Bucket knows nothing of Parquet or of catalogs.
package objstore

import (
	"context"
	"io"
)

// Bucket stores objects by key. Implementations are safe for concurrent use.
//
// Errors common to all methods: KindInvalid for a key that is empty, absolute,
// not clean or leaves the root; KindUnavailable for a store that does not
// answer; KindExhausted for a full disk; those of ctx.
type Bucket interface {
	// Create begins a new object. Nothing is visible under key before Writer.Commit.
	// Errors: KindExists, from here or from Commit, if key exists.
	Create(ctx context.Context, key string) (Writer, error)
	// Open opens an object for ranged reads.
	// Errors: KindNotFound.
	Open(ctx context.Context, key string) (Reader, error)
	// Delete removes an object. Removing one that does not exist is not an error.
	Delete(ctx context.Context, key string) error
	// List calls fn for each object whose key begins with prefix, ascending by
	// key, in the caller's goroutine; an error of fn ends the listing and is returned.
	List(ctx context.Context, prefix string, fn func(Object) error) error
	// Capabilities tells what may differ between drivers.
	Capabilities() Capabilities
}

// Writer is one object being written, sequentially, by one goroutine.
type Writer interface {
	io.Writer
	// Commit makes the object durable and visible: after it returns nil the
	// object survives a power loss. On error the object is not visible.
	Commit(ctx context.Context) error
	// Abort discards the object. After Commit it does nothing, so that it can be deferred.
	Abort() error
}

// Reader reads ranges of one object. It is safe for concurrent use.
type Reader interface {
	// ReadAt is io.ReaderAt with a context. A range past the end returns io.EOF
	// with what was read.
	ReadAt(ctx context.Context, p []byte, offset int64) (int, error)
	// Size returns the length of the object in bytes.
	Size() int64
	Close() error
}

// Object is an entry of a listing.
type Object struct {
	Key   string
	Bytes int64
}

// Capabilities tells what may differ between drivers.
type Capabilities struct {
	// LocalPathFunc returns the file that holds key; nil if objects are not
	// files of this machine.
	LocalPathFunc func(key string) string
}

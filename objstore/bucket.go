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
	"io"
)

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
	// Open opens an object for ranged reads.
	// Errors: KindNotFound.
	Open(ctx context.Context, key string) (Reader, error)
	// Delete removes an object. Removing one that does not exist is not an
	// error. A removal need not survive a power loss.
	Delete(ctx context.Context, key string) error
	// List calls fn for each object whose key begins with prefix, ascending by
	// the bytes of key, in the caller's goroutine; an error of fn ends the
	// listing and is returned. The prefix may end inside a name. fn may call
	// the Bucket.
	List(ctx context.Context, prefix string, fn func(Object) error) error
	// Capabilities tells what may differ between drivers.
	Capabilities() Capabilities
}

// Writer is one object being written, sequentially, by one goroutine. It is
// finished by Commit, whatever that returns, or by Abort; further writes and
// commits are KindState.
type Writer interface {
	// Write appends p and does not keep it. After an error the object cannot be
	// committed: Commit discards it and returns that error.
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
	// with what was read; one that ends at the end returns nil.
	// Errors: KindInvalid for a negative offset, KindState after Close.
	ReadAt(ctx context.Context, p []byte, offset int64) (int, error)
	// Size returns the length of the object in bytes.
	Size() int64
	// Close releases the Reader. Closing twice is not an error.
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

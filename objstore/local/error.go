package local

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/flightlake/flightlake/lake"
)

// errNotFolder says that a file stands where a folder is needed.
var errNotFolder = errors.New("it is not a folder")

// storeError returns err, of the operation on key, with its Kind and without
// the server's own path; nil stays nil.
func storeError(operation, key string, err error) error {
	if err == nil {
		return nil
	}
	return lake.Errorf(kindOf(err), "%s object %q: %w", operation, key, cause(err))
}

// createError is storeError for Create, where a missing folder cannot be the
// cause, but one that is a file can.
func createError(key string, err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return lake.Errorf(lake.KindInvalid, "create object %q: a folder of its key is an object", key)
	}
	return storeError("create", key, err)
}

// rootError returns an error of opening the store, for the person who starts it.
func rootError(root string, err error) error {
	kind := kindOf(err)
	switch {
	case errors.Is(err, errNotFolder), errors.Is(err, syscall.ENOTDIR):
		return lake.Errorf(lake.KindInvalid, "open object store %q: %w", root, errNotFolder)
	case kind == lake.KindNotFound, kind == lake.KindInternal:
		kind = lake.KindState
	}
	return lake.Errorf(kind, "open object store %q: cannot write there: %w", root, cause(err))
}

// cause strips the path that the os package puts in front of an error.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// kindOf maps an error of the operating system.
func kindOf(err error) lake.Kind {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case is(fs.ErrNotExist, syscall.ENOTDIR):
		return lake.KindNotFound
	case is(fs.ErrExist):
		return lake.KindExists
	case is(syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.ELOOP):
		return lake.KindInvalid
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM):
		return lake.KindExhausted
	case is(fs.ErrPermission, syscall.EROFS, os.ErrClosed):
		return lake.KindState
	case is(syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT):
		return lake.KindUnavailable
	}
	return lake.KindInternal
}

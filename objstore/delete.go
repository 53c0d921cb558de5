package objstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flightlake/flightlake/lake"
)

// KeyError says why an object could not be deleted.
type KeyError struct {
	Key string
	Err error
}

// DeleteError tells which objects a Delete could not remove. It is an error of
// the Kind of the first of them, and errors.Is and errors.As look at all.
type DeleteError struct {
	Failed []KeyError // at least one, in the order in which they were given
}

// Error returns the first error and how many there are beside it.
func (e *DeleteError) Error() string {
	text := e.Failed[0].Err.Error()
	if more := len(e.Failed) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Unwrap returns the errors of the objects.
func (e *DeleteError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// NewDeleteError returns a *DeleteError; nil if failed is empty.
func NewDeleteError(failed []KeyError) error {
	if len(failed) == 0 {
		return nil
	}
	return &DeleteError{Failed: failed}
}

// FailedKeys returns the keys of a Delete that returned err which may still hold
// an object, with the reasons: those of its *DeleteError, or all of keys for
// another error.
func FailedKeys(keys []string, err error) []KeyError {
	if err == nil {
		return nil
	}
	var e *DeleteError
	if errors.As(err, &e) {
		return e.Failed
	}
	failed := make([]KeyError, len(keys))
	for i, key := range keys {
		failed[i] = KeyError{Key: key, Err: err}
	}
	return failed
}

// DeleteAll removes any number of objects, DeleteKeysMax at a time, and returns
// those that could not be removed.
func DeleteAll(ctx context.Context, b Bucket, keys []string) []KeyError {
	var failed []KeyError
	for part := range slices.Chunk(keys, DeleteKeysMax) {
		failed = append(failed, FailedKeys(part, b.Delete(ctx, part...))...)
	}
	return failed
}

// DeleteEach is Delete for a store that removes one object at a time, by
// deleteFunc. Once ctx has ended it removes no more.
func DeleteEach(ctx context.Context, keys []string, deleteFunc func(key string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(keys) > DeleteKeysMax {
		return lake.Errorf(lake.KindInvalid, "delete %d objects: that is more than %d at once", len(keys), DeleteKeysMax)
	}
	for _, key := range keys {
		if err := ValidateKey(key); err != nil {
			return err
		}
	}
	var failed []KeyError
	for _, key := range keys {
		err := ctx.Err()
		if err == nil {
			err = deleteFunc(key)
		}
		if err != nil {
			failed = append(failed, KeyError{Key: key, Err: err})
		}
	}
	return NewDeleteError(failed)
}

package objstore

import (
	"context"
	"errors"
	"io"

	"github.com/flightlake/flightlake/lake"
)

// ReadAll returns the bytes of one object of at most bytesMax bytes.
//
// Errors: KindNotFound; KindExhausted for a longer object.
func ReadAll(ctx context.Context, b Bucket, key string, bytesMax int64) (data []byte, err error) {
	r, err := b.Open(ctx, key, OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.Size() > bytesMax {
		return nil, lake.Errorf(lake.KindExhausted, "read object %q: it has %d bytes, more than %d",
			quoted(key), r.Size(), bytesMax)
	}
	data = make([]byte, r.Size())
	n, err := r.ReadAt(ctx, data, 0)
	if n == len(data) && errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// WriteAll writes one object and commits it.
//
// Errors: KindExists.
func WriteAll(ctx context.Context, b Bucket, key string, data []byte) error {
	w, err := b.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := w.Write(ctx, data); err != nil {
		return errors.Join(err, w.Abort(ctx))
	}
	return w.Commit(ctx)
}

package change

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// attemptsMax bounds how often an append that met a concurrent DDL is
// resolved against the new state and published again. Appends do not conflict
// with each other, so more than one DDL per attempt would have to keep hitting
// the same table.
const attemptsMax = 10

// appendRequest is what an append publishes to its target.
type appendRequest struct {
	stream  array.RecordReader
	token   string
	options map[string]string
	// resolveFunc resolves the target anew after a conflict; nil means that the stream
	// has to be made anew too, which the caller does.
	resolveFunc resolveFunc
	// base is the snapshot that the stream was read from, if that makes a difference
	// to what is replaced.
	base *lake.SnapshotID
}

// append writes the stream and publishes it. Objects of an append that is
// surely not published are removed before it returns.
func (s *Executor) append(ctx context.Context, run *workload.Statement, t *target, r appendRequest) (statement.Update, error) {
	options, err := t.writeOptions(r.options)
	if err != nil {
		return statement.Update{}, err
	}
	rows := counted(run, r.stream)
	defer rows.Release()
	files, err := s.write(ctx, t, writer.Spec{Columns: t.columns, Partition: t.spec, KeyPrefix: t.path, Options: options, Memory: run}, rows)
	if err != nil {
		return statement.Update{}, err
	}
	if len(files) == 0 && !t.creates() && r.token == "" {
		return t.view.Unchanged(), nil
	}
	published, err := s.publishFiles(ctx, t, r, files)
	if published.Replayed || (err != nil && !errors.Is(err, lake.ErrIndeterminate)) {
		s.unwrite(ctx, t, files)
	}
	if err != nil {
		return statement.Update{}, err
	}
	return statement.Update{Rows: published.Rows, Snapshot: published.Snapshot.ID, Replayed: published.Replayed}, nil
}

// counted returns a reader of the same rows, which stays the caller's, that counts
// them for a statement.
func counted(run *workload.Statement, reader array.RecordReader) array.RecordReader {
	run.SetProgressFunc(stream.ProgressFunc(reader))
	out := stream.Borrowed(reader)
	next := out.NextFunc
	out.NextFunc = func() (arrow.RecordBatch, error) {
		batch, err := next()
		if err != nil {
			return nil, err
		}
		if err := run.AddBatch(batch.NumRows(), query.BatchBytes(batch)); err != nil {
			batch.Release()
			return nil, err
		}
		return batch, nil
	}
	return stream.New(out)
}

// write writes the rows of a stream to files that are in no table yet. If it
// fails, there are none.
func (s *Executor) write(ctx context.Context, t *target, spec writer.Spec, rows array.RecordReader) ([]lake.DataFile, error) {
	if t.view.Into != nil {
		return s.writeTemporary(ctx, t.view.Into, spec, rows)
	}
	result, err := s.Writer.Write(ctx, spec, rows)
	s.Staging.Forget(ctx, result.Gone)
	if err != nil {
		s.Staging.Discard(ctx, result.Left)
	}
	return result.Files, err
}

// writeTemporary writes rows to files of temporary tables.
//
// Errors: those of writer.Write; KindExhausted, naming the limit, if the tables of
// the session take too many bytes.
func (s *Executor) writeTemporary(ctx context.Context, x *session.Session, spec writer.Spec, rows array.RecordReader) ([]lake.DataFile, error) {
	_, bucket, err := x.TemporaryBucket()
	if err != nil {
		return nil, err
	}
	result, err := temporaryWriter(bucket).Write(ctx, spec, rows)
	if err == nil {
		return result.Files, nil
	}
	x.DeleteTemporary(result.Left)
	if errors.Is(err, lake.ErrExhausted) && ctx.Err() == nil {
		err = lake.Errorf(lake.KindExhausted, "the temporary tables of a session may take %d bytes (temporary_bytes); drop some, or use a table of the lake",
			x.TemporaryBytesMax())
	}
	return nil, err
}

// temporaryWriter returns a writer to a bucket that ends with its process.
func temporaryWriter(bucket *mem.Bucket) *writer.Writer {
	return writer.New(bucket, func(context.Context, []string) error { return nil }, writer.Settings{})
}

// unwrite removes files that write has written and no table has.
func (s *Executor) unwrite(ctx context.Context, t *target, files []lake.DataFile) {
	paths := make([]string, len(files))
	for i := range files {
		paths[i] = files[i].Path
	}
	if t.view.Into != nil {
		t.view.Into.DeleteTemporary(paths)
		return
	}
	s.Staging.Discard(ctx, paths)
}

// publishFiles commits files to the target. If a concurrent Commit changed the
// table, the target is resolved again; the files still fit if its columns and
// partitioning are the same.
func (s *Executor) publishFiles(ctx context.Context, t *target, r appendRequest, files []lake.DataFile) (catalog.Result, error) {
	for attempt := 1; ; attempt++ {
		result, err := s.publish(ctx, t.view, catalog.Commit{Token: r.token, Base: r.base, Operations: t.operations(files)})
		retry := errors.Is(err, lake.ErrConflict) || t.creates() && (errors.Is(err, lake.ErrExists) || errors.Is(err, lake.ErrNotFound))
		if !retry || r.resolveFunc == nil || attempt == attemptsMax || t.reads { // of another table, other rows would be read
			return result, err
		}
		now, againErr := s.resolveAgain(ctx, t, r.resolveFunc)
		if againErr != nil {
			return catalog.Result{}, againErr
		}
		if !sameShape(t, now) {
			return catalog.Result{}, lake.Errorf(lake.KindConflict, "table %q was created or replaced meanwhile, with other columns; run the statement again: %w", t.name, err)
		}
		t = now
	}
}

// resolveAgain resolves a target in what its statement would see if it began now.
func (s *Executor) resolveAgain(ctx context.Context, t *target, resolve resolveFunc) (*target, error) {
	v, err := s.Views.Refresh(ctx, t.view)
	if err != nil {
		return nil, err
	}
	now, done, err := resolve(ctx, v)
	if err == nil && done {
		err = lake.Errorf(lake.KindExists, "table %s.%s already exists", t.schema.Name, t.name)
	}
	return now, err
}

// ownToken returns an append token as the catalog keeps it. The tokens of a user are
// theirs alone: else whoever may append to some table could use up the tokens of others,
// whose appends would then be taken for done.
func ownToken(c session.Caller, token string) string {
	if token == "" || c.Identity == nil {
		return token
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %s", c.Identity.User, token))
	return "user:" + hex.EncodeToString(sum[:])
}

// replayed answers an append whose token has been committed before.
func (s *Executor) replayed(ctx context.Context, token string) (statement.Update, bool, error) {
	if token == "" {
		return statement.Update{}, false, nil
	}
	result, err := s.Catalog.Outcome(ctx, token)
	if errors.Is(err, lake.ErrNotFound) {
		return statement.Update{}, false, nil
	}
	if err != nil {
		return statement.Update{}, false, err
	}
	return statement.Update{Rows: result.Rows, Snapshot: result.Snapshot.ID, Replayed: true}, true, nil
}

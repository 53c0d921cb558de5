package writer_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/writer"
)

// numbers returns batches of n int64 each.
func numbers(batches, n int) []arrow.RecordBatch {
	var all []arrow.RecordBatch
	for range batches {
		b := array.NewInt64Builder(memory.DefaultAllocator)
		for i := range n {
			b.Append(int64(i) * 7919)
		}
		all = append(all, one(b.NewArray()))
	}
	return all
}

func keysIn(t *testing.T, bucket objstore.Bucket) []string {
	t.Helper()
	var keys []string
	require.NoError(t, bucket.List(context.Background(), "", func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

// TestAFaultAtAnyCallLeavesNothing stops a Write of several files after every
// call to the Bucket.
func TestAFaultAtAnyCallLeavesNothing(t *testing.T) {
	t.Parallel()
	spec := writer.Spec{Columns: number(column(t, "c", "int64")), Options: writer.Options{RowGroupRows: 500, TargetFileSize: 2000}}
	for nth := 1; ; nth++ {
		store := mem.New(mem.Options{})
		faulty := fault.New(store, fault.Options{})
		faulty.Inject(fault.Fault{Nth: nth, After: nth%2 == 0})
		f := &fixture{bucket: faulty}
		result, err := f.write(t, spec, numbers(2, 1000))
		if err == nil {
			require.Greater(t, nth, 8, "the Write makes more calls")
			require.ElementsMatch(t, f.staged, append(paths(result.Files), result.Gone...))
			break
		}
		require.ErrorIs(t, err, lake.ErrUnavailable, "call %d", nth)
		require.Empty(t, result.Files)
		require.Empty(t, keysIn(t, store), "call %d", nth)
		require.ElementsMatch(t, f.staged, append(result.Left, result.Gone...), "call %d", nth)
	}
}

func paths(files []lake.DataFile) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Path)
	}
	return all
}

func TestKeysThatCannotBeDeletedAreReported(t *testing.T) {
	t.Parallel()
	store := mem.New(mem.Options{})
	faulty := fault.New(store, fault.Options{})
	faulty.Inject(fault.Fault{Op: fault.OpCommit, Nth: 2}, fault.Fault{Op: fault.OpDelete, Count: fault.Forever})
	f := &fixture{bucket: faulty}
	result, err := f.write(t, writer.Spec{Columns: number(column(t, "c", "int64")), Options: writer.Options{RowGroupRows: 500, TargetFileSize: 2000}}, numbers(1, 2000))
	require.Error(t, err)
	require.Len(t, keysIn(t, store), 1)
	require.Subset(t, result.Left, keysIn(t, store))
}

// cancelling ends a context by the second write to an object, and records whether
// the contexts of aborts and deletes had ended.
type cancelling struct {
	objstore.Bucket
	cancel context.CancelFunc
	writes int
	ended  []error
}

func (b *cancelling) Create(ctx context.Context, key string) (objstore.Writer, error) {
	w, err := b.Bucket.Create(ctx, key)
	return cancellingWriter{w, b}, err
}

func (b *cancelling) Delete(ctx context.Context, keys ...string) error {
	b.ended = append(b.ended, ctx.Err())
	return b.Bucket.Delete(ctx, keys...)
}

type cancellingWriter struct {
	objstore.Writer
	bucket *cancelling
}

func (w cancellingWriter) Write(ctx context.Context, p []byte) (int, error) {
	if w.bucket.writes++; w.bucket.writes == 2 {
		w.bucket.cancel()
	}
	return w.Writer.Write(ctx, p)
}

func (w cancellingWriter) Abort(ctx context.Context) error {
	w.bucket.ended = append(w.bucket.ended, ctx.Err())
	return w.Writer.Abort(ctx)
}

func TestUploadIsCancelledAndItsObjectRemovedNevertheless(t *testing.T) {
	t.Parallel()
	store := mem.New(mem.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	b := &cancelling{Bucket: store, cancel: cancel}
	w := writer.New(b, func(context.Context, []string) error { return nil }, writer.Settings{})
	batch := one(floats(1))
	reader, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
	require.NoError(t, err)
	result, err := w.Write(ctx, writer.Spec{Columns: number(column(t, "c", "float64")), KeyPrefix: "a/"}, reader)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []error{nil, nil}, b.ended, "an abort and a delete of contexts that had not ended")
	require.Equal(t, 2, b.writes, "nothing is written once the context has ended")
	require.Len(t, result.Gone, 1)
	require.Zero(t, store.Bytes())
}

func TestKeysAreStagedBeforeTheirUpload(t *testing.T) {
	t.Parallel()
	store := mem.New(mem.Options{})
	staged := map[string]bool{}
	checked := fault.New(store, fault.Options{BeforeFunc: func(c fault.Call) error {
		if c.Op == fault.OpCreate && !staged[c.Key] {
			return fmt.Errorf("%s is uploaded before it is staged", c.Key)
		}
		return nil
	}})
	n := byte(0)
	newID := func() (uuid.UUID, error) {
		n++
		return uuid.UUID{15: n}, nil
	}
	w := writer.New(checked, func(_ context.Context, keys []string) error {
		for _, key := range keys {
			staged[key] = true
		}
		return nil
	}, writer.Settings{NewIDFunc: newID})
	reader, err := array.NewRecordReader(one(floats()).Schema(), []arrow.RecordBatch{one(floats(1))})
	require.NoError(t, err)
	result, err := w.Write(t.Context(), writer.Spec{Columns: number(column(t, "c", "float64")), KeyPrefix: "a/b/"}, reader)
	require.NoError(t, err)
	require.Equal(t, []string{"a/b/00000000-0000-0000-0000-000000000001.parquet"}, paths(result.Files))
	require.Empty(t, result.Gone)
}

func TestAFailedStageUploadsNothing(t *testing.T) {
	t.Parallel()
	store := fault.New(mem.New(mem.Options{}), fault.Options{})
	w := writer.New(store, func(context.Context, []string) error { return lake.Errorf(lake.KindConflict, "no") }, writer.Settings{})
	reader, err := array.NewRecordReader(one(floats()).Schema(), []arrow.RecordBatch{one(floats(1))})
	require.NoError(t, err)
	result, err := w.Write(t.Context(), writer.Spec{Columns: number(column(t, "c", "float64")), KeyPrefix: "a/"}, reader)
	require.ErrorIs(t, err, lake.ErrConflict)
	require.Len(t, result.Gone, 1)
	require.Empty(t, store.Calls())
}

func TestNoRowsMakeNoFiles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	result, err := f.write(t, writer.Spec{Columns: number(column(t, "c", "float64"))}, []arrow.RecordBatch{one(floats())})
	require.NoError(t, err)
	require.Empty(t, result.Files)
	require.Empty(t, f.staged)
}

// endless repeats a batch and cancels a context after some.
type endless struct {
	array.RecordReader
	batch  arrow.RecordBatch
	left   int
	cancel func()
}

func (e *endless) Schema() *arrow.Schema          { return e.batch.Schema() }
func (e *endless) RecordBatch() arrow.RecordBatch { return e.batch }
func (e *endless) Err() error                     { return nil }
func (e *endless) Next() bool {
	if e.left--; e.left == 0 {
		e.cancel()
	}
	return true
}

func TestACancelledWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := setup(t)
	w := writer.New(f.bucket, f.stage, writer.Settings{})
	spec := writer.Spec{Columns: number(column(t, "c", "int64")), KeyPrefix: "a/", Options: writer.Options{RowGroupRows: 1000, TargetFileSize: 3000}}
	result, err := w.Write(ctx, spec, &endless{batch: numbers(1, 1000)[0], left: 5, cancel: cancel})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, keysIn(t, f.bucket))
	require.ElementsMatch(t, f.staged, result.Gone)
}

func TestBatchesAreNotRetained(t *testing.T) {
	t.Parallel()
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer checked.AssertSize(t, 0)
	columns := number(column(t, "c", "varchar"), list(column(t, "x", "int32")))
	columns[1].Name = "l"
	b := array.NewRecordBuilder(checked, lake.ArrowSchema(columns))
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"a", "", "b"}, []bool{true, false, true})
	for range 3 {
		b.Field(1).(*array.ListBuilder).Append(true)
		b.Field(1).(*array.ListBuilder).ValueBuilder().(*array.Int32Builder).Append(1)
	}
	rows := b.NewRecordBatch()
	defer rows.Release()
	_, err := setup(t).write(t, writer.Spec{Columns: columns}, []arrow.RecordBatch{rows})
	require.NoError(t, err)
}

func TestFilesEndAtTheTargetSize(t *testing.T) {
	t.Parallel()
	options := writer.Options{RowGroupRows: 1000, TargetFileSize: 10000, Compression: "uncompressed"}
	result, err := setup(t).write(t, writer.Spec{Columns: number(column(t, "c", "int64")), Options: options}, numbers(3, 1700))
	require.NoError(t, err)
	require.Equal(t, int64(5100), result.Rows)
	require.Len(t, result.Files, 3)
	for i, f := range result.Files {
		require.Len(t, f.RowGroups, []int{2, 2, 2}[i])
		sum := int64(0)
		for g, group := range f.RowGroups {
			require.Equal(t, int32(g), group.Index)
			require.Equal(t, group.Bytes, group.Columns[0].Bytes)
			sum += group.Rows
		}
		require.Equal(t, f.Rows, sum)
	}
}

func TestAWideRowEndsItsRowGroup(t *testing.T) {
	t.Parallel()
	wide := make([]string, 20)
	for i := range wide {
		wide[i] = string(make([]byte, 10000))
	}
	f := setup(t)
	result, err := f.writeLimited(t, writer.Spec{Columns: number(column(t, "c", "varchar"))}, []arrow.RecordBatch{one(text(wide...)), one(text(wide...))},
		writer.Limits{RowGroupBytes: 100000})
	require.NoError(t, err)
	require.Len(t, result.Files[0].RowGroups, 2)
}

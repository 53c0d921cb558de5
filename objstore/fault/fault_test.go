package fault_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(*testing.T) objstore.Bucket {
		return fault.New(mem.New(mem.Options{}), fault.Options{})
	})
}

func setup(t *testing.T) (*fault.Bucket, *mem.Bucket) {
	t.Helper()
	inner := mem.New(mem.Options{})
	return fault.New(inner, fault.Options{}), inner
}

func write(t *testing.T, b objstore.Bucket, key string) error {
	t.Helper()
	return objstore.WriteAll(t.Context(), b, key, []byte("content"))
}

func exists(t *testing.T, b objstore.Bucket, key string) bool {
	t.Helper()
	_, err := objstore.ReadAll(t.Context(), b, key, 100)
	return err == nil
}

func TestNthCallsInARowFail(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	require.NoError(t, write(t, b, "a"))
	mine := errors.New("mine")
	b.Inject(fault.Fault{Op: fault.OpDelete, Key: "a", Nth: 2, Count: 2, Err: mine})
	var failed []bool
	for range 5 {
		require.NoError(t, b.Delete(t.Context(), "other"))
		err := b.Delete(t.Context(), "a")
		failed = append(failed, errors.Is(err, mine))
	}
	require.Equal(t, []bool{false, true, true, false, false}, failed)
}

func TestZeroFaultFailsTheNextCallOnly(t *testing.T) {
	t.Parallel()
	b, inner := setup(t)
	b.Inject(fault.Fault{})
	require.ErrorIs(t, write(t, b, "a"), lake.ErrUnavailable)
	require.False(t, exists(t, inner, "a"))
	require.NoError(t, write(t, b, "a"))
}

func TestLostReplyOfACommitTookEffect(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		b, inner := setup(t)
		b.Inject(fault.Fault{Op: fault.OpCommit, After: after})
		require.ErrorIs(t, write(t, b, "a"), lake.ErrUnavailable)
		require.Equal(t, after, exists(t, inner, "a"))
	}
}

func TestDeadProcessCannotEvenAbort(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	w, err := b.Create(t.Context(), "a")
	require.NoError(t, err)
	b.Inject(fault.Fault{Nth: 2, Count: fault.Forever})
	_, err = w.Write(t.Context(), []byte("x"))
	require.NoError(t, err)
	require.Error(t, w.Commit(t.Context()))
	require.Error(t, w.Abort(t.Context()))
	_, err = b.Open(t.Context(), "a", objstore.OpenOptions{})
	require.Error(t, err)
	require.Equal(t, []fault.Call{
		{Op: fault.OpCreate, Key: "a"},
		{Op: fault.OpWrite, Key: "a", Bytes: 1},
		{Op: fault.OpCommit, Key: "a", Failed: true},
		{Op: fault.OpAbort, Key: "a", Failed: true},
		{Op: fault.OpOpen, Key: "a", Failed: true},
	}, b.Calls())
	b.Reset()
	require.Empty(t, b.Calls())
	require.NoError(t, w.Abort(t.Context()))
}

func TestShortWriteCannotBeCommitted(t *testing.T) {
	t.Parallel()
	b, inner := setup(t)
	b.Inject(fault.Fault{Op: fault.OpWrite, Bytes: 3})
	w, err := b.Create(t.Context(), "a")
	require.NoError(t, err)
	n, err := w.Write(t.Context(), []byte("content"))
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.Equal(t, 3, n)
	require.ErrorIs(t, w.Commit(t.Context()), lake.ErrUnavailable)
	require.False(t, exists(t, inner, "a"))
}

func TestDiskThatFillsUp(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	b := fault.New(inner, fault.Options{BytesMax: 10})
	require.NoError(t, write(t, b, "a"))
	w, err := b.Create(t.Context(), "b")
	require.NoError(t, err)
	n, err := w.Write(t.Context(), []byte("content"))
	require.Equal(t, 3, n)
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, w.Commit(t.Context()), lake.ErrExhausted)
	require.False(t, exists(t, inner, "b"))
}

func TestShortReadAndShortListing(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	for _, key := range []string{"a", "b", "c"} {
		require.NoError(t, write(t, b, key))
	}
	r, err := b.Open(t.Context(), "a", objstore.OpenOptions{})
	require.NoError(t, err)
	b.Inject(fault.Fault{Op: fault.OpReadAt, Bytes: 4}, fault.Fault{Op: fault.OpList, Bytes: 2})
	p := make([]byte, 7)
	n, err := r.ReadAt(t.Context(), p, 0)
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.Equal(t, "cont", string(p[:n]))
	var listed int
	err = b.List(t.Context(), "", func(objstore.Object) error { listed++; return nil })
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.Equal(t, 2, listed)
}

func TestBeforeFuncSeesEachCallAndCanRefuseIt(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	refused := errors.New("refused")
	var ops []fault.Op
	b := fault.New(inner, fault.Options{CallsMax: 1, BeforeFunc: func(c fault.Call) error {
		if ops = append(ops, c.Op); c.Op == fault.OpCommit {
			return refused
		}
		return nil
	}})
	require.ErrorIs(t, write(t, b, "a"), refused)
	require.Equal(t, []fault.Op{fault.OpCreate, fault.OpWrite, fault.OpCommit}, ops)
	require.Len(t, b.Calls(), 1, "the record is bounded")
	require.False(t, exists(t, inner, "a"))
}

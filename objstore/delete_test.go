package objstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/meter"
)

func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("k/%d", i)
	}
	return keys
}

func failedKeys(failed []objstore.KeyError) []string {
	keys := []string{}
	for _, f := range failed {
		keys = append(keys, f.Key)
	}
	return keys
}

func TestDeleteAllTakesAnyNumberInFewRequests(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	b := meter.New(inner)
	keys := keysOf(2*objstore.DeleteKeysMax + 1)
	for _, key := range keys {
		require.NoError(t, objstore.WriteAll(t.Context(), inner, key, []byte("x")))
	}
	require.Empty(t, objstore.DeleteAll(t.Context(), b, keys))
	require.Zero(t, inner.Bytes())
	require.Equal(t, meter.Requests{Calls: 3}, b.Snapshot().Delete)
	require.Empty(t, objstore.DeleteAll(t.Context(), b, nil))
	require.Equal(t, meter.Requests{Calls: 3}, b.Snapshot().Delete)
}

func TestDeleteTellsWhichObjectsItCouldNotRemove(t *testing.T) {
	t.Parallel()
	inner := mem.New(mem.Options{})
	b := fault.New(inner, fault.Options{})
	keys := keysOf(4)
	for _, key := range keys {
		require.NoError(t, objstore.WriteAll(t.Context(), inner, key, []byte("x")))
	}
	mine := errors.New("mine")
	b.Inject(fault.Fault{Op: fault.OpDelete, Key: keys[1], Err: mine}, fault.Fault{Op: fault.OpDelete, Key: keys[3]})
	err := b.Delete(t.Context(), keys...)
	require.ErrorIs(t, err, mine)
	require.ErrorIs(t, err, lake.ErrUnavailable)
	require.EqualError(t, err, "mine (and 1 more)")
	require.Equal(t, []string{keys[1], keys[3]}, failedKeys(objstore.FailedKeys(keys, fmt.Errorf("delete: %w", err))))
	require.EqualValues(t, 2, inner.Bytes())
}

func TestErrorOfAWholeDeleteConcernsAllKeys(t *testing.T) {
	t.Parallel()
	keys := keysOf(objstore.DeleteKeysMax + 2)
	keys[0] = "../k"
	failed := objstore.DeleteAll(t.Context(), mem.New(mem.Options{}), keys)
	require.Equal(t, keys[:objstore.DeleteKeysMax], failedKeys(failed))
	for _, f := range failed {
		require.ErrorIs(t, f.Err, lake.ErrInvalid)
	}
	require.Nil(t, objstore.FailedKeys(keys, nil))
}

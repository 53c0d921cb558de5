package mem_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(*testing.T) objstore.Bucket { return mem.New(mem.Options{}) })
}

func TestBytesMaxCountsWhatIsBeingWrittenAndIsGivenBack(t *testing.T) {
	t.Parallel()
	b := mem.New(mem.Options{BytesMax: 10})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "a", make([]byte, 4)))
	w, err := b.Create(t.Context(), "b")
	require.NoError(t, err)
	_, err = w.Write(t.Context(), make([]byte, 6))
	require.NoError(t, err)

	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "c", make([]byte, 1)), lake.ErrExhausted)
	_, err = w.Write(t.Context(), make([]byte, 1))
	require.ErrorIs(t, err, lake.ErrExhausted)
	require.ErrorIs(t, w.Commit(t.Context()), lake.ErrExhausted, "a commit after a failed write")

	require.NoError(t, objstore.WriteAll(t.Context(), b, "c", make([]byte, 6)))
	require.NoError(t, b.Delete(t.Context(), "a"))
	require.NoError(t, b.Delete(t.Context(), "a"))
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "d", make([]byte, 5)), lake.ErrExhausted)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "d", make([]byte, 4)))
}

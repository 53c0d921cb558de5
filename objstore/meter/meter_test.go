package meter_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/meter"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(*testing.T) objstore.Bucket { return meter.New(mem.New(mem.Options{})) })
}

func TestSnapshotCountsRequestsAndBytes(t *testing.T) {
	t.Parallel()
	b := meter.New(mem.New(mem.Options{BytesMax: 10}))
	require.NoError(t, objstore.WriteAll(t.Context(), b, "a", make([]byte, 10)))
	require.ErrorIs(t, objstore.WriteAll(t.Context(), b, "b", make([]byte, 1)), lake.ErrExhausted)
	written := b.Snapshot()
	require.Equal(t, meter.Stats{
		Create:       meter.Requests{Calls: 2},
		Write:        meter.Requests{Calls: 2, Errors: 1},
		Commit:       meter.Requests{Calls: 1},
		Abort:        meter.Requests{Calls: 1},
		BytesWritten: 10,
	}, written)

	r, err := b.Open(t.Context(), "a", objstore.OpenOptions{})
	require.NoError(t, err)
	_, err = r.ReadAt(t.Context(), make([]byte, 4), 0)
	require.NoError(t, err)
	_, err = r.ReadAt(t.Context(), make([]byte, 4), 8)
	require.ErrorIs(t, err, io.EOF)
	_, err = r.ReadAt(t.Context(), make([]byte, 4), -1)
	require.ErrorIs(t, err, lake.ErrInvalid)
	_, err = b.Open(t.Context(), "b", objstore.OpenOptions{})
	require.ErrorIs(t, err, lake.ErrNotFound)
	stop := errors.New("stop")
	require.ErrorIs(t, b.List(t.Context(), "", func(objstore.Object) error { return stop }), stop)
	require.NoError(t, b.Delete(t.Context(), "a"))
	require.Equal(t, meter.Stats{
		Open:          meter.Requests{Calls: 2, Errors: 1},
		ReadAt:        meter.Requests{Calls: 3, Errors: 1},
		Delete:        meter.Requests{Calls: 1},
		List:          meter.Requests{Calls: 1, Errors: 1},
		BytesRead:     6,
		ObjectsListed: 1,
	}, b.Snapshot().Sub(written))
}

package catalogtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
)

func testRenewedLeases(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	mine := catalog.StagedFile{Path: "main/t/1.parquet", Token: "token", Holder: "it's me", LeaseUntil: epoch()}
	also := catalog.StagedFile{Path: "main/t/2.parquet", Holder: "it's me", LeaseUntil: epoch()}
	yours := catalog.StagedFile{Path: "main/t/3.parquet", Holder: "you", LeaseUntil: epoch()}
	require.NoError(t, c.Renew(t.Context(), mine.Holder, epoch()), "who has staged nothing has nothing to renew")
	require.NoError(t, c.Stage(t.Context(), []catalog.StagedFile{mine, also, yours}))
	until := epoch().Add(time.Hour)
	require.NoError(t, c.Renew(t.Context(), mine.Holder, until.In(time.FixedZone("elsewhere", 7200))))
	mine.LeaseUntil, also.LeaseUntil = until, until
	got, err := c.Staged(t.Context())
	require.NoError(t, err)
	require.Equal(t, []catalog.StagedFile{mine, also, yours}, got)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	require.NoError(t, c.Unstage(t.Context(), []string{also.Path}))
	require.NoError(t, c.Renew(t.Context(), mine.Holder, epoch()))
	mine.LeaseUntil = epoch()
	got, err = c.Staged(t.Context())
	require.NoError(t, err)
	require.Equal(t, []catalog.StagedFile{mine, yours}, got, "a lease may be shortened, and brings nothing back")
}

package local_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		t.Helper()
		b, err := local.New(t.TempDir())
		require.NoError(t, err)
		return b
	})
}

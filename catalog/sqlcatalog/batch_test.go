package sqlcatalog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestListsOfParametersHaveFewLengths would fail for a list that names a value
// which was not given: a DELETE of that list would remove too much.
func TestListsOfParametersHaveFewLengths(t *testing.T) {
	t.Parallel()
	lengths := map[int]bool{}
	for n := 1; n <= 600; n++ {
		args := make([]any, n)
		for i := range args {
			args[i] = i
		}
		list, out := inList(args)
		require.Equal(t, len(out), strings.Count(list, "?"))
		require.Equal(t, args, out[:n])
		for _, more := range out[n:] {
			require.Equal(t, n-1, more, "the list is filled up with its last value")
		}
		lengths[len(out)] = true
	}
	require.Len(t, lengths, 11, "powers of two up to 1,024")
}

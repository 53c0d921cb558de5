package objstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
)

func TestEveryBeginningOfAValidKeyIsAValidPrefix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a.é /\\]{0,4}`)
		key := strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "names"), "/")
		if objstore.ValidateKey(key) != nil {
			return
		}
		for i := range key {
			if err := objstore.ValidatePrefix(key[:i]); err != nil {
				t.Fatalf("prefix %q of key %q: %v", key[:i], key, err)
			}
		}
	})
}

func TestErrorOfALongKeyIsShort(t *testing.T) {
	t.Parallel()
	err := objstore.ValidateKey(strings.Repeat("x", 1<<20))
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.Less(t, len(err.Error()), 200)
}

func TestReadAllRefusesALongerObject(t *testing.T) {
	t.Parallel()
	b := mem.New(mem.Options{})
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", make([]byte, 11)))
	_, err := objstore.ReadAll(t.Context(), b, "k", 10)
	require.ErrorIs(t, err, lake.ErrExhausted)
	data, err := objstore.ReadAll(t.Context(), b, "k", 11)
	require.NoError(t, err)
	require.Len(t, data, 11)
}

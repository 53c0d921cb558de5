package objstoretest

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// modifiedSkewMax is how far the clock of a store may be from that of this
// machine, which S3 bounds by 15 minutes.
const modifiedSkewMax = 15 * time.Minute

func testModified(t *testing.T, b objstore.Bucket) {
	write(t, b, "first", "content")
	before := listObjects(t, b, "")
	require.Len(t, before, 1)
	require.WithinDuration(t, clock.System{}.Now(), before[0].Modified, modifiedSkewMax)
	require.Equal(t, "content", read(t, b, "first"))
	write(t, b, "second", "content")
	after := listObjects(t, b, "")
	require.Len(t, after, 2)
	require.True(t, after[0].Modified.Equal(before[0].Modified), "it was modified by a read, or another object")
	require.False(t, after[1].Modified.Before(after[0].Modified), "a later object is older")
}

func testListOrder(t *testing.T, b objstore.Bucket) {
	require.Empty(t, list(t, b, ""))
	// "/" sorts after "-" and "." and before "0": a walk over folders by name
	// yields another order.
	keys := []string{"a-b", "a.b", "a/b.c", "a/b/c", "a0", "ab", "A/z", "b", "é/x", "z/1/2/3"}
	for _, key := range keys {
		write(t, b, key, key)
	}
	slices.Sort(keys)
	require.Equal(t, keys, list(t, b, ""))
}

func testListPrefix(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"main/t/1", "main/t/2", "main/t/sub/3", "main/t2/4", "main/u/5", "main.x", "..dots/6"} {
		write(t, b, key, key)
	}
	tests := []struct {
		prefix string
		want   []string
	}{
		{"main/t/", []string{"main/t/1", "main/t/2", "main/t/sub/3"}},
		{"main/t", []string{"main/t/1", "main/t/2", "main/t/sub/3", "main/t2/4"}},
		{"main/t/s", []string{"main/t/sub/3"}},
		{"main/t/1", []string{"main/t/1"}},
		{"main", []string{"main.x", "main/t/1", "main/t/2", "main/t/sub/3", "main/t2/4", "main/u/5"}},
		{"main/t/1/", []string{}},
		{"x", []string{}},
		{"main/x/y", []string{}},
		{"..", []string{"..dots/6"}},
	}
	for _, test := range tests {
		require.Equal(t, test.want, list(t, b, test.prefix), "prefix %q", test.prefix)
	}
	for _, prefix := range []string{"/", "/main", "main//t", "../x", "main/../x", "./main", "a\x00", `main\t`, "\xff"} {
		err := b.List(t.Context(), prefix, func(objstore.Object) error { return nil })
		requireKind(t, lake.ErrInvalid, err, "prefix %q", prefix)
	}
}

func testListStop(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"a/1", "a/2", "b/3"} {
		write(t, b, key, key)
	}
	stop := errors.New("enough")
	var seen []string
	err := b.List(t.Context(), "", func(o objstore.Object) error {
		seen = append(seen, o.Key)
		if len(seen) == 2 {
			return stop
		}
		return nil
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, []string{"a/1", "a/2"}, seen)
}

func testListDelete(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"a/1", "a/2", "b/3"} {
		write(t, b, key, key)
	}
	require.NoError(t, b.List(t.Context(), "", func(o objstore.Object) error {
		return b.Delete(t.Context(), o.Key)
	}))
	require.Empty(t, list(t, b, ""))
}

func testInvalidKeys(t *testing.T, b objstore.Bucket) {
	keys := map[string]string{
		"empty":             "",
		"absolute":          "/a",
		"parent":            "../a",
		"parent alone":      "..",
		"parent inside":     "a/../b",
		"parent at the end": "a/..",
		"current":           "./a",
		"current alone":     ".",
		"current inside":    "a/./b",
		"folder":            "a/",
		"empty name":        "a//b",
		"NUL":               "a\x00b",
		"backslash":         `a\b`,
		"backslash parent":  `..\b`,
		"not UTF-8":         "a\xffb",
		"long name":         strings.Repeat("x", objstore.NameBytesMax+1),
		"long name inside":  "a/" + strings.Repeat("é", objstore.NameBytesMax/2+1) + "/b",
		"long key":          strings.Repeat("0123456/", objstore.KeyBytesMax/8) + "a",
	}
	for name, key := range keys {
		_, err := b.Create(t.Context(), key)
		requireKind(t, lake.ErrInvalid, err, name)
		_, err = b.Open(t.Context(), key, objstore.OpenOptions{})
		requireKind(t, lake.ErrInvalid, err, name)
		requireKind(t, lake.ErrInvalid, b.Delete(t.Context(), key), name)
	}
	require.Empty(t, list(t, b, ""))
}

func testUnusualKeys(t *testing.T, b objstore.Bucket) {
	keys := []string{
		"🦆/naïve ☃.parquet",
		`quotes'"` + "`/a",
		"  spaces  / at both ends ",
		".hidden", "..two", "...", "trailing.", "a.b.c.parquet",
		"percent%2Fencoded", "hash#1?query=a&b=c", "region=eu west/month=1",
		"*star*", "[bracket]{brace}", "$HOME", "~", "-dash", ":colon", "semi;colon|pipe<>",
		"line\nbreak\ttab",
		"e\u0301 decomposed", "\u00e9 composed",
		strings.Repeat("x", objstore.NameBytesMax),
		strings.Repeat("0123456/", objstore.KeyBytesMax/8-1) + "01234567",
	}
	for _, key := range keys {
		write(t, b, key, "content of "+key)
	}
	slices.Sort(keys)
	require.Equal(t, keys, list(t, b, ""))
	for _, key := range keys {
		require.Equal(t, "content of "+key, read(t, b, key))
		require.Equal(t, []string{key}, list(t, b, key))
		require.NoError(t, b.Delete(t.Context(), key))
	}
	require.Empty(t, list(t, b, ""))
}

func testLocalPath(t *testing.T, b objstore.Bucket) {
	pathFunc := b.Capabilities().LocalPathFunc
	if pathFunc == nil {
		t.Skip("objects are not files of this machine")
	}
	write(t, b, "a b/ü.parquet", "content")
	data, err := os.ReadFile(pathFunc("a b/ü.parquet"))
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
}

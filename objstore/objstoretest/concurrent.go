package objstoretest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// racers is how many goroutines a concurrent test starts.
const racers = 8

// together calls fn racers times at once and waits for all.
func together(fn func(i int)) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wait.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wait.Wait()
}

// testRace lets many write one key, while others look: they see nothing, or
// the whole object of the one that won.
func testRace(t *testing.T, b objstore.Bucket) {
	const rounds = 10
	for round := range rounds {
		key := fmt.Sprintf("race/%d", round)
		contents := make([]string, racers)
		for i := range contents {
			contents[i] = strings.Repeat(strconv.Itoa(i), 1000*(i+1))
		}
		writeErrs, readErrs := make([]error, racers), make([]error, racers)
		together(func(i int) {
			writeErrs[i] = objstore.WriteAll(t.Context(), b, key, []byte(contents[i]))
			data, err := objstore.ReadAll(t.Context(), b, key, bytesMax)
			if err == nil && !contains(contents, string(data)) {
				err = fmt.Errorf("read %d bytes that nobody wrote", len(data))
			}
			if !errors.Is(err, lake.ErrNotFound) {
				readErrs[i] = err
			}
		})
		winner := -1
		for i := range racers {
			require.NoError(t, readErrs[i])
			if writeErrs[i] == nil {
				require.Equal(t, -1, winner, "two writers won")
				winner = i
				continue
			}
			requireKind(t, lake.ErrExists, writeErrs[i])
		}
		require.NotEqual(t, -1, winner, "no writer won")
		require.Equal(t, contents[winner], read(t, b, key))
	}
}

func contains(contents []string, s string) bool {
	for _, c := range contents {
		if c == s {
			return true
		}
	}
	return false
}

// testConcurrentKeys also makes the writers create the same folders at once.
func testConcurrentKeys(t *testing.T, b objstore.Bucket) {
	const each = 10
	errs := make([]error, racers)
	key := func(i, n int) string { return fmt.Sprintf("t/%d/%d", n, i) }
	together(func(i int) {
		for n := range each {
			errs[i] = errors.Join(errs[i], objstore.WriteAll(t.Context(), b, key(i, n), []byte(key(i, n))))
			errs[i] = errors.Join(errs[i], b.List(t.Context(), "t/", func(objstore.Object) error { return nil }))
		}
	})
	require.NoError(t, errors.Join(errs...))
	require.Len(t, list(t, b, ""), racers*each)
	for i := range racers {
		for n := range each {
			require.Equal(t, key(i, n), read(t, b, key(i, n)))
		}
	}
}

func testConcurrentReads(t *testing.T, b objstore.Bucket) {
	content := make([]byte, 100_000)
	for i := range content {
		content[i] = byte(i / 3)
	}
	write(t, b, "k", string(content))
	r, err := b.Open(t.Context(), "k", objstore.OpenOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	errs := make([]error, racers)
	together(func(i int) {
		p := make([]byte, 1000+i)
		for offset := i * 17; offset+len(p) <= len(content); offset += 9973 {
			n, err := r.ReadAt(t.Context(), p, int64(offset))
			if err != nil || string(p[:n]) != string(content[offset:offset+len(p)]) {
				errs[i] = fmt.Errorf("range %d+%d: wrong bytes: %w", offset, len(p), errors.Join(err, lake.ErrCorrupt))
				return
			}
		}
	})
	require.NoError(t, errors.Join(errs...))
}

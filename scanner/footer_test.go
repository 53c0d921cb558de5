package scanner_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// footerMap keeps all footers and counts the loads.
type footerMap struct {
	mu    sync.Mutex
	kept  map[scanner.FooterKey]*scanner.Footer
	loads int
}

// Get implements scanner.Footers.
func (m *footerMap) Get(ctx context.Context, key scanner.FooterKey, load func(context.Context) (*scanner.Footer, error)) (*scanner.Footer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.kept[key]; ok {
		return f, nil
	}
	f, err := load(ctx)
	if err == nil {
		m.loads++
		m.kept[key] = f
	}
	return f, err
}

// TestKeptFooterIsSharedByScans reads one file by many scans at once: run with
// -race, it would see one that changes what all share.
func TestKeptFooterIsSharedByScans(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 1000)
	footers := &footerMap{kept: map[scanner.FooterKey]*scanner.Footer{}}
	s := scanner.New(store, nil, scanner.Options{}).WithFooters(footers)
	var scans sync.WaitGroup
	for range 8 {
		scans.Go(func() {
			r, err := s.Scan(context.Background(), scanOf(columns, file))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Release()
			rows := int64(0)
			for r.Next() {
				rows += r.RecordBatch().NumRows()
			}
			if r.Err() != nil || rows != 1000 {
				t.Errorf("%d rows, %v", rows, r.Err())
			}
		})
	}
	scans.Wait()
	require.Equal(t, 1, footers.loads)
	for key, footer := range footers.kept {
		require.Equal(t, scanner.FooterKey{Path: file.Path, Bytes: key.Bytes}, key)
		require.Positive(t, footer.Bytes())
	}
}

// Remove lets a scanner forget a footer.
func (m *footerMap) Remove(key scanner.FooterKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
}

// TestRepairedFileIsReadAgain damages a file that caches hold, and repairs it.
func TestRepairedFileIsReadAgain(t *testing.T) {
	t.Parallel()
	store, columns, file, data := sample(t, 300)
	deletes := encode(t, fromJSON(t, memory.DefaultAllocator, []lake.Column{column(1, "pos", lake.TypeInt64)}, `[{"pos":3}]`))
	file.Deletes = []lake.Delete{{Path: "d.parquet", Begin: 1, Count: 1, Bytes: int64(len(deletes))}}
	objects := map[string][]byte{file.Path: data, "d.parquet": deletes}
	for name, damage := range map[string]func(b []byte){
		"pages": func(b []byte) {
			for i := range 40 {
				b[4+i] ^= 0xff
			}
		},
		"footer": func(b []byte) {
			length := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
			copy(b[len(b)-8-length:], make([]byte, 20))
		},
		"magic": func(b []byte) { b[len(b)-1] = 'X' },
	} {
		for key, good := range objects {
			bad := slices.Clone(good)
			damage(bad)
			footers := &footerMap{kept: map[scanner.FooterKey]*scanner.Footer{}}
			for other, content := range objects {
				store.replace(t, other, content)
			}
			store.replace(t, key, bad)
			s := scanner.New(cache.NewBucket(store, cache.BucketOptions{}), nil, scanner.Options{}).WithFooters(footers)
			_, err := countRows(t, s, scanOf(columns, file))
			require.ErrorIs(t, err, lake.ErrCorrupt, "%s of %s", name, key)
			store.replace(t, key, good)
			rows, err := countRows(t, s, scanOf(columns, file))
			require.NoError(t, err, "%s of %s", name, key)
			require.EqualValues(t, 299, rows)
		}
	}
}

// replace puts another object in the place of one.
func (b bucket) replace(t *testing.T, key string, data []byte) {
	t.Helper()
	require.NoError(t, b.Delete(t.Context(), key))
	b.put(t, key, data)
}

func countRows(tb testing.TB, s *scanner.Scanner, scan *expr.Scan) (int64, error) {
	tb.Helper()
	r, err := s.Scan(tb.Context(), scan)
	require.NoError(tb, err)
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

// TestKeptFooterDoesNotHideAnObjectOfAnotherSize opens a file whose footer is
// kept under a size that the catalog does not know.
func TestKeptFooterDoesNotHideAnObjectOfAnotherSize(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 100)
	footers := &footerMap{kept: map[scanner.FooterKey]*scanner.Footer{}}
	s := scanner.New(store, nil, scanner.Options{}).WithFooters(footers)
	scan := func(f *lake.DataFile) error {
		r, err := s.Scan(context.Background(), scanOf(columns, f))
		require.NoError(t, err)
		defer r.Release()
		for r.Next() {
			require.LessOrEqual(t, r.RecordBatch().NumRows(), file.Rows)
		}
		return r.Err()
	}
	require.NoError(t, scan(file))
	longer := *file
	longer.Bytes++
	require.ErrorIs(t, scan(&longer), lake.ErrCorrupt)
}

package scanner_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

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

package scanner

import (
	"context"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// Outside opens the files that lie outside of the lake's store: those whose
// DataFile or Delete is Absolute. Open gets the path or URL as the catalog has it
// and is Bucket.Open otherwise. It is safe for concurrent use.
type Outside interface {
	Open(ctx context.Context, path string, o objstore.OpenOptions) (objstore.Reader, error)
}

// WithOutside returns a Scanner that opens files outside of the lake's store by
// outside, and else is s. A nil outside refuses them, as New's Scanner does.
func (s *Scanner) WithOutside(outside Outside) *Scanner {
	out := *s
	if out.outside = outside; outside == nil {
		out.outside = noOutside{}
	}
	return &out
}

// noOutside opens nothing.
type noOutside struct{}

// Open implements Outside.
func (noOutside) Open(_ context.Context, path string, _ objstore.OpenOptions) (objstore.Reader, error) {
	return nil, lake.Errorf(lake.KindUnsupported, "%q lies outside of the lake's store, where this server reads no files", path)
}

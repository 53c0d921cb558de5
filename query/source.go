package query

import (
	"context"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner"
)

// registered are the sources that the text of one query names.
type registered struct {
	executor *engine.Executor
	releases []func()
}

// add makes a source known and returns the text that reads it.
func (r *registered) add(ctx context.Context, source engine.TableSource) string {
	ref, release := r.executor.Register(ctx, source)
	r.releases = append(r.releases, release)
	return ref
}

// addFiles is add for files that the engine reads by itself.
func (r *registered) addFiles(ctx context.Context, files []string, columns []lake.Column, current bool) string {
	ref, release := r.executor.RegisterFiles(ctx, files, columns, current)
	r.releases = append(r.releases, release)
	return ref
}

// release forgets the sources, when the query has ended.
func (r *registered) release() {
	for _, release := range r.releases {
		release()
	}
}

// emptySource is a table without rows, for binding.
type emptySource struct{ columns []lake.Column }

var _ engine.TableSource = emptySource{}

// Columns implements engine.TableSource.
func (s emptySource) Columns() []lake.Column { return s.columns }

// Rows implements engine.TableSource.
func (emptySource) Rows() int64 { return 0 }

// Open implements engine.TableSource.
func (emptySource) Open(context.Context, []int) (engine.Stream, error) { return emptyStream{}, nil }

type emptyStream struct{}

func (emptyStream) Next(context.Context) (arrow.RecordBatch, error) { return nil, io.EOF }
func (emptyStream) Close()                                          {}

// scanSource feeds a pruned read of a table to the engine: its files through
// the scanner, then its inlined rows.
type scanSource struct {
	scanner *scanner.Scanner
	mem     memory.Allocator
	catalog Catalog
	scan    expr.Scan
	columns []lake.Column // of scan.Projection
	rows    int64
}

var _ engine.TableSource = (*scanSource)(nil)

// Columns implements engine.TableSource.
func (s *scanSource) Columns() []lake.Column { return s.columns }

// Rows implements engine.TableSource.
func (s *scanSource) Rows() int64 { return s.rows }

// Open implements engine.TableSource.
func (s *scanSource) Open(ctx context.Context, projection []int) (engine.Stream, error) {
	scan := s.scan
	scan.Projection = make([]lake.FieldID, len(projection))
	for i, p := range projection {
		scan.Projection[i] = s.scan.Projection[p]
	}
	set, err := s.scanner.Open(ctx, &scan)
	if err != nil {
		return nil, err
	}
	return &scanStream{files: set, mem: s.mem, catalog: s.catalog, scan: scan, inlined: scan.InlinedTables}, nil
}

// scanStream reads the files of a scan, then its inlined rows.
type scanStream struct {
	files   *scanner.Set
	mem     memory.Allocator
	catalog Catalog
	scan    expr.Scan

	mu      sync.Mutex
	inlined []string           // not begun yet; guarded by mu
	reader  array.RecordReader // of the inlined table that is being read; guarded by mu
}

// Next implements engine.Stream.
func (s *scanStream) Next(ctx context.Context) (arrow.RecordBatch, error) {
	batch, err := s.files.Next(ctx)
	if err != io.EOF { //nolint:errorlint // what wraps io.EOF is no end
		return batch, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.reader == nil {
			if len(s.inlined) == 0 {
				return nil, io.EOF
			}
			if err := s.openInlined(ctx, s.inlined[0]); err != nil {
				return nil, err
			}
			s.inlined = s.inlined[1:]
		}
		if s.reader.Next() {
			batch := s.reader.RecordBatch()
			batch.Retain()
			return batch, nil
		}
		err := s.reader.Err()
		s.reader.Release()
		s.reader = nil
		if err != nil {
			return nil, err
		}
	}
}

func (s *scanStream) openInlined(ctx context.Context, name string) error {
	rows, err := s.catalog.InlinedRows(ctx, s.scan.Table, name, s.scan.Snapshot)
	if err != nil {
		return err
	}
	s.reader, err = scanner.Filtered(rows, &s.scan, s.mem)
	return err
}

// Close implements engine.Stream.
func (s *scanStream) Close() {
	s.files.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		s.reader.Release()
		s.reader = nil
	}
	s.inlined = nil
}

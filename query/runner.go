package query

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/scanner"
	"github.com/flightlake/flightlake/workload"
)

// Runner runs plans. Safe for concurrent use.
type Runner struct {
	executor  *engine.Executor
	scanner   *scanner.Scanner
	bucket    objstore.Bucket
	catalog   Catalog
	mem       memory.Allocator
	evaluator Evaluator
}

// Evaluator computes constant expressions in the runner's engine.
func (s *Runner) Evaluator() Evaluator { return s.evaluator }

// HasSetting reports whether the engine has a setting of that name.
func (s *Runner) HasSetting(name string) bool { return s.executor.HasSetting(name) }

// Start runs a plan. The caller releases the reader.
//
// Errors, here and from the reader: KindCorrupt, naming the file, for a damaged one;
// those of engine.Executor.Query and scanner.Scanner.Scan.
func (s *Runner) Start(ctx context.Context, run *workload.Statement, p *Plan) (array.RecordReader, error) {
	switch {
	case p.explain:
		return s.explain(ctx, run, p)
	case p.plan.Answer != nil:
		return stream.OneBatch(p.plan.Answer.Batch(s.mem)), nil
	case p.native():
		reader, err := s.scannerOf(run).Scan(ctx, &p.plan.Native.Scan)
		if err != nil {
			return nil, err
		}
		return Renamed(coalesced(reader, s.mem), p.Schema), nil
	}
	reader, err := s.startEngine(ctx, run, p, p.analysis.Rewrite)
	if err != nil {
		return nil, err
	}
	return Renamed(reader, p.Schema), nil
}

// StartWithin runs the query of a plan inside the text that wrap makes of it, in the
// engine. The caller releases the reader.
//
// Errors: those of Start.
func (s *Runner) StartWithin(ctx context.Context, run *workload.Statement, p *Plan, wrap func(query string) string) (array.RecordReader, error) {
	return s.startEngine(ctx, run, p, func(replace func(int, planner.TableRef) string) string {
		return wrap(p.analysis.RewriteQuery(replace))
	})
}

// scannerOf returns a scanner whose batches are counted as memory of a statement.
func (s *Runner) scannerOf(run *workload.Statement) *scanner.Scanner {
	return s.scanner.WithAllocator(func(mem memory.Allocator) memory.Allocator { return run.Allocator(mem) })
}

// startEngine runs a plan in the engine over its pruned sources. rewrite is
// Analysis.Rewrite or RewriteQuery.
func (s *Runner) startEngine(ctx context.Context, run *workload.Statement, p *Plan, rewrite func(func(int, planner.TableRef) string) string) (array.RecordReader, error) {
	sources := &registered{executor: s.executor}
	var byDuckDB []int // references whose files DuckDB reads by itself
	var fileErr error
	sql := rewrite(func(i int, tr planner.TableRef) string {
		source := s.source(run, p, i)
		if source == nil {
			return ""
		}
		if tr.Bare {
			return bare(tr, func() string { return p.guarded(i, sources.add(ctx, source)) })
		}
		if files, current := s.ownFiles(p, i); files != nil {
			byDuckDB = append(byDuckDB, i)
			fileErr = errors.Join(fileErr, s.checkFiles(ctx, &p.plan.Reads[i]))
			return sources.addFiles(ctx, files, p.plan.Reads[i].Table.Columns, current)
		}
		return p.guarded(i, sources.add(ctx, source))
	})
	if fileErr != nil {
		sources.release()
		return nil, fileErr
	}
	reader, err := s.executor.Query(ctx, engine.Query{
		SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay, Rewritten: true,
	})
	if err != nil {
		sources.release()
		return nil, s.blameFiles(ctx, p, byDuckDB, err)
	}
	out := stream.Over(reader)
	next := out.NextFunc
	out.NextFunc = func() (arrow.RecordBatch, error) {
		batch, err := next()
		if err != nil {
			err = s.blameFiles(ctx, p, byDuckDB, err)
		}
		return batch, err
	}
	out.CloseFunc = func() {
		reader.Release()
		sources.release()
	}
	return stream.New(out), nil
}

// Bind returns the query of a plan over its registered sources, until release is called.
func (s *Runner) Bind(ctx context.Context, run *workload.Statement, p *Plan) (sql string, release func()) {
	sources := &registered{executor: s.executor}
	sql = p.analysis.RewriteQuery(func(i int, _ planner.TableRef) string {
		source := s.source(run, p, i)
		if source == nil {
			return ""
		}
		return p.guarded(i, sources.add(ctx, source))
	})
	return sql, sources.release
}

// barrier keeps DuckDB from moving conditions of the client below a row filter. A
// condition that fails on a row shows values of it in its error, so no row that the
// filter hides may reach one; DuckDB moves no condition through a LIMIT.
const barrier = " LIMIT 9223372036854775807"

// guarded returns what reads reference i where text reads all rows of its table.
func (p *Plan) guarded(i int, text string) string {
	read := &p.plan.Reads[i]
	switch {
	case p.virtual[i] != nil || read.RowFilter == "":
		return text
	case read.Guard != nil: // the scanner has hidden the rows already
		return planner.Filtered(text, read.RowFilter)
	}
	return "(SELECT * FROM " + planner.Filtered(text, read.RowFilter) + barrier + ")"
}

// source returns what reads reference i for a statement; nil if the engine knows it by
// itself.
func (s *Runner) source(run *workload.Statement, p *Plan, i int) engine.TableSource {
	if set := p.virtual[i]; set != nil {
		return rowsetSource{set: set, mem: run.Allocator(s.mem)}
	}
	read := &p.plan.Reads[i]
	if read.Table == nil {
		return nil
	}
	scan := read.Scan()
	// DuckDB binds the whole table by name; columns that the plan does not need
	// are never asked for.
	scan.Projection = make([]lake.FieldID, len(read.Table.Columns))
	for j := range read.Table.Columns {
		scan.Projection[j] = read.Table.Columns[j].ID
	}
	return &scanSource{scanner: s.scannerOf(run), mem: s.mem, catalog: s.catalog, scan: scan, columns: read.Table.Columns, rows: read.Rows()}
}

// readParquetShareMin is the share of a file's rows, in percent, that must be
// left after pruning for DuckDB to read the file itself: its reader takes whole
// files and would read again what the zone maps have skipped.
const readParquetShareMin = 50

// ownFiles returns the files of a table that DuckDB's own Parquet reader may read: local
// ones that flightlake wrote, whole and without deletes; nil for others. Current is that of
// engine.Executor.RegisterFiles.
func (s *Runner) ownFiles(p *Plan, i int) (files []string, current bool) {
	local := s.bucket.Capabilities().LocalPathFunc
	if local == nil || p.virtual[i] != nil {
		return nil, false
	}
	read := &p.plan.Reads[i]
	if read.Table.Origin == lake.OriginSession || len(read.Tasks) == 0 || read.RowFilter != "" || len(read.Inlined) > 0 ||
		!engine.CanReadParquet(read.Table.Columns) || asksDistinctFrom(p.analysis) {
		return nil, false
	}
	files = make([]string, len(read.Tasks))
	current = true
	var rows, all int64
	for j := range read.Tasks {
		f := read.Tasks[j].File
		if f.RowGroups == nil || f.Absolute || f.Encrypted || f.PartialMax != 0 || f.Mapping != nil || len(f.Deletes) > 0 {
			return nil, false
		}
		files[j] = local(f.Path)
		current = current && read.Table.Current(f)
		rows += read.Tasks[j].Rows
		all += f.Rows
	}
	if rows*100 < all*readParquetShareMin {
		return nil, false
	}
	return files, current
}

// checkFiles finds files that are missing or were replaced by others, which
// DuckDB would read as they are.
//
// Errors: KindCorrupt, naming file and table.
func (s *Runner) checkFiles(ctx context.Context, read *planner.Read) error {
	for i := range read.Tasks {
		f := read.Tasks[i].File
		object, err := s.bucket.Open(ctx, f.Path, objstore.OpenOptions{}) // without the length, which is asked for
		if errors.Is(err, lake.ErrNotFound) {
			return lake.Errorf(lake.KindCorrupt, "data file %s of table %q is missing", f.Path, read.Table.Name)
		}
		if err != nil {
			return err
		}
		size := object.Size()
		if err := object.Close(); err != nil {
			return err
		}
		if size != f.Bytes {
			return lake.Errorf(lake.KindCorrupt, "data file %s of table %q has %d bytes, the catalog says %d",
				f.Path, read.Table.Name, size, f.Bytes)
		}
	}
	return nil
}

// asksDistinctFrom reports whether a statement says IS [NOT] DISTINCT FROM.
// DuckDB 1.5 skips row groups of nothing but NULLs for such a filter in an OR,
// although their rows match.
func asksDistinctFrom(a *planner.Analysis) bool {
	c := &sqltext.Cursor{Text: a.Statement.Text, Tokens: a.Statement.Tokens}
	for ; !c.End(); c.Pos++ {
		if c.IsWord(0, "DISTINCT") && c.IsWord(1, "FROM") {
			return true
		}
	}
	return false
}

package session

import (
	"context"
	"errors"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/workload"
)

// Plan plans a query, with at most one row of parameters, and pins it to what its
// transaction sees or, outside of one, to the latest snapshot.
//
// Errors: KindInvalid for SQL that does not parse or bind, with its position;
// KindNotFound, with near names, for a table or snapshot; KindForbidden for a
// function that is closed to clients; KindUnsupported.
func (s *Service) Plan(ctx context.Context, st Statement) (Query, error) {
	v, done, err := s.enter(ctx, st.Caller, st.Scope, entry{pin: true})
	if err != nil {
		return Query{}, err
	}
	defer done()
	p, err := s.planStatement(ctx, st, v)
	if err != nil {
		return Query{}, err
	}
	st.Scope = v.scope // of the session or the default: the ticket may be redeemed without the session
	q := Query{
		Statement: st, Snapshot: v.snapshot, Time: v.now, Schema: p.schema, Rows: p.rows(), Bytes: lake.Unknown,
		Parts: p.plan.Parts(s.endpointBytesMin, s.endpointsMax), Ordered: p.plan.Ordered,
	}
	if q.Rows == 0 {
		q.Bytes = 0
	}
	if p.overlaid {
		q.View = s.views.keep(v, v.now)
	}
	return q, nil
}

// Run starts a planned query at its snapshot. Reading the rows does the work.
func (s *Service) Run(ctx context.Context, q Query) (Rows, error) {
	v, done, err := s.plannedView(ctx, q)
	if err != nil {
		return Rows{}, err
	}
	reader, err := s.run(ctx, q.Statement, v, q.Part)
	if err != nil {
		done()
		return Rows{}, err
	}
	return Rows{Reader: onRelease(reader, done), Snapshot: q.Snapshot}, nil
}

// run waits for the turn of a query, which it has until its rows are released, and
// starts it, or a part of it.
func (s *Service) run(ctx context.Context, st Statement, v *view, part Part) (array.RecordReader, error) {
	p, err := s.planStatement(ctx, st, v)
	if err == nil {
		p, err = p.within(part)
	}
	if err != nil {
		return nil, err
	}
	ctx, c, err := s.begin(ctx, st.Caller, workload.Info{ID: string(st.ID), SQL: st.SQL, Kind: kindQuery, Prompt: p.isPrompt()})
	if err != nil {
		return nil, err
	}
	if v.work != nil {
		err = v.work.check(p)
	}
	var reader array.RecordReader
	if err == nil {
		reader, err = s.start(ctx, p)
	}
	if err != nil {
		c.end()
		return nil, because(ctx, err)
	}
	return tracked(ctx, reader, c), nil
}

// within returns the plan of a part of a query.
//
// Errors: KindState if the query is no scan any more, such as under a row filter
// that came after it was divided.
func (p *selectPlan) within(part Part) (*selectPlan, error) {
	if part == (Part{}) {
		return p, nil
	}
	if p.explain || p.plan.Answer != nil || !p.native() {
		return nil, lake.Errorf(lake.KindState, "the query cannot be read in parts any more; run it again")
	}
	of, plan, native := *p, *p.plan, *p.plan.Native
	native.Scan = native.Scan.Within(part)
	plan.Native, of.plan = &native, &plan
	return &of, nil
}

// planStatement binds the parameters of a query and plans it.
func (s *Service) planStatement(ctx context.Context, st Statement, v *view) (*selectPlan, error) {
	texts, err := bindAll(st)
	if err != nil {
		return nil, err
	}
	if len(texts) != 1 {
		return nil, lake.Errorf(lake.KindInvalid, "a query runs with one row of parameters and got %d", len(texts))
	}
	if hasText(st.Params) {
		if texts, err = s.converted(ctx, st, v, texts); err != nil {
			return nil, err
		}
		return s.selectPlan(ctx, texts[0], v)
	}
	p, err := s.selectPlan(ctx, texts[0], v)
	if err == nil || st.Params == nil || lake.KindOf(err) != lake.KindInvalid {
		return p, err
	}
	if texts, err = s.converted(ctx, st, v, texts); err != nil {
		return nil, err
	}
	return s.selectPlan(ctx, texts[0], v)
}

// start runs a plan. The caller releases the reader.
func (s *Service) start(ctx context.Context, p *selectPlan) (array.RecordReader, error) {
	switch {
	case p.explain:
		return s.explain(ctx, p)
	case p.plan.Answer != nil:
		return oneBatch(p.plan.Answer.Batch(s.mem))
	case p.native():
		reader, err := s.scannerOf(ctx).Scan(ctx, &p.plan.Native.Scan)
		if err != nil {
			return nil, err
		}
		return renamed(coalesced(reader, s.mem), p.schema), nil
	}
	reader, err := s.startEngine(ctx, p, p.analysis.Rewrite)
	if err != nil {
		return nil, err
	}
	return renamed(reader, p.schema), nil
}

// startEngine runs a plan in the engine over its pruned sources. rewrite is
// Analysis.Rewrite or RewriteQuery.
func (s *Service) startEngine(ctx context.Context, p *selectPlan, rewrite func(func(int, planner.TableRef) string) string) (array.RecordReader, error) {
	sources := &registered{executor: s.Executor}
	var byDuckDB []int // references whose files DuckDB reads by itself
	var fileErr error
	sql := rewrite(func(i int, tr planner.TableRef) string {
		source := s.source(ctx, p, i)
		if source == nil {
			return ""
		}
		if tr.Bare {
			return s.bare(tr, func() string { return p.guarded(i, sources.add(ctx, source)) })
		}
		if ref, ok := s.parquetRef(p, i); ok {
			byDuckDB = append(byDuckDB, i)
			fileErr = errors.Join(fileErr, s.checkFiles(ctx, &p.plan.Reads[i]))
			return ref
		}
		return p.guarded(i, sources.add(ctx, source))
	})
	if fileErr != nil {
		sources.release()
		return nil, fileErr
	}
	reader, err := s.Executor.Query(ctx, engine.Query{SQL: sql, Schema: p.defaultSchema, Overlay: p.overlay, Rewritten: true})
	blame := func(err error) error { return s.blameFiles(ctx, p, byDuckDB, err) }
	if err != nil {
		sources.release()
		return nil, blame(err)
	}
	return &blamingReader{RecordReader: onRelease(reader, sources.release), blameFunc: blame}, nil
}

// source returns what reads reference i for the call of ctx; nil if the engine
// knows it by itself.
func (s *Service) source(ctx context.Context, p *selectPlan, i int) engine.TableSource {
	if set := p.virtual[i]; set != nil {
		return rowsetSource{set: set, mem: s.mem}
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
	return &scanSource{scanner: s.scannerOf(ctx), mem: s.mem, catalog: s.Catalog, scan: scan, columns: read.Table.Columns, rows: read.Rows()}
}

// readParquetShareMin is the share of a file's rows, in percent, that must be
// left after pruning for DuckDB to read the file itself: its reader takes whole
// files and would read again what the zone maps have skipped.
const readParquetShareMin = 50

// parquetRef returns what has DuckDB's own Parquet reader read a table, if it
// may: local files that flightlake wrote, whole and without deletes.
func (s *Service) parquetRef(p *selectPlan, i int) (string, bool) {
	local := s.Bucket.Capabilities().LocalPathFunc
	if local == nil || p.virtual[i] != nil {
		return "", false
	}
	read := &p.plan.Reads[i]
	if read.Table.ID < temporaryIDs || len(read.Tasks) == 0 || read.RowFilter != "" || len(read.Inlined) > 0 || !engine.CanReadParquet(read.Table.Columns) || asksDistinctFrom(p.analysis) {
		return "", false
	}
	files := make([]string, len(read.Tasks))
	current := true
	var rows, all int64
	for j := range read.Tasks {
		f := read.Tasks[j].File
		if f.RowGroups == nil || f.Absolute || f.Encrypted || f.PartialMax != 0 || f.Mapping != nil || len(f.Deletes) > 0 {
			return "", false
		}
		files[j] = local(f.Path)
		current = current && f.Begin >= read.Table.Begin
		rows += read.Tasks[j].Rows
		all += f.Rows
	}
	if rows*100 < all*readParquetShareMin {
		return "", false
	}
	return engine.ParquetRef(files, read.Table.Columns, current), true
}

// checkFiles finds files that are missing or were replaced by others, which
// DuckDB would read as they are.
//
// Errors: KindCorrupt, naming file and table.
func (s *Service) checkFiles(ctx context.Context, read *planner.Read) error {
	for i := range read.Tasks {
		f := read.Tasks[i].File
		object, err := s.Bucket.Open(ctx, f.Path, objstore.OpenOptions{}) // without the length, which is asked for
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

// metadataRows reads one of the catalog's own tables. The database that holds
// them has others, such as views of its settings, which are not for clients.
//
// Errors: KindNotFound for a table that the catalog does not have.
func (s *Service) metadataRows(ctx context.Context, name string) (*rowset, error) {
	missing := lake.Errorf(lake.KindNotFound, "table %q does not exist in %s", name, planner.MetadataSchema)
	if lower := strings.ToLower(name); !strings.HasPrefix(lower, "ducklake_") && !strings.HasPrefix(lower, "flightlake_") {
		return nil, missing
	}
	reader, err := s.Catalog.Metadata(ctx, "SELECT * FROM "+lake.QuoteIdent(name))
	if lake.KindOf(err) == lake.KindInvalid {
		return nil, missing // nothing else can be wrong with such a query
	}
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	columns, err := lake.ColumnsFromArrow(reader.Schema())
	if err != nil {
		return nil, err
	}
	set := &rowset{columns: columns}
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		set.batches = append(set.batches, batch)
	}
	return set, reader.Err()
}

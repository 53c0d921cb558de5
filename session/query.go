package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// planKey identifies a planned query: its text with parameters bound, where
// names resolve, and the snapshot it reads.
type planKey struct {
	sql      string
	schema   string
	snapshot lake.SnapshotID
}

// selectPlan is a query that is ready to run, as often as asked.
type selectPlan struct {
	snapshot lake.SnapshotID
	scope    Scope
	analysis *planner.Analysis
	plan     *planner.Plan
	// virtual holds, by reference, the rows of the lake's own functions and tables.
	virtual map[int]*rowset
	schema  *arrow.Schema
	// explain is set for EXPLAIN; analyze for EXPLAIN ANALYZE.
	explain, analyze bool
}

// Plan plans a query, with at most one row of parameters, and pins it to the
// latest snapshot.
//
// Errors: KindInvalid for SQL that does not parse or bind, with its position;
// KindNotFound, with near names, for a table or snapshot; KindForbidden for a
// function that is closed to clients; KindUnsupported.
func (s *Service) Plan(ctx context.Context, st Statement) (Query, error) {
	head, err := s.Catalog.Snapshot(ctx, catalog.Selector{})
	if err != nil {
		return Query{}, err
	}
	p, err := s.planStatement(ctx, st, head.ID)
	if err != nil {
		return Query{}, err
	}
	return Query{Statement: st, Snapshot: head.ID, Schema: p.schema, Rows: p.rows(), Bytes: lake.Unknown}, nil
}

// Run starts a planned query at its snapshot. Reading the rows does the work.
func (s *Service) Run(ctx context.Context, q Query) (Rows, error) {
	p, err := s.planStatement(ctx, q.Statement, q.Snapshot)
	if err != nil {
		return Rows{}, err
	}
	reader, err := s.start(ctx, p)
	return Rows{Reader: reader, Snapshot: q.Snapshot}, err
}

// planStatement binds the parameters of a query and plans it.
func (s *Service) planStatement(ctx context.Context, st Statement, id lake.SnapshotID) (*selectPlan, error) {
	texts, err := bindAll(st)
	if err != nil {
		return nil, err
	}
	if len(texts) != 1 {
		return nil, lake.Errorf(lake.KindInvalid, "a query runs with one row of parameters and got %d", len(texts))
	}
	return s.selectPlan(ctx, texts[0], st.Scope, id)
}

// selectPlan plans one query without parameters, or finds its plan.
func (s *Service) selectPlan(ctx context.Context, sql string, sc Scope, id lake.SnapshotID) (*selectPlan, error) {
	key := planKey{sql: sql, schema: sc.schema(""), snapshot: id}
	p, err := s.plans.Get(ctx, key, func(ctx context.Context) (*selectPlan, error) {
		state, err := s.stateAt(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.newSelectPlan(ctx, sql, at{snapshot: id, state: state, scope: sc})
	})
	if err == nil && (len(p.virtual) > 0 || p.analysis.TimeDependent()) {
		s.plans.Remove(key)
	}
	return p, err
}

// planBytes estimates the memory of a plan: its text and a task or a reason for
// each file.
func planBytes(key planKey, p *selectPlan) int64 {
	const fixed, perFile = 4096, 128
	n := int64(fixed + 8*len(key.sql))
	for i := range p.plan.Reads {
		n += int64(perFile * (len(p.plan.Reads[i].Tasks) + len(p.plan.Reads[i].Skipped)))
	}
	return n
}

// mirror shows the engine the latest schemas. Statements that read an older
// snapshot see them too where they ask for schemas and not for rows.
func (s *Service) mirror(ctx context.Context) error {
	state, _, err := s.State(ctx)
	if err != nil {
		return err
	}
	return s.Executor.Sync(ctx, state)
}

func (s *Service) newSelectPlan(ctx context.Context, sql string, at at) (*selectPlan, error) {
	analysis, rows, err := s.analyze(ctx, sql, at)
	if err != nil {
		return nil, err
	}
	if update, err := isUpdate(analysis.Statement); err != nil || update {
		if err == nil {
			err = lake.Errorf(lake.KindInvalid, "%s is not a query", analysis.Statement.Name)
		}
		return nil, err
	}
	if err := s.mirror(ctx); err != nil {
		return nil, err
	}
	p := &selectPlan{
		snapshot: at.snapshot, scope: at.scope, analysis: analysis, virtual: map[int]*rowset{},
		explain: analysis.Statement.Kind == sqltext.KindExplain, analyze: analysis.Statement.Analyze,
	}
	tables := make([]planner.Resolved, len(analysis.Tables))
	for i, ref := range analysis.Tables {
		if set, ok := rows[ref.Name]; ok {
			p.virtual[i] = set
			continue
		}
		if ref.Metadata {
			if p.virtual[i], err = s.metadataRows(ctx, ref.Name); err != nil {
				return nil, err
			}
			continue
		}
		if tables[i], err = s.resolve(ctx, at, ref); err != nil {
			return nil, err
		}
	}
	if err := s.describePlan(ctx, p, tables); err != nil {
		return nil, err
	}
	return p, nil
}

// analyze reads a statement, checks the functions it calls, and replaces calls
// of the lake's own table functions by names, whose rows it returns.
func (s *Service) analyze(ctx context.Context, sql string, at at) (*planner.Analysis, map[string]*rowset, error) {
	analysis, err := s.planner.Analyze(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	if err := checkFunctions(analysis); err != nil {
		return nil, nil, err
	}
	rows := map[string]*rowset{}
	var b strings.Builder
	end := 0
	text := analysis.Statement.Text
	for i, f := range analysis.TableFunctions {
		run, ok := s.tableFunction(f.Schema, f.Name)
		if !ok {
			if !engine.AllowedTableFunction(f.Name) {
				return nil, nil, functionRefused(f)
			}
			continue
		}
		set, err := run(ctx, at, constants(f.Name, f.Args))
		if err != nil {
			return nil, nil, err
		}
		name := fmt.Sprintf("%s call %d", f.Name, i+1)
		rows[name] = set
		b.WriteString(text[end:f.Span.Start])
		b.WriteString(lake.QuoteIdent(name))
		if f.Alias == "" {
			b.WriteString(" AS " + lake.QuoteIdent(f.Name))
		}
		end = f.Span.End
	}
	if len(rows) > 0 {
		b.WriteString(text[end:])
		if analysis, err = s.planner.Analyze(ctx, b.String()); err != nil {
			return nil, nil, err
		}
	}
	analysis.Pin(s.Clock.Now())
	return analysis, rows, nil
}

// checkFunctions refuses functions that reach out of the lake.
func checkFunctions(a *planner.Analysis) error {
	for _, name := range a.Functions {
		if engine.DeniedFunction(name) {
			return lake.Errorf(lake.KindForbidden, "function %s is closed to clients", name)
		}
	}
	return nil
}

func functionRefused(f planner.TableFunction) error {
	name := f.Name
	if f.Schema != "" {
		name = f.Schema + "." + name
	}
	if strings.EqualFold(f.Schema, CatalogName) || strings.HasPrefix(strings.ToLower(f.Name), "ducklake_") {
		return lake.Errorf(lake.KindUnsupported, "table function %s is not supported", name)
	}
	return lake.Errorf(lake.KindForbidden, "table function %s is closed to clients", name)
}

// resolve finds the table of a reference and its files at its snapshot.
func (s *Service) resolve(ctx context.Context, at at, ref planner.TableRef) (planner.Resolved, error) {
	if ref.At != nil {
		var err error
		if at, err = s.travel(ctx, at, ref.At); err != nil {
			return planner.Resolved{}, err
		}
	}
	table, err := planner.Resolve(at.state, at.scope.schema(""), ref)
	if err != nil || table == nil {
		return planner.Resolved{}, err
	}
	files, err := s.tables.Files(ctx, table.ID, at.snapshot)
	if err != nil {
		return planner.Resolved{}, err
	}
	return planner.Resolved{Table: table, Snapshot: at.snapshot, Files: files}, nil
}

// travel moves to the snapshot that an AT clause names.
func (s *Service) travel(ctx context.Context, from at, clause *planner.At) (at, error) {
	typ := "BIGINT"
	if clause.Timestamp {
		typ = "TIMESTAMP WITH TIME ZONE"
	}
	value, err := s.evaluate(ctx, clause.Expression, typ)
	if err != nil {
		return at{}, fmt.Errorf("AT clause: %w", err)
	}
	var sel catalog.Selector
	switch v := value.(type) {
	case *array.Int64:
		id := lake.SnapshotID(v.Value(0))
		sel.ID = &id
	case *array.Timestamp:
		t := v.Value(0).ToTime(arrow.Microsecond)
		sel.Time = &t
	}
	snapshot, err := s.Catalog.Snapshot(ctx, sel)
	if err != nil {
		return at{}, fmt.Errorf("AT clause: %w", err)
	}
	if snapshot.ID > from.snapshot {
		return at{}, lake.Errorf(lake.KindNotFound, "AT clause: snapshot %d is newer than the one the statement reads, %d",
			snapshot.ID, from.snapshot)
	}
	state, err := s.states.State(ctx, snapshot)
	return at{snapshot: snapshot.ID, state: state, scope: from.scope}, err
}

// evaluate returns the value of a constant SQL expression as an array of one
// row, not NULL, on Go's heap.
func (s *Service) evaluate(ctx context.Context, expression, typ string) (arrow.Array, error) {
	reader, err := s.Executor.Query(ctx, engine.Query{
		SQL: "SELECT CAST((" + expression + ") AS " + typ + ")", Rewritten: true,
	})
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	if !reader.Next() {
		return nil, lake.Wrap(lake.KindInvalid, "evaluate "+expression, reader.Err())
	}
	value := reader.RecordBatch().Column(0)
	if value.IsNull(0) {
		return nil, lake.Errorf(lake.KindInvalid, "%s is NULL", expression)
	}
	return array.MakeFromData(value.Data()), nil
}

// describePlan plans the query and finds the schema of its result.
func (s *Service) describePlan(ctx context.Context, p *selectPlan, tables []planner.Resolved) error {
	var bound *arrow.Schema
	bind := func(ctx context.Context) error {
		if bound != nil {
			return nil
		}
		sql, release := s.bindEmpty(ctx, p, tables)
		defer release()
		description, err := s.bindQuery(ctx, p, sql)
		if err != nil {
			return err
		}
		bound = description.Result
		return nil
	}
	var err error
	p.plan, err = s.planner.Plan(ctx, planner.Request{
		Analysis: p.analysis, Tables: tables,
		NamesFunc: func(ctx context.Context) ([]string, error) {
			if err := bind(ctx); err != nil {
				return nil, err
			}
			return fieldNames(bound), nil
		},
	})
	if err != nil {
		return err
	}
	switch {
	case p.plan.Answer != nil && !p.explain:
		p.schema = lake.ArrowSchema(p.plan.Answer.Columns)
		return nil
	case p.native() && !p.explain:
		p.schema = nativeSchema(p.plan.Native)
		return nil
	}
	if err := bind(ctx); err != nil {
		return err
	}
	p.schema = bound
	if p.explain {
		p.schema = lake.ArrowSchema(explainColumns())
	}
	return nil
}

// bindQuery binds a query over stand-ins of its tables. What is wrong with it is
// said of the client's own text, which the engine's mirror of the lake can bind
// as well, unless the statement names other snapshots.
func (s *Service) bindQuery(ctx context.Context, p *selectPlan, sql string) (*engine.Description, error) {
	schema := p.scope.schema("")
	description, err := s.Executor.Describe(ctx, sql, schema)
	if err == nil || ctx.Err() != nil {
		return description, err
	}
	st := p.analysis.Statement
	if _, ownErr := s.Executor.Describe(ctx, st.Query.Of(st.Text), schema); ownErr != nil && len(p.virtual) == 0 {
		return nil, ownErr
	}
	return nil, err
}

// native reports whether the scanner alone runs the query. Rows that the
// catalog holds inlined go through the engine.
func (p *selectPlan) native() bool {
	return p.plan.Native != nil && len(p.plan.Native.Scan.InlinedTables) == 0
}

// nativeSchema is the schema of a native scan: the table's columns under the
// names of the result.
func nativeSchema(n *planner.Native) *arrow.Schema {
	fields := make([]arrow.Field, len(n.Names))
	for i, id := range n.Scan.Projection {
		c, _ := n.Scan.Table.Field(id)
		fields[i] = c.ArrowField()
		fields[i].Name = n.Names[i]
	}
	return arrow.NewSchema(fields, nil)
}

// bindEmpty returns the query over empty stand-ins of its tables, for binding.
func (s *Service) bindEmpty(ctx context.Context, p *selectPlan, tables []planner.Resolved) (string, func()) {
	var releases []func()
	sql := p.analysis.RewriteQuery(func(i int, tr planner.TableRef) string {
		var columns []lake.Column
		switch set := p.virtual[i]; {
		case set != nil:
			columns = set.columns
		case tables[i].Table != nil:
			columns = tables[i].Table.Columns
		default:
			return ""
		}
		register := func() string {
			ref, release := s.Executor.Register(ctx, emptySource{columns: columns})
			releases = append(releases, release)
			return ref
		}
		if tr.Bare {
			return s.bare(p, tr, register)
		}
		return register()
	})
	return sql, func() {
		for _, release := range releases {
			release()
		}
	}
}

// bare returns what stands for a table in DESCRIBE t, which the engine's mirror
// of the lake answers best, and in SUMMARIZE t, which reads its rows.
func (s *Service) bare(p *selectPlan, ref planner.TableRef, register func() string) string {
	if ref.At == nil && !strings.EqualFold(firstWord(p.analysis.Statement.Text), "SUMMARIZE") {
		return ""
	}
	return "SELECT * FROM " + register()
}

// rows returns the exact number of rows of the result, if the catalog tells.
func (p *selectPlan) rows() int64 {
	switch {
	case p.explain:
		return lake.Unknown
	case p.plan.Answer != nil:
		return 1
	case !p.native() || p.plan.Native.Scan.Residual != nil:
		return lake.Unknown
	}
	scan := &p.plan.Native.Scan
	var rows int64
	for i := range scan.Tasks {
		if len(scan.Tasks[i].File.Deletes) > 0 || scan.Tasks[i].File.PartialMax != 0 {
			return lake.Unknown
		}
		rows += scan.Tasks[i].Rows
	}
	rows = max(0, rows-scan.Offset)
	if scan.Limit != lake.Unknown {
		rows = min(rows, scan.Limit)
	}
	return rows
}

// start runs a plan. The caller releases the reader.
func (s *Service) start(ctx context.Context, p *selectPlan) (array.RecordReader, error) {
	switch {
	case p.explain:
		return s.explain(ctx, p)
	case p.plan.Answer != nil:
		return oneBatch(p.plan.Answer.Batch(s.mem))
	case p.native():
		reader, err := s.scanner.Scan(ctx, &p.plan.Native.Scan)
		if err != nil {
			return nil, err
		}
		return renamed(reader, p.schema), nil
	}
	return s.startEngine(ctx, p, p.analysis.Rewrite)
}

// startEngine runs a plan in the engine over its pruned sources. rewrite is
// Analysis.Rewrite or RewriteQuery.
func (s *Service) startEngine(ctx context.Context, p *selectPlan, rewrite func(func(int, planner.TableRef) string) string) (array.RecordReader, error) {
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	var byDuckDB []int // references whose files DuckDB reads by itself
	sql := rewrite(func(i int, tr planner.TableRef) string {
		source := s.source(p, i)
		if source == nil {
			return ""
		}
		if tr.Bare {
			return s.bare(p, tr, func() string {
				ref, r := s.Executor.Register(ctx, source)
				releases = append(releases, r)
				return ref
			})
		}
		if ref, ok := s.parquetRef(p, i); ok {
			byDuckDB = append(byDuckDB, i)
			return ref
		}
		ref, r := s.Executor.Register(ctx, source)
		releases = append(releases, r)
		return ref
	})
	reader, err := s.Executor.Query(ctx, engine.Query{SQL: sql, Schema: p.scope.schema(""), Rewritten: true})
	blame := func(err error) error { return s.blameFiles(ctx, p, byDuckDB, err) }
	if err != nil {
		release()
		return nil, blame(err)
	}
	return &blamingReader{RecordReader: onRelease(reader, release), blameFunc: blame}, nil
}

// source returns what reads reference i; nil if the engine knows it by itself.
func (s *Service) source(p *selectPlan, i int) engine.TableSource {
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
	return &scanSource{scanner: s.scanner, mem: s.mem, catalog: s.Catalog, scan: scan, columns: read.Table.Columns, rows: read.Rows()}
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
	if len(read.Tasks) == 0 || len(read.Inlined) > 0 || !engine.CanReadParquet(read.Table.Columns) || asksDistinctFrom(p.analysis) {
		return "", false
	}
	files := make([]string, len(read.Tasks))
	current := true
	var rows, all int64
	for j := range read.Tasks {
		f := read.Tasks[j].File
		if f.RowGroups == nil || f.Absolute || f.Encrypted || f.PartialMax != 0 || f.MappingID != 0 || len(f.Deletes) > 0 {
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

// metadataRows reads one of the catalog's own tables.
func (s *Service) metadataRows(ctx context.Context, name string) (*rowset, error) {
	reader, err := s.Catalog.Metadata(ctx, "SELECT * FROM "+lake.QuoteIdent(name))
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

// explain returns what planning found out, and DuckDB's plan of what it runs.
func (s *Service) explain(ctx context.Context, p *selectPlan) (array.RecordReader, error) {
	set := &rowset{columns: explainColumns()}
	set.rows = append(set.rows, []any{"flightlake_plan", strings.Join(p.plan.Explain(), "\n")})
	if p.plan.Execution() == "engine" || p.analyze {
		reader, err := s.startEngine(ctx, p, p.analysis.Rewrite)
		if err != nil {
			return nil, err
		}
		defer reader.Release()
		for reader.Next() {
			if err := appendExplained(set, reader.RecordBatch()); err != nil {
				return nil, err
			}
		}
		if err := reader.Err(); err != nil {
			return nil, err
		}
	}
	return oneBatch(set.batch(s.mem))
}

func appendExplained(set *rowset, batch arrow.RecordBatch) error {
	keys, ok1 := batch.Column(0).(*array.String)
	values, ok2 := batch.Column(1).(*array.String)
	if !ok1 || !ok2 {
		return lake.Errorf(lake.KindInternal, "explain gave columns of type %s", batch.Schema())
	}
	for i := range int(batch.NumRows()) {
		set.rows = append(set.rows, []any{strings.Clone(keys.Value(i)), strings.Clone(values.Value(i))})
	}
	return nil
}

func explainColumns() []lake.Column {
	return []lake.Column{column("explain_key", lake.TypeVarchar), column("explain_value", lake.TypeVarchar)}
}

// scanPlanRows answers lake.scan_plan('SELECT ...').
func (s *Service) scanPlanRows(ctx context.Context, at at, a arguments) (*rowset, error) {
	if err := a.atMost(1); err != nil {
		return nil, err
	}
	sql, err := a.text()
	if err != nil {
		return nil, err
	}
	p, err := s.selectPlan(ctx, sql, at.scope, at.snapshot)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	batch := p.plan.ScanPlan(s.mem, func(f *lake.DataFile) string { return s.location(f.Path, f.Absolute) })
	columns, err := lake.ColumnsFromArrow(batch.Schema())
	if err != nil {
		batch.Release()
		return nil, err
	}
	return &rowset{columns: columns, batches: []arrow.RecordBatch{batch}}, nil
}

// Describe tells what a statement is and returns, without running it. A
// parameter whose type cannot be inferred has the type null.
//
// Errors: those of Plan; KindUnsupported for a statement that is not run.
func (s *Service) Describe(ctx context.Context, st Statement) (Description, error) {
	statement, err := sqltext.Classify(st.SQL)
	if err != nil {
		return Description{}, err
	}
	update, err := isUpdate(statement)
	if err != nil {
		return Description{}, err
	}
	names, _ := parameterPlaces(statement)
	if update {
		params, err := s.updateParams(ctx, st.Scope, statement, names)
		return Description{Update: true, Params: params}, err
	}
	head, err := s.Catalog.Snapshot(ctx, catalog.Selector{})
	if err != nil {
		return Description{}, err
	}
	if len(names) == 0 {
		p, err := s.selectPlan(ctx, st.SQL, st.Scope, head.ID)
		if err != nil {
			return Description{}, err
		}
		return Description{Result: p.schema, Params: arrow.NewSchema(nil, nil)}, nil
	}
	return s.describeOpen(ctx, st, head.ID)
}

// describeOpen describes a query whose parameters have no values yet.
func (s *Service) describeOpen(ctx context.Context, st Statement, id lake.SnapshotID) (Description, error) {
	state, err := s.stateAt(ctx, id)
	if err != nil {
		return Description{}, err
	}
	at := at{snapshot: id, state: state, scope: st.Scope}
	analysis, rows, err := s.analyze(ctx, st.SQL, at)
	if err != nil {
		return Description{}, err
	}
	if err := s.mirror(ctx); err != nil {
		return Description{}, err
	}
	p := &selectPlan{analysis: analysis, scope: st.Scope, virtual: map[int]*rowset{}}
	tables := make([]planner.Resolved, len(analysis.Tables))
	for i, ref := range analysis.Tables {
		if set, ok := rows[ref.Name]; ok {
			p.virtual[i] = set
			continue
		}
		if ref.At != nil && slices.ContainsFunc(analysis.Parameters, func(pm planner.Parameter) bool {
			return pm.Span.Start >= ref.AtSpan.Start && pm.Span.End <= ref.AtSpan.End
		}) {
			ref.At = nil // its value is not known; the latest columns must do
		}
		if tables[i], err = s.resolve(ctx, at, ref); err != nil {
			return Description{}, err
		}
	}
	sql, release := s.bindEmpty(ctx, p, tables)
	defer release()
	d, err := s.bindQuery(ctx, p, sql)
	if err != nil {
		return Description{}, err
	}
	return Description{Result: d.Result, Params: arrow.NewSchema(d.Params, nil)}, nil
}

// updateParams returns the parameters of an update; those of INSERT ... VALUES
// have the types of their columns.
func (s *Service) updateParams(ctx context.Context, sc Scope, st *sqltext.Statement, names []string) (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.Null, Nullable: true}
	}
	if len(names) == 0 || st.Kind != sqltext.KindInsert {
		return arrow.NewSchema(fields, nil), nil
	}
	state, _, err := s.State(ctx)
	if err != nil {
		return nil, err
	}
	columns, err := insertColumns(state, sc, st)
	if err != nil {
		return nil, err
	}
	for name, position := range valuesPositions(st) {
		i := slices.Index(names, name)
		if i >= 0 && position < len(columns) {
			fields[i].Type = columns[position].ArrowType()
			fields[i].Name = strconv.Itoa(i + 1)
		}
	}
	return arrow.NewSchema(fields, nil), nil
}

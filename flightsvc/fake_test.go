package flightsvc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// fake is all of a Backend over tables in memory. It knows a few statements:
//
//	SELECT * FROM name    the rows of a table
//	SELECT ?              its parameter
//	UPDATE name [?]       counts one row per execution
//	KEEP                  needs a session
//	WAIT                  an update that waits for wait, or its context
//	SELECT WAIT           a query whose plan does
//	FAIL kind             fails when it runs
//	PANIC                 panics when it runs
//
// Sessions are real ones.
type fake struct {
	registry *session.Registry
	mem      memory.Allocator
	wait     chan struct{}

	mu       sync.Mutex
	tables   map[string]*fakeTable // guarded by mu; so are all below
	snapshot lake.SnapshotID
	views    []lake.View
	executed []executed
	ingested []statement.Ingest
	runs     []statement.Query
	scopes   []string
	callers  []session.Caller  // of all that is recorded above, and of transactions
	calls    []string          // of transactions, savepoints, closed sessions and cancels
	entered  chan statement.ID // told of each WAIT, if set
	progress float64
	parts    []lake.Part     // of the next plans
	planned  statement.Query // View, Time, Ordered and Oldest of the next plans
	retained []retained      // what tickets read
	failWith error           // of the next ingest, after failAfter batches
	failAt   int
}

type fakeTable struct {
	schema  *arrow.Schema
	batches []arrow.RecordBatch
}

type retained struct {
	snapshot lake.SnapshotID
	until    time.Time
}

type executed struct {
	SQL  string
	Rows int64 // of parameters; -1 for none
}

func newFake(mem memory.Allocator) *fake { return newFakeAt(mem, clock.System{}) }

// newFakeAt returns a fake whose sessions know a clock.
func newFakeAt(mem memory.Allocator, c clock.Clock) *fake {
	return &fake{
		registry: session.NewRegistry(c, session.Options{}), mem: mem, tables: map[string]*fakeTable{}, snapshot: 7,
		progress: float64(lake.Unknown), wait: make(chan struct{}),
	}
}

// backend returns the fake as all that a server needs.
func (f *fake) backend() Backend {
	return Backend{Sessions: f, Transactions: f, Statements: f}
}

func (f *fake) Open(_ context.Context, of *auth.Identity) (*session.Session, error) {
	return f.registry.Open(of)
}

func (f *fake) Use(id session.ID, of *auth.Identity) (*session.Session, error) {
	return f.registry.Use(id, of)
}

func (f *fake) Close(_ context.Context, id session.ID) {
	f.note(session.Caller{}, "close session")
	if x, ok := f.registry.Get(id); ok {
		f.registry.Remove(x)
	}
}

func (f *fake) SetOption(ctx context.Context, x *session.Session, name string, value any) error {
	return x.SetOption(ctx, f, name, value)
}

func (f *fake) SchemaName(_ context.Context, _ *session.Session, name string) (string, error) {
	if name == "main" || name == "archive" {
		return name, nil
	}
	return "", lake.Errorf(lake.KindNotFound, "schema %q does not exist", name)
}

func (f *fake) EngineSetting(name string) bool { return name == "threads" }

func (f *fake) note(c session.Caller, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callers = append(f.callers, c)
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

// lastCaller returns the caller of the last call.
func (f *fake) lastCaller() session.Caller {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.callers[len(f.callers)-1]
}

// noted returns what was noted since the last time.
func (f *fake) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

func (f *fake) Begin(_ context.Context, c session.Caller) (session.TransactionID, error) {
	f.note(c, "begin")
	f.mu.Lock()
	defer f.mu.Unlock()
	return session.TransactionID(fmt.Sprintf("tx%d", len(f.callers))), nil
}

func (f *fake) End(_ context.Context, c session.Caller, id session.TransactionID, commit bool) (statement.Update, error) {
	f.note(c, "end %s commit=%v", id, commit)
	if !strings.HasPrefix(string(id), "tx") {
		return statement.Update{}, lake.Errorf(lake.KindState, "transaction %q has ended", id)
	}
	return statement.Update{Snapshot: 12}, nil
}

func (f *fake) Savepoint(_ context.Context, c session.Caller, name string) (statement.SavepointID, error) {
	f.note(c, "savepoint %s in %s", name, c.Transaction)
	return statement.SavepointID("sp-" + name), nil
}

func (f *fake) EndSavepoint(_ context.Context, c session.Caller, id statement.SavepointID, release bool) error {
	f.note(c, "end savepoint %s release=%v", id, release)
	return nil
}

func (f *fake) Cancel(_ context.Context, c session.Caller, _ statement.ID) (bool, error) {
	f.note(c, "cancel")
	return false, nil
}

func (f *fake) Progress(statement.ID) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.progress
}

// block waits as a statement that takes long does.
func (f *fake) block(ctx context.Context, st statement.Statement) error {
	if f.entered != nil {
		f.entered <- st.ID
	}
	select {
	case <-ctx.Done():
		return lake.Wrap(lake.KindInternal, "wait", ctx.Err())
	case <-f.wait:
		return nil
	}
}

func (f *fake) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tables {
		t.release()
	}
}

func (t *fakeTable) release() {
	for _, b := range t.batches {
		b.Release()
	}
}

// params returns the parameters of a statement: one of type null for each "?".
func fakeParams(sql string) *arrow.Schema {
	var fields []arrow.Field
	for range strings.Count(sql, "?") {
		fields = append(fields, arrow.Field{Name: "", Type: arrow.Null, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func (f *fake) Retain(id lake.SnapshotID, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retained = append(f.retained, retained{id, until})
}

func (f *fake) Describe(_ context.Context, st statement.Statement) (statement.Description, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scopes = append(f.scopes, st.Scope.Schema)
	f.callers = append(f.callers, st.Caller)
	d := statement.Description{Params: fakeParams(st.SQL)}
	switch word, rest, _ := strings.Cut(st.SQL, " "); word {
	case "SELECT":
		schema, err := f.selectSchema(rest, st.Params)
		d.Result = schema
		return d, err
	case "UPDATE", "FAIL", "PANIC", "KEEP", "WAIT":
		d.Update = true
		return d, nil
	}
	return d, lake.Errorf(lake.KindInvalid, "syntax error at or near %q, line 1, column 1", st.SQL)
}

func (f *fake) selectSchema(rest string, params arrow.RecordBatch) (*arrow.Schema, error) {
	if rest == "WAIT" {
		return fakeParams("?"), nil
	}
	if strings.HasPrefix(rest, "?") {
		typ := arrow.DataType(arrow.BinaryTypes.String)
		if params != nil {
			typ = params.Column(0).DataType()
		}
		return arrow.NewSchema([]arrow.Field{{Name: "p", Type: typ, Nullable: true}}, nil), nil
	}
	name := rest[strings.LastIndexAny(rest, " .")+1:]
	t, ok := f.tables[strings.Trim(name, `"`)]
	if !ok {
		return nil, lake.Errorf(lake.KindNotFound, "table %q does not exist", name)
	}
	return t.schema, nil
}

func (f *fake) Plan(ctx context.Context, st statement.Statement) (statement.Query, error) {
	d, err := f.Describe(ctx, st)
	if err != nil || d.Update {
		return statement.Query{Update: d.Update, Statement: st}, err
	}
	if st.SQL == "SELECT WAIT" {
		if err := f.block(ctx, st); err != nil {
			return statement.Query{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q := statement.Query{Statement: st, Snapshot: f.snapshot, Schema: d.Result, Rows: lake.Unknown, Bytes: lake.Unknown}
	q.View, q.Time, q.Ordered, q.Oldest, q.Parts = f.planned.View, f.planned.Time, f.planned.Ordered, f.planned.Oldest, f.parts
	if strings.HasPrefix(st.SQL, "SELECT *") {
		q.Rows = f.rows(st.SQL)
	}
	return q, nil
}

func (f *fake) rows(sql string) int64 {
	var n int64
	if t := f.tables[strings.Trim(sql[strings.LastIndexAny(sql, " .")+1:], `"`)]; t != nil {
		for _, b := range t.batches {
			n += b.NumRows()
		}
	}
	return n
}

func (f *fake) Run(_ context.Context, q statement.Query) (statement.Rows, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = append(f.runs, q)
	schema, err := f.selectSchema(strings.TrimPrefix(q.Statement.SQL, "SELECT "), q.Statement.Params)
	if err != nil {
		return statement.Rows{}, err
	}
	var batches []arrow.RecordBatch
	if p := q.Statement.Params; p != nil {
		rec := array.NewRecordBatch(schema, p.Columns()[:1], p.NumRows())
		defer rec.Release()
		batches = append(batches, rec)
	} else {
		batches = f.tables[strings.Trim(q.Statement.SQL[strings.LastIndexAny(q.Statement.SQL, " .")+1:], `"`)].batches
	}
	rd, err := array.NewRecordReader(schema, batches)
	return statement.Rows{Reader: rd, Snapshot: q.Snapshot}, err
}

func (f *fake) Execute(ctx context.Context, st statement.Statement) (statement.Update, error) {
	switch st.SQL {
	case "KEEP":
		if _, err := st.Caller.Open(ctx); err != nil {
			return statement.Update{}, err
		}
	case "WAIT":
		if err := f.block(ctx, st); err != nil {
			return statement.Update{}, err
		}
	case "WAIT AND SAY WHY":
		if err := f.block(ctx, st); err != nil {
			return statement.Update{}, context.Cause(ctx)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch word, rest, _ := strings.Cut(st.SQL, " "); word {
	case "FAIL":
		for k := lake.KindInternal; k <= lake.KindForbidden; k++ {
			if k.String() == rest {
				return statement.Update{}, lake.Errorf(k, "failed as asked: %s", rest)
			}
		}
	case "PANIC":
		panic("secret of the server")
	}
	e := executed{SQL: st.SQL, Rows: -1}
	n := int64(1)
	if st.Params != nil {
		e.Rows, n = st.Params.NumRows(), st.Params.NumRows()
	}
	f.executed = append(f.executed, e)
	f.callers = append(f.callers, st.Caller)
	f.snapshot++
	return statement.Update{Rows: n, Snapshot: f.snapshot}, nil
}

func (f *fake) Ingest(ctx context.Context, in statement.Ingest, rd array.RecordReader) (statement.Update, error) {
	if in.Temporary {
		if _, err := in.Caller.Open(ctx); err != nil {
			return statement.Update{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ingested = append(f.ingested, in)
	old := f.tables[in.Table]
	switch {
	case old == nil && in.IfMissing == statement.MissingFails:
		return statement.Update{}, lake.Errorf(lake.KindNotFound, "table %q does not exist", in.Table)
	case old != nil && in.IfExists == statement.ExistsFails:
		return statement.Update{}, lake.Errorf(lake.KindExists, "table %q exists", in.Table)
	}
	next := &fakeTable{schema: rd.Schema()}
	var rows int64
	for i := 0; rd.Next(); i++ {
		if f.failWith != nil && i == f.failAt {
			next.release()
			return statement.Update{}, f.failWith
		}
		rec := rd.RecordBatch()
		rec.Retain()
		rows += rec.NumRows()
		next.batches = append(next.batches, rec)
	}
	if err := rd.Err(); err != nil {
		next.release()
		return statement.Update{}, lake.Wrap(lake.KindInternal, "append", err)
	}
	if old != nil && in.IfExists == statement.ExistsAppend {
		next.batches = slices.Concat(old.batches, next.batches)
	} else if old != nil {
		old.release()
	}
	f.tables[in.Table] = next
	f.snapshot++
	return statement.Update{Rows: rows, Snapshot: f.snapshot}, nil
}

func (f *fake) State(context.Context, session.Caller) (statement.Visible, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	main := lake.Schema{Name: "main", Views: f.views}
	for name, t := range f.tables {
		columns, err := lake.ColumnsFromArrow(t.schema)
		if err != nil {
			return statement.Visible{}, err
		}
		columns[0].Comment = "the first"
		main.Tables = append(main.Tables, lake.Table{Name: name, Columns: columns})
	}
	slices.SortFunc(main.Tables, func(a, b lake.Table) int { return strings.Compare(a.Name, b.Name) })
	archive := lake.Schema{Name: "archive", Tables: slices.Clone(main.Tables)}
	return statement.Visible{State: &lake.State{Schemas: []lake.Schema{archive, main}}, Snapshot: f.snapshot}, nil
}

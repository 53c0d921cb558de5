package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

func integers(schema, name string, columns ...string) lake.Table {
	t := lake.Table{Schema: schema, Name: name}
	for _, c := range columns {
		t.Columns = append(t.Columns, lake.Column{Name: c, Type: lake.Type{ID: lake.TypeInt32}, Nullable: true})
	}
	return t
}

const tablesSQL = "SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables ORDER BY ALL"

func testOverlay() *engine.Overlay {
	commented := integers("main", "T", "a", "z")
	commented.Comment = "mine"
	temporary := integers("", "tmp", "q")
	temporary.Comment = "it's temporary"
	return &engine.Overlay{
		State: &lake.State{Schemas: []lake.Schema{
			{Name: "main", Tables: []lake.Table{commented}, Views: []lake.View{{Name: "bv", SQL: "SELECT a AS x FROM t"}}},
			{Name: "s3"},
			{Name: "s4", Tables: []lake.Table{integers("s4", "n", "a")}},
		}},
		Temporary: []lake.Table{temporary},
	}
}

func TestOverlayShowsOneQueryAnotherLake(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	before := mustQuery(t, x, tablesSQL).rows
	o := testOverlay()
	read := func(sql string) [][]string {
		r, err := query(t.Context(), x, engine.Query{SQL: sql, Overlay: o})
		require.NoError(t, err, sql)
		return r.rows
	}
	require.Equal(t, [][]string{
		{"lake", "main", "T", "BASE TABLE"},
		{"lake", "main", "bv", "VIEW"},
		{"lake", "s4", "n", "BASE TABLE"},
		{"temp", "main", "tmp", "LOCAL TEMPORARY"},
	}, read(tablesSQL))
	require.Equal(t, [][]string{{"main"}, {"s3"}, {"s4"}},
		read("SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'lake' ORDER BY ALL"))
	require.Equal(t, [][]string{{"mine"}, {"it's temporary"}},
		read("SELECT comment FROM duckdb_tables() WHERE comment IS NOT NULL ORDER BY table_name"))
	require.Equal(t, "z", read("DESCRIBE t")[1][0])
	require.Equal(t, "q", read("DESCRIBE tmp")[0][0])
	require.Len(t, read("SHOW TABLES"), 3)
	require.Equal(t, before, mustQuery(t, x, tablesSQL).rows, "others see the mirror")
	r, err := query(t.Context(), x, engine.Query{SQL: tablesSQL, Overlay: &engine.Overlay{State: mirrorState()}})
	require.NoError(t, err)
	require.Equal(t, before, r.rows, "an overlay leaves nothing behind for the next one")
	r, err = query(t.Context(), x, engine.Query{SQL: tablesSQL, Overlay: &engine.Overlay{State: &lake.State{}}})
	require.NoError(t, err)
	require.Empty(t, r.rows)
}

func TestOverlayBindsTheClientsOwnText(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	o := testOverlay()
	d, err := x.Describe(t.Context(), engine.Query{SQL: "SELECT z, q FROM t, tmp", Overlay: o})
	require.NoError(t, err)
	require.Equal(t, 2, d.Result.NumFields())
	columns, err := x.ColumnsOfQuery(t.Context(), engine.Query{SQL: "SELECT * FROM n", Schema: "s4", Overlay: o})
	require.NoError(t, err)
	require.Equal(t, "a", columns[0].Name)
	for sql, schema := range map[string]string{"FROM av": "", `FROM "u.v"`: "", "SELECT b FROM t": "", "SELECT 1": `s"2`} {
		_, err = x.Describe(t.Context(), engine.Query{SQL: sql, Schema: schema, Overlay: o})
		require.Error(t, err, sql)
	}
	_, err = x.Describe(t.Context(), engine.Query{SQL: "FROM tmp"})
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func TestOverlayTablesAreNotReadInPlaceOfTheirRows(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	o := testOverlay()
	for _, from := range []string{"t", "tmp", "temp.tmp", "temp.main.tmp", `temp.main."TMP"`} {
		_, err := query(t.Context(), x, engine.Query{SQL: "FROM " + from, Rewritten: true, Overlay: o})
		require.ErrorIs(t, err, lake.ErrUnsupported, from)
	}
	for _, sql := range []string{"INSERT INTO temp.main.tmp VALUES (1)", "DROP TABLE t", "CREATE TABLE lake.main.x (a INT)"} {
		_, err := query(t.Context(), x, engine.Query{SQL: sql, Overlay: o})
		require.Error(t, err, sql)
	}
}

func TestInsertWithAnOverlayOfATemporaryTableOfThatName(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	r, err := x.InsertRows(t.Context(), engine.Insert{
		Table: "tmp", Columns: integers("", "tmp", "q").Columns, Overlay: testOverlay(),
		Statements: insertOf(" SELECT count(*) FROM information_schema.tables"),
	})
	require.NoError(t, err)
	defer r.Release()
	require.True(t, r.Next())
	require.Equal(t, "4", r.RecordBatch().Column(0).ValueStr(0))
}

func TestOverlaysOfOneNameDoNotConflict(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{OverlaysMax: 5})
	require.NoError(t, x.Sync(t.Context(), mirrorState()))
	// A reader of more rows than are read ahead keeps its overlay to the end.
	held, err := x.Query(t.Context(), engine.Query{SQL: "SELECT unnest(range(1000000))", Overlay: testOverlay()})
	require.NoError(t, err)
	var wait sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wait.Go(func() {
			for n := range 5 {
				o := &engine.Overlay{State: &lake.State{Schemas: []lake.Schema{
					{Name: "main", Tables: []lake.Table{integers("main", "t", fmt.Sprintf("c%d", i))}},
				}}}
				r, err := query(t.Context(), x, engine.Query{SQL: "DESCRIBE t", Overlay: o})
				if err == nil && r.rows[0][0] != fmt.Sprintf("c%d", i) {
					err = fmt.Errorf("saw %s", r.rows[0][0])
				}
				if err == nil {
					state := mirrorState()
					state.SchemaVersion = int64(10*i + n + 2)
					err = x.Sync(t.Context(), state)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	for held.Next() {
	}
	require.NoError(t, held.Err())
	held.Release()
}

func TestOverlayOfASmallResultIsFreeWhileItIsRead(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{OverlaysMax: 1})
	o := testOverlay()
	first, err := x.Query(t.Context(), engine.Query{SQL: tablesSQL, Overlay: o})
	require.NoError(t, err)
	defer first.Release()
	second, err := x.Query(t.Context(), engine.Query{SQL: tablesSQL, Overlay: o})
	require.NoError(t, err)
	defer second.Release()
	require.True(t, first.Next())
	require.True(t, second.Next())
	held, err := x.Query(t.Context(), engine.Query{SQL: "SELECT unnest(range(1000000))", Overlay: o})
	require.NoError(t, err)
	waiting := make(chan error)
	go func() {
		_, err := query(t.Context(), x, engine.Query{SQL: tablesSQL, Overlay: o})
		waiting <- err
	}()
	held.Release()
	require.NoError(t, <-waiting, "it waits for an executor that others use")
	held, err = x.Query(t.Context(), engine.Query{SQL: "SELECT unnest(range(1000000))", Overlay: o})
	require.NoError(t, err)
	defer held.Release()
	_, err = x.Query(t.Context(), engine.Query{SQL: tablesSQL, Overlay: o})
	require.ErrorIs(t, err, lake.ErrExhausted, "and not for ever")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = x.Query(ctx, engine.Query{SQL: tablesSQL, Overlay: o})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnOverlayThatIsGivenUpHalfWayIsShownToTheNext(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{OverlaysMax: 1})
	overlay := func(tables int) *engine.Overlay {
		s := lake.Schema{Name: "main"}
		for i := range tables {
			s.Tables = append(s.Tables, integers("main", fmt.Sprintf("t%d", i), "a"))
			s.Views = append(s.Views, lake.View{Name: fmt.Sprintf("v%d", i), SQL: fmt.Sprintf("FROM t%d", i)})
		}
		return &engine.Overlay{State: &lake.State{Schemas: []lake.Schema{s}}}
	}
	const count = "SELECT count(*) FROM information_schema.tables"
	began := time.Now()
	r, err := query(t.Context(), x, engine.Query{SQL: count, Overlay: overlay(2000)})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"4000"}}, r.rows)
	whole := time.Since(began)
	for part := range 4 { // of making, or of dropping
		ctx, cancel := context.WithTimeout(t.Context(), whole*time.Duration(part)/16)
		began = time.Now()
		_, err = query(ctx, x, engine.Query{SQL: count, Overlay: overlay(2000 * (part % 2))})
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(began), whole/2)
	}
	for _, tables := range []int{1000, 0} {
		r, err = query(t.Context(), x, engine.Query{SQL: count, Overlay: overlay(tables)})
		require.NoError(t, err)
		require.Equal(t, [][]string{{strconv.Itoa(2 * tables)}}, r.rows)
	}
}

package flightsvc

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// visible is a Backend that knows only what its callers see.
type visible struct {
	Statements
	seen statement.Visible
}

func (v visible) State(context.Context, session.Caller) (statement.Visible, error) {
	return v.seen, nil
}

// tableOf returns a table of columns of type BIGINT.
func tableOf(name string, columns ...string) lake.Table {
	t := lake.Table{Name: name}
	for _, c := range columns {
		t.Columns = append(t.Columns, lake.Column{Name: c, Type: lake.Type{ID: lake.TypeInt64}, Nullable: true})
	}
	return t
}

// keyed returns a server over orders and their lines, which live in two schemas,
// and a temporary table of a name that both schemas have.
func keyed() *Server {
	orders := tableOf("orders", "id", "Region", "parent")
	orders.PrimaryKey = []string{"Region", "id"}
	orders.ForeignKeys = []lake.ForeignKey{{Columns: []string{"parent"}, Schema: "main", Table: "orders", RefColumns: []string{"id"}}}
	lines := tableOf("lines", "n", "region", "order_id", "gone")
	lines.PrimaryKey = []string{"n"}
	lines.ForeignKeys = []lake.ForeignKey{
		{Columns: []string{"region", "order_id"}, Schema: "main", Table: "orders", RefColumns: []string{"Region", "id"}},
		{Columns: []string{"gone"}, Schema: "main", Table: "dropped", RefColumns: []string{"id"}},
		{Columns: []string{"gone"}, Schema: "main", Table: "orders", RefColumns: []string{"renamed"}},
	}
	shared := tableOf("a_b", "i")
	return New(Backend{Statements: visible{seen: statement.Visible{
		State: &lake.State{Schemas: []lake.Schema{
			{Name: "main", Tables: []lake.Table{shared, orders}},
			{Name: "sales", Tables: []lake.Table{shared, lines}},
		}},
		Temporary: []lake.Table{tableOf("a_b", "t"), tableOf("scratch", "t")},
	}}}, Options{})
}

// listing drains what a metadata command streams, as one text a row.
func listing(t *testing.T, schema *arrow.Schema, ch <-chan flight.StreamChunk, err error) []string {
	t.Helper()
	require.NoError(t, err)
	rows := []string{}
	for chunk := range ch {
		require.NoError(t, chunk.Err)
		require.True(t, schema.Equal(chunk.Data.Schema()))
		for i := range int(chunk.Data.NumRows()) {
			var cells []string
			for _, col := range chunk.Data.Columns() {
				cells = append(cells, col.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
		chunk.Data.Release()
	}
	return rows
}

func TestPrimaryKeysAreInTheirOwnOrder(t *testing.T) {
	t.Parallel()
	s := keyed()
	get := func(ref flightsql.TableRef) []string {
		schema, ch, err := s.DoGetPrimaryKeys(t.Context(), ref)
		return listing(t, schema, ch, err)
	}
	want := []string{"lake|main|orders|Region|1|orders_region_id_pkey", "lake|main|orders|id|2|orders_region_id_pkey"}
	require.Equal(t, want, get(flightsql.TableRef{Table: "orders"}))
	require.Equal(t, want, get(flightsql.TableRef{Catalog: ptr("lake"), DBSchema: ptr("MAIN"), Table: "Orders"}))
	for _, none := range []flightsql.TableRef{
		{Table: "order_"},
		{Table: "nosuch"},
		{Table: "a_b"},
		{Catalog: ptr(""), Table: "orders"},
		{Catalog: ptr("temp"), Table: "orders"},
		{DBSchema: ptr(""), Table: "orders"},
		{DBSchema: ptr("m%"), Table: "orders"},
	} {
		require.Empty(t, get(none), "%+v", none)
	}
}

func TestForeignKeysFromBothEnds(t *testing.T) {
	t.Parallel()
	s := keyed()
	const (
		self = "lake|main|orders|id|lake|main|orders|parent|1|orders_parent_id_fkey|(null)|3|3"
		one  = "lake|main|orders|Region|lake|sales|lines|region|1|lines_region_order_id_region_id_fkey|orders_region_id_pkey|3|3"
		two  = "lake|main|orders|id|lake|sales|lines|order_id|2|lines_region_order_id_region_id_fkey|orders_region_id_pkey|3|3"
	)
	schema, ch, err := s.DoGetExportedKeys(t.Context(), flightsql.TableRef{Table: "orders"})
	require.Equal(t, []string{self, one, two}, listing(t, schema, ch, err))
	schema, ch, err = s.DoGetImportedKeys(t.Context(), flightsql.TableRef{DBSchema: ptr("sales"), Table: "lines"})
	require.Equal(t, []string{one, two}, listing(t, schema, ch, err), "keys to what is gone are not listed")
	schema, ch, err = s.DoGetImportedKeys(t.Context(), flightsql.TableRef{Table: "orders"})
	require.Equal(t, []string{self}, listing(t, schema, ch, err))
	schema, ch, err = s.DoGetExportedKeys(t.Context(), flightsql.TableRef{Table: "lines"})
	require.Empty(t, listing(t, schema, ch, err))
	cross := flightsql.CrossTableRef{PKRef: flightsql.TableRef{Table: "orders"}, FKRef: flightsql.TableRef{Table: "lines"}}
	schema, ch, err = s.DoGetCrossReference(t.Context(), cross)
	require.Equal(t, []string{one, two}, listing(t, schema, ch, err))
	cross.PKRef, cross.FKRef = cross.FKRef, cross.PKRef
	schema, ch, err = s.DoGetCrossReference(t.Context(), cross)
	require.Empty(t, listing(t, schema, ch, err))
}

func TestTemporaryTablesHaveACatalogOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := keyed()
	schema, ch, err := s.DoGetCatalogs(t.Context())
	require.Equal(t, []string{"lake", "temp"}, listing(t, schema, ch, err))
	schema, ch, err = s.DoGetDBSchemas(t.Context(), getSchemas{&pb.CommandGetDbSchemas{}})
	require.Equal(t, []string{"lake|main", "lake|sales", "temp|main"}, listing(t, schema, ch, err))
	schema, ch, err = s.DoGetDBSchemas(t.Context(), getSchemas{&pb.CommandGetDbSchemas{Catalog: ptr("TEMP")}})
	require.Equal(t, []string{"temp|main"}, listing(t, schema, ch, err))
	tables := func(cmd *pb.CommandGetTables) []string {
		schema, ch, err := s.DoGetTables(t.Context(), getTables{cmd})
		return listing(t, schema, ch, err)
	}
	require.Equal(t, []string{"temp|main|a_b|LOCAL TEMPORARY", "temp|main|scratch|LOCAL TEMPORARY"},
		tables(&pb.CommandGetTables{TableTypes: []string{" local temporary "}}))
	require.Equal(t, []string{"temp|main|a_b|LOCAL TEMPORARY", "lake|main|a_b|TABLE", "lake|sales|a_b|TABLE"},
		tables(&pb.CommandGetTables{TableNameFilterPattern: ptr("a_b")}), "SQL looks at temporary tables first")
	require.Equal(t, []string{"lake|main|a_b|TABLE", "lake|sales|a_b|TABLE"},
		tables(&pb.CommandGetTables{Catalog: ptr("lake"), TableNameFilterPattern: ptr("%b")}))
}

// The commands as arrow-go hands them over: with filters that may be absent.
type (
	getTables  struct{ *pb.CommandGetTables }
	getSchemas struct{ *pb.CommandGetDbSchemas }
)

func (g getTables) GetCatalog() *string { return g.Catalog }

func (g getTables) GetDBSchemaFilterPattern() *string { return g.DbSchemaFilterPattern }

func (g getTables) GetTableNameFilterPattern() *string { return g.TableNameFilterPattern }

func (g getSchemas) GetCatalog() *string { return g.Catalog }

func (g getSchemas) GetDBSchemaFilterPattern() *string { return g.DbSchemaFilterPattern }

func TestListingsBeyondAMessageComeInSeveralBatchesTheNamedOneFirst(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	main := lake.Schema{Name: "main"}
	for _, name := range []string{"aaaa", "bbbb", "cccc", "x_xx"} {
		table := tableOf(name, "c")
		table.Columns[0].Comment = strings.Repeat("x", tablesBatchBytes/2)
		main.Tables = append(main.Tables, table)
	}
	s := New(Backend{Statements: visible{seen: statement.Visible{State: &lake.State{Schemas: []lake.Schema{main}}}}}, Options{Allocator: mem})
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"%", []string{"aaaa", "bbbb", "|", "cccc", "x_xx", "|"}},
		{"____", []string{"aaaa", "bbbb", "|", "cccc", "x_xx", "|"}},
		{"x_xx", []string{"x_xx", "|"}},
		{"none", []string{"|"}},
	} {
		_, ch, err := s.DoGetTables(t.Context(), getTables{&pb.CommandGetTables{TableNameFilterPattern: &c.pattern, IncludeSchema: true}})
		require.NoError(t, err)
		var got []string
		for chunk := range ch {
			for i := range int(chunk.Data.NumRows()) {
				got = append(got, chunk.Data.Column(2).ValueStr(i))
			}
			got = append(got, "|")
			chunk.Data.Release()
		}
		require.Equal(t, c.want, got, c.pattern)
	}
}

func TestNoCatalogOfTemporaryTablesWithoutOne(t *testing.T) {
	t.Parallel()
	s := New(Backend{Statements: visible{seen: statement.Visible{State: &lake.State{}}}}, Options{})
	schema, ch, err := s.DoGetCatalogs(t.Context())
	require.Equal(t, []string{"lake"}, listing(t, schema, ch, err), "also if the caller sees nothing in it")
}

func TestTableSchemaIsReadByBothReadersOfDrivers(t *testing.T) {
	t.Parallel()
	table := lake.Table{Name: "t", Columns: []lake.Column{
		{Name: "id", Type: lake.Type{ID: lake.TypeInt64}},
		{Name: "h", Type: lake.Type{ID: lake.TypeInt128}, Nullable: true, Comment: "wide"},
		{Name: "z", Type: lake.Type{ID: lake.TypeTimeTZ}, Nullable: true},
	}}
	raw := flight.SerializeSchema(tableSchema(&relation{catalog: "lake", schema: "main", name: "t", table: &table}), memory.DefaultAllocator)
	stream, err := ipc.NewReader(strings.NewReader(string(raw)))
	require.NoError(t, err)
	defer stream.Release()
	require.False(t, stream.Next())
	require.NotErrorIs(t, stream.Err(), io.ErrUnexpectedEOF)
	message, err := flight.DeserializeSchema(raw, memory.DefaultAllocator)
	require.NoError(t, err)
	require.True(t, message.Equal(stream.Schema()))
	require.False(t, message.Field(0).Nullable)
	require.True(t, message.Field(1).Nullable)
	md := flightsql.ColumnMetadata{Data: &message.Fields()[1].Metadata}
	name, _ := md.TypeName()
	remarks, _ := md.Remarks()
	require.Equal(t, "HUGEINT", name, "Arrow has no name for it")
	require.Equal(t, "wide", remarks)
	md = flightsql.ColumnMetadata{Data: &message.Fields()[2].Metadata}
	name, _ = md.TypeName()
	require.Equal(t, "TIME WITH TIME ZONE", name)
}

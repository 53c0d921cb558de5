package flightsvc

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/flightlake/flightlake/lake"
)

func TestEveryMetadataCommandStreamsTheSchemaItPromised(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	cases := []struct {
		cmd  proto.Message
		want *arrow.Schema
		rows int
	}{
		{&pb.CommandGetCatalogs{}, schema_ref.Catalogs, 1},
		{&pb.CommandGetDbSchemas{}, schema_ref.DBSchemas, 2},
		{&pb.CommandGetTables{}, schema_ref.Tables, 2},
		{&pb.CommandGetTables{IncludeSchema: true}, schema_ref.TablesWithIncludedSchema, 2},
		{&pb.CommandGetTableTypes{}, schema_ref.TableTypes, 3},
		{&pb.CommandGetPrimaryKeys{Table: "t"}, schema_ref.PrimaryKeys, 0},
		{&pb.CommandGetExportedKeys{Table: "t"}, schema_ref.ExportedKeys, 0},
		{&pb.CommandGetImportedKeys{Table: "t"}, schema_ref.ImportedKeys, 0},
		{&pb.CommandGetCrossReference{PkTable: "t", FkTable: "t"}, schema_ref.CrossReference, 0},
		{&pb.CommandGetSqlInfo{}, schema_ref.SqlInfo, len(sqlInfos(serverFacts{}))},
		{&pb.CommandGetXdbcTypeInfo{}, schema_ref.XdbcTypeInfo, len(xdbcTypes())},
	}
	for _, c := range cases {
		name := string(c.cmd.ProtoReflect().Descriptor().Name())
		info, err := h.info(t, c.cmd)
		require.NoError(t, err, name)
		require.True(t, c.want.Equal(flightSchema(t, info.GetSchema())), name)
		schema, rows := h.fetch(t, info)
		require.True(t, c.want.Equal(schema), "%s: drivers compare with the specification", name)
		require.Len(t, rows, c.rows, name)
		got, err := h.Client.Client.GetSchema(t.Context(), descriptor(t, c.cmd))
		require.NoError(t, err, name)
		require.True(t, c.want.Equal(flightSchema(t, got.GetSchema())), name)
	}
}

func TestSchemaFilters(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	for _, c := range []struct {
		name             string
		catalog, pattern *string
		want             []string
	}{
		{"all", nil, nil, []string{"lake|archive", "lake|main"}},
		{"the catalog", ptr("lake"), nil, []string{"lake|archive", "lake|main"}},
		{"objects without a catalog", ptr(""), nil, []string{}},
		{"another catalog", ptr("x"), nil, []string{}},
		{"one", nil, ptr("ma%"), []string{"lake|main"}},
		{"objects without a schema", nil, ptr(""), []string{}},
	} {
		info, err := h.GetDBSchemas(t.Context(), &flightsql.GetDBSchemasOpts{Catalog: c.catalog, DbSchemaFilterPattern: c.pattern})
		require.NoError(t, err)
		_, rows := h.fetch(t, info)
		require.Equal(t, c.want, rows, c.name)
	}
}

func TestTableFilters(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t_1", 1)
	h.table("tx1", 1)
	h.fake.views = []lake.View{{Name: "broken"}, {Name: "t_1"}}
	for _, c := range []struct {
		name string
		opts *flightsql.GetTablesOpts
		want []string
	}{
		{"all, in the order of the specification", &flightsql.GetTablesOpts{}, []string{
			"lake|archive|t_1|TABLE", "lake|archive|tx1|TABLE",
			"lake|main|broken|VIEW", "lake|main|t_1|TABLE", "lake|main|t_1|VIEW", "lake|main|tx1|TABLE",
		}},
		{"one name: the current schema first", &flightsql.GetTablesOpts{TableNameFilterPattern: ptr(`t\_1`)}, []string{
			"lake|main|t_1|TABLE", "lake|main|t_1|VIEW", "lake|archive|t_1|TABLE",
		}},
		{"a name that is a pattern too: itself first", &flightsql.GetTablesOpts{TableNameFilterPattern: ptr("T_1")}, []string{
			"lake|main|t_1|TABLE", "lake|main|t_1|VIEW", "lake|archive|t_1|TABLE", "lake|archive|tx1|TABLE", "lake|main|tx1|TABLE",
		}},
		{"of a schema that is not the current one", &flightsql.GetTablesOpts{DbSchemaFilterPattern: ptr("archive"), TableNameFilterPattern: ptr("t_1")}, []string{
			"lake|archive|t_1|TABLE", "lake|archive|tx1|TABLE",
		}},
		{"views, by a type with spaces", &flightsql.GetTablesOpts{TableTypes: []string{" view"}}, []string{"lake|main|broken|VIEW", "lake|main|t_1|VIEW"}},
		{"unknown type", &flightsql.GetTablesOpts{TableTypes: []string{"SYSTEM TABLE"}}, []string{}},
		{"schema", &flightsql.GetTablesOpts{DbSchemaFilterPattern: ptr("archive"), TableNameFilterPattern: ptr("t%")}, []string{"lake|archive|t_1|TABLE", "lake|archive|tx1|TABLE"}},
		{"no catalog", &flightsql.GetTablesOpts{Catalog: ptr("")}, []string{}},
	} {
		info, err := h.GetTables(t.Context(), c.opts)
		require.NoError(t, err)
		_, rows := h.fetch(t, info)
		require.Equal(t, c.want, rows, c.name)
	}
}

func TestTableSchemaIsEncapsulatedWithMetadata(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	h.fake.views = []lake.View{{Name: "a_broken_view"}}
	info, err := h.GetTables(t.Context(), &flightsql.GetTablesOpts{IncludeSchema: true, DbSchemaFilterPattern: ptr("main")})
	require.NoError(t, err)
	rd, err := h.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	require.NoError(t, err)
	defer rd.Release()
	require.True(t, rd.Next())
	rec := rd.RecordBatch()
	require.EqualValues(t, 2, rec.NumRows())
	schemas := rec.Column(4).(*array.Binary)
	require.Zero(t, flightSchema(t, schemas.Value(0)).NumFields(), "a view that does not bind must not hide the others")
	schema := flightSchema(t, schemas.Value(1))
	md := flightsql.ColumnMetadata{Data: ptr(schema.Field(0).Metadata)}
	got := map[string]string{}
	for i, k := range md.Data.Keys() {
		got[k] = md.Data.Values()[i]
	}
	require.Equal(t, map[string]string{
		flightsql.CatalogNameKey: "lake", flightsql.SchemaNameKey: "main", flightsql.TableNameKey: "t",
		flightsql.TypeNameKey: "BIGINT", flightsql.PrecisionKey: "19", flightsql.ScaleKey: "0",
		flightsql.IsAutoIncrementKey: "0", flightsql.IsSearchableKey: "1", flightsql.IsReadOnlyKey: "0",
		flightsql.IsCaseSensitiveKey: "0", flightsql.RemarksKey: "the first",
	}, got)
	require.False(t, rd.Next(), "drivers read the first batch only")
}

func TestViewSchemaIsTheResultOfTheView(t *testing.T) {
	t.Parallel()
	f := newFake(memory.DefaultAllocator)
	f.tables["v"] = &fakeTable{schema: arrow.NewSchema([]arrow.Field{{Name: "a", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}}}, nil)}
	s := New(f.backend(), Options{})
	schema, err := s.relationSchema(t.Context(), &relation{catalog: "lake", schema: "main", name: "v", kind: typeView})
	require.NoError(t, err)
	md := flightsql.ColumnMetadata{Data: ptr(schema.Field(0).Metadata)}
	name, _ := md.TypeName()
	scale, _ := md.Scale()
	table, _ := md.TableName()
	require.Equal(t, "DECIMAL(10,2)", name)
	require.EqualValues(t, 2, scale)
	require.Equal(t, "v", table)
	readOnly, _ := md.IsReadOnly()
	require.True(t, readOnly, "nobody inserts into a view")
}

func TestPrecision(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ              arrow.DataType
		precision, scale int32
		name             string
	}{
		{arrow.FixedWidthTypes.Boolean, 1, 0, "BOOLEAN"},
		{arrow.PrimitiveTypes.Uint64, 20, 0, "UBIGINT"},
		{arrow.PrimitiveTypes.Float64, 15, 0, "DOUBLE"},
		{arrow.FixedWidthTypes.Date32, 10, 0, "DATE"},
		{arrow.FixedWidthTypes.Time64us, 15, 6, "TIME"},
		{&arrow.TimestampType{Unit: arrow.Second}, 19, 0, "TIMESTAMP_S"},
		{&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, 32, 6, "TIMESTAMP WITH TIME ZONE"},
		{arrow.BinaryTypes.String, 2147483647, 0, "VARCHAR"},
		{extensions.NewUUIDType(), 36, 0, "UUID"},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, 9, 2, "DECIMAL(9,2)"},
		{arrow.FixedWidthTypes.MonthDayNanoInterval, 0, 0, "INTERVAL"},
		{arrow.ListOf(arrow.PrimitiveTypes.Int32), 0, 0, "INTEGER[]"},
		{arrow.StructOf(), 0, 0, arrow.StructOf().String()},
	} {
		p, s := precisionOf(c.typ)
		require.Equal(t, c.precision, p, c.name)
		require.Equal(t, c.scale, s, c.name)
		require.Equal(t, c.name, sqlTypeName(c.typ))
	}
	kept := arrow.NewMetadata([]string{flightsql.TypeNameKey, "k"}, []string{"HUGEINT", "v"})
	f := describeColumns(arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8, Metadata: kept}}, nil)).Field(0)
	v, _ := f.Metadata.GetValue(flightsql.TypeNameKey)
	require.Equal(t, "HUGEINT", v, "the backend knows better")
	v, _ = f.Metadata.GetValue("k")
	require.Equal(t, "v", v)
}

func TestSQLInfoHasEveryStandardCodeAndNoOther(t *testing.T) {
	t.Parallel()
	got := sqlInfos(serverFacts{version: "1.2.3"})
	var want []uint32
	for code := range pb.SqlInfo_name {
		want = append(want, uint32(code))
	}
	codesGot := make([]uint32, len(got))
	for i, info := range got {
		codesGot[i] = info.Code
		if i > 0 {
			require.Greater(t, info.Code, got[i-1].Code)
		}
	}
	require.ElementsMatch(t, want, codesGot)
}

func TestSQLInfoOverTheWire(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{Version: "1.2.3"})
	info, err := h.GetSqlInfo(t.Context(), []flightsql.SqlInfo{
		flightsql.SqlInfoFlightSqlServerTransaction, 9999, flightsql.SqlInfoFlightSqlServerVersion, flightsql.SqlInfoSupportsConvert,
	})
	require.NoError(t, err)
	rd, err := h.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	require.NoError(t, err)
	defer rd.Release()
	require.True(t, rd.Next())
	rec := rd.RecordBatch()
	require.EqualValues(t, 3, rec.NumRows(), "a code that is not known is left out")
	values := rec.Column(1).(*array.DenseUnion)
	require.Equal(t, arrow.UnionTypeCode(3), values.TypeCode(0), "ADBC reads transactions from child 3 only")
	require.EqualValues(t, flightsql.SqlTransactionSavepoint, values.Field(3).(*array.Int32).Value(int(values.ValueOffset(0))))
	require.Equal(t, arrow.UnionTypeCode(0), values.TypeCode(1))
	require.Equal(t, "1.2.3", values.Field(0).(*array.String).Value(int(values.ValueOffset(1))))
	require.Equal(t, arrow.UnionTypeCode(5), values.TypeCode(2))
	require.Equal(t, len(supportedConversions()), values.Field(5).(*array.Map).Keys().Len())
}

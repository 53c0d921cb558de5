package lakehouse_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

func TestNamesThatOthersCouldNotTakeAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ingest := func(table string, f arrow.Field) error {
		schema := arrow.NewSchema([]arrow.Field{f}, nil)
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer rb.Release()
		rb.Field(0).AppendEmptyValue()
		reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{rb.NewRecordBatch()})
		require.NoError(t, err)
		defer reader.Release()
		_, err = b.Ingest(t.Context(), statement.Ingest{Table: table, IfMissing: statement.MissingCreate, IfExists: statement.ExistsAppend}, reader)
		return err
	}
	deep := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	for range 63 {
		deep = arrow.ListOf(deep)
	}
	long := strings.Repeat("x", 1025)
	before := b.head(t)
	for _, name := range []string{"a\x00b", "\x00", "a\x00", long, "\xff"} {
		require.ErrorIs(t, ingest(name, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64}), lake.ErrInvalid, "%q", name)
		require.ErrorIs(t, ingest("t", arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64}), lake.ErrInvalid, "%q", name)
		require.ErrorIs(t, ingest("t", arrow.Field{Name: "a", Type: arrow.StructOf(arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64})}), lake.ErrInvalid, "%q", name)
		require.ErrorIs(t, ingest("t", arrow.Field{Name: "a", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64}))}), lake.ErrInvalid, "%q", name)
	}
	require.ErrorIs(t, ingest("t", arrow.Field{Name: "a", Type: deep}), lake.ErrInvalid)
	for _, sql := range []string{
		`CREATE SCHEMA "` + long + `"`, `CREATE TABLE "` + long + `" (a INT)`, `CREATE TABLE t ("` + long + `" INT)`, "CREATE TABLE t (a INT" + strings.Repeat("[]", 64) + ")",
		`CREATE TABLE t AS SELECT 1 AS "` + long + `"`, `CREATE TABLE t AS SELECT {'` + long + `': 1} AS a`,
	} {
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.Equal(t, lake.KindInvalid, lake.KindOf(err), "%s: %v", sql, err)
	}
	require.Equal(t, before, b.head(t))
	require.Equal(t, []string{"1"}, b.rows(t, "SELECT 1"))
	fits := strings.Repeat("x", 1024)
	require.NoError(t, ingest(fits, arrow.Field{Name: fits, Type: deep.Elem()}))
	require.Equal(t, []string{"1"}, b.rows(t, `SELECT count(*) FROM "`+fits+`"`))
}

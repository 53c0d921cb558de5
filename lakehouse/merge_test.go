package lakehouse_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// numbersAndText returns rows (i, "text i"), with NULL for every third text.
func numbersAndText(t *testing.T, rows int) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil))
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		if i%3 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("text -- %d, '(", i))
		}
	}
	return b.NewRecordBatch()
}

func TestManyRowsOfParametersGiveWhatTheyGiveOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE base AS SELECT 7 AS k")
	params := numbersAndText(t, 20)
	defer params.Release()
	for i, values := range []string{
		"VALUES (?, ?)", "VALUES (?, ?) -- rows", "values(?,?)/* rows */", "VALUES /* ( */ (?, ?);", "VALUES (?, ?), (-1, DEFAULT)",
		"VALUES ($1, $2), ($1 + 1, lower($2))", "VALUES (?, ?) LIMIT 1", "VALUES (?, ?) UNION ALL SELECT 5, 'x'",
		"VALUES ((SELECT k FROM base) + ?, ?)", "VALUES (CASE WHEN ? > 3 THEN 1.5 ELSE 2 END, ?)", "SELECT ?, ?",
	} {
		together, apart := fmt.Sprintf("together_%d", i), fmt.Sprintf("apart_%d", i)
		insert := func(table string, params arrow.RecordBatch) int64 {
			up, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO " + table + " (n, s) " + values, Params: params})
			require.NoError(t, err, values)
			return up.Rows
		}
		b.exec(t, "CREATE TABLE "+together+" (n DECIMAL(9,1), s VARCHAR DEFAULT 'none')")
		b.exec(t, "CREATE TABLE "+apart+" (n DECIMAL(9,1), s VARCHAR DEFAULT 'none')")
		rows := insert(together, params)
		for row := range params.NumRows() {
			one := params.NewSlice(row, row+1)
			rows -= insert(apart, one)
			one.Release()
		}
		require.Zero(t, rows, values)
		require.Equal(t, b.rows(t, "FROM "+apart+" ORDER BY ALL"), b.rows(t, "FROM "+together+" ORDER BY ALL"), values)
	}
}

func TestMoreRowsThanOneInsertTakes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (n BIGINT, s VARCHAR)")
	params := numbersAndText(t, 2500)
	defer params.Release()
	up, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (?, ?)", Params: params})
	require.NoError(t, err)
	require.Equal(t, int64(2500), up.Rows)
	wrong := "n % 3 = 0 AND s IS NOT NULL OR n % 3 > 0 AND s IS DISTINCT FROM 'text -- ' || n || ', ''('"
	require.Equal(t, []string{"2500"}, b.rows(t, "SELECT count(DISTINCT n) FROM t"))
	require.Equal(t, []string{"0"}, b.rows(t, "SELECT count(*) FROM t WHERE "+wrong))
}

func TestOfManyRowsNoneIsInsertedIfOneIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.exec(t, "CREATE TABLE t (n TINYINT, s VARCHAR NOT NULL)")
	params := numbersAndText(t, 2000)
	defer params.Release()
	_, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO t VALUES (?, ?)", Params: params})
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.Equal(t, []string{"0"}, b.rows(t, "SELECT count(*) FROM t"))
}

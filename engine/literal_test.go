package engine_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// roundTrip selects the literals of a batch's first row, and returns the result.
func roundTrip(ctx context.Context, t require.TestingT, x *engine.Executor, batch arrow.RecordBatch, row int) *result {
	texts := make([]string, batch.NumCols())
	for i, column := range batch.Columns() {
		text, err := engine.Literal(column, row)
		require.NoError(t, err)
		texts[i] = text
	}
	r, err := query(ctx, x, engine.Query{SQL: "SELECT " + strings.Join(texts, ",\n")})
	require.NoError(t, err, texts)
	return r
}

func TestLiteralsOfEveryTypeAreTheSameValues(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, everyTypeOf("60"))
	for _, batch := range s.batches {
		for row := range int(batch.NumRows()) {
			got := roundTrip(t.Context(), t, x, batch, row)
			for i, column := range batch.Columns() {
				require.Equal(t, column.DataType().String(), got.schema.Field(i).Type.String(), s.columns[i].Name)
				require.Equal(t, column.ValueStr(row), got.rows[0][i], s.columns[i].Name)
			}
		}
	}
}

func TestLiteralsOfExtremesAreTheSameValues(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	s := sourceOf(t, x, `SELECT 'infinity'::DATE AS a, '-infinity'::TIMESTAMP AS b, 'infinity'::TIMESTAMPTZ AS c,
		'5000-01-01 (BC)'::DATE AS d, '290000-01-01 00:00:00.000001'::TIMESTAMP AS e, '5881580-07-10'::DATE AS f,
		'24:00:00'::TIME AS g, 'nan'::DOUBLE AS h, '-inf'::FLOAT AS i, '-0'::DOUBLE AS j, 5e-324::DOUBLE AS k,
		'-9223372036854775808'::BIGINT AS l, 99999999999999999999999999999999999999::DECIMAL(38,0) AS m, ''::BLOB AS n,
		'1677-09-22 00:12:43.145225'::TIMESTAMP_NS AS o, '290000-01-01'::TIMESTAMPTZ AS p, [] :: INTEGER[] AS q,
		MAP {} :: MAP(INTEGER, VARCHAR) AS r, {'a"b': 1, 'c''d': 2} AS s, 0.001::DECIMAL(3,3) AS t, '0001-01-01'::DATE AS u`)
	got := roundTrip(t.Context(), t, x, s.batches[0], 0)
	for i, column := range s.batches[0].Columns() {
		require.Equal(t, column.ValueStr(0), got.rows[0][i], s.columns[i].Name)
	}
}

func TestLiteralsOfTextCannotBreakOut(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	rapid.Check(t, func(r *rapid.T) {
		text := strings.ToValidUTF8(rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune("'\"\\;-\x00/*é🦆\n$")), rapid.Rune())).Draw(r, "text"), "")
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.AppendValues([]string{text}, nil)
		a := b.NewStringArray()
		literal, err := engine.Literal(a, 0)
		require.NoError(r, err)
		got, err := query(t.Context(), x, engine.Query{SQL: "SELECT " + literal + " AS a, 7 AS b"})
		require.NoError(r, err)
		require.Equal(r, [][]string{{text, "7"}}, got.rows)
	})
}

func TestLiteralsOfNumbersAreTheSameValues(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	rapid.Check(t, func(r *rapid.T) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
			{Name: "f", Type: arrow.PrimitiveTypes.Float64},
			{Name: "g", Type: arrow.PrimitiveTypes.Float32},
			{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Microsecond}},
			{Name: "d", Type: arrow.FixedWidthTypes.Date32},
			{Name: "i", Type: arrow.PrimitiveTypes.Int64},
		}, nil))
		b.Field(0).(*array.Float64Builder).Append(math.Float64frombits(rapid.Uint64().Draw(r, "f")))
		b.Field(1).(*array.Float32Builder).Append(math.Float32frombits(rapid.Uint32().Draw(r, "g")))
		// The range of DuckDB's timestamps and dates.
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(rapid.Int64Range(-9223372022400000000, math.MaxInt64).Draw(r, "ts")))
		b.Field(3).(*array.Date32Builder).Append(arrow.Date32(rapid.Int32Range(-2147483646, math.MaxInt32).Draw(r, "d")))
		b.Field(4).(*array.Int64Builder).Append(rapid.Int64().Draw(r, "i"))
		batch := b.NewRecordBatch()
		got := roundTrip(t.Context(), r, x, batch, 0)
		for i, column := range batch.Columns() {
			require.Equal(r, column.ValueStr(0), got.rows[0][i])
		}
	})
}

func TestLiteralAsConvertsLikeAPreparedStatement(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues([]int64{3}, nil)
	a := b.NewInt64Array()
	text, _, err := engine.LiteralAs(a, 0, arrow.PrimitiveTypes.Int32)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"00x"}}, mustQuery(t, x, "SELECT lpad('x', "+text+", '0')").rows)
	nulls := array.NewNull(1)
	defer nulls.Release()
	text, check, err := engine.LiteralAs(nulls, 0, arrow.PrimitiveTypes.Int32)
	require.NoError(t, err)
	require.Equal(t, "CAST(NULL AS INTEGER)", text)
	require.Empty(t, check, "NULL is a value of every type")
	text, _, err = engine.LiteralAs(a, 0, arrow.Null)
	require.NoError(t, err)
	require.Equal(t, "int64", mustQuery(t, x, "SELECT "+text).schema.Field(0).Type.String())
}

func TestLiteralRefusesWhatDuckDBCannotHold(t *testing.T) {
	t.Parallel()
	b := array.NewTime32Builder(memory.DefaultAllocator, &arrow.Time32Type{Unit: arrow.Second})
	b.AppendValues([]arrow.Time32{90000}, nil)
	_, err := engine.Literal(b.NewTime32Array(), 0)
	require.ErrorIs(t, err, lake.ErrInvalid)
	s := array.NewStringBuilder(memory.DefaultAllocator)
	s.AppendValues([]string{"\xff"}, nil)
	_, err = engine.Literal(s.NewStringArray(), 0)
	require.ErrorIs(t, err, lake.ErrInvalid)
}

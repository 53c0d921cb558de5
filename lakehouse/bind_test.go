package lakehouse_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// valuesOf returns rows of one column, p, each a JSON value.
func valuesOf(t *testing.T, dt arrow.DataType, values ...string) arrow.RecordBatch {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: dt, Nullable: true}}, nil)
	text := "[{\"p\": " + strings.Join(values, "}, {\"p\": ") + "}]"
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(text))
	require.NoError(t, err, text)
	return batch
}

// bindTable makes a table with a row of a value of every kind, and one of NULLs.
func bindTable(t *testing.T, b *bundle) {
	t.Helper()
	b.exec(t, `CREATE TABLE v (i1 TINYINT, i4 INTEGER, i8 BIGINT, u1 UTINYINT, f4 FLOAT, f8 DOUBLE, d DECIMAL(9, 2), s VARCHAR, bl BLOB, bo BOOLEAN,
		da DATE, ti TIME, ts TIMESTAMP, tz TIMESTAMPTZ, iv INTERVAL, id UUID, li INTEGER[])`)
	b.exec(t, `INSERT INTO v VALUES (1, 2, 3, 4, 1.5, 2.5, 1.25, 'x', '\x01\x02'::BLOB, true, '2020-01-02', '01:02:03', '2020-01-02 03:04:05',
		'2020-01-02 03:04:05+00', INTERVAL 1 DAY, '00112233-4455-6677-8899-aabbccddeeff', [1, 2])`)
}

func TestParametersOfAnyCastableTypeMatch(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	bindTable(t, b)
	const noon = "1577934245" // 2020-01-02 03:04:05
	for _, c := range []struct {
		condition string
		typ       arrow.DataType
		value     string
	}{
		{"i1 = ?", arrow.PrimitiveTypes.Int64, "1"},
		{"i1 = ?", arrow.PrimitiveTypes.Uint64, "1"},
		{"i4 = ?", arrow.PrimitiveTypes.Float64, "2.0"},
		{"i4 < ?", arrow.PrimitiveTypes.Float64, "2.5"},
		{"i4 = ?", arrow.BinaryTypes.String, `"2"`},
		{"i4 = ?", arrow.BinaryTypes.StringView, `" +2 "`},
		{"i8 = ?", &arrow.Decimal128Type{Precision: 10, Scale: 2}, `"3.00"`},
		{"u1 = ?", arrow.PrimitiveTypes.Int8, "4"},
		{"f4 = ?", arrow.FixedWidthTypes.Float16, "1.5"},
		{"f8 = ?", arrow.BinaryTypes.String, `"2.5"`},
		{"d = ?", arrow.PrimitiveTypes.Float64, "1.25"},
		{"d = ?", arrow.BinaryTypes.String, `"1.25"`},
		{"d = ?", &arrow.Decimal256Type{Precision: 38, Scale: 4}, `"1.2500"`},
		{"s = ?", arrow.BinaryTypes.LargeString, `"x"`},
		{"s = ?", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, `"x"`},
		{"lpad(s, ?, '0') = 'x'", arrow.PrimitiveTypes.Int64, "1"},
		{"lpad(s, ?, '0') = '0x'", arrow.BinaryTypes.String, `"2"`},
		{"upper(?) = upper(s)", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, `"X"`},
		{"bl = ?", arrow.BinaryTypes.BinaryView, `"AQI="`},
		{"bo = ?", arrow.BinaryTypes.String, `"true"`},
		{"bo = ?", arrow.FixedWidthTypes.Boolean, "true"},
		{"da = ?", arrow.BinaryTypes.String, `"2020-01-02"`},
		{"da = ?", arrow.FixedWidthTypes.Date64, `"2020-01-02"`},
		{"ti = ?", arrow.FixedWidthTypes.Time32ms, `"01:02:03"`},
		{"ti = ?", arrow.FixedWidthTypes.Time64ns, `"01:02:03"`},
		{"ti = ?", arrow.BinaryTypes.String, `"01:02:03"`},
		{"ts = ?", &arrow.TimestampType{Unit: arrow.Second}, noon},
		{"ts = ?", &arrow.TimestampType{Unit: arrow.Millisecond}, noon + "000"},
		{"ts = ?", &arrow.TimestampType{Unit: arrow.Nanosecond}, noon + "000000000"},
		{"ts = ?", arrow.BinaryTypes.String, `"2020-01-02 03:04:05"`},
		{"tz = ?", &arrow.TimestampType{Unit: arrow.Millisecond}, noon + "000"},
		{"tz = ?", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"}, noon + "000"},
		{"iv = ?", arrow.FixedWidthTypes.Duration_s, `"24h"`},
		{"id = ?", extensions.NewUUIDType(), `"00112233-4455-6677-8899-aabbccddeeff"`},
		{"id = ?", arrow.BinaryTypes.String, `"00112233-4455-6677-8899-aabbccddeeff"`},
		{"id = ?", &arrow.FixedSizeBinaryType{ByteWidth: 16}, `"ABEiM0RVZneImaq7zN3u/w=="`},
		{"li = ?", arrow.ListOf(arrow.PrimitiveTypes.Int64), "[1, 2]"},
		{"list_contains(?, i4)", arrow.ListViewOf(arrow.PrimitiveTypes.Int64), "[1, 2]"},
		{"i4 IS NOT DISTINCT FROM coalesce(?, 2)", arrow.PrimitiveTypes.Int64, "null"},
		{"lpad(s, coalesce(?, 1), '0') = s", arrow.BinaryTypes.String, "null"},
		{"i4 = ? - 1", arrow.Null, "null"},
	} {
		want := []string{"1"}
		if c.typ.ID() == arrow.NULL {
			want = []string{"0"}
		}
		if c.condition == "i4 < ?" {
			want = []string{"1"}
		}
		got, err := b.query(t.Context(), statement.Statement{SQL: "SELECT count(*) FROM v WHERE " + c.condition, Params: valuesOf(t, c.typ, c.value)})
		require.NoError(t, err, "%s of %s", c.condition, c.typ)
		require.Equal(t, want, got, "%s of %s", c.condition, c.typ)
	}
}

func TestParametersThatTheirPlaceCannotHold(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	bindTable(t, b)
	for _, c := range []struct {
		sql   string
		typ   arrow.DataType
		value string
	}{
		{"SELECT chr(?) FROM v", arrow.PrimitiveTypes.Int64, "3000000000"},
		{"SELECT * FROM v WHERE i4 = ?", arrow.BinaryTypes.String, `"1.5"`},
		{"SELECT * FROM v WHERE i4 = ?", arrow.BinaryTypes.String, `"many"`},
		{"SELECT * FROM v WHERE d = ?", arrow.BinaryTypes.String, `"1.234"`},
		{"SELECT * FROM v WHERE da = ?", arrow.BinaryTypes.String, `"yesterday"`},
		{"SELECT * FROM v WHERE id = ?", arrow.BinaryTypes.String, `"nobody"`},
		{"INSERT INTO v (i1) VALUES (?)", arrow.PrimitiveTypes.Int64, "128"},
		{"INSERT INTO v (u1) VALUES (?)", arrow.PrimitiveTypes.Int64, "-1"},
		{"INSERT INTO v (i4) VALUES (?)", arrow.BinaryTypes.String, `"1.5"`},
		{"INSERT INTO v (d) VALUES (?)", arrow.BinaryTypes.String, `"99999999"`},
		{"INSERT INTO v (ts) VALUES (?)", arrow.BinaryTypes.String, `"soon"`},
		{"INSERT INTO v (ti) VALUES (?)", arrow.PrimitiveTypes.Float64, "1.5"},
	} {
		st := statement.Statement{SQL: c.sql, Params: valuesOf(t, c.typ, c.value)}
		var err error
		if strings.HasPrefix(c.sql, "INSERT") {
			_, err = b.Execute(t.Context(), st)
		} else {
			_, err = b.query(t.Context(), st)
		}
		require.ErrorIs(t, err, lake.ErrInvalid, "%s with %s", c.sql, c.value)
		require.Regexp(t, `parameter 1|bind parameters: column "`, err.Error(), "%s with %s", c.sql, c.value)
		if strings.Contains(err.Error(), "parameter 1") { // those of whole columns have no one value
			require.ErrorContains(t, err, strings.Trim(c.value, `"`), "the value is shown")
		}
	}
	require.Equal(t, []string{"1"}, b.rows(t, "SELECT count(*) FROM v"))
}

func TestInsertedParametersBecomeTheTypeOfTheirColumn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	bindTable(t, b)
	for _, c := range []struct {
		column string
		typ    arrow.DataType
		values []string
		want   []string
	}{
		{"i1", arrow.PrimitiveTypes.Int64, []string{"-128", "null", "127"}, []string{"-128", "127", "NULL"}},
		{"ti", arrow.FixedWidthTypes.Time32ms, []string{`"10:00:00.123"`}, []string{"10:00:00.123"}},
		{"ts", &arrow.TimestampType{Unit: arrow.Millisecond}, []string{"1"}, []string{"1970-01-01 00:00:00.001"}},
		{"tz", &arrow.TimestampType{Unit: arrow.Millisecond}, []string{"1"}, []string{"1970-01-01 00:00:00.001+00"}},
		{"d", arrow.PrimitiveTypes.Float64, []string{"0.07"}, []string{"0.07"}},
		{"d", arrow.BinaryTypes.String, []string{`"-0.5"`}, []string{"-0.50"}},
		{"f4", arrow.FixedWidthTypes.Float16, []string{"0.5"}, []string{"0.5"}},
		{"li", arrow.LargeListOf(arrow.PrimitiveTypes.Int64), []string{"[7, null]"}, []string{"[7, NULL]"}},
		{"id", &arrow.FixedSizeBinaryType{ByteWidth: 16}, []string{`"ABEiM0RVZneImaq7zN3u/w=="`}, []string{"00112233-4455-6677-8899-aabbccddeeff"}},
	} {
		b.exec(t, "CREATE OR REPLACE TABLE w AS SELECT "+c.column+" AS x FROM v LIMIT 0")
		up, err := b.Execute(t.Context(), statement.Statement{SQL: "INSERT INTO w VALUES (?)", Params: valuesOf(t, c.typ, c.values...)})
		require.NoError(t, err, c.column)
		require.EqualValues(t, len(c.values), up.Rows)
		require.Equal(t, c.want, b.rows(t, "SELECT coalesce(x::VARCHAR, 'NULL') FROM w ORDER BY x NULLS LAST"), c.column)
	}
}

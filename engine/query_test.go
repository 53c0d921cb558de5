package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/engine"
)

func TestQueryReturnsEveryTypeNormalised(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{})
	tests := []struct{ sql, wantType, want string }{
		{"42", "int32", "42"},
		{"NULL", "int32", "(null)"},
		{"true", "bool", "true"},
		{"1::TINYINT", "int8", "1"},
		{"255::UTINYINT", "uint8", "255"},
		{"18446744073709551615::UBIGINT", "uint64", "18446744073709551615"},
		{"1.5::FLOAT", "float32", "1.5"},
		{"'-infinity'::DOUBLE", "float64", "-Inf"},
		{"1.25", "decimal(3, 2)", "1.25"},
		{"-1.25::DECIMAL(9,2)", "decimal(9, 2)", "-1.25"},
		{"-1.25::DECIMAL(18,2)", "decimal(18, 2)", "-1.25"},
		{"-1.25::DECIMAL(38,2)", "decimal(38, 2)", "-1.25"},
		{"sum(-5)", "decimal(38, 0)", "-5"},
		{"-99999999999999999999999999999999999999::HUGEINT", "decimal(38, 0)", "-99999999999999999999999999999999999999"},
		{"7::UHUGEINT", "decimal(38, 0)", "7"},
		{"DATE '2024-02-29'", "date32", "2024-02-29"},
		{"TIME '23:59:59.123456'", "time64[us]", "23:59:59.123456"},
		{"'01:00:00+02:30'::TIMETZ", "time64[us]", "22:30:00.000000"},
		{"TIMESTAMP '2024-02-29 01:02:03.000004'", "timestamp[us]", "2024-02-29T01:02:03.000004"},
		{"TIMESTAMP_NS '2024-02-29 01:02:03.000000004'", "timestamp[ns]", "2024-02-29T01:02:03.000000004"},
		{"TIMESTAMP_S '2024-02-29 01:02:03'", "timestamp[s]", "2024-02-29T01:02:03"},
		{"TIMESTAMPTZ '2024-02-29 01:02:03+01'", "timestamp[us, tz=UTC]", "2024-02-29T00:02:03Z"},
		{"INTERVAL '1 month 2 days 3 microseconds'", "month_day_nano_interval", `{"months":1,"days":2,"nanoseconds":3000}`},
		{"'a string of more than twelve bytes'", "utf8", "a string of more than twelve bytes"},
		{"'\\xAA\\x00'::BLOB", "binary", "qgA="},
		{"'01020304-0506-0708-890a-0b0c0d0e0f10'::UUID", "extension<arrow.uuid>", "01020304-0506-0708-890a-0b0c0d0e0f10"},
		{"'{\"a\":1}'::JSON", "extension<arrow.json[storage_type=utf8]>", `{"a":1}`},
		{"'b'::ENUM('a','b')", "utf8", "b"},
		{"'0101110100'::BIT", "utf8", "0101110100"},
		{"[1, NULL, 3]", "list<element: int32, nullable>", "[1,null,3]"},
		{"[[1], [], NULL]", "list<element: list<element: int32, nullable>, nullable>", "[[1],[],null]"},
		{"{'a': 1, 'b': ['x']}", "struct<a: int32 nullable, b: list<element: utf8, nullable> nullable>", `{"a":1,"b":["x"]}`},
		{"MAP {'k': 1}", "map<utf8, int32, items_nullable>", `[{"key":"k","value":1}]`},
		{"[1, 2]::INTEGER[2]", "fixed_size_list<element: int32, nullable>[2]", "[1,2]"},
		{"union_value(a := 1)", "utf8", "1"},
	}
	for _, tt := range tests {
		r := mustQuery(t, x, "SELECT "+tt.sql+" AS v")
		require.Equal(t, tt.wantType, r.schema.Field(0).Type.String(), tt.sql)
		require.Equal(t, [][]string{{tt.want}}, r.rows, tt.sql)
	}
}

func TestPivotFindsItsColumnsInTheRows(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, engine.Options{ConnectionsMax: 1})
	s := sourceOf(t, x, "FROM (VALUES (1, 'x'), (2, 'y'), (3, 'x')) AS v(a, b)")
	ref, release := x.Register(t.Context(), s)
	defer release()
	for range 2 {
		r := mustQuery(t, x, "PIVOT "+ref+" ON b USING sum(a)")
		require.Equal(t, "x: type=decimal(38, 0), nullable y: type=decimal(38, 0), nullable", fieldsText(r.schema.Fields()))
		require.Equal(t, [][]string{{"4", "2"}}, r.rows)
	}
	require.Empty(t, mustQuery(t, x, "SELECT type_name FROM duckdb_types() WHERE NOT internal").rows, "nothing is left behind")
}

package scanner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// python runs a script with the interpreter named by FLIGHTLAKE_TEST_PYTHON,
// which has duckdb and pyarrow, and returns the file that it writes to
// sys.argv[1].
func python(t *testing.T, script string) []byte {
	t.Helper()
	interpreter := os.Getenv("FLIGHTLAKE_TEST_PYTHON")
	if interpreter == "" {
		t.Skip("FLIGHTLAKE_TEST_PYTHON is not set")
	}
	out := filepath.Join(t.TempDir(), "out.parquet")
	text, err := exec.CommandContext(t.Context(), interpreter, "-c", script, out).CombinedOutput()
	require.NoError(t, err, string(text))
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	return data
}

func requireForeign(t *testing.T, data []byte, columns []lake.Column, rows int64, want string) {
	t.Helper()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	store := newBucket()
	store.put(t, "f.parquet", data)
	requireScan(t, store, alloc, scanOf(columns, &lake.DataFile{Path: "f.parquet", Rows: rows}), columns, want)
}

func TestFileOfDuckDB(t *testing.T) {
	t.Parallel()
	data := python(t, `
import duckdb, sys
duckdb.sql("""COPY (SELECT
 true AS bo, (-128)::TINYINT AS i1, (-32768)::SMALLINT AS i2, 7::INTEGER AS i4, 9223372036854775807 AS i8,
 (-170000000000000000)::HUGEINT AS i16, 255::UTINYINT AS u1, 65535::USMALLINT AS u2, 4294967295::UINTEGER AS u4,
 18446744073709551615::UBIGINT AS u8, 5::UHUGEINT AS u16, 1.5::FLOAT AS f4, (-0.25)::DOUBLE AS f8,
 (-1.25)::DECIMAL(4,2) AS d4, 1234567.89::DECIMAL(9,2) AS d9, (-1234567890123.45)::DECIMAL(18,2) AS d18,
 12345678901234567890123456789.12345678::DECIMAL(38,8) AS d38,
 DATE '0044-03-15' AS da, TIME '23:59:59.999999' AS ti, TIMETZ '01:02:03+00' AS tz,
 TIMESTAMP_S '1969-12-31 23:59:59' AS ts, TIMESTAMP_MS '1969-12-31 23:59:59.999' AS tm, TIMESTAMP '2020-01-02 03:04:05.000006' AS tu,
 TIMESTAMP_NS '2020-01-02 03:04:05.000000007' AS tn, TIMESTAMPTZ '2020-01-02 03:04:05+00' AS tt,
 INTERVAL '14 months 3 days 04:05:06.007' AS iv, 'é' AS vc, '\\xFF\\x00'::BLOB AS bl,
 '00112233-4455-6677-8899-aabbccddeeff'::UUID AS uu, '{"a": 1}'::JSON AS js,
 [1, NULL, 3] AS li, {'a': 1, 'b': ['x']} AS st, MAP {'k': 1.5::DECIMAL(4,1)} AS ma
 UNION ALL SELECT NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL
) TO '""" + sys.argv[1] + """' (FORMAT parquet)""")
`)
	columns := []lake.Column{
		column(1, "bo", lake.TypeBoolean), column(2, "i1", lake.TypeInt8), column(3, "i2", lake.TypeInt16), column(4, "i4", lake.TypeInt32),
		column(5, "i8", lake.TypeInt64), column(6, "i16", lake.TypeInt128), column(7, "u1", lake.TypeUint8), column(8, "u2", lake.TypeUint16),
		column(9, "u4", lake.TypeUint32), column(10, "u8", lake.TypeUint64), column(11, "u16", lake.TypeUint128), column(12, "f4", lake.TypeFloat32),
		column(13, "f8", lake.TypeFloat64), decimal(14, "d4", 4, 2), decimal(15, "d9", 9, 2), decimal(16, "d18", 18, 2), decimal(17, "d38", 38, 8),
		column(18, "da", lake.TypeDate), column(19, "ti", lake.TypeTime), column(20, "tz", lake.TypeTimeTZ), column(21, "ts", lake.TypeTimestampS),
		column(22, "tm", lake.TypeTimestampMS), column(23, "tu", lake.TypeTimestamp), column(24, "tn", lake.TypeTimestampNS), column(25, "tt", lake.TypeTimestampTZ),
		column(26, "iv", lake.TypeInterval), column(27, "vc", lake.TypeVarchar), column(28, "bl", lake.TypeBlob), column(29, "uu", lake.TypeUUID), column(30, "js", lake.TypeJSON),
		column(31, "li", lake.TypeList, column(32, "element", lake.TypeInt32)),
		column(33, "st", lake.TypeStruct, column(34, "a", lake.TypeInt32), column(35, "b", lake.TypeList, column(36, "element", lake.TypeVarchar))),
		column(37, "ma", lake.TypeMap, required(column(38, "key", lake.TypeVarchar)), decimal(39, "value", 4, 1)),
	}
	requireForeign(t, data, columns, 2, `[{"bo":true,"i1":-128,"i2":-32768,"i4":7,"i8":9223372036854775807,"i16":"-170000000000000000",
		"u1":255,"u2":65535,"u4":4294967295,"u8":18446744073709551615,"u16":"5","f4":1.5,"f8":-0.25,"d4":"-1.25","d9":"1234567.89",
		"d18":"-1234567890123.45","d38":"12345678901234567890123456789.12345678","da":"0044-03-15","ti":"23:59:59.999999","tz":"01:02:03",
		"ts":"1969-12-31 23:59:59","tm":"1969-12-31 23:59:59.999","tu":"2020-01-02 03:04:05.000006","tn":"2020-01-02 03:04:05.000000007","tt":"2020-01-02 03:04:05Z",
		"iv":{"months":14,"days":3,"nanoseconds":14706007000000},"vc":"é","bl":"/wA=","uu":"00112233-4455-6677-8899-aabbccddeeff","js":"{\"a\": 1}",
		"li":[1,null,3],"st":{"a":1,"b":["x"]},"ma":[{"key":"k","value":"1.5"}]},
		{"bo":null}]`)
}

func TestFileOfPyArrow(t *testing.T) {
	t.Parallel()
	data := python(t, `
import pyarrow as pa, pyarrow.parquet as pq, sys, decimal, datetime
t = pa.table({
 "di": pa.array(["a", "b", None, "a"]).dictionary_encode(),
 "vi": pa.array(["x", None, "y" * 20, ""], pa.string_view()),
 "la": pa.array([b"1", None, b"", b"22"], pa.large_binary()),
 "du": pa.array([1, 2, None, 3], pa.int64()),
 "nu": pa.nulls(4),
 "fs": pa.array([b"ab", None, b"cd", b"ef"], pa.binary(2)),
 "dc": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25"), decimal.Decimal("0.01")], pa.decimal128(5, 2)),
 "tz": pa.array([0, None, -1, 1], pa.timestamp("ns", "Europe/Berlin")),
 "hf": pa.array([1.5, None, -2, 0.25], pa.float16()),
})
pq.write_table(t, sys.argv[1], row_group_size=3, use_deprecated_int96_timestamps=True, version="2.6", store_decimal_as_integer=True, use_byte_stream_split=["hf"], use_dictionary=["di"], compression="zstd", data_page_version="2.0")
`)
	columns := []lake.Column{
		column(1, "di", lake.TypeVarchar), column(2, "vi", lake.TypeVarchar), column(3, "la", lake.TypeBlob), column(4, "du", lake.TypeInt64),
		column(5, "nu", lake.TypeInt32), column(6, "fs", lake.TypeBlob), decimal(7, "dc", 5, 2), column(8, "tz", lake.TypeTimestampTZ), column(9, "hf", lake.TypeFloat32),
	}
	requireForeign(t, data, columns, 4, `[
		{"di":"a","vi":"x","la":"MQ==","du":1,"nu":null,"fs":"YWI=","dc":"1.50","tz":"1970-01-01 00:00:00Z","hf":1.5},
		{"di":"b","vi":null,"la":null,"du":2,"nu":null,"fs":null,"dc":null,"tz":null,"hf":null},
		{"di":null,"vi":"yyyyyyyyyyyyyyyyyyyy","la":"","du":null,"nu":null,"fs":"Y2Q=","dc":"-2.25","tz":"1969-12-31 23:59:59.999999Z","hf":-2},
		{"di":"a","vi":"","la":"MjI=","du":3,"nu":null,"fs":"ZWY=","dc":"0.01","tz":"1970-01-01 00:00:00Z","hf":0.25}]`)
}

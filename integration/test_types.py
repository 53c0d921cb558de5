"""Every Arrow type goes in through the driver without loss, or is refused by name."""

import datetime
import decimal

import harness
import numpy as np
import pyarrow as pa
import pytest

D = decimal.Decimal
UTC = datetime.timezone.utc
MOMENT = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)
DAY = datetime.date(2024, 2, 29)


def unscaled(arrow_type, *values):
    """Decimals given as their integers: pyarrow does not make those of a negative scale from values."""
    width = arrow_type.bit_width // 8
    data = b"".join(v.to_bytes(width, "little", signed=True) for v in values)
    return pa.Array.from_buffers(arrow_type, len(values), [None, pa.py_buffer(data)])


def interval(months, days, nanoseconds):
    return pa.MonthDayNano([months, days, nanoseconds])


def dictionary(index_type, values=("a", None, "b", "a")):
    return pa.array(values).dictionary_encode().cast(pa.dictionary(index_type, pa.string()))


def runs(values, ends):
    """Values that each go on to the row before an end."""
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), values)


def listed(arrow_type, values=([1, None], [], None, [3])):
    return pa.array(values, arrow_type)


# name: (what is sent, the type of the column, the type that comes back; the values are the same unless given)
CASES = {
    "float16": (pa.array([np.float16(1.5), None, np.float16("inf")], pa.float16()), "FLOAT", pa.float32()),
    "negative scale": (unscaled(pa.decimal128(3, -2), 12, -999), "DECIMAL(5,0)", pa.decimal128(5, 0), [D(1200), D(-99900)]),
    "negative scale of 38 digits": (
        unscaled(pa.decimal128(1, -37), 9), "DECIMAL(38,0)", pa.decimal128(38, 0), [D(9 * 10**37)],
    ),
    "negative scale of 256 bits": (unscaled(pa.decimal256(3, -2), 12), "DECIMAL(5,0)", pa.decimal128(5, 0), [D(1200)]),
    "decimal32": (pa.array([D("1.25"), None], pa.decimal32(9, 2)), "DECIMAL(9,2)", pa.decimal128(9, 2)),
    "decimal64": (pa.array([D("-1.25")], pa.decimal64(18, 2)), "DECIMAL(18,2)", pa.decimal128(18, 2)),
    "decimal256": (pa.array([D("-1.25"), None], pa.decimal256(38, 2)), "DECIMAL(38,2)", pa.decimal128(38, 2)),
    "null": (pa.nulls(3), "INTEGER", pa.int32()),
    "large string": (pa.array(["a", None, ""], pa.large_string()), "VARCHAR", pa.string()),
    "string view": (pa.array(["a", None, "longer than twelve bytes"], pa.string_view()), "VARCHAR", pa.string()),
    "binary view": (pa.array([b"a", None, b"longer than twelve bytes"], pa.binary_view()), "BLOB", pa.binary()),
    "large binary": (pa.array([b"\xff", None], pa.large_binary()), "BLOB", pa.binary()),
    "fixed-size binary": (pa.array([b"ab", None], pa.binary(2)), "BLOB", pa.binary()),
    "dictionary": (dictionary(pa.int8()), "VARCHAR", pa.string()),
    "dictionary, wide unsigned": (dictionary(pa.uint64()), "VARCHAR", pa.string()),
    "dictionary with null as a value": (
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int16()), pa.array(["a", None])), "VARCHAR", pa.string(),
    ),
    "dictionary of timestamps": (pa.array([MOMENT, MOMENT]).dictionary_encode(), "TIMESTAMP", pa.timestamp("us")),
    "runs": (runs(pa.array(["a", None, "b"]), [2, 3, 5]), "VARCHAR", pa.string()),
    "list": (listed(pa.list_(pa.int32())), "INTEGER[]", pa.list_(pa.field("element", pa.int32()))),
    "large list": (listed(pa.large_list(pa.int64())), "BIGINT[]", pa.list_(pa.field("element", pa.int64()))),
    "fixed-size list": (
        listed(pa.list_(pa.int16(), 2), [[1, None], None, [3, 4]]), "SMALLINT[]", pa.list_(pa.field("element", pa.int16())),
    ),
    "list view": (listed(pa.list_view(pa.int32())), "INTEGER[]", pa.list_(pa.field("element", pa.int32()))),
    "large list view": (listed(pa.large_list_view(pa.int32())), "INTEGER[]", pa.list_(pa.field("element", pa.int32()))),
    "list view of null": (
        listed(pa.list_view(pa.null()), [[None], None]), "INTEGER[]", pa.list_(pa.field("element", pa.int32())),
    ),
    "runs of null": (runs(pa.nulls(1), [3]), "INTEGER", pa.int32()),
    "dictionary of null": (
        pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.nulls(1)), "INTEGER", pa.int32(),
    ),
    "map of null": (
        pa.array([[("a", None)], None], pa.map_(pa.string(), pa.null())),
        "MAP(VARCHAR, INTEGER)",
        pa.map_(pa.string(), pa.field("value", pa.int32())),
    ),
    "fixed-size list of null": (
        listed(pa.list_(pa.null(), 1), [[None], None]), "INTEGER[]", pa.list_(pa.field("element", pa.int32())),
    ),
    "list of dictionaries": (
        pa.ListArray.from_arrays([0, 2, 4], dictionary(pa.int8())), "VARCHAR[]", pa.list_(pa.field("element", pa.string())),
    ),
    "struct of all of it": (
        pa.array(
            [{"h": np.float16(2.5), "n": None, "d": D("1.5"), "t": ["x", None]}, None],
            pa.struct([("h", pa.float16()), ("n", pa.null()), ("d", pa.decimal32(3, 1)), ("t", pa.large_list(pa.string_view()))]),
        ),
        "STRUCT(h FLOAT, n INTEGER, d DECIMAL(3,1), t VARCHAR[])",
        pa.struct(
            [("h", pa.float32()), ("n", pa.int32()), ("d", pa.decimal128(3, 1)), ("t", pa.list_(pa.field("element", pa.string())))]
        ),
    ),
    "map": (
        pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.large_string(), pa.int16())),
        "MAP(VARCHAR, SMALLINT)",
        pa.map_(pa.string(), pa.field("value", pa.int16())),
    ),
    "timestamp s": (pa.array([0, None, -1], pa.timestamp("s")), "TIMESTAMP_S", pa.timestamp("s")),
    "timestamp ms": (pa.array([0, None, -1], pa.timestamp("ms")), "TIMESTAMP_MS", pa.timestamp("ms")),
    "timestamp us": (pa.array([0, None, -1], pa.timestamp("us")), "TIMESTAMP", pa.timestamp("us")),
    "timestamp ns": (pa.array([0, None, -1], pa.timestamp("ns")), "TIMESTAMP_NS", pa.timestamp("ns")),
    "timestamp s of a zone": (
        pa.array([0, None, -1], pa.timestamp("s", "America/New_York")), "TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC"),
    ),
    "timestamp ns of a zone": (
        pa.array([0, None, -1000], pa.timestamp("ns", "+05:30")), "TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC"),
    ),
    "time32 s": (pa.array([0, None, 86399], pa.time32("s")), "TIME", pa.time64("us")),
    "time32 ms": (pa.array([1, None], pa.time32("ms")), "TIME", pa.time64("us")),
    "time64 us": (pa.array([1, None], pa.time64("us")), "TIME", pa.time64("us")),
    "time64 ns": (pa.array([1000, None], pa.time64("ns")), "TIME_NS", pa.time64("ns")),
    "date64": (pa.array([DAY, None], pa.date64()), "DATE", pa.date32()),
    "interval": (
        pa.array([interval(1, 2, 3_000_000), None], pa.month_day_nano_interval()), "INTERVAL", pa.month_day_nano_interval(),
    ),
    "duration": (
        pa.array([datetime.timedelta(days=3, milliseconds=7), None], pa.duration("ms")), "INTERVAL", pa.month_day_nano_interval(),
        [interval(0, 0, (3 * 86_400_000 + 7) * 1_000_000), None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_type_goes_in_and_comes_back(shared, table, name):
    values, sql_type, arrow_type, *expected = CASES[name]
    want = expected[0] if expected else values.to_pylist()
    sent = pa.table({"v": values})
    assert shared.ingest(table, sent) == len(values)
    got = shared.table(f'SELECT v FROM "{table}"')
    assert got.schema.field("v").type == arrow_type
    assert got.column("v").to_pylist() == want
    assert shared.rows(f'SELECT DISTINCT typeof(v) FROM "{table}"') == [(sql_type,)]
    assert shared.ingest(table, sent, "append") == len(values)
    assert shared.table(f'SELECT v FROM "{table}"').column("v").to_pylist() == want * 2


@pytest.mark.parametrize("name", CASES)
def test_a_table_of_no_rows_has_the_types_all_the_same(shared, table, name):
    values, sql_type, arrow_type, *_ = CASES[name]
    rows = pa.record_batch({"v": values})
    assert shared.ingest(table, pa.RecordBatchReader.from_batches(rows.schema, [rows.slice(0, 0)])) == 0
    got = shared.table(f'SELECT v FROM "{table}"')
    assert got.num_rows == 0 and got.schema.field("v").type == arrow_type
    types = shared.rows(f"SELECT data_type FROM information_schema.columns WHERE table_name = '{table}'")
    assert types == [(sql_type,)]
    assert shared.ingest(table, pa.table({"v": values}), "append") == len(values), "what made the table fits into it"


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (unscaled(pa.decimal128(3, -38), 1), "unsupported", "38 digits"),
        (pa.array([D(1)], pa.decimal256(50, 2)), "unsupported", "38 digits"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "invalid", "finer"),
        (pa.array([datetime.timedelta(days=-1)], pa.duration("s")), "invalid", "interval"),
        (pa.array([datetime.timedelta(microseconds=1)], pa.duration("us")), "invalid", "finer"),
        (pa.array([{}], pa.struct([])), "unsupported", "without fields"),
    ],
    ids=["negative scale beyond 38 digits", "decimal256", "nanoseconds of a zone", "negative", "microseconds", "empty struct"],
)
def test_what_would_lose_something_is_refused(shared, table, values, kind, text):
    with harness.raises(kind, "odd", text):
        shared.ingest(table, pa.table({"odd": values}))
    assert shared.rows(f"SELECT count(*) FROM information_schema.tables WHERE table_name = '{table}'") == [(0,)]


def test_half_floats_keep_every_value(server, name):
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)]
    server.ingest(name, pa.table({"i": range(len(halves)), "h": pa.array(halves)}))
    got = server.table(f"SELECT h FROM {name} ORDER BY i").column(0).to_numpy()
    assert got.tobytes() == halves.astype(np.float32).tobytes()
    least = np.float16(6e-08)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ?", pa.record_batch([pa.array([least])], names=["h"]))
        assert cursor.fetchall() == [(float(least),)]


def test_a_blob_literal_is_a_blob(server, name):
    assert server.rows("SELECT X'00ff41', x'', octet_length(X'0102')") == [(b"\x00\xffA", b"", 2)]
    server.run(f"CREATE TABLE {name} (b BLOB DEFAULT X'ab')", f"INSERT INTO {name} VALUES (X'00'), (DEFAULT)")
    assert server.rows(f"SELECT b FROM {name} WHERE b >= X'00' ORDER BY b") == [(b"\x00",), (b"\xab",)]
    with harness.raises("invalid", "blob literal", "column 8"):
        server.rows("SELECT X'0'")


def test_an_error_about_a_parameter_shows_the_value_and_the_type(server):
    for value, typ, texts in [
        ("abc", "INTEGER", ['"abc"', "INTEGER"]),
        ("x" * 100, "BIGINT", ['"' + "x" * 32 + '..."', "BIGINT"]),
        ("soon", "TIMESTAMP", ['"soon"', "timestamp"]),
    ]:
        with harness.raises("invalid", "parameter 1", *texts):
            server.rows(f"SELECT CAST(? AS {typ}) = CAST(? AS {typ})", (value, value))


def test_rows_that_do_not_fit_the_table_of_create_append_say_that_it_exists(server, name):
    server.ingest(name, pa.table({"i": [1]}))
    for misfit in (pa.table({"zz": [1]}), pa.table({"i": ["x"]})):
        with harness.raises("exists", f"table main.{name} already exists"):
            server.ingest(name, misfit, "create_append")
        with harness.raises("invalid"):
            server.ingest(name, misfit, "append")
    assert server.ingest(name, pa.table({"i": [2]}), "create_append") == 1

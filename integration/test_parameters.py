"""Parameters of every Arrow type, whole record batches of them: as values, in WHERE, and in INSERT."""

import datetime
import decimal
import uuid

import harness
import numpy as np
import pyarrow as pa
import pytest

D = decimal.Decimal
UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 1, 2, 3)
INTERVAL = pa.MonthDayNano([0, 1, 3_000_000])


# name: an array of a value and a null, or that and what the value comes back as
CASES = {
    "bool": pa.array([True, None]),
    "int8": pa.array([-128, None], pa.int8()),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "float16": pa.array([np.float16(1.5), None], pa.float16()),
    "float32": pa.array([1.5, None], pa.float32()),
    "infinity": pa.array([float("-inf"), None]),
    "decimal32": pa.array([D("1.25"), None], pa.decimal32(9, 2)),
    "decimal64": pa.array([D("1.25"), None], pa.decimal64(18, 2)),
    "decimal128": pa.array([D("-1.25"), None], pa.decimal128(38, 2)),
    "decimal256": pa.array([D("1.25"), None], pa.decimal256(38, 2)),
    "date32": pa.array([datetime.date(2024, 2, 29), None]),
    "date64": pa.array([datetime.date(2024, 2, 29), None], pa.date64()),
    "time32": pa.array([datetime.time(1, 2, 3), None], pa.time32("s")),
    "time32 in ms": pa.array([datetime.time(1, 2, 3, 4000), None], pa.time32("ms")),
    "time64": pa.array([datetime.time(1, 2, 3, 4), None], pa.time64("us")),
    "time64 in ns": pa.array([datetime.time(1, 2, 3, 4), None], pa.time64("ns")),
    "timestamp in s": pa.array([MOMENT, None], pa.timestamp("s")),
    "timestamp in ms": pa.array([MOMENT, None], pa.timestamp("ms")),
    "timestamp in ns": pa.array([1709168523123456789, None], pa.timestamp("ns")),
    "timestamp in UTC": pa.array([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("us", "UTC")),
    "timestamp in New York": pa.array([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("ms", "America/New_York")),
    "duration": (pa.array([datetime.timedelta(seconds=3), None]), pa.MonthDayNano([0, 0, 3 * 10**9])),
    "interval": pa.array([INTERVAL, None]),
    "text": pa.array(["it's \U0001f980; --", None]),
    "empty text": pa.array(["", None]),
    "text with NUL": pa.array(["a\x00b", None]),
    "large text": pa.array(["x", None], pa.large_string()),
    "text view": pa.array(["longer than twelve bytes", None], pa.string_view()),
    "binary": pa.array([b"\x00\xff", None]),
    "large binary": pa.array([b"\x00\xff", None], pa.large_binary()),
    "binary view": pa.array([b"\x00longer than twelve bytes", None], pa.binary_view()),
    "fixed-size binary": pa.array([b"ab", None], pa.binary(2)),
    "uuid": pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "list": pa.array([[1, None], None]),
    "empty list": pa.array([[], None], pa.list_(pa.string())),
    "large list": pa.array([[1, None], None], pa.large_list(pa.int64())),
    "fixed-size list": pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int32()), ("b", pa.string())])),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "list of structs": pa.array([[{"a": [1, 2]}], None], pa.list_(pa.struct([("a", pa.list_(pa.int64()))]))),
    "null": pa.nulls(2),
}


@pytest.fixture(scope="module")
def connection(one):
    with one.connect() as connection:
        yield connection


@pytest.mark.parametrize("case", CASES)
def test_a_value_of_every_type_comes_back_is_found_and_is_inserted(connection, name, case):
    array = CASES[case] if isinstance(CASES[case], pa.Array) else CASES[case][0]
    value = array[0].as_py() if isinstance(CASES[case], pa.Array) else CASES[case][1]
    batches = [pa.record_batch([array.slice(k, 1)], names=["p"]) for k in range(2)]
    harness.ingest(connection, name, pa.table({"v": array}))
    with connection.cursor() as cursor:
        for batch, want in zip(batches, [value, None], strict=True):
            assert cursor.execute("SELECT ? AS v", batch).fetchone() == (want,)
            found = cursor.execute(f"SELECT count(*) FROM {name} WHERE v IS NOT DISTINCT FROM ?", batch).fetchone()
            assert found == (2 if value is None else 1,)
            found = cursor.execute(f"SELECT count(*) FROM {name} WHERE v = ?", batch).fetchone()
            assert found == (0 if want is None else 1,)
        cursor.executemany(f"INSERT INTO {name} VALUES (?)", pa.record_batch([array], names=["p"]))
        assert cursor.rowcount == 2
        assert cursor.execute(f"SELECT v FROM {name}").fetchall() == [(value,), (None,)] * 2


@pytest.mark.parametrize("parameters", [(1, "a"), [1, "a"], pa.record_batch({"x": [1], "y": ["a"]})], ids=type)
def test_parameters_come_as_rows_or_as_arrow(connection, parameters):
    with connection.cursor() as cursor:
        assert cursor.execute("SELECT ?, ?", parameters).fetchall() == [(1, "a")]


@pytest.mark.parametrize("sql", ["SELECT $2, $1, $2", "SELECT $second, $first, $second"])
def test_parameters_by_number_and_by_name(connection, sql):
    order = (1, 2) if "$1" in sql else (2, 1)  # names count in the order of their first use
    with connection.cursor() as cursor:
        assert cursor.execute(sql, order).fetchall() == [(2, 1, 2)]


def test_parameters_where_a_query_can_hold_them(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} AS SELECT i, i % 3 AS k FROM range(30) r(i)")
        assert cursor.execute(f"SELECT i FROM {name} ORDER BY i LIMIT ? OFFSET ?", (2, 5)).fetchall() == [(5,), (6,)]
        assert cursor.execute(f"SELECT count(*) FROM {name} WHERE i IN (?, ?, ?)", (1, 2, 99)).fetchone() == (2,)
        assert cursor.execute(f"SELECT count(*) FROM {name} WHERE list_contains(?, i)", ([1, 2, 99],)).fetchone() == (2,)
        assert cursor.execute(f"SELECT k, sum(i + ?) FROM {name} GROUP BY k HAVING k < ? ORDER BY k", (1, 1)).fetchall() == [(0, 145)]
        assert cursor.execute("SELECT * FROM (VALUES (?, ?)) v(a, b)", (1, "x")).fetchall() == [(1, "x")]
        assert cursor.execute("SELECT CASE WHEN ? THEN ? ELSE ? END", (True, "yes", "no")).fetchall() == [("yes",)]
        assert cursor.execute("SELECT i FROM range(?) r(i)", (2,)).fetchall() == [(0,), (1,)]
        assert cursor.execute("SELECT 'a' LIKE ?, '?' || ?", ("A%", "!")).fetchall() == [(False, "?!")]
        cursor.execute(f"CREATE TABLE {name}_2 AS SELECT * FROM {name} WHERE i < ?", (3,))
        assert cursor.execute(f"SELECT count(*) FROM {name}_2").fetchone() == (3,)
        cursor.execute(f"INSERT INTO {name}_2 SELECT i + ?, ? FROM {name} WHERE k = ?", (100, 7, 0))
        assert cursor.rowcount == 10


def test_too_many_too_few_and_misplaced_parameters(connection, name):
    with connection.cursor() as cursor:
        for sql, parameters in [("SELECT ?", (1, 2)), ("SELECT ?, ?", (1,)), ("SELECT 1", (1,)), ("SELECT * FROM ?", ("t",))]:
            with harness.raises("invalid"):
                cursor.execute(sql, parameters)
                cursor.fetchall()
        cursor.execute(f"CREATE TABLE {name} (i TINYINT NOT NULL)")
        for value in (1000, "seven", None):
            with harness.raises("invalid"):
                cursor.execute(f"INSERT INTO {name} VALUES (?)", (value,))
        assert cursor.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)

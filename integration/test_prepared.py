"""Prepared statements with parameters of every type, and executemany."""

import datetime
import decimal
import uuid

import adbc_driver_manager
import harness
import pyarrow as pa
import pytest

UTC = datetime.timezone.utc
PARAMETERS = [
    ("BOOLEAN", pa.bool_(), True),
    ("TINYINT", pa.int8(), -128),
    ("SMALLINT", pa.int16(), 32767),
    ("INTEGER", pa.int32(), -1),
    ("BIGINT", pa.int64(), 2**63 - 1),
    ("UTINYINT", pa.uint8(), 255),
    ("USMALLINT", pa.uint16(), 65535),
    ("UINTEGER", pa.uint32(), 2**32 - 1),
    ("UBIGINT", pa.uint64(), 2**64 - 1),
    ("FLOAT", pa.float32(), 1.5),
    ("DOUBLE", pa.float64(), -0.1),
    ("DECIMAL(38,10)", pa.decimal128(38, 10), decimal.Decimal("-1234567890123456789.0123456789")),
    ("DATE", pa.date32(), datetime.date(2024, 2, 29)),
    ("TIME", pa.time64("us"), datetime.time(23, 59, 59, 999999)),
    ("TIMESTAMP", pa.timestamp("us"), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC"), datetime.datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("VARCHAR", pa.string(), "it's \U0001f980; DROP TABLE x --"),
    ("BLOB", pa.binary(), b"\x00\xff"),
    ("INTEGER[]", pa.list_(pa.int32()), [1, None, 3]),
    ("STRUCT(a INTEGER, b VARCHAR)", pa.struct([("a", pa.int32()), ("b", pa.string())]), {"a": 1, "b": None}),
]


@pytest.mark.parametrize(("sql_type", "arrow_type", "value"), PARAMETERS, ids=[p[0] for p in PARAMETERS])
def test_a_parameter_of_every_type(shared, sql_type, arrow_type, value):
    with shared.connect() as connection, connection.cursor() as cursor:
        for bound in (value, None):
            batch = pa.record_batch([pa.array([bound], arrow_type)], names=["p"])
            cursor.execute(f"SELECT $1::{sql_type} AS v, typeof($1::{sql_type}) AS t", batch)
            ((got, name),) = cursor.fetchall()
            assert got == bound
            assert name == sql_type


def test_a_parameter_prunes_and_filters_like_a_literal(shared, table):
    shared.run(f"CREATE TABLE {table} (k BIGINT, u UUID, d DECIMAL(9,2), ts TIMESTAMP) WITH (row_group_rows = 10)")
    shared.run(f"INSERT INTO {table} SELECT i, uuid(), i / 4, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR FROM range(100) r(i)")
    one = shared.rows(f"SELECT k, u FROM {table} WHERE k = ?", (42,))
    assert one == shared.rows(f"SELECT k, u FROM {table} WHERE k = 42")
    assert len(one) == 1
    assert shared.rows(f"SELECT k FROM {table} WHERE d = ?", (decimal.Decimal("10.50"),)) == [(42,)]
    assert shared.rows(f"SELECT k FROM {table} WHERE ts = ?", (datetime.datetime(2024, 1, 2, 18),)) == [(42,)]
    assert shared.rows(f"SELECT k FROM {table} WHERE u::VARCHAR = ?", (str(as_uuid(one[0][1])),)) == [(42,)]
    assert shared.rows(f"SELECT count(*) FROM {table} WHERE k BETWEEN ? AND ?", (10, 19)) == [(10,)]
    assert shared.rows(f"SELECT count(*) FROM {table} WHERE k = ?", (None,)) == [(0,)]


def as_uuid(value):
    return value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value) if isinstance(value, bytes) else value


def test_a_statement_runs_again_with_other_parameters(shared, table):
    shared.run(f"CREATE TABLE {table} AS SELECT i FROM range(10) r(i)")
    with shared.connect() as connection, connection.cursor() as cursor:
        for k in range(10):
            cursor.execute(f"SELECT i FROM {table} WHERE i = ?", (k,))
            assert cursor.fetchall() == [(k,)]
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchall() == [(10,)]
        shared.run(f"INSERT INTO {table} VALUES (10)")
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchall() == [(11,)], "a prepared statement reads the current snapshot each time it runs"


def test_executemany_runs_once_for_each_row(shared, table):
    shared.run(f"CREATE TABLE {table} (i BIGINT, s VARCHAR)")
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(k, f"row {k}") for k in range(20)] + [(None, None)])
    assert shared.rows(f"SELECT count(*), count(i), max(s) FROM {table}") == [(21, 20, "row 9")]
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", [])
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(21,)]


@pytest.mark.parametrize("rows", [[(None, None, None)], [(None, None, None), (None, "b", None)]], ids=["one", "two"])
def test_none_goes_into_a_column_of_any_type(shared, table, rows):
    shared.run(f"CREATE TABLE {table} (i INTEGER, s VARCHAR, l INTEGER[])")
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        assert cursor.rowcount == len(rows)
        cursor.execute(f"INSERT INTO {table} SELECT ?, ?, ?", rows[0])
        cursor.execute(f"SELECT count(*) FROM {table} WHERE i = ? OR s = ?", rows[0][:2])
        assert cursor.fetchone() == (0,)
        cursor.execute(f"SELECT count(*) FROM {table} WHERE i IS NOT DISTINCT FROM ?", (None,))
        assert cursor.fetchone() == (len(rows) + 1,)


def test_ddl_and_inserts_run_exactly_once_though_nothing_is_fetched(shared, table):
    with shared.connect() as connection:
        for sql in (f"CREATE TABLE {table} (i BIGINT)", f"INSERT INTO {table} VALUES (1)"):
            with connection.cursor() as cursor:
                cursor.execute(sql)
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (2)")
        cursor.fetchall()
    assert shared.rows(f"SELECT i FROM {table} ORDER BY i") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT ?::INTEGER + 1", [pa.int32()]),
        ("SELECT * FROM range(10) r(i) WHERE i = ?", [pa.int64()]),
        ("SELECT $1::DATE, $2::VARCHAR, $1::DATE", [pa.date32(), pa.string()]),
        ("SELECT 1", []),
    ],
)
def test_types_of_parameters_are_told(shared, sql, types):
    with shared.connect() as connection:
        statement = adbc_driver_manager.AdbcStatement(connection.adbc_connection)
        try:
            statement.set_sql_query(sql)
            statement.prepare()
            handle = statement.get_parameter_schema()
            schema = pa.schema(handle)
        finally:
            statement.close()
    assert [field.type for field in schema] == types


def test_the_schema_of_a_query_is_known_without_running_it(shared):
    with shared.connect() as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT 1::UTINYINT AS a, NULL::DECIMAL(7,3) AS b, error('run') AS c")
    assert [str(f.type) for f in schema][:2] == ["uint8", "decimal128(7, 3)"]


def test_too_few_parameters_and_wrong_types_are_refused(shared):
    with harness.raises("invalid"):
        shared.rows("SELECT ?::INTEGER + ?::INTEGER", (1,))
    with harness.raises("invalid", "INTEGER"):
        shared.rows("SELECT ?::INTEGER", ("seven",))

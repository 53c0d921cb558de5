"""Data frames in and out: every mode of adbc_ingest, Polars and pandas."""

import adbc_driver_manager.dbapi
import harness
import pandas
import polars
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

SMALL = pa.table({"id": [1, 2, 3], "name": ["a", None, "\U0001f980"], "x": [1.5, float("nan"), None]})


def test_the_modes_of_ingest(shared, table):
    with harness.raises("not_found", table):
        shared.ingest(table, SMALL, "append")
    assert shared.ingest(table, SMALL, "create") == 3
    with harness.raises("exists", table):
        shared.ingest(table, SMALL, "create")
    assert shared.ingest(table, SMALL, "append") == 3
    assert shared.ingest(table, SMALL, "create_append") == 3
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(9,)]
    before = shared.snapshot()
    assert shared.ingest(table, pa.table({"other": [1]}), "replace") == 1
    assert shared.snapshot() == before + 1, "a replacement is one snapshot"
    assert shared.table(f"SELECT * FROM {table}").to_pydict() == {"other": [1]}
    assert shared.rows(f"SELECT count(*) FROM {table} AT (VERSION => {before})") == [(9,)]
    assert shared.ingest(f"{table}_2", SMALL, "create_append") == 3
    shared.run(f"DROP TABLE {table}_2")


def test_ingest_into_a_named_schema(shared, table):
    shared.run(f"CREATE SCHEMA s_{table}")
    shared.ingest(table, SMALL, "create", db_schema_name=f"s_{table}")
    shared.ingest(table, SMALL, "append", catalog_name="lake", db_schema_name=f"s_{table}")
    assert shared.rows(f"SELECT count(*) FROM s_{table}.{table}") == [(6,)]
    with harness.raises("not_found"):
        shared.ingest(table, SMALL, "create", db_schema_name="nosuch")
    shared.run(f"DROP TABLE s_{table}.{table}", f"DROP SCHEMA s_{table}")


def test_ingest_without_autocommit_is_seen_at_once_by_the_same_connection(shared, table):
    with shared.connect(autocommit=False) as connection:
        harness.ingest(connection, table, SMALL)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchall() == [(3,)]
        connection.commit()
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(3,)]


def test_an_empty_stream_makes_an_empty_table(shared, table):
    assert shared.ingest(table, SMALL.slice(0, 0)) == 0
    got = shared.table(f"SELECT * FROM {table}")
    assert got.num_rows == 0 and got.column_names == SMALL.column_names


def test_columns_are_matched_by_name_and_missing_ones_are_null(shared, table):
    shared.run(f"CREATE TABLE {table} (a BIGINT, b VARCHAR, c DOUBLE)")
    shared.ingest(table, pa.table({"c": [0.5], "a": pa.array([7], pa.int32())}), "append")
    assert shared.rows(f"SELECT * FROM {table}") == [(7, None, 0.5)]


ARROW_ONLY = {
    "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
    "large string": pa.array(["x", None, "y"], pa.large_string()),
    "string view": pa.array(["x", None, "a string that is longer than a view"], pa.string_view()),
    "binary view": pa.array([b"x", None, b"bytes that are longer than a view"], pa.binary_view()),
    "fixed binary": pa.array([b"xy", None, b"zz"], pa.binary(2)),
    "large list": pa.array([[1], None, []], pa.large_list(pa.int64())),
    "fixed list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)),
    "date64": pa.array([86400000, None, -86400000], pa.int64()).cast(pa.timestamp("ms")).cast(pa.date64()),
    "time32": pa.array([1, None, 86399], pa.int32()).cast(pa.time32("s")),
    "timestamp s": pa.array([1, None, -1], pa.timestamp("s")),
    "timestamp ns": pa.array([1, None, -1], pa.timestamp("ns")),
    "timestamp tz": pa.array([1, None, -1], pa.timestamp("ms", "America/New_York")),
    "float16": pa.array([1.5, None, -2.0], pa.float16()),
    "decimal256": pa.array([1, None, -2], pa.int64()).cast(pa.decimal256(30, 2)),
    "decimal32": pa.array([1, None, -2], pa.int32()).cast(pa.decimal128(12, 2)).cast(pa.decimal128(9, 2)),
    "null": pa.nulls(3),
    "uuid": pa.array([b"\x01" * 16, None, b"\xff" * 16], pa.uuid()),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "interval": pa.array([(1, 2, 3_000_000), None, (0, 0, 0)], pa.month_day_nano_interval()),
}


@pytest.mark.parametrize("name", ARROW_ONLY)
def test_arrow_types_that_sql_does_not_name(shared, table, name):
    column = ARROW_ONLY[name]
    shared.ingest(table, pa.table({"i": [0, 1, 2], "v": column}))
    got = shared.table(f"SELECT v FROM {table} ORDER BY i").column(0).to_pylist()
    assert [comparable(v) for v in got] == [comparable(v) for v in column.to_pylist()]
    assert shared.rows(f"SELECT count(*) FROM {table} WHERE v IS NULL") == [(column.null_count,)]


def comparable(value):
    """Equal instants, maps and intervals have several forms in Python."""
    if hasattr(value, "timestamp") and getattr(value, "tzinfo", None) is not None:
        return value.timestamp()
    if hasattr(value, "isoformat"):
        return value.isoformat().rstrip("0").rstrip(".") if "." in value.isoformat() else value.isoformat()
    return value


@pytest.fixture
def uri(shared):
    """The server's address as Polars takes it: it picks the driver by the scheme."""
    return shared.uri.replace("grpc://", "flightsql://") + "?transport=tcp"


POLARS = polars.DataFrame({"id": [1, 2, 3], "s": ["a", None, "c"], "l": [[1], [], None], "x": [0.5, None, 2.0]})


def test_polars_writes_and_reads_by_uri(shared, table, uri):
    assert POLARS.write_database(table, uri, engine="adbc") == 3
    got = polars.read_database_uri(f"SELECT * FROM {table} ORDER BY id", uri, engine="adbc")
    assert_frame_equal(got, POLARS)
    one = polars.read_database_uri(
        f"SELECT id FROM {table} WHERE s = ?", uri, engine="adbc", execute_options={"parameters": ("c",)}
    )
    assert one["id"].to_list() == [3]
    with pytest.raises(adbc_driver_manager.dbapi.ProgrammingError, match="already exists"):
        POLARS.write_database(table, uri, engine="adbc", if_table_exists="fail")
    assert POLARS.write_database(table, uri, engine="adbc", if_table_exists="append") == 3
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(6,)]
    assert POLARS.select("id").write_database(table, uri, engine="adbc", if_table_exists="replace") == 3
    assert shared.table(f"SELECT * FROM {table}").to_pydict() == {"id": [1, 2, 3]}


def test_polars_writes_to_qualified_names(shared, table, uri):
    shared.run(f"CREATE SCHEMA s_{table}")
    for name in (f"s_{table}.t", f"lake.s_{table}.t", f'"lake"."s_{table}"."t"'):
        assert POLARS.write_database(name, uri, engine="adbc", if_table_exists="append") == 3
    assert shared.rows(f"SELECT count(*) FROM s_{table}.t") == [(9,)]
    assert POLARS.write_database(f"s_{table}.t", uri, engine="adbc", if_table_exists="replace") == 3
    assert shared.rows(f"SELECT count(*) FROM s_{table}.t") == [(3,)]
    with pytest.raises(adbc_driver_manager.dbapi.ProgrammingError, match="nosuch"):
        POLARS.write_database("nosuch.t", uri, engine="adbc")
    shared.run(f"DROP TABLE s_{table}.t", f"DROP SCHEMA s_{table}")


@pytest.mark.parametrize("autocommit", [True, False], ids=["autocommit", "transactions"])
def test_polars_writes_and_reads_through_a_connection(shared, table, autocommit):
    with shared.connect(autocommit=autocommit) as connection:
        assert POLARS.write_database(table, connection, engine="adbc") == 3
        assert_frame_equal(polars.read_database(f"SELECT * FROM {table} ORDER BY id", connection), POLARS)
        options = {"parameters": (1,)}
        again = polars.read_database(f"SELECT id FROM {table} WHERE id > ? ORDER BY id", connection, execute_options=options)
        assert again["id"].to_list() == [2, 3]
        sql = "SELECT i FROM range(100000) r(i)"
        batches = list(polars.read_database(sql, connection, iter_batches=True, batch_size=10000))
        assert len(batches) > 1 and sum(len(batch) for batch in batches) == 100000
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(3,)], "Polars commits what it writes"


def test_pandas_writes_and_reads(shared, table):
    times = pandas.to_datetime(["2024-02-29", None, "1969-12-31"])
    frame = pandas.DataFrame({"id": [1, 2, 3], "t": times, "x": [0.5, None, 2.0]})
    with shared.connect() as connection:
        assert frame.to_sql(table, connection, index=False) == 3
        frame.to_sql(table, connection, index=False, if_exists="append")
        got = pandas.read_sql(f"SELECT * FROM {table} ORDER BY id", connection)
        assert got["id"].tolist() == [1, 1, 2, 2, 3, 3]
        assert got["t"].isna().sum() == 2
        frame.to_sql(table, connection, index=False, if_exists="replace")
        assert len(pandas.read_sql(f"SELECT * FROM {table}", connection)) == 3
        with pytest.raises((ValueError, adbc_driver_manager.dbapi.Error)):
            frame.to_sql(table, connection, index=False, if_exists="fail")
        assert pandas.read_sql(f"SELECT id FROM {table}", connection, dtype_backend="pyarrow").dtypes["id"] == "int64[pyarrow]"
        assert pandas.read_sql_table(table, connection, columns=["id"])["id"].tolist() == [1, 2, 3]


NARROW = {"TINYINT": (-128, 127), "INTEGER": (-(2**31), 2**31 - 1), "UINTEGER": (0, 2**32 - 1), "UBIGINT": (0, 2**63 - 1)}


@pytest.mark.parametrize("sql_type", NARROW)
@pytest.mark.parametrize("temporary", [False, True], ids=["table", "temporary"])
def test_integers_of_frames_go_into_narrower_columns_if_they_fit(shared, table, sql_type, temporary):
    low, high = NARROW[sql_type]
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE {'TEMP ' if temporary else ''}TABLE {table} (id {sql_type}, n {sql_type})")
        if temporary:
            cursor.adbc_ingest(table, pa.table({"id": [low, high], "n": [1, 2]}), mode="append", temporary=True)
        else:
            pandas.DataFrame({"id": [low, high], "n": [1, 2]}).to_sql(table, connection, if_exists="append", index=False)
            frame = polars.DataFrame({"id": [high, None], "n": [3, 4]}, schema={"id": polars.Int64, "n": polars.Int64})
            frame.write_database(table, connection, engine="adbc", if_table_exists="append")
        want = [(low, 1), (high, 2)] + ([] if temporary else [(high, 3), (None, 4)])
        cursor.execute(f"SELECT id, n FROM {table} ORDER BY n")
        assert cursor.fetchall() == want
        for bad in (bad for bad in (low - 1, high + 1) if -(2**63) <= bad < 2**63):
            with harness.raises("invalid", 'column "id"', "out of the range") as caught:
                rows = pa.table({"id": [low] * 5000 + [bad], "n": [5] * 5001})
                cursor.adbc_ingest(table, rows, mode="append", temporary=temporary)
            assert str(bad) not in str(caught.value).replace("-", " -").split(), "values are not told"
        cursor.execute(f"SELECT count(*) FROM {table} WHERE id >= {low} OR id IS NULL")
        assert cursor.fetchall() == [(len(want),)], "of a frame that does not fit nothing is appended"
        cursor.execute(f"SELECT min(id), max(id), count(*) FROM {table} WHERE id = {high}")
        assert cursor.fetchall() == [(high, high, len(want) - (1 if temporary else 2))]


def test_pandas_with_a_schema(shared, table):
    shared.run(f"CREATE SCHEMA s_{table}")
    frame = pandas.DataFrame({"id": [1, 2]}, index=pandas.Index(["a", "b"], name="key"))
    with shared.connect() as connection:
        for mode, rows in [("fail", 2), ("append", 4), ("replace", 2)]:
            frame.to_sql("t", connection, schema=f"s_{table}", if_exists=mode)
            assert shared.rows(f"SELECT count(*) FROM s_{table}.t") == [(rows,)]
        assert pandas.read_sql(f"SELECT * FROM s_{table}.t", connection, index_col="key").loc["b", "id"] == 2
    shared.run(f"DROP TABLE s_{table}.t", f"DROP SCHEMA s_{table}")


@pytest.mark.parametrize("mode", ["fail", "append", "replace"])
def test_pandas_in_a_transaction(shared, table, mode):
    if mode != "fail":
        shared.run(f"CREATE TABLE {table} AS SELECT 7::BIGINT AS id")
    frame = pandas.DataFrame({"id": [1, 2]})
    with shared.connect(autocommit=False) as connection:
        assert frame.to_sql(table, connection, index=False, if_exists=mode) == 2
        rows = 3 if mode == "append" else 2
        assert len(pandas.read_sql(f"SELECT * FROM {table}", connection)) == rows
        connection.commit()
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(rows,)]


def test_a_polars_frame_of_many_chunks_is_one_append(shared, table):
    frame = polars.DataFrame({"i": range(300_000), "s": ["some text to make it wide"] * 300_000})
    before = shared.snapshot()
    shared.ingest(table, frame.to_arrow())
    assert shared.snapshot() == before + 1
    assert shared.rows(f"SELECT count(*), sum(i) FROM {table}") == [(300_000, sum(range(300_000)))]

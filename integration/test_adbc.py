"""The Python driver's DB-API and its low level, as it comes: connections, cursors,
results, parameters, row counts, schemas, errors, headers and threads."""

import concurrent.futures
import contextlib
import datetime
import time
import warnings

import adbc_driver_flightsql
import adbc_driver_manager
import duckdb
import harness
import pyarrow as pa
import pyarrow.flight
import pytest

Error = adbc_driver_manager.Error
INCREMENTAL = adbc_driver_manager.StatementOptions.INCREMENTAL.value


@pytest.fixture
def cursor(one):
    """A cursor on a connection that commits each statement."""
    with one.connect() as connection, connection.cursor() as cursor:
        yield cursor


def test_connecting_with_nothing_but_the_address_raises_no_warning(one, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with adbc_driver_flightsql.dbapi.connect(one.uri) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name} AS SELECT 1 AS i")
            connection.commit()
            cursor.execute(f"SELECT * FROM {name}")
            assert cursor.fetchall() == [(1,)]
        with adbc_driver_flightsql.dbapi.connect(one.uri, autocommit=True) as connection, connection.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_credentials_that_nobody_asked_for_do_no_harm(one):
    with one.connect(username="someone", password="secret") as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 42").fetchall() == [(42,)]


# Results in every form.


def test_every_way_to_fetch(cursor):
    sql = "SELECT i, 's' || i AS s FROM range(5) r(i) ORDER BY i"
    want = [(i, f"s{i}") for i in range(5)]
    cursor.execute(sql)
    assert cursor.fetchone() == want[0]
    assert cursor.fetchmany(2) == want[1:3]
    assert list(cursor) == want[3:]
    assert cursor.fetchone() is None and cursor.fetchall() == []
    assert [column[0] for column in cursor.description] == ["i", "s"]
    assert cursor.execute(sql).fetch_arrow_table().to_pydict() == {"i": list(range(5)), "s": [s for _, s in want]}
    assert cursor.execute(sql).fetchallarrow().num_rows == 5
    assert cursor.execute(sql).fetch_df()["s"].tolist() == [s for _, s in want]
    assert cursor.execute(sql).fetch_polars().rows() == want
    assert sum(batch.num_rows for batch in cursor.execute(sql).fetch_record_batch()) == 5
    assert pa.RecordBatchReader.from_stream(cursor.execute(sql).fetch_arrow()).read_all().num_rows == 5


def test_rows_of_no_columns_and_columns_of_no_rows(cursor):
    got = cursor.execute("SELECT 1 AS a, [1] AS b WHERE false").fetch_arrow_table()
    assert (got.num_rows, got.column_names) == (0, ["a", "b"])
    assert cursor.execute("SELECT 1 AS a WHERE false").fetchall() == []
    assert cursor.execute("SELECT 1 AS a WHERE false").fetch_df().shape == (0, 1)


def test_duckdb_reads_the_stream(cursor):
    cursor.execute("SELECT i, i % 10 AS k, 's' || i AS s FROM range(100000) r(i)")
    stream = duckdb.from_arrow(cursor.fetch_record_batch())
    assert stream.aggregate("k, count(*) AS n, min(i)", "k").order("k").fetchall() == [(k, 10000, k) for k in range(10)]
    reader = cursor.execute("SELECT i FROM range(1000) r(i)").fetch_record_batch()  # noqa: F841, DuckDB finds it by name
    assert duckdb.sql("SELECT sum(i) FROM reader").fetchall() == [(499500,)]


def test_one_statement_can_run_incrementally(one):
    with one.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{INCREMENTAL: "true"})
        partitions, schema = cursor.adbc_execute_partitions("SELECT i FROM range(10) r(i)")
        while not partitions:
            partitions, schema = cursor.adbc_execute_partitions("SELECT i FROM range(10) r(i)")
        assert schema.names == ["i"]
        rows = []
        for partition in partitions:
            cursor.adbc_read_partition(partition)
            rows += cursor.fetchall()
        assert sorted(rows) == [(i,) for i in range(10)]
        assert cursor.adbc_execute_partitions("SELECT i FROM range(10) r(i)")[0] == [], "there is no more to come"


# Counts.


def test_row_counts_are_told_wherever_they_are_known(cursor, name):
    cursor.execute(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)")
    assert cursor.rowcount == 0
    cursor.execute(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
    assert cursor.rowcount == 2
    cursor.execute(f"INSERT INTO {name} SELECT i, 'c' FROM range(98) r(i)")
    assert cursor.rowcount == 98
    cursor.executemany(f"INSERT INTO {name} VALUES (?, ?)", [(1, "x"), (2, None), (3, "z")])
    assert cursor.rowcount == 3
    for sql, rows in [
        (f"SELECT * FROM {name}", 103),
        (f"SELECT s, i FROM {name}", 103),
        (f"SELECT count(*) FROM {name}", 1),
        (f"SELECT * FROM {name} LIMIT 7", 7),
    ]:
        cursor.execute(sql)
        told = cursor.rowcount
        assert (told, len(cursor.fetchall())) == (rows, rows), sql
    cursor.execute(f"SELECT * FROM {name} WHERE s = 'x'")
    assert cursor.rowcount in (-1, 1) and len(cursor.fetchall()) == 1
    cursor.execute(f"CREATE TABLE {name}_2 AS FROM {name}")
    assert cursor.rowcount in (0, 103)
    cursor.execute(f"DROP TABLE {name}_2")
    assert cursor.rowcount == 0


def test_ddl_runs_though_nothing_is_fetched(one, name):
    with one.connect() as connection:
        for sql in (f"CREATE TABLE {name} (i BIGINT)", f"INSERT INTO {name} VALUES (1)", f"DROP TABLE {name}"):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                if "INSERT" in sql:
                    assert one.rows(f"SELECT * FROM {name}") == [(1,)]
    with harness.raises("not_found"):
        one.rows(f"FROM {name}")


# Statements of the low level.


@contextlib.contextmanager
def statement(server, **options):
    with server.connect(**options) as connection:
        statement = adbc_driver_manager.AdbcStatement(connection.adbc_connection)
        try:
            yield statement
        finally:
            statement.close()


def bind(statement, batch):
    array, schema = batch.__arrow_c_array__()[::-1]
    statement.bind(array, schema)


def result(statement):
    stream, rows = statement.execute_query()
    return pa.RecordBatchReader.from_stream(stream).read_all(), rows


def test_a_query_bound_to_many_rows_runs_once_for_each(one):
    with statement(one) as s:
        s.set_sql_query("SELECT $1 AS k, i FROM range($1::BIGINT) r(i)")
        s.prepare()
        bind(s, pa.record_batch({"p": pa.array([1, 0, 3, 2], pa.int64())}))
        got, rows = result(s)
        assert got.to_pylist() == [{"k": k, "i": i} for k in (1, 0, 3, 2) for i in range(k)]
        assert rows in (-1, 6)
        bind(s, pa.record_batch({"p": pa.array([2], pa.int64())}))
        assert result(s)[0].num_rows == 2


def test_an_update_bound_to_many_rows_runs_once_for_each_and_is_one_snapshot(one, name):
    one.run(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)")
    before = one.snapshot()
    with statement(one) as s:
        s.set_sql_query(f"INSERT INTO {name} VALUES ($1, $2)")
        s.prepare()
        bind(s, pa.record_batch({"a": [1, 2, 3], "b": ["x", None, "z"]}))
        assert s.execute_update() == 3
        assert one.snapshot() == before + 1
        bind(s, pa.record_batch({"a": [4], "b": ["y"]}))
        assert s.execute_update() == 1
    assert one.rows(f"SELECT * FROM {name} ORDER BY i") == [(1, "x"), (2, None), (3, "z"), (4, "y")]


def test_a_statement_without_prepare(one, name):
    with statement(one) as s:
        for sql, rows in [(f"CREATE TABLE {name} (i BIGINT)", 0), (f"INSERT INTO {name} SELECT * FROM range(7)", 7)]:
            s.set_sql_query(sql)
            assert s.execute_update() == rows
        s.set_sql_query(f"SELECT * FROM {name}")
        assert pa.schema(s.execute_schema()).names == ["i"]
        got, rows = result(s)
        assert (got.num_rows, rows) == (7, 7)


@pytest.mark.parametrize(
    "sql",
    [
        "EXPLAIN SELECT 1", "DESCRIBE SELECT 1 AS i", "SHOW TABLES", "SET timezone = 'UTC'", "RESET timezone",
        "CALL lake.snapshots()", "FROM range(3)", "VALUES (1, 'a')", "SUMMARIZE SELECT 1 AS i", "SELECT 1; ", "EXPLAIN ANALYZE SELECT 1",
        "-- a comment\nSELECT 1 /* and another */", "WITH c AS (SELECT 1 AS i) SELECT * FROM c", 
    ],
)
def test_every_kind_of_statement_prepares_and_runs_twice(cursor, sql):
    cursor.adbc_prepare(sql)
    for _ in range(2):
        cursor.execute(sql)
        cursor.fetchall()


def test_adbc_prepare_tells_the_parameters(cursor, name):
    cursor.execute(f"CREATE TABLE {name} (i BIGINT, d DATE, l VARCHAR[])")
    schema = cursor.adbc_prepare(f"INSERT INTO {name} VALUES (?, ?, ?)")
    assert schema.types == [pa.int64(), pa.date32(), pa.list_(pa.string())]
    assert cursor.adbc_prepare(f"SELECT * FROM {name} WHERE d > ? AND i = ?").types == [pa.date32(), pa.int64()]
    assert cursor.adbc_prepare("SELECT 1") == pa.schema([])
    assert cursor.adbc_execute_schema(f"SELECT * FROM {name}").types == [pa.int64(), pa.date32(), pa.list_(pa.string())]


def test_a_cursor_goes_through_statements_of_all_kinds(cursor, name):
    for k in range(3):
        cursor.execute(f"CREATE OR REPLACE TABLE {name} (i BIGINT)")
        cursor.executemany(f"INSERT INTO {name} VALUES (?)", [(1,), (2,)])
        cursor.execute(f"SELECT sum(i) FROM {name} WHERE i < ?", (3 + k,))
        assert cursor.fetchone() == (3,)
        with pytest.raises(Error):
            cursor.execute("SELECT nosuch")


# The connection.


def test_what_a_connection_tells_of_the_server(one, name):
    one.run(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)")
    with one.connect() as connection:
        info = connection.adbc_get_info()
        assert info["vendor_name"] == "flightlake" and info["vendor_version"]
        assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("lake", "main")
        assert "TABLE" in connection.adbc_get_table_types()
        assert connection.adbc_get_table_schema(name, db_schema_filter="main").names == ["i", "s"]
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="NOT_FOUND"):
            connection.adbc_get_table_schema("nosuch")
        objects = connection.adbc_get_objects(depth="all", table_name_filter=name).read_all().to_pylist()
        (table,) = objects[0]["catalog_db_schemas"][0]["db_schema_tables"]
        assert [column["column_name"] for column in table["table_columns"]] == ["i", "s"]


ERRORS = [
    ("SELEC 1", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
    ("SELECT nosuch", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
    ("SELECT * FROM nosuch", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("SELECT * FROM nosuch.t", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("SELECT * FROM nosuch.main.t", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("CREATE SCHEMA main", "exists", adbc_driver_manager.ProgrammingError, "ALREADY_EXISTS"),
    ("DELETE FROM lake", "unsupported", adbc_driver_manager.NotSupportedError, "NOT_IMPLEMENTED"),
    ("SELECT * FROM read_csv('/etc/passwd')", "forbidden", adbc_driver_manager.ProgrammingError, "UNAUTHORIZED"),
    ("SELECT error('on purpose')", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
    ("SELECT 'x'::INTEGER", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
    ("KILL 'nosuch'", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("USE nosuch", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("SET nosuch = 1", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("SET schema = 'nosuch'", "not_found", adbc_driver_manager.ProgrammingError, "NOT_FOUND"),
    ("COMMIT", "state", adbc_driver_manager.OperationalError, "UNKNOWN"),
    (" ", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
    ("SELECT 1; SELECT 2", "invalid", adbc_driver_manager.ProgrammingError, "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize(("sql", "kind", "error", "status"), ERRORS, ids=[e[0] for e in ERRORS])
def test_errors_have_the_class_of_their_kind(cursor, sql, kind, error, status):
    with harness.raises(kind) as caught:
        cursor.execute(sql)
        cursor.fetchall()
    assert type(caught.value) is error
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode[status]
    assert cursor.execute("SELECT 1").fetchall() == [(1,)], "the connection goes on"


def test_an_error_in_the_middle_of_a_result_reaches_the_client(cursor):
    cursor.execute("SELECT CASE WHEN i < 900000 THEN i ELSE error('row ' || i) END FROM range(1000000) r(i)")
    with harness.raises("invalid", "row 9"):
        cursor.fetch_arrow_table()


def test_an_unknown_handle_a_closed_one_and_a_forged_ticket(one):
    with one.connect() as connection, connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions("SELECT 1")
        (endpoint,) = pyarrow.flight.FlightInfo.deserialize(partitions[0]).endpoints
        ticket = endpoint.ticket.ticket
        at = partitions[0].index(ticket)
        for k in range(ticket.index(b"TicketStatementQuery"), len(ticket), 5):
            forged = bytearray(partitions[0])
            forged[at + k] ^= 1
            with pytest.raises(adbc_driver_manager.ProgrammingError, match="INVALID_ARGUMENT"):
                cursor.adbc_read_partition(bytes(forged))
                cursor.fetchall()
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    with pytest.raises(Error):
        cursor.execute("SELECT 1")


# Headers.


def test_headers_of_64_kib_pass(one):
    options = {f"adbc.flight.sql.rpc.call_header.x-large-{k}": "v" * 8000 for k in range(8)}
    with one.connect(**options) as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_unknown_headers_are_ignored(one):
    options = {"adbc.flight.sql.rpc.call_header.authorization-nosuch": "Bearer x"}
    with one.connect(**options) as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


# Many at once.


def test_several_cursors_of_one_connection_stream_at_once(one):
    with one.connect() as connection, contextlib.ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in range(5)]
        readers = []
        for k, cursor in enumerate(cursors):
            cursor.execute(f"SELECT i + {k} AS i FROM range(200000) r(i)")
            readers.append(cursor.fetch_record_batch())
        sums = [0] * len(readers)
        for _ in range(3):
            for k, reader in enumerate(readers):
                sums[k] += sum(reader.read_next_batch().column(0).to_pylist())
        for k, reader in enumerate(readers):
            sums[k] += sum(sum(batch.column(0).to_pylist()) for batch in reader)
        assert sums == [sum(range(k, 200000 + k)) for k in range(5)]


def test_a_cursor_that_is_left_unread_holds_up_nothing(one, name):
    with one.connect() as connection:
        with connection.cursor() as unread:
            unread.execute("SELECT i, repeat('x', 100) FROM range(1000000) r(i)")
            reader = unread.fetch_record_batch()
            reader.read_next_batch()
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE {name} (i BIGINT)")
                cursor.execute(f"INSERT INTO {name} VALUES (1)")
                assert cursor.execute(f"FROM {name}").fetchall() == [(1,)]
            reader.close()
        harness.wait_until(lambda: running(one) == 0, 5, "the end of a result that nobody reads")


def test_64_results_that_are_left_unread_hold_up_nothing(one):
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(one.connect())
        unread = []
        for k in range(64):
            cursor = stack.enter_context(connection.cursor())
            cursor.execute(f"SELECT i, repeat('x', 100) FROM range({k}, 1000000) r(i)")
            unread.append(stack.enter_context(cursor.fetch_record_batch()))
            assert unread[-1].read_next_batch().column(0)[0].as_py() == k
        start = time.monotonic()
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]
        assert time.monotonic() - start < 5, "at once, but for a busy machine"
        assert running(one) == 64
        assert unread[-1].read_all().num_rows < 1000000 - 63, "what was left unread goes on"
    harness.wait_until(lambda: running(one) == 0, 5, "the end of results that nobody reads")


def running(server):
    """How many statements run besides the one that asks."""
    return server.rows("SELECT count(*) FROM lake.statements() WHERE sql NOT LIKE '%lake.statements%'")[0][0]


def test_many_threads_with_a_connection_each(one, name):
    one.run(f"CREATE TABLE {name} (k BIGINT, i BIGINT)")

    def work(k):
        with one.connect(autocommit=False) as connection:
            for i in range(5):
                with connection.cursor() as cursor:
                    cursor.execute(f"INSERT INTO {name} VALUES (?, ?)", (k, i))
                    cursor.execute(f"SELECT count(*) FROM {name} WHERE k = ?", (k,))
                    assert cursor.fetchone() == (i + 1,)
                connection.commit()
        return k

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(work, range(12))) == list(range(12))
    assert one.rows(f"SELECT count(*), count(DISTINCT k) FROM {name}") == [(60, 12)]


def test_threads_that_share_one_connection(one):
    with one.connect() as connection:

        def work(k):
            with connection.cursor() as cursor:
                cursor.execute("SELECT ? + 1", (k,))
                return cursor.fetchone()[0]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(40))) == [k + 1 for k in range(40)]


def test_dates_and_times_are_pythons(cursor):
    cursor.execute("SELECT DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00', TIME '23:59:59', TIMESTAMPTZ '2024-02-29 12:00:00+02', INTERVAL 3 DAY")
    day, moment, time, zoned, interval = cursor.fetchone()
    assert (day, moment) == (datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12))
    assert time == datetime.time(23, 59, 59)
    assert zoned == datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.timezone.utc)
    assert (interval.months, interval.days, interval.nanoseconds) == (0, 3, 0)

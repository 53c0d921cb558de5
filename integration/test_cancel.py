"""Ending work: cancelled by the driver, by KILL, by a time limit, or because its client is gone.

Whatever the way, the statement leaves `lake.statements()` and its memory within a second or so.
"""

import os
import subprocess
import sys
import textwrap
import threading
import time

import adbc_driver_manager
import harness
import pyarrow as pa
import pytest

# Time until everything is gone: what is asked for is a second; a busy machine gets more.
GONE_SECONDS = 5
# Statements that would take minutes: in DuckDB before its first row, in DuckDB while rows are sent, and in the scanner.
ENDLESS = {
    "aggregate": "SELECT count(*) FROM range(1000000000000) r(i) WHERE i % 7 = 3",
    "join": "SELECT count(*) FROM big a, big b, big c WHERE a.i + b.i + c.i = 1",
    "stream": "SELECT i, md5(i::VARCHAR) AS s FROM range(1000000000000) r(i)",
    "sort": "SELECT i FROM range(1000000000000) r(i) ORDER BY hash(i)",
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server with a table to work on."""
    server = harness.Server(tmp_path_factory.mktemp("busy") / "lake").start()
    server.run("CREATE TABLE big AS SELECT i, 'some text ' || i AS s FROM range(300000) r(i)")
    yield server
    server.close()


def running(server):
    """The statements that run, besides the one that asks."""
    return server.rows("SELECT id, state, sql, memory_bytes FROM lake.statements() WHERE sql NOT LIKE '%lake.statements%'")


def gone(server):
    start = time.monotonic()
    harness.wait_until(lambda: running(server) == [], GONE_SECONDS, "the end of all statements")
    return time.monotonic() - start


def started(server, rows=1):
    harness.wait_until(lambda: len(running(server)) == rows, 20, "the start of the statements")


class Background(threading.Thread):
    """Runs one statement to its end and keeps how it ended."""

    def __init__(self, connection, sql):
        super().__init__(daemon=True)
        self.cursor, self.sql, self.error, self.rows = connection.cursor(), sql, None, None
        self.start()

    def run(self):
        try:
            self.cursor.execute(self.sql)
            self.rows = sum(batch.num_rows for batch in self.cursor.fetch_record_batch())
        except Exception as error:
            self.error = error

    def ended(self):
        self.join(20)
        assert not self.is_alive(), "the client still waits"
        self.cursor.close()
        return self.error


@pytest.mark.parametrize("sql", ENDLESS.values(), ids=ENDLESS)
def test_cancel_from_another_thread(busy, sql):
    with busy.connect() as connection:
        work = Background(connection, sql)
        started(busy)
        time.sleep(0.2)
        work.cursor.adbc_cancel()
        assert work.ended() is not None
        gone(busy)
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("sql", ENDLESS.values(), ids=ENDLESS)
def test_kill(busy, sql):
    with busy.connect() as connection:
        work = Background(connection, sql)
        started(busy)
        ((number, _, text, _),) = running(busy)
        assert text == sql
        busy.run(f"KILL '{number}'")
        error = work.ended()
        assert "kill" in str(error).lower(), error
        gone(busy)
        with harness.raises("not_found", number):
            busy.run(f"KILL '{number}'")


@pytest.mark.parametrize("sql", ENDLESS.values(), ids=ENDLESS)
def test_statement_timeout(busy, sql):
    with busy.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '300ms'")
        start = time.monotonic()
        with harness.raises("deadline_exceeded", "statement_timeout") as caught:
            cursor.execute(sql).fetch_arrow_table()
        assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.TIMEOUT
        assert time.monotonic() - start < 5
        gone(busy)
        cursor.execute("RESET statement_timeout")
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_the_servers_own_statement_timeout(lake):
    server = harness.Server(lake, "--statement-timeout", "300ms").start()
    try:
        with harness.raises("deadline_exceeded", "statement_timeout"):
            server.rows(ENDLESS["aggregate"])
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '100ms'")
            with harness.raises("deadline_exceeded", "100ms"):
                cursor.execute(ENDLESS["aggregate"]).fetchall()
    finally:
        server.close()


@pytest.mark.parametrize("sql", ENDLESS.values(), ids=ENDLESS)
def test_the_drivers_own_time_limit_ends_the_work(busy, sql):
    with busy.connect(**{"adbc.flight.sql.rpc.timeout_seconds.fetch": "0.3"}) as connection, connection.cursor() as cursor:
        with pytest.raises(adbc_driver_manager.OperationalError) as caught:
            cursor.execute(sql).fetch_arrow_table()
        assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.TIMEOUT
    gone(busy)


def test_an_update_is_ended_by_the_drivers_time_limit_and_leaves_nothing(busy):
    before = busy.snapshot()
    with busy.connect(**{"adbc.flight.sql.rpc.timeout_seconds.query": "1", "adbc.flight.sql.rpc.timeout_seconds.update": "1"}) as c:
        with c.cursor() as cursor, pytest.raises(adbc_driver_manager.OperationalError):
            cursor.execute("CREATE TABLE never AS " + ENDLESS["stream"])
    gone(busy)
    assert busy.snapshot() == before
    with harness.raises("not_found"):
        busy.rows("FROM never")


def test_a_cancelled_insert_leaves_nothing(busy):
    busy.run("CREATE TABLE kept (i BIGINT, s VARCHAR)")
    before, files = busy.snapshot(), harness.parquet_files(busy.lake)
    with busy.connect() as connection:
        work = Background(connection, "INSERT INTO kept " + ENDLESS["stream"])
        started(busy)
        time.sleep(0.5)
        work.cursor.adbc_cancel()
        assert work.ended() is not None
    gone(busy)
    assert busy.snapshot() == before
    harness.wait_until(lambda: harness.parquet_files(busy.lake) == files, 10, "removal of its files")


def test_closing_a_result_before_its_end_ends_the_work(busy):
    with busy.connect() as connection, connection.cursor() as cursor:
        reader = cursor.execute(ENDLESS["stream"]).fetch_record_batch()
        reader.read_next_batch()
        started(busy)
        reader.close()
        gone(busy)


def test_closing_the_connection_ends_its_work(busy):
    connection = busy.connect()
    cursor = connection.cursor()
    reader = cursor.execute(ENDLESS["stream"]).fetch_record_batch()
    reader.read_next_batch()
    started(busy)
    reader.close()
    cursor.close()
    connection.close()
    gone(busy)


CLIENT = """
    import sys
    import adbc_driver_flightsql.dbapi as flightsql
    import pyarrow as pa
    connection = flightsql.connect(sys.argv[1], autocommit=sys.argv[2] == "autocommit")
    cursor = connection.cursor()
    if sys.argv[3] == "ingest":
        def batches():
            k = 0
            while True:
                yield pa.record_batch({"i": range(k, k + 10000)})
                k += 10000
        schema = pa.schema([("i", pa.int64())])
        cursor.adbc_ingest("ingested", pa.RecordBatchReader.from_batches(schema, batches()), mode="create_append")
    cursor.execute(sys.argv[3])
    for batch in cursor.fetch_record_batch():
        pass
"""


def kill_client(server, what, mode="autocommit"):
    """Start a client process in the middle of a long call, end it, and wait for its work to end."""
    command = [sys.executable, "-c", textwrap.dedent(CLIENT), server.uri, mode, what]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started(server)
        time.sleep(0.3)
    finally:
        client.kill()
        client.wait(20)
    return gone(server)


@pytest.mark.parametrize("name", ["aggregate", "stream"])
def test_killing_the_client_ends_its_work(busy, name):
    kill_client(busy, ENDLESS[name])


@pytest.mark.parametrize("mode", ["autocommit", "transaction"])
def test_killing_the_client_in_the_middle_of_an_ingest_leaves_nothing(busy, mode):
    before, files = busy.snapshot(), harness.parquet_files(busy.lake)
    kill_client(busy, "ingest", mode)
    assert busy.snapshot() == before
    harness.wait_until(lambda: harness.parquet_files(busy.lake) == files, 10, "removal of its files")


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_memory_of_killed_clients_is_given_back(lake):
    server = harness.Server(lake).start()
    try:
        sql = "SELECT i, list(j) AS l FROM range(20000) a(i), range(2000) b(j) GROUP BY i ORDER BY i"
        held = []
        for _ in range(6):
            kill_client(server, sql)
            held.append(resident(server.pid))
        # Allocators keep the memory of one result or of none; five more that were kept would add 1.5 GB.
        assert held[-1] < held[0] + (512 << 20), held
    finally:
        server.close()


def test_what_a_running_statement_tells(busy):
    sql = "SELECT i, s, repeat(s, 50) AS r FROM big WHERE i % 2 = 0 ORDER BY s"
    told = "kind, state, rows >= ?, bytes > 0, ifnull(progress, 0) BETWEEN 0 AND 1, elapsed_ms >= 0, session <> ''"
    with busy.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET application_name = 'told'")
        reader = cursor.execute(sql).fetch_record_batch()
        first = reader.read_next_batch()
        rows = busy.rows(f"SELECT {told} FROM lake.statements() WHERE sql = ?", (first.num_rows, sql))
        assert rows == [("query", "running", True, True, True, True, True)]
        reader.close()
    gone(busy)


def test_what_a_running_ingest_tells(busy):
    batch = pa.record_batch({"i": list(range(1000)), "s": ["x" * 10] * 1000})
    told = "kind, sql, state, rows, bytes > 10000, progress, memory_bytes > 10000"
    seen = []

    def stream():
        for _ in range(3):
            yield batch
        harness.wait_until(lambda: look() == 3000, 10, "the batches that were sent to be counted")
        yield batch

    def look():
        seen[:] = busy.rows(f"SELECT {told} FROM lake.statements() WHERE kind = 'ingest'")
        return seen[0][3] if seen else None

    assert busy.ingest("told", pa.RecordBatchReader.from_batches(batch.schema, stream())) == 4000
    assert seen == [("ingest", 'INGEST INTO "told"', "running", 3000, True, None, True)]
    busy.run("DROP TABLE told")


def test_a_statement_waits_for_its_turn_and_can_be_cancelled_there(lake):
    server = harness.Server(lake, "--statements-max", "1", "--statement-queue-timeout", "1500ms").start()
    try:
        with server.connect() as first, server.connect() as second:
            running_one = Background(first, ENDLESS["aggregate"])
            harness.wait_until(lambda: states(server) == ["running"], 10, "the first to run")
            waiting = Background(second, ENDLESS["aggregate"])
            harness.wait_until(lambda: states(server) == ["queued", "running"], 10, "the second to wait")
            waiting.cursor.adbc_cancel()
            assert waiting.ended() is not None
            harness.wait_until(lambda: states(server) == ["running"], 5, "the second to go")
            with second.cursor() as cursor, harness.raises("exhausted", "turn"):
                cursor.execute(ENDLESS["aggregate"]).fetchall()
            running_one.cursor.adbc_cancel()
            assert running_one.ended() is not None
            with second.cursor() as cursor:
                assert cursor.execute("SELECT count(*) FROM range(10)").fetchall() == [(10,)]
    finally:
        server.close()


def states(server):
    """The states of all statements but that of the one that asks."""
    return sorted(state for (state,) in server.rows("SELECT state FROM lake.statements() WHERE sql NOT LIKE '%lake.statements%'"))

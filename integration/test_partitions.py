"""Large scans in several endpoints: read by other processes, in any order, and again."""

import concurrent.futures
import json
import subprocess
import sys
import textwrap

import adbc_driver_manager
import harness
import pyarrow as pa
import pyarrow.flight
import pytest

ROWS = 1_000_000
READER = """
    import json, sys
    import adbc_driver_flightsql.dbapi as flightsql
    with flightsql.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
        out = []
        for line in sys.stdin:
            cursor.adbc_read_partition(bytes.fromhex(line))
            table = cursor.fetch_arrow_table()
            ids = table["i"]
            out.append([table.num_rows, sum(ids.to_numpy().tolist()), ids[0].as_py() if len(ids) else None])
        print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A server that divides what a few megabytes hold, and a table of several files and row groups."""
    server = harness.Server(tmp_path_factory.mktemp("large") / "lake", "--endpoints-max", "4", "--endpoint-bytes", "2MiB")
    server.start()
    server.run(
        "CREATE TABLE large (i BIGINT, h VARCHAR, f DOUBLE) WITH (row_group_rows = 50000)",
        *(
            f"INSERT INTO large SELECT i, md5(i::VARCHAR), random() FROM range({k * ROWS // 3}, {(k + 1) * ROWS // 3}) r(i)"
            for k in range(3)
        ),
        "CREATE TABLE small AS SELECT i FROM range(10) r(i)",
    )
    yield server
    server.close()


def partitions(server, sql, parameters=None, autocommit=True):
    with server.connect(autocommit=autocommit) as connection, connection.cursor() as cursor:
        found, schema = cursor.adbc_execute_partitions(sql, parameters)
        return found, schema, cursor.rowcount


def read(server, partition):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_read_partition(partition)
        return cursor.fetch_arrow_table()


def read_elsewhere(server, found):
    """What another process reads: for each partition its rows, the sum of i, and the first i."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(READER), server.uri]
    lines = "\n".join(partition.hex() for partition in found)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_large_scan_has_several_partitions_and_a_small_one_has_one(large):
    found, schema, rows = partitions(large, "SELECT i, h FROM large")
    assert len(found) == 4
    assert schema == pa.schema([("i", pa.int64()), ("h", pa.string())])
    assert rows == ROWS
    assert len(set(found)) == len(found)
    for sql in ["SELECT i FROM small", "SELECT count(*) AS i FROM large", "SELECT i FROM large ORDER BY i", "SELECT i FROM large LIMIT 5"]:
        assert len(partitions(large, sql)[0]) == 1, sql


def test_another_process_reads_all_rows_once_in_any_order_and_again(large):
    found, _, _ = partitions(large, "SELECT i, h, f FROM large")
    shuffled = found[::-1]
    shares = read_elsewhere(large, shuffled + found)
    assert shares == shares[: len(found)] + shares[: len(found)][::-1], "a ticket always gives the same rows"
    once = shares[: len(found)]
    assert (sum(s[0] for s in once), sum(s[1] for s in once)) == (ROWS, ROWS * (ROWS - 1) // 2)
    assert len({s[2] for s in once}) == len(once)


@pytest.mark.parametrize("predicate", ["i % 3 = 0", "i BETWEEN 300000 AND 700000", "h < '8'", "i = 250000", "i < 0"])
def test_partitions_of_a_filter_are_disjoint_and_complete(large, predicate):
    found, _, _ = partitions(large, f"SELECT i FROM large WHERE {predicate}")
    tables = [read(large, partition) for partition in found]
    want = large.table(f"SELECT i FROM large WHERE {predicate}")
    assert sum(table.num_rows for table in tables) == want.num_rows
    assert sorted(pa.concat_tables(tables)["i"].to_pylist()) == sorted(want["i"].to_pylist())


def test_partitions_with_parameters(large):
    found, _, _ = partitions(large, "SELECT i FROM large WHERE i >= ? AND i < ?", (100_000, 900_000))
    tables = [read(large, partition) for partition in found]
    assert sum(table.num_rows for table in tables) == 800_000
    assert len(pa.concat_tables(tables)["i"].unique()) == 800_000


def test_the_driver_fetches_all_partitions_by_itself_and_in_order(large):
    got = large.table("SELECT i FROM large")["i"].to_numpy()
    assert len(got) == ROWS and (got[1:] > got[:-1]).all()


def test_many_clients_read_all_partitions_at_once(large):
    found, _, _ = partitions(large, "SELECT i FROM large")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda partition: read(large, partition).num_rows, found * 3))
    assert sum(rows) == 3 * ROWS


def test_partitions_keep_the_snapshot_of_their_query(large):
    large.run(f"CREATE OR REPLACE TABLE grows AS SELECT i, md5(i::VARCHAR) AS h FROM range({ROWS // 3}) r(i)")
    found, _, _ = partitions(large, "SELECT i, h FROM grows")
    assert len(found) > 1
    large.run("INSERT INTO grows SELECT i, 'later' FROM range(1000) r(i)")
    assert sum(read(large, partition).num_rows for partition in found) == ROWS // 3
    large.run("DROP TABLE grows")
    assert sum(read(large, partition).num_rows for partition in found) == ROWS // 3


def test_partitions_outlive_a_restart_of_the_server(lake):
    server = harness.Server(lake).start()
    try:
        server.run("CREATE TABLE t AS SELECT i FROM range(1000) r(i)")
        found, _, _ = partitions(server, "SELECT i FROM t")
        uri = server.uri
        server.listen = uri.removeprefix("grpc://")
        assert server.stop() == 0
        server.start()
        assert sum(read(server, partition).num_rows for partition in found) == 1000
    finally:
        server.close()


def test_a_partition_expires(lake):
    server = harness.Server(lake, "--ticket-lifetime", "1s").start()
    try:
        server.run("CREATE TABLE t AS SELECT i FROM range(1000) r(i)")
        found, _, _ = partitions(server, "SELECT i FROM t")
        (endpoint,) = pyarrow.flight.FlightInfo.deserialize(found[0]).endpoints
        assert endpoint.expiration_time is not None
        assert read(server, found[0]).num_rows == 1000

        def expired():
            try:
                read(server, found[0])
            except adbc_driver_manager.ProgrammingError as error:
                assert error.status_code == adbc_driver_manager.AdbcStatusCode.NOT_FOUND
                assert "expired" in str(error)
                return True
            return False

        harness.wait_until(expired, 10, "the end of a ticket")
    finally:
        server.close()


def test_what_a_transaction_reads_can_be_read_by_another_connection_while_it_is_open(large):
    with large.connect(autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO large SELECT i, md5(i::VARCHAR), 0 FROM range(1000000, 1300000) r(i)")
        cursor.execute("CREATE TABLE uncommitted AS SELECT i FROM range(100) r(i)")
        for sql, rows in [("SELECT i, h FROM large", ROWS + 300_000), ("SELECT i FROM uncommitted", 100)]:
            found, _ = cursor.adbc_execute_partitions(sql)
            ids = pa.concat_tables([read(large, partition) for partition in found])["i"]
            assert (len(ids), len(ids.unique())) == (rows, rows)
        connection.rollback()
    with harness.raises("not_found"):
        large.rows("SELECT i FROM uncommitted")


def test_all_partitions_of_a_query_share_one_turn(lake):
    limits = ["--statements-max", "1", "--endpoints-max", "4", "--endpoint-bytes", "1MiB", "--statement-queue-timeout", "10s"]
    server = harness.Server(lake, *limits).start()
    try:
        server.run(
            "CREATE TABLE t (i BIGINT, h VARCHAR) WITH (row_group_rows = 50000)",
            "INSERT INTO t SELECT i, md5(i::VARCHAR) FROM range(400000) r(i)",
        )
        assert len(partitions(server, "SELECT i, h FROM t")[0]) > 1
        with server.connect() as connection, connection.cursor() as cursor:
            # The driver opens all of them at once and reads one after another.
            assert cursor.execute("SELECT i, h FROM t").fetch_arrow_table().num_rows == 400_000
    finally:
        server.close()

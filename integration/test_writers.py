"""Many writers at once, and appends that are sent twice."""

import concurrent.futures

import harness
import pyarrow as pa

WRITERS = 8
APPENDS = 12
ROWS = 500


def numbered(writer, append, rows=ROWS):
    return pa.table({"writer": [writer] * rows, "append": [append] * rows, "i": list(range(rows))})


def write(uri, writer):
    """One writer with a connection of its own; returns the rows acknowledged."""
    with harness.connect(uri) as connection:
        return sum(harness.ingest(connection, "w", numbered(writer, a), "append") for a in range(APPENDS))


def test_eight_writers_append_to_one_table(server):
    server.run("CREATE TABLE w (writer BIGINT, append BIGINT, i BIGINT)")
    first = server.snapshot()
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        acknowledged = list(pool.map(lambda w: write(server.uri, w), range(WRITERS)))
    assert acknowledged == [APPENDS * ROWS] * WRITERS
    assert server.snapshot() == first + WRITERS * APPENDS, "each append is one snapshot"
    counts = server.rows("SELECT writer, append, count(*), count(DISTINCT i) FROM w GROUP BY ALL")
    assert sorted(counts) == [(w, a, ROWS, ROWS) for w in range(WRITERS) for a in range(APPENDS)]


def test_readers_see_appends_whole_while_writers_write(server):
    server.run("CREATE TABLE w (writer BIGINT, append BIGINT, i BIGINT)")
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, server.uri, w) for w in range(4)]
        while not all(f.done() for f in writing):
            for (count,) in server.rows("SELECT count(*) FROM w GROUP BY writer, append"):
                assert count == ROWS
    assert server.rows("SELECT count(*) FROM w") == [(4 * APPENDS * ROWS,)]


def test_writers_of_different_tables_do_not_meet(server):
    def fill(writer):
        for append in range(4):
            server.ingest(f"t{writer}", numbered(writer, append), "create_append")

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(fill, range(WRITERS)))
    for writer in range(WRITERS):
        assert server.rows(f"SELECT count(*), min(writer), max(writer) FROM t{writer}") == [(4 * ROWS, writer, writer)]


def test_the_same_token_again_adds_nothing_even_after_restart(server):
    server.run("CREATE TABLE w (writer BIGINT, append BIGINT, i BIGINT)")
    assert server.ingest("w", numbered(1, 1), "append", token="load-1") == ROWS
    snapshot = server.snapshot()
    assert server.ingest("w", numbered(1, 1), "append", token="load-1") == ROWS
    server.kill()
    server.start()
    assert server.ingest("w", numbered(1, 1), "append", token="load-1") == ROWS
    assert server.snapshot() == snapshot
    assert server.rows("SELECT count(*) FROM w") == [(ROWS,)]
    assert server.ingest("w", numbered(1, 2), "append", token="load-2") == ROWS
    assert server.rows("SELECT count(*) FROM w") == [(2 * ROWS,)]


def test_one_token_in_a_race_of_eight_appends_once(server):
    server.run("CREATE TABLE w (writer BIGINT, append BIGINT, i BIGINT)")
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(server.ingest, "w", numbered(1, 1), "append", "race") for _ in range(WRITERS)]
        assert [f.result() for f in futures] == [ROWS] * WRITERS
    assert server.rows("SELECT count(*) FROM w") == [(ROWS,)]


def test_a_token_longer_than_256_bytes_is_refused(server):
    server.run("CREATE TABLE w (writer BIGINT, append BIGINT, i BIGINT)")
    with harness.raises("invalid", "256"):
        server.ingest("w", numbered(1, 1), "append", token="x" * 257)
    assert server.rows("SELECT count(*) FROM w") == [(0,)]

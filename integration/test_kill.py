"""kill -9 during large ingests and transactions, at random moments.

After each restart every append is there wholly or not at all, every
acknowledged one is there, the folder holds exactly the files that the catalog
names, a retry with the same token adds nothing twice, and the next ingest works.
"""

import os
import random
import threading
import time

import harness
import pyarrow as pa
import pytest

KILLS = int(os.environ.get("FLIGHTLAKE_TEST_KILLS", "8"))
SEED = int(os.environ.get("FLIGHTLAKE_TEST_SEED", str(random.SystemRandom().randrange(2**32))))
BATCH_ROWS = 8 * 1024
SCHEMA = pa.schema([("append", pa.int64()), ("i", pa.int64()), ("region", pa.string()), ("payload", pa.string())])
REGIONS = ["north", "south", "east", "west"]


def rows_of(append):
    """The row count of an append: from one batch to about a quarter of a million rows."""
    return BATCH_ROWS * (1, 4, 16, 32)[append % 4]


def stream(append):
    """One append of several files: rows numbered from 0, wide enough to take a while."""

    def batches():
        for start in range(0, rows_of(append), BATCH_ROWS):
            numbers = range(start, start + BATCH_ROWS)
            payload = [f"{append}-{(i * 2654435761) % 2**32:x}" for i in numbers]
            yield pa.record_batch(
                [[append] * BATCH_ROWS, list(numbers), [REGIONS[i % 4] for i in numbers], payload], schema=SCHEMA
            )

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


class Writer(threading.Thread):
    """Ingests one append after another until the server is gone."""

    def __init__(self, server, first):
        super().__init__()
        self.server, self.next = server, first
        self.acknowledged, self.started = set(), set()

    def run(self):
        try:
            with self.server.connect() as connection:
                while True:
                    self.started.add(self.next)
                    harness.ingest(connection, "events", stream(self.next), "append", token=f"append-{self.next}")
                    self.acknowledged.add(self.next)
                    self.next += 1
        except harness.adbc_driver_flightsql.dbapi.Error:
            return


def present(server):
    """The appends that readers see, each checked to be whole and without doubles."""
    found = server.rows("SELECT append, count(*), count(DISTINCT i), max(i) FROM events GROUP BY append")
    for append, count, distinct, last in found:
        assert (count, distinct, last) == (rows_of(append), rows_of(append), rows_of(append) - 1), append
    return {row[0] for row in found}


def files_agree(server, lake):
    named = sorted(os.path.realpath(path) for path in server.files("events"))
    assert len(named) == len(set(named))
    return named == harness.parquet_files(lake)


@pytest.mark.parametrize("layout", ["", "PARTITIONED BY (region)"], ids=["plain", "partitioned"])
def test_kill_during_ingest(lake, layout):
    print(f"FLIGHTLAKE_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    server = harness.Server(lake).start()
    acknowledged, started, following = set(), set(), 0
    try:
        server.run(
            f"CREATE TABLE events (append BIGINT, i BIGINT, region VARCHAR, payload VARCHAR) {layout} "
            "WITH (row_group_rows = 16384, target_file_size = '256KB')"
        )
        for _ in range(max(1, KILLS // 2)):
            writer = Writer(server, following)
            writer.start()
            time.sleep(chance.uniform(0.0, 1.5))
            server.kill()
            writer.join(60)
            assert not writer.is_alive()
            acknowledged |= writer.acknowledged
            started |= writer.started
            server.start()

            seen = present(server)
            assert acknowledged <= seen, f"acknowledged and lost: {acknowledged - seen}"
            assert seen <= started
            harness.wait_until(lambda: files_agree(server, lake), what="removal of the files of unfinished appends")
            assert retry(server, writer.next) == rows_of(writer.next)
            acknowledged.add(writer.next)
            assert present(server) == seen | {writer.next}
            assert files_agree(server, lake)
            following = writer.next + 1
        assert server.stop() == 0
    finally:
        server.close()


def retry(server, append):
    """What a client does that got no answer: the same append with the same token."""
    return server.ingest("events", stream(append), "append", token=f"append-{append}")


class Transactions(threading.Thread):
    """Commits one transaction after another until the server is gone.

    Each makes a table, loads another in several ingests, and inserts the number of both into a third.
    """

    def __init__(self, server, first):
        super().__init__()
        self.server, self.next = server, first
        self.acknowledged, self.committing = set(), None

    def run(self):
        try:
            with self.server.connect(autocommit=False) as connection, connection.cursor() as cursor:
                while True:
                    number = self.next
                    cursor.execute(f"CREATE TABLE made_{number} AS SELECT {number} AS n, * FROM range(1000) r(i)")
                    for part in range(3):
                        harness.ingest(connection, "events", stream(part), "create_append")
                    cursor.execute("INSERT INTO log VALUES (?)", (number,))
                    self.committing = number
                    connection.commit()
                    self.committing = None
                    self.acknowledged.add(number)
                    self.next += 1
        except harness.adbc_driver_flightsql.dbapi.Error:
            return


EVENTS_OF_TRANSACTION = sum(rows_of(part) for part in range(3))


def check_transactions(server):
    """The numbers of the transactions that readers see, each checked to be there wholly."""
    seen = {number for (number,) in server.rows("SELECT n FROM log")}
    tables = server.rows("SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'made%'")
    assert {name for (name,) in tables} == {f"made_{number}" for number in seen}
    for number in seen:
        assert server.rows(f"SELECT count(*), min(n), max(n) FROM made_{number}") == [(1000, number, number)]
    if seen:
        assert server.rows("SELECT count(*) FROM events") == [(EVENTS_OF_TRANSACTION * len(seen),)]
    return seen


# The driver complains about closing what belonged to a server that is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_kill_in_a_transaction(lake):
    print(f"FLIGHTLAKE_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    server = harness.Server(lake).start()
    acknowledged, following = set(), 0
    try:
        server.run("CREATE TABLE log (n BIGINT)")
        for _ in range(max(2, KILLS // 4)):
            writer = Transactions(server, following)
            writer.start()
            time.sleep(chance.uniform(0.1, 1.0))
            server.kill()
            writer.join(60)
            assert not writer.is_alive()
            acknowledged |= writer.acknowledged
            server.start()

            seen = check_transactions(server)
            assert acknowledged <= seen, f"acknowledged and lost: {acknowledged - seen}"
            assert seen - acknowledged <= {writer.committing}, "a transaction that nobody committed is there"
            acknowledged = seen

            def agree():
                tables = ["log", *(f"made_{number}" for number in seen), *(["events"] if seen else [])]
                named = sorted(os.path.realpath(path) for table in tables for path in server.files(table))
                return named == harness.parquet_files(lake)

            harness.wait_until(agree, what="removal of the files of unfinished transactions")
            following = writer.next + 1
        assert server.stop() == 0
    finally:
        server.close()

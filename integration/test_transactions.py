"""Transactions through the ADBC driver: DB-API commit and rollback, ingests that
join them, SQL BEGIN, savepoints, isolation, conflicts and append tokens."""

import time

import adbc_driver_manager
import harness
import pyarrow as pa
import pytest

SMALL = pa.table({"i": [1, 2, 3], "s": ["a", "b", None]})


@pytest.fixture
def manual(one):
    """A connection as connect() makes it when nothing else is asked: autocommit is off."""
    with one.connect(autocommit=False) as connection:
        yield connection


@pytest.fixture
def other(one):
    """A second client, which commits each statement."""
    with one.connect() as connection:
        yield connection


def run(connection, *statements):
    """Run statements; return the rows of the last."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall()


def count(connection, table):
    return run(connection, f"SELECT count(*) FROM {table}")[0][0]


def test_a_commit_publishes_all_statements_as_one_snapshot(one, manual, other, name):
    before = one.snapshot()
    run(
        manual,
        f"CREATE SCHEMA s_{name}",
        f"CREATE TABLE s_{name}.a (i BIGINT, s VARCHAR DEFAULT 'none')",
        f"CREATE TABLE s_{name}.b AS SELECT * FROM range(5) r(i)",
        f"INSERT INTO s_{name}.a (i) SELECT i FROM s_{name}.b",
        f"INSERT INTO s_{name}.b SELECT i + 100 FROM s_{name}.a",
        f"COMMENT ON TABLE s_{name}.a IS 'the first'",
    )
    assert (count(manual, f"s_{name}.a"), count(manual, f"s_{name}.b")) == (5, 10)
    with harness.raises("not_found"):
        count(other, f"s_{name}.a")
    assert one.snapshot() == before
    manual.commit()
    assert one.snapshot() == before + 1
    assert run(other, f"SELECT count(*), min(s) FROM s_{name}.a") == [(5, "none")]
    assert run(other, f"SELECT sum(i) FROM s_{name}.b") == [(10 + 510,)]
    comment = f"SELECT comment FROM duckdb_tables() WHERE schema_name = 's_{name}' AND table_name = 'a'"
    assert run(other, comment) == [("the first",)]


def test_a_rollback_leaves_nothing_and_the_connection_goes_on(one, manual, name):
    one.run(f"CREATE TABLE {name} (i BIGINT)", f"INSERT INTO {name} VALUES (1)")
    before, files = one.snapshot(), harness.parquet_files(one.lake)
    run(manual, f"INSERT INTO {name} VALUES (2)", f"CREATE TABLE {name}_new AS SELECT 1 AS i", f"DROP TABLE {name}")
    with harness.raises("not_found", name):
        count(manual, name)
    manual.rollback()
    assert count(manual, name) == 1
    with harness.raises("not_found"):
        count(manual, f"{name}_new")
    run(manual, f"INSERT INTO {name} VALUES (3)")
    manual.commit()
    assert one.snapshot() == before + 1
    assert one.rows(f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,)]
    harness.wait_until(lambda: len(harness.parquet_files(one.lake)) == len(files) + 1, what="removal of its files")


def test_a_transaction_that_only_read_makes_no_snapshot(one, manual, name):
    before = one.snapshot()
    run(manual, "SELECT 1", "SELECT * FROM lake.snapshots()")
    manual.commit()
    manual.commit()
    manual.rollback()
    assert one.snapshot() == before


def test_closing_a_connection_rolls_back(one, name):
    with one.connect(autocommit=False) as connection:
        run(connection, f"CREATE TABLE {name} (i BIGINT)")
    with harness.raises("not_found"):
        one.rows(f"SELECT * FROM {name}")


def test_an_exception_in_a_with_block_rolls_back(one, name):
    with pytest.raises(ZeroDivisionError), one.connect(autocommit=False) as connection:
        harness.ingest(connection, name, SMALL)
        raise ZeroDivisionError
    with harness.raises("not_found"):
        one.rows(f"SELECT * FROM {name}")


def test_a_failed_statement_changes_nothing_and_leaves_the_transaction_open(manual, other, name):
    run(manual, f"CREATE TABLE {name} (i BIGINT NOT NULL)", f"INSERT INTO {name} VALUES (1)")
    for kind, sql in [
        ("not_found", "SELECT * FROM nosuch"),
        ("invalid", f"INSERT INTO {name} VALUES (2), (NULL)"),
        ("invalid", "SELEC 1"),
        ("exists", f"CREATE TABLE {name} (i BIGINT)"),
    ]:
        with harness.raises(kind):
            run(manual, sql)
    with harness.raises("invalid"):
        harness.ingest(manual, name, pa.table({"nosuch": [1]}), "append")
    run(manual, f"INSERT INTO {name} VALUES (3)")
    manual.commit()
    assert run(other, f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,)]


def test_a_prepared_statement_goes_on_over_commits_and_rollbacks(manual, name):
    with manual.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} AS SELECT 1 AS i")
        sql = f"SELECT * FROM {name} WHERE i = ?"
        for finish in (manual.commit, manual.rollback, manual.commit):
            assert cursor.execute(sql, (1,)).fetchall() == [(1,)]
            finish()
        run(manual, f"CREATE OR REPLACE TABLE {name} AS SELECT 1 AS i, 2 AS j")
        assert cursor.execute(sql, (1,)).fetchall() == [(1, 2)]
        manual.rollback()
        assert cursor.execute(sql, (1,)).fetchall() == [(1,)]


def test_a_result_is_read_to_its_end_after_the_commit_or_rollback(manual, name):
    with manual.cursor() as cursor:
        for finish in (manual.rollback, manual.commit):
            cursor.execute(f"CREATE TABLE {name} AS SELECT i, md5(i::VARCHAR) AS s FROM range(500000) r(i)")
            reader = cursor.execute(f"SELECT * FROM {name}").fetch_record_batch()
            rows = reader.read_next_batch().num_rows
            finish()
            assert rows + sum(batch.num_rows for batch in reader) == 500_000


def test_names_are_freed_and_taken_again_in_one_transaction(one, manual, name):
    for k in range(2):
        if k > 0:
            run(manual, f"DROP TABLE s_{name}.t", f"DROP SCHEMA s_{name}")
        run(manual, f"CREATE SCHEMA s_{name}", f"CREATE TABLE s_{name}.t AS SELECT {k} AS i")
        run(manual, f"CREATE TABLE s_{name}.u (i BIGINT)", f"DROP TABLE s_{name}.u")
        manual.commit()
        assert one.rows(f"FROM s_{name}.t") == [(k,)]


# An ingest without a transaction id: drivers never send one.


@pytest.mark.parametrize("mode", ["create", "append", "replace", "create_append"])
def test_an_ingest_of_every_mode_joins_the_open_transaction(one, manual, other, name, mode):
    exists = mode in ("append", "replace")
    if exists:
        one.ingest(name, SMALL)
    before = one.snapshot()
    after = 6 if mode == "append" else 3

    def unchanged():
        if exists:
            assert count(other, name) == 3
        else:
            with harness.raises("not_found"):
                count(other, name)
        assert one.snapshot() == before

    for finish in (manual.rollback, manual.commit):
        assert harness.ingest(manual, name, SMALL, mode) == 3
        assert count(manual, name) == after
        unchanged()
        finish()
        if finish == manual.rollback:
            unchanged()
    assert count(other, name) == after
    assert one.snapshot() == before + 1


def test_ingests_and_statements_of_one_transaction_see_each_other(one, manual, other, name):
    before = one.snapshot()
    harness.ingest(manual, name, SMALL)
    run(manual, f"INSERT INTO {name} SELECT i + 10, s FROM {name}")
    harness.ingest(manual, name, SMALL, "append", db_schema_name="main", catalog_name="lake")
    run(manual, f"CREATE TABLE {name}_copy AS FROM {name}")
    with harness.raises("exists"):
        harness.ingest(manual, name, SMALL, "create")
    assert manual.adbc_get_table_schema(name).names == ["i", "s"]
    objects = manual.adbc_get_objects(depth="tables", table_name_filter=f"{name}%").read_all().to_pylist()
    assert len(objects[0]["catalog_db_schemas"][0]["db_schema_tables"]) == 2, "metadata shows what the transaction did"
    manual.commit()
    assert (count(other, name), count(other, f"{name}_copy")) == (9, 9)
    assert one.snapshot() == before + 1


def test_a_schema_made_in_the_transaction_takes_an_ingest(manual, other, name):
    run(manual, f"CREATE SCHEMA s_{name}")
    harness.ingest(manual, "t", SMALL, db_schema_name=f"s_{name}")
    harness.ingest(manual, "t", SMALL, "append", db_schema_name=f"s_{name}", catalog_name="lake")
    manual.commit()
    assert count(other, f"s_{name}.t") == 6


def test_an_ingest_that_fails_in_the_middle_leaves_the_transaction_as_it_was(one, manual, name):
    harness.ingest(manual, name, SMALL)

    def batches():
        yield SMALL.to_batches()[0]
        raise ValueError("the source broke")

    with pytest.raises(Exception, match="the source broke"):
        harness.ingest(manual, name, pa.RecordBatchReader.from_batches(SMALL.schema, batches()), "append")
    assert count(manual, name) == 3
    manual.commit()
    assert one.rows(f"SELECT count(*) FROM {name}") == [(3,)]


# Isolation and conflicts.


def test_a_transaction_keeps_reading_the_snapshot_it_began_with(manual, other, name):
    run(other, f"CREATE TABLE {name} AS SELECT 1 AS i")
    assert count(manual, name) == 1
    run(other, f"INSERT INTO {name} VALUES (2)", f"CREATE TABLE {name}_later AS SELECT 1 AS i")
    assert count(manual, name) == 1
    with harness.raises("not_found"):
        count(manual, f"{name}_later")
    run(manual, f"INSERT INTO {name} VALUES (3)")
    assert run(manual, f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,)]
    manual.commit()
    assert run(manual, f"SELECT i FROM {name} ORDER BY i") == [(1,), (2,), (3,)], "appends never conflict"


def test_beginning_pins_nothing(manual, other, name):
    run(other, f"CREATE TABLE {name} AS SELECT 1 AS i")
    assert count(manual, name) == 1, "the snapshot is that of the first statement"


def test_of_two_who_create_the_same_table_the_second_is_told_the_snapshot(one, manual, name):
    with one.connect(autocommit=False) as winner:
        for connection in (winner, manual):
            run(connection, f"CREATE TABLE {name} (i BIGINT)", f"INSERT INTO {name} VALUES (1)")
        winner.commit()
    won = one.snapshot()
    with harness.raises("conflict", name, str(won)) as caught:
        manual.commit()
    assert isinstance(caught.value, adbc_driver_manager.OperationalError)
    assert one.snapshot() == won
    assert one.rows(f"SELECT count(*) FROM {name}") == [(1,)]
    # The driver has forgotten its transaction: after a commit() that failed the connection is of no use any more.
    with pytest.raises(adbc_driver_manager.OperationalError, match="missing a valid transaction"):
        manual.rollback()


def test_a_commit_in_sql_that_conflicts_leaves_the_connection_usable(one, manual, other, name):
    run(manual, f"CREATE TABLE {name} (i BIGINT)")
    run(other, f"CREATE TABLE {name} AS SELECT 1 AS i")
    with harness.raises("conflict", name, str(one.snapshot())):
        run(manual, "COMMIT")
    assert count(manual, name) == 1
    run(manual, f"INSERT INTO {name} VALUES (2)")
    manual.commit()
    assert count(other, name) == 2


@pytest.mark.parametrize("end", ["DROP TABLE {}", "CREATE OR REPLACE TABLE {} (j VARCHAR)"], ids=["drop", "replace"])
def test_an_append_to_a_table_that_another_ended_is_a_conflict(one, manual, other, name, end):
    run(other, f"CREATE TABLE {name} (i BIGINT)")
    run(manual, f"INSERT INTO {name} VALUES (1)")
    run(other, end.format(name))
    won = one.snapshot()
    with harness.raises("conflict", name, str(won)):
        manual.commit()
    assert one.snapshot() == won


def test_two_who_append_to_one_table_both_commit(one, manual, name):
    one.run(f"CREATE TABLE {name} (i BIGINT)")
    with one.connect(autocommit=False) as second:
        for connection in (manual, second):
            run(connection, f"INSERT INTO {name} VALUES (1)")
        manual.commit()
        second.commit()
    assert one.rows(f"SELECT count(*) FROM {name}") == [(2,)]


# Transactions and savepoints in SQL.


def test_sql_begin_and_commit_on_a_connection_with_autocommit(one, other, name):
    with one.connect() as connection:
        run(connection, "BEGIN TRANSACTION", f"CREATE TABLE {name} (i BIGINT)", f"INSERT INTO {name} VALUES (1)")
        assert harness.ingest(connection, name, pa.table({"i": [2]}), "append") == 1
        assert count(connection, name) == 2
        with harness.raises("not_found"):
            count(other, name)
        with harness.raises("state"):
            run(connection, "BEGIN")
        run(connection, "COMMIT")
        assert count(other, name) == 2
        with harness.raises("state"):
            run(connection, "COMMIT")
        run(connection, "START TRANSACTION", f"INSERT INTO {name} VALUES (3)", "ROLLBACK")
        assert count(connection, name) == 2


def test_savepoints(manual, other, name):
    run(
        manual,
        f"CREATE TABLE {name} (i BIGINT)",
        "SAVEPOINT a",
        f"INSERT INTO {name} VALUES (1)",
        'SAVEPOINT "Second One"',
        f"DROP TABLE {name}",
        f"CREATE TABLE {name} (other VARCHAR)",
        'ROLLBACK TO SAVEPOINT "Second One"',
        f"INSERT INTO {name} VALUES (2)",
        'ROLLBACK TO "Second One"',
        f"INSERT INTO {name} VALUES (3)",
    )
    harness.ingest(manual, name, pa.table({"i": [4]}), "append")
    assert run(manual, f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,), (4,)]
    run(manual, "RELEASE SAVEPOINT a")
    with harness.raises("not_found", "Second One"):
        run(manual, 'ROLLBACK TO SAVEPOINT "Second One"')
    manual.commit()
    assert run(other, f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,), (4,)]
    with harness.raises("not_found"):
        run(manual, "ROLLBACK TO SAVEPOINT a")


def test_a_savepoint_outside_of_a_transaction_is_refused(other):
    with harness.raises("state"):
        run(other, "SAVEPOINT a")


def test_sql_commit_in_the_drivers_own_transaction_commits_and_goes_on(manual, other, name):
    run(manual, f"CREATE TABLE {name} AS SELECT 1 AS i", "COMMIT")
    assert count(other, name) == 1
    run(manual, f"INSERT INTO {name} VALUES (2)", "ROLLBACK", f"INSERT INTO {name} VALUES (3)")
    assert count(other, name) == 1
    manual.commit()
    assert run(other, f"SELECT i FROM {name} ORDER BY i") == [(1,), (3,)]


def test_switching_autocommit_on_commits(one, other, name):
    with one.connect(autocommit=False) as connection:
        run(connection, f"CREATE TABLE {name} AS SELECT 1 AS i")
        connection.adbc_connection.set_autocommit(True)
        assert count(other, name) == 1
        run(connection, f"INSERT INTO {name} VALUES (2)")
        assert count(other, name) == 2
        connection.adbc_connection.set_autocommit(False)
        run(connection, f"INSERT INTO {name} VALUES (3)")
        assert count(other, name) == 2


def test_commit_and_rollback_with_autocommit_do_nothing(one, other, name):
    run(other, f"CREATE TABLE {name} (i BIGINT)")
    other.rollback()
    other.commit()
    assert count(other, name) == 0


# Transactions that are idle for too long.


def test_an_idle_transaction_is_rolled_back_and_its_next_use_says_so(lake):
    server = harness.Server(lake, "--transaction-idle-timeout", "300ms").start()
    try:
        with server.connect(autocommit=False) as untouched, server.connect(autocommit=False) as driver, server.connect() as sql:
            run(driver, "CREATE TABLE a (i BIGINT)")
            run(sql, "BEGIN", "CREATE TABLE b (i BIGINT)")
            time.sleep(0.6)
            for connection in (driver, sql):
                for statement in ("CREATE TABLE c (i BIGINT)", "SELECT 1"):
                    with harness.raises("state", "idle"):
                        run(connection, statement)
            with harness.raises("state", "idle"):
                harness.ingest(driver, "c", SMALL)
            driver.rollback()
            run(sql, "ROLLBACK")
            for connection in (driver, sql, untouched):
                assert run(connection, "SELECT 1") == [(1,)]
            run(sql, "BEGIN", "CREATE TABLE b (i BIGINT)")
            time.sleep(0.6)
            with harness.raises("state", "idle"):
                run(sql, "COMMIT")
            assert run(sql, "SELECT count(*) FROM information_schema.tables") == [(0,)]
    finally:
        server.close()


def test_a_connection_that_only_reads_may_be_idle_for_long(lake):
    """As in a notebook: without autocommit every query is in a transaction."""
    server = harness.Server(lake, "--transaction-idle-timeout", "300ms").start()
    try:
        server.run("CREATE TABLE t AS SELECT 1 AS i")
        with server.connect(autocommit=False) as driver, server.connect() as sql:
            run(sql, "BEGIN")
            for connection in (driver, sql):
                assert run(connection, "FROM t") == [(1,)]
            server.run("INSERT INTO t VALUES (2)")
            time.sleep(1)
            for connection in (driver, sql):
                assert run(connection, "FROM t") == [(1,)], "the snapshot of the first statement"
                run(connection, "INSERT INTO t VALUES (3)")
            time.sleep(1)
            for connection in (driver, sql):
                with harness.raises("state", "idle"):
                    run(connection, "FROM t")
            driver.rollback()
            run(sql, "ROLLBACK")
            assert run(driver, "FROM t ORDER BY i") == [(1,), (2,)]
    finally:
        server.close()


def test_work_in_progress_is_not_idle(lake):
    server = harness.Server(lake, "--transaction-idle-timeout", "1s").start()
    try:
        with server.connect(autocommit=False) as connection, connection.cursor() as cursor:
            run(connection, "CREATE TABLE t (i BIGINT)")

            def slow():
                for k in range(3):
                    time.sleep(0.5)
                    yield pa.record_batch({"i": [k]})

            schema = pa.schema([("i", pa.int64())])
            assert harness.ingest(connection, "t", pa.RecordBatchReader.from_batches(schema, slow()), "append") == 3
            reader = cursor.execute("SELECT i, repeat('x', 100) FROM range(1000000) r(i)").fetch_record_batch()
            rows = reader.read_next_batch().num_rows
            time.sleep(1.3)
            rows += sum(batch.num_rows for batch in reader)
            assert rows == 1_000_000
            connection.commit()
        assert server.rows("SELECT count(*) FROM t") == [(3,)]
    finally:
        server.close()


# Append tokens.


def test_a_token_of_a_transaction_is_kept_by_its_commit_only(one, manual, name):
    one.run(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)")
    for _ in range(2):  # after the rollback the token is free again
        assert harness.ingest(manual, name, SMALL, "append", token=f"token {name}") == 3
        assert count(manual, name) == 3
        manual.rollback()
    assert harness.ingest(manual, name, SMALL, "append", token=f"token {name}") == 3
    manual.commit()
    assert one.ingest(name, SMALL, "append", token=f"token {name}") == 3, "answered, not repeated"
    assert one.rows(f"SELECT count(*) FROM {name}") == [(3,)]
    before = one.snapshot()
    assert harness.ingest(manual, name, SMALL, "append", token=f"token {name}") == 3
    manual.commit()
    assert one.rows(f"SELECT count(*) FROM {name}") == [(3,)]
    assert one.snapshot() == before


def test_a_token_twice_in_one_transaction_adds_once(one, manual, name):
    one.run(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)")
    for _ in range(2):
        assert harness.ingest(manual, name, SMALL, "append", token=f"token {name}") == 3
    manual.commit()
    assert one.rows(f"SELECT count(*) FROM {name}") == [(3,)]

"""A catalog that was lost is noticed, at start and while the server runs, and never taken for the lake."""

import contextlib
import os
import shutil

import harness
import pytest


@pytest.fixture
def filled(lake):
    """A lake of some snapshots, whose server is stopped."""
    with contextlib.closing(harness.Server(lake).start()) as server:
        server.run("CREATE TABLE t (i BIGINT)", "INSERT INTO t VALUES (1)")
        server.stop()
    return lake


def start_fails(lake, *texts):
    server = harness.Server(lake)
    with pytest.raises(RuntimeError) as caught:
        server.start(timeout=20)
    server.close()
    for text in texts:
        assert text in str(caught.value), caught.value


def test_a_missing_catalog_is_no_empty_lake(filled):
    shutil.move(filled / "catalog.ducklake", filled / "away")
    start_fails(filled, "catalog.ducklake is missing", "snapshot 2", "restore it from a backup")
    assert not (filled / "catalog.ducklake").exists()
    os.remove(filled / "catalog.ducklake.witness")
    start_fails(filled, "there is no catalog", ".parquet", "restore the catalog from a backup")
    assert not (filled / "catalog.ducklake").exists()
    shutil.move(filled / "away", filled / "catalog.ducklake")
    with contextlib.closing(harness.Server(filled).start()) as server:
        assert server.rows("FROM t") == [(1,)]


def test_an_older_catalog_is_not_served(filled):
    shutil.copy(filled / "catalog.ducklake", filled / "old")
    with contextlib.closing(harness.Server(filled).start()) as server:
        server.run("INSERT INTO t VALUES (2)")
        server.stop()
    shutil.copy(filled / "old", filled / "catalog.ducklake")
    start_fails(filled, "ends with snapshot 2", "snapshot 3 was committed", "newer backup")
    os.remove(filled / "catalog.ducklake.witness")  # as the error says
    with contextlib.closing(harness.Server(filled).start()) as server:
        assert server.rows("FROM t") == [(1,)]
        server.run("INSERT INTO t VALUES (3)")


def test_the_catalog_of_another_lake_is_not_served(filled, tmp_path):
    with contextlib.closing(harness.Server(tmp_path / "other").start()) as server:
        for i in range(5):
            server.run(f"CREATE TABLE t{i} (i BIGINT)")
        server.stop()
    shutil.copy(tmp_path / "other" / "catalog.ducklake", filled / "catalog.ducklake")
    start_fails(filled, "is of another lake")


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_log_that_was_cut_loses_nothing_in_silence(filled, kept):
    with contextlib.closing(harness.Server(filled).start()) as server:
        for i in range(10):
            server.run(f"INSERT INTO t VALUES ({i})")
        server.kill()
    log = filled / "catalog.ducklake.wal"
    with open(log, "r+b") as file:
        file.truncate(log.stat().st_size * kept // 4)
    start_fails(filled, "catalog")


def test_a_catalog_that_goes_while_the_server_runs_takes_no_more(filled):
    with contextlib.closing(harness.Server(filled).start()) as server:
        shutil.copy(filled / "catalog.ducklake", filled / "copy")
        os.remove(filled / "catalog.ducklake")
        for sql in ("INSERT INTO t VALUES (2)", "CREATE TABLE u (i BIGINT)", "FROM t"):
            with harness.raises("unavailable", "removed or replaced"):
                server.rows(sql)
        shutil.move(filled / "copy", filled / "catalog.ducklake")
        with harness.raises("unavailable", "removed or replaced"):
            server.run("INSERT INTO t VALUES (2)")
        assert server.process.poll() is None
        server.stop()
    with contextlib.closing(harness.Server(filled).start()) as server:
        assert server.rows("FROM t") == [(1,)]


def test_the_extension_may_go_on_where_the_server_was(filled):
    with harness.ducklake(filled) as duck:
        duck.execute("INSERT INTO t VALUES (2)")
    with contextlib.closing(harness.Server(filled).start()) as server:
        assert server.rows("SELECT count(*) FROM t") == [(2,)]

"""SQL that changes things, the lake's functions and time travel, on both stores."""

import datetime
import time

import harness
import pyarrow as pa
import pytest


def test_create_variants(shared, table):
    shared.run(f"CREATE TABLE {table} (i INTEGER)")
    with harness.raises("exists", table):
        shared.run(f"CREATE TABLE {table} (i INTEGER)")
    before = shared.snapshot()
    shared.run(f"CREATE TABLE IF NOT EXISTS {table} (j INTEGER)")
    assert shared.snapshot() == before, "nothing changed, so there is no snapshot"
    assert shared.table(f"SELECT * FROM {table}").column_names == ["i"]
    shared.run(f"INSERT INTO {table} VALUES (1)", f"CREATE OR REPLACE TABLE {table} (k VARCHAR)")
    assert shared.table(f"SELECT * FROM {table}").column_names == ["k"]
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    shared.run(f"DROP TABLE {table}")
    with harness.raises("not_found", table):
        shared.run(f"DROP TABLE {table}")
    shared.run(f"DROP TABLE IF EXISTS {table}")


def test_schemas(shared, table):
    shared.run(f"CREATE SCHEMA s_{table}", f"CREATE SCHEMA IF NOT EXISTS s_{table}")
    with harness.raises("exists"):
        shared.run(f"CREATE SCHEMA s_{table}")
    shared.run(f"CREATE TABLE s_{table}.t AS SELECT 1 AS i")
    assert shared.rows(f"SELECT i FROM lake.s_{table}.t") == [(1,)]
    with harness.raises("state"):
        shared.run(f"DROP SCHEMA s_{table}")
    shared.run(f"DROP TABLE s_{table}.t", f"DROP SCHEMA s_{table}", f"DROP SCHEMA IF EXISTS s_{table}")
    with harness.raises("not_found"):
        shared.run(f"DROP SCHEMA s_{table}")


def test_create_table_as_is_one_snapshot(shared, table):
    before = shared.snapshot()
    shared.run(f"CREATE TABLE {table} AS SELECT i, 'x' || i AS s FROM range(5000) r(i)")
    assert shared.snapshot() == before + 1
    assert shared.rows(f"SELECT count(*), sum(i), max(s) FROM {table}") == [(5000, sum(range(5000)), "x999")]
    shared.run(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} WHERE i < 10")
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(10,)]


def test_insert_variants(shared, table):
    shared.run(f"CREATE TABLE {table} (a BIGINT NOT NULL, b VARCHAR DEFAULT 'none', c DECIMAL(9,2))")
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (1, 'x', 1.25), (2, NULL, NULL)")
        assert cursor.rowcount in (2, -1)
    shared.run(f"INSERT INTO {table} (c, a) VALUES (3.5, 3)", f"INSERT INTO {table} (a) SELECT a + 10 FROM {table}")
    got = shared.rows(f"SELECT a, b, c::VARCHAR FROM {table} ORDER BY a")
    assert got == [
        (1, "x", "1.25"), (2, None, None), (3, "none", "3.50"),
        (11, "none", None), (12, "none", None), (13, "none", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("insert", "kind", "text"),
    [
        ("(b) VALUES ('x')", "invalid", "a"),
        ("VALUES (NULL, 'x', 1)", "invalid", "a"),
        ("VALUES (1)", "invalid", ""),
        ("(nosuch) VALUES (1)", "invalid", "nosuch"),
        ("VALUES ('seven', 'x', 1)", "invalid", "seven"),
        ("SELECT 1, 'x', 99999999999", "invalid", ""),
    ],
)
def test_a_refused_insert_changes_nothing(shared, table, insert, kind, text):
    shared.run(f"CREATE TABLE {table} (a BIGINT NOT NULL, b VARCHAR, c DECIMAL(4,1))")
    before = shared.snapshot()
    with harness.raises(kind, text):
        shared.run(f"INSERT INTO {table} {insert}")
    assert shared.snapshot() == before
    assert shared.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_comments(shared, table):
    shared.run(
        f"CREATE TABLE {table} (i INTEGER)",
        f"COMMENT ON TABLE {table} IS 'it''s a table'",
        f"COMMENT ON COLUMN {table}.i IS 'a column'",
    )
    assert shared.rows(f"SELECT comment FROM duckdb_tables() WHERE table_name = '{table}'") == [("it's a table",)]
    assert shared.rows(f"SELECT comment FROM duckdb_columns() WHERE table_name = '{table}'") == [("a column",)]
    shared.run(f"COMMENT ON TABLE {table} IS NULL")
    assert shared.rows(f"SELECT comment FROM duckdb_tables() WHERE table_name = '{table}'") == [(None,)]


def test_partitioned_by_routes_rows_to_files(shared, table):
    shared.run(f"CREATE TABLE {table} (region VARCHAR, ts TIMESTAMP, i BIGINT) PARTITIONED BY (region, year(ts))")
    shared.run(
        f"""INSERT INTO {table} SELECT chr(97 + (i % 3)::INTEGER), TIMESTAMP '2020-06-01' + INTERVAL (i % 2) YEAR, i
            FROM range(60) r(i)"""
    )
    assert len(shared.files(table)) == 6
    assert shared.rows(f"SELECT count(*) FROM {table} WHERE region = 'b' AND ts >= TIMESTAMP '2021-01-01'") == [(10,)]


def test_options_of_a_table_shape_its_files(shared, table):
    shared.run(f"CREATE TABLE {table} (i BIGINT) WITH (row_group_rows = 250)")
    shared.ingest(table, pa.table({"i": range(1000)}), "append")
    sql = f"SELECT rows, min, max, null_count FROM lake.row_groups('{table}') WHERE column_name = 'i' ORDER BY row_group"
    groups = shared.rows(sql)
    assert groups == [(250, str(k), str(k + 249), 0) for k in range(0, 1000, 250)]


def test_an_unknown_option_is_refused_by_name(shared, table):
    with harness.raises("unsupported", "row_group_rose"):
        shared.run(f"CREATE TABLE {table} (i BIGINT) WITH (row_group_rose = 250)")
    with harness.raises("invalid"):
        shared.run(f"CREATE TABLE {table} (i BIGINT) WITH (row_group_rows = 'many')")


def test_options_of_the_lake_hold_for_new_files_and_survive_a_restart(server):
    server.run("CALL lake.set_option('row_group_rows', '100')", "CREATE TABLE t (i BIGINT)", "CREATE TABLE u (i BIGINT)")
    server.run("CALL lake.set_option('row_group_rows', '300', table_name => 'u')")
    server.kill()
    server.start()
    assert ("row_group_rows", "100", "GLOBAL") in server.rows("SELECT option_name, value, scope FROM lake.options()")
    for name in ("t", "u"):
        server.ingest(name, pa.table({"i": range(600)}), "append")
    assert server.rows("SELECT DISTINCT rows FROM lake.row_groups('t')") == [(100,)]
    assert server.rows("SELECT DISTINCT rows FROM lake.row_groups('u')") == [(300,)]
    with harness.raises("unsupported", "nosuch"):
        server.run("CALL lake.set_option('nosuch', '1')")
    with harness.raises("invalid", "data_path"):
        server.run("CALL lake.set_option('data_path', '/tmp')")


def test_time_travel_by_version_and_timestamp(shared, table):
    shared.run(f"CREATE TABLE {table} (i BIGINT)", f"INSERT INTO {table} VALUES (1)")
    first = shared.snapshot()
    (stamp,) = shared.rows(f"SELECT snapshot_time FROM lake.snapshots() WHERE snapshot_id = {first}")[0]
    time.sleep(0.01)
    shared.run(f"INSERT INTO {table} VALUES (2)")
    assert shared.rows(f"SELECT count(*) FROM {table} AT (VERSION => {first})") == [(1,)]
    moment = stamp.astimezone(datetime.timezone.utc).isoformat(sep=" ")
    assert shared.rows(f"SELECT i FROM {table} AT (TIMESTAMP => TIMESTAMPTZ '{moment}')") == [(1,)]
    both = f"SELECT count(*) FROM {table} n JOIN {table} o AT (VERSION => {first}) USING (i)"
    assert shared.rows(both) == [(1,)]
    shared.run(f"DROP TABLE {table}")
    assert shared.rows(f"SELECT i FROM {table} AT (VERSION => {first})") == [(1,)]
    with harness.raises("not_found"):
        shared.rows(f"SELECT i FROM {table} AT (VERSION => 99999999)")
    with harness.raises("not_found"):
        shared.rows(f"SELECT i FROM {table} AT (TIMESTAMP => TIMESTAMP '1999-01-01')")


def test_functions_of_the_lake(shared, table):
    shared.ingest(table, pa.table({"i": range(100), "s": ["x"] * 100}), "create")
    snapshot = shared.snapshot()
    snapshots = shared.table("SELECT * FROM lake.snapshots()")
    assert snapshots.column("snapshot_id").to_pylist() == list(range(snapshot + 1))
    info = shared.table("SELECT * FROM lake.table_info()").to_pylist()
    (mine,) = [row for row in info if row["table_name"] == table]
    assert mine["file_count"] == 1 and mine["file_size_bytes"] > 0
    files = shared.table(f"SELECT * FROM lake.snapshot_files({snapshot})").to_pylist()
    assert [(f["table_name"], f["rows"], f["row_groups"]) for f in files] == [(table, 100, 1)]
    stats = {c["column_name"]: c for c in files[0]["column_stats"]}
    assert (stats["i"]["min"], stats["i"]["max"], stats["i"]["null_count"]) == ("0", "99", 0)
    assert stats["i"]["min_exact"] and stats["i"]["max_exact"]
    assert ("version", "1.0") in shared.rows("SELECT option_name, value FROM lake.options()")
    assert len(shared.files(table)) == 1


def test_queries_beyond_a_scan(shared, table):
    shared.ingest(table, pa.table({"i": range(1000), "g": [k % 7 for k in range(1000)]}), "create")
    sql = f"""WITH w AS (SELECT g, i, row_number() OVER (PARTITION BY g ORDER BY i DESC) AS n FROM {table})
              SELECT g, i FROM w WHERE n = 1 AND i > (SELECT avg(i) FROM {table}) ORDER BY g"""
    assert shared.rows(sql) == sorted((k % 7, k) for k in range(993, 1000))
    assert shared.rows(f"SELECT count(*) FROM {table} a JOIN {table} b USING (i) WHERE a.i = 5") == [(1,)]
    columns = shared.rows(
        f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}' ORDER BY 1"
    )
    assert columns == [("g", "BIGINT"), ("i", "BIGINT")]
    assert [row[0] for row in shared.rows(f"DESCRIBE {table}")] == ["i", "g"]
    assert (table,) in shared.rows("SHOW TABLES")


def test_a_shadowing_cte_is_not_the_table(shared, table):
    shared.run(f"CREATE TABLE {table} AS SELECT 1 AS i")
    assert shared.rows(f"WITH {table} AS (SELECT 2 AS i) SELECT i FROM {table}") == [(2,)]
    assert shared.rows(f"WITH {table} AS (SELECT i + 10 AS i FROM main.{table}) SELECT i FROM {table}") == [(11,)]


def test_a_large_result_streams(shared):
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT i, repeat('x', 100) AS s FROM range(2000000) r(i)")
        total = sum(batch.num_rows for batch in cursor.fetch_record_batch())
    assert total == 2_000_000


def test_empty_results_keep_their_columns(shared, table):
    shared.run(f"CREATE TABLE {table} (i BIGINT, s VARCHAR)")
    got = shared.table(f"SELECT s, i + 1 AS j FROM {table} WHERE i > 5")
    assert [(f.name, str(f.type)) for f in got.schema] == [("s", "string"), ("j", "int64")]
    assert got.num_rows == 0
    assert shared.rows(f"SELECT count(*), sum(i), min(s) FROM {table}") == [(0, None, None)]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM {}", "UPDATE {} SET i = 1", "ALTER TABLE {} ADD COLUMN j INTEGER", "CREATE VIEW v AS FROM {}"],
)
def test_statements_that_are_not_there_yet_are_refused_by_name(shared, table, statement):
    shared.run(f"CREATE TABLE {table} (i BIGINT)")
    before = shared.snapshot()
    with harness.raises("unsupported", statement.split()[0]):
        shared.run(statement.format(table))
    assert shared.snapshot() == before


def test_names_are_compared_without_case_and_kept_as_written(shared):
    shared.run('CREATE TABLE "MiXed" (Id BIGINT)', "INSERT INTO mixed VALUES (1)")
    assert shared.table('SELECT * FROM "MIXED"').column_names == ["Id"]
    assert ("MiXed",) in shared.rows("SELECT table_name FROM information_schema.tables")
    with harness.raises("exists"):
        shared.run("CREATE TABLE MIXED (i INTEGER)")
    shared.run("DROP TABLE mixed")

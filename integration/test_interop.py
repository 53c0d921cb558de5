"""The lake is DuckLake's: DuckDB's own extension reads and writes what flightlake
wrote, and the other way round, while the server is stopped."""

import contextlib
import uuid

import harness
import pyarrow as pa
import pytest
import values


@contextlib.contextmanager
def extension(server):
    """Stop the server, attach its lake with the extension, and start it again."""
    assert server.stop() == 0
    try:
        with harness.ducklake(server.lake) as duck:
            yield duck
    finally:
        server.start()


def plain(value):
    """UUIDs are text in DuckDB's Arrow; everything else is compared as it is."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def same_columns(got, want, what):
    """Compare two Arrow tables by value, column by column."""
    assert got.column_names == want.column_names, what
    left = [plain(v) for column in got.columns for v in column.to_pylist()]
    right = [plain(v) for column in want.columns for v in column.to_pylist()]
    assert [harness.canonical(v) for v in left] == [harness.canonical(v) for v in right], what


def test_the_extension_reads_every_type_that_flightlake_wrote(server):
    for sql_type in values.SQL_VALUES:
        name = "t_" + values.type_name(sql_type)
        server.run(f"CREATE TABLE {name} (id BIGINT, v {sql_type})", values.insert_rows(name, sql_type))
    mine = {t: server.table(f"SELECT * FROM t_{values.type_name(t)} ORDER BY id") for t in values.SQL_VALUES}
    oracle = harness.memory_duckdb()
    with extension(server) as duck:
        for sql_type in values.SQL_VALUES:
            name = "t_" + values.type_name(sql_type)
            oracle.execute(f"CREATE TABLE {name} (id BIGINT, v {sql_type})")
            oracle.execute(values.insert_rows(name, sql_type))
            want = oracle.execute(f"SELECT * FROM {name} ORDER BY id").to_arrow_table()
            same_columns(mine[sql_type], want, sql_type)
            same_columns(duck.execute(f"SELECT * FROM {name} ORDER BY id").to_arrow_table(), want, sql_type)
            types = duck.execute(f"SELECT DISTINCT typeof(v) FROM {name}").fetchall()
            assert types == oracle.execute(f"SELECT DISTINCT typeof(v) FROM {name}").fetchall()
            for k in range(len(values.SQL_VALUES[sql_type])):
                where = f"WHERE v = CAST({values.SQL_VALUES[sql_type][k]} AS {sql_type})"
                count = f"SELECT count(*) FROM {name} {where}"
                assert duck.execute(count).fetchall() == oracle.execute(count).fetchall(), (sql_type, where)


@pytest.mark.parametrize("inlining", [0, 100], ids=["files", "inlined"])
def test_flightlake_reads_every_type_that_the_extension_wrote(server, inlining):
    oracle = harness.memory_duckdb()
    with extension(server) as duck:
        duck.execute(f"CALL l.set_option('data_inlining_row_limit', '{inlining}')")
        for sql_type in values.SQL_VALUES:
            name = "t_" + values.type_name(sql_type)
            for connection in (duck, oracle):
                connection.execute(f"CREATE TABLE {name} (id BIGINT, v {sql_type})")
                connection.execute(values.insert_rows(name, sql_type))
    for sql_type in values.SQL_VALUES:
        name = "t_" + values.type_name(sql_type)
        want = oracle.execute(f"SELECT * FROM {name} ORDER BY id").to_arrow_table()
        same_columns(server.table(f"SELECT * FROM {name} ORDER BY id"), want, sql_type)
        for literal in values.SQL_VALUES[sql_type]:
            count = f"SELECT count(*) FROM {name} WHERE v = CAST({literal} AS {sql_type})"
            assert server.rows(count) == oracle.execute(count).fetchall(), count


def numbers(first, rows=1000):
    return pa.table({"i": range(first, first + rows), "s": [f"s{i:06}" for i in range(first, first + rows)]})


def files_read(duck, sql):
    plan = duck.execute("EXPLAIN ANALYZE " + sql).fetchall()[0][1]
    line = next(line for line in plan.splitlines() if "Total Files Read" in line)
    return int("".join(c for c in line if c.isdigit()))


def test_the_extension_prunes_by_the_statistics_that_flightlake_wrote(server):
    for k in range(4):
        server.ingest("t", numbers(k * 1000), "create_append")
    with extension(server) as duck:
        assert duck.execute("SELECT count(*), sum(i) FROM t").fetchall() == [(4000, sum(range(4000)))]
        assert files_read(duck, "SELECT s FROM t WHERE i = 2500") == 1
        assert files_read(duck, "SELECT i FROM t WHERE s >= 's003000'") == 1
        assert duck.execute("SELECT s FROM t WHERE i = 2500").fetchall() == [("s002500",)]


def test_flightlake_serves_what_the_extension_deleted_and_updated(server):
    server.ingest("t", numbers(0), "create")
    before = server.snapshot()
    with extension(server) as duck:
        duck.execute("DELETE FROM t WHERE i % 10 = 3")
        duck.execute("UPDATE t SET s = 'changed' WHERE i < 5")
        duck.execute("INSERT INTO t VALUES (5000, 'inlined')")
        want = duck.execute("SELECT * FROM t").fetchall()
    harness.assert_same_rows(server.rows("SELECT * FROM t"), want)
    assert server.rows("SELECT count(*) FROM t") == [(len(want),)]
    assert server.rows("SELECT max(i), count(*) FILTER (s = 'changed') FROM t") == [(5000, 4)]
    assert server.rows(f"SELECT count(*), min(s) FROM t AT (VERSION => {before})") == [(1000, "s000000")]
    server.ingest("t", numbers(6000), "append")
    assert server.rows("SELECT count(*) FROM t") == [(len(want) + 1000,)]


def test_flightlake_serves_what_the_extension_altered(server):
    server.ingest("t", numbers(0), "create")
    old = server.snapshot()
    with extension(server) as duck:
        duck.execute("ALTER TABLE t ADD COLUMN extra INTEGER DEFAULT 7")
        duck.execute("ALTER TABLE t RENAME COLUMN s TO name")
        duck.execute("INSERT INTO t SELECT i, 'n' || i, i::INTEGER FROM range(1000, 1500) r(i)")
        duck.execute("ALTER TABLE t ALTER COLUMN extra TYPE BIGINT")
        duck.execute("INSERT INTO t SELECT i, 'n' || i, 9223372036854775807 FROM range(1500, 1600) r(i)")
        want = duck.execute("SELECT * FROM t").fetchall()
    harness.assert_same_rows(server.rows("SELECT * FROM t"), want)
    assert server.rows("SELECT count(*) FROM t WHERE extra = 7") == [(1000,)]
    assert server.rows("SELECT count(*) FROM t WHERE name = 's000005'") == [(1,)]
    assert server.table(f"SELECT * FROM t AT (VERSION => {old})").column_names == ["i", "s"]
    with extension(server) as duck:
        duck.execute("ALTER TABLE t DROP COLUMN name")
        duck.execute("ALTER TABLE t ADD COLUMN name VARCHAR")
        duck.execute("ALTER TABLE t RENAME TO renamed")
        want = duck.execute("SELECT * FROM renamed").fetchall()
    harness.assert_same_rows(server.rows("SELECT * FROM renamed"), want)
    assert server.rows("SELECT count(name) FROM renamed") == [(0,)], "a dropped column's data came back"


def test_partitioned_tables_go_both_ways(server):
    server.run(
        "CREATE TABLE mine (id BIGINT, region VARCHAR, ts TIMESTAMP) PARTITIONED BY (region, month(ts), bucket(4, id))"
    )
    insert = """SELECT i, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 2 = 0 THEN 'a/b''=%' ELSE '\U0001f980' END,
                TIMESTAMP '1969-11-15' + INTERVAL (i) DAY FROM range(200) r(i)"""
    server.run(f"INSERT INTO mine {insert}")
    with extension(server) as duck:
        want = duck.execute("SELECT * FROM mine").fetchall()
        oracle = harness.memory_duckdb()
        harness.assert_same_rows(want, oracle.execute(insert).fetchall())
        assert duck.execute("SELECT count(*) FROM mine WHERE region = 'a/b''=%'").fetchall() == oracle.execute(
            f"SELECT count(*) FROM ({insert}) q(id, region, ts) WHERE region = 'a/b''=%'"
        ).fetchall()
        duck.execute("CALL l.set_option('data_inlining_row_limit', '0')")
        duck.execute("CREATE TABLE theirs (id BIGINT, region VARCHAR, ts TIMESTAMP)")
        duck.execute("ALTER TABLE theirs SET PARTITIONED BY (region, year(ts))")
        duck.execute(f"INSERT INTO theirs {insert}")
        duck.execute("INSERT INTO mine SELECT 1000 + id, region, ts FROM theirs")
    harness.assert_same_rows(server.rows("SELECT * FROM theirs"), want)
    assert server.rows("SELECT count(*) FROM mine") == [(400,)]
    for where in ["region = 'a/b''=%'", "region IS NULL", "ts < TIMESTAMP '1970-01-01'", "id = 17", "id = 1017"]:
        union = "(SELECT id, region, ts FROM theirs UNION ALL SELECT 1000 + id, region, ts FROM theirs)"
        expected = server.rows(f"SELECT count(*) FROM {union} WHERE {where}")
        assert server.rows(f"SELECT count(*) FROM mine WHERE {where}") == expected, where
    server.run("INSERT INTO theirs SELECT 5000, 'new', TIMESTAMP '2024-01-01'")
    with extension(server) as duck:
        assert duck.execute("SELECT id FROM theirs WHERE region = 'new'").fetchall() == [(5000,)]


def test_snapshots_and_changes_are_those_that_the_extension_knows(server):
    server.run("CREATE SCHEMA s", "CREATE TABLE s.t (i BIGINT)", "INSERT INTO s.t VALUES (1)", "DROP TABLE s.t")
    with extension(server) as duck:
        rows = duck.execute("SELECT snapshot_id, changes FROM l.snapshots() ORDER BY 1").fetchall()
        kinds = [sorted(changes) for _, changes in rows]
        assert [k for (k,) in kinds[-4:-2]] == ["schemas_created", "tables_created"]
        assert kinds[-2] in (["tables_inserted_into"], ["inlined_insert"])
        assert kinds[-1] == ["tables_dropped"]
        duck.execute("CREATE TABLE s.u AS SELECT 42 AS i")
        assert duck.execute("SELECT count(*) FROM s.t AT (VERSION => %d)" % rows[-2][0]).fetchall() == [(1,)]
    assert server.rows("SELECT i FROM s.u") == [(42,)]
    assert server.snapshot() == rows[-1][0] + 1
    server.run("INSERT INTO s.u VALUES (43)")
    with extension(server) as duck:
        assert duck.execute("SELECT i FROM s.u ORDER BY i").fetchall() == [(42,), (43,)]


def test_defaults_comments_and_not_null_go_both_ways(server):
    server.run(
        "CREATE TABLE t (a BIGINT NOT NULL, b VARCHAR DEFAULT 'it''s', c DATE DEFAULT DATE '2020-02-29')",
        "COMMENT ON TABLE t IS 'the table'",
        "COMMENT ON COLUMN t.b IS 'the column'",
    )
    with extension(server) as duck:
        duck.execute("INSERT INTO t (a) VALUES (1)")
        with pytest.raises(Exception, match="NOT NULL"):
            duck.execute("INSERT INTO t VALUES (NULL, 'x', NULL)")
        comment = duck.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 't'").fetchall()
        assert comment == [("the table",)]
    server.run("INSERT INTO t (a) VALUES (2)")
    first, second = server.rows("SELECT b, c FROM t ORDER BY a")
    assert first == second and first[0] == "it's"


def test_flightlake_reads_files_that_the_extension_added_from_outside(server, tmp_path):
    """The files' field ids and the order of their columns would mislead, and one column is missing."""
    outside = tmp_path / "out side%20"
    outside.mkdir()
    server.run("CREATE TABLE t (i BIGINT, s VARCHAR, n STRUCT(a INTEGER, b VARCHAR), l STRUCT(x INTEGER)[])")
    select = """SELECT 's' || lpad((i + {0})::VARCHAR, 6, '0') AS s, [{{'x': i::INTEGER}}, NULL] AS l, i + {0} AS i,
                {{'b': 'b' || i, 'a': i::INTEGER}} AS N FROM range(1000) r(i)"""
    with extension(server) as duck:
        for k, prefix in enumerate(["", "file://"]):
            path = outside / f"{k}.parquet"
            duck.execute(f"COPY ({select.format(k * 1000)}) TO '{path}' (FIELD_IDS 'auto')")
            duck.execute(f"CALL ducklake_add_data_files('l', 't', '{prefix}{path}')")
        duck.execute(f"COPY (SELECT 5000 + i AS i FROM range(10) r(i)) TO '{outside}/narrow.parquet'")
        duck.execute(f"CALL ducklake_add_data_files('l', 't', '{outside}/narrow.parquet', allow_missing => true)")
        duck.execute("DELETE FROM t WHERE i % 100 = 7")
        duck.execute("ALTER TABLE t RENAME COLUMN s TO name")
        want = duck.execute("SELECT i, name, n, l FROM t").to_arrow_table()
    oracle = harness.memory_duckdb()
    oracle.register("t", want)
    assert len(want) == 1989
    harness.assert_same_rows(server.rows("SELECT i, name, n, l FROM t"), oracle.execute("FROM t").fetchall())
    for where in ["i = 1500", "i = 107", "name = 's000042'", "name IS NULL", "n.a = 5 AND i >= 1000"]:
        count = f"SELECT count(*) FROM t WHERE {where}"
        assert server.rows(count) == oracle.execute(count).fetchall(), where
    server.ingest("t", pa.table({"i": [9999]}), "append")
    assert server.rows("SELECT count(*), max(i) FROM t") == [(1990, 9999)]
    (outside / "0.parquet").rename(outside / "moved.parquet")
    with pytest.raises(Exception, match="0.parquet.*missing"):
        server.rows("SELECT sum(i), min(n.b) FROM t")


def test_a_client_names_no_file(server, tmp_path):
    """What the catalog may name from outside, a client may not."""
    path = tmp_path / "mine.parquet"
    harness.memory_duckdb().execute(f"COPY (SELECT 42 AS i) TO '{path}'")
    for name in [f"'{path}'", f"read_parquet('{path}')", f"'file://{path}'", f'"{path}"']:
        with pytest.raises(Exception) as caught:
            server.rows(f"SELECT * FROM {name}")
        assert "42" not in str(caught.value)
    metadata = "__ducklake_metadata_lake"
    with pytest.raises(Exception):
        server.run(f"INSERT INTO {metadata}.ducklake_data_file SELECT * FROM {metadata}.ducklake_data_file")
    with server.connect() as connection, connection.cursor() as cursor, pytest.raises(Exception):
        cursor.adbc_ingest("ducklake_data_file", pa.table({"path": [str(path)]}), "append", db_schema_name=metadata)


def test_the_catalog_is_complete_enough_for_the_extensions_maintenance(server):
    for k in range(5):
        server.ingest("t", numbers(k * 1000), "create_append")
    with extension(server) as duck:
        duck.execute("CALL ducklake_merge_adjacent_files('l')")
        want = duck.execute("SELECT * FROM t").fetchall()
        assert len(want) == 5000
        duck.execute("CALL ducklake_expire_snapshots('l', older_than => now())")
        duck.execute("CALL ducklake_cleanup_old_files('l', cleanup_all => true)")
    harness.assert_same_rows(server.rows("SELECT * FROM t"), want)
    assert len(server.files("t")) == 1


def test_declared_keys_stay_and_the_extension_ignores_them(server):
    server.run(
        "CREATE TABLE parent (id BIGINT PRIMARY KEY, name VARCHAR)",
        """CREATE TABLE child (id BIGINT, parent BIGINT REFERENCES parent,
            PRIMARY KEY (id), FOREIGN KEY (id) REFERENCES parent (id))""",
        "INSERT INTO parent VALUES (1, 'one')",
    )

    def options():
        table = "__ducklake_metadata_lake.ducklake_metadata"
        return server.rows(f"SELECT key, value FROM {table} WHERE key LIKE 'flightlake%' ORDER BY ALL")

    before = options()
    assert [key for key, _ in before] == ["flightlake_foreign_keys", "flightlake_primary_key", "flightlake_primary_key"]
    with extension(server) as duck:
        duck.execute("INSERT INTO child VALUES (2, 77), (2, 78)")
        duck.execute("INSERT INTO parent VALUES (1, 'again')")
        with pytest.raises(Exception, match="NOT NULL"):
            duck.execute("INSERT INTO child VALUES (NULL, 1)")
        duck.execute("ALTER TABLE parent RENAME COLUMN id TO key")
        duck.execute("CALL l.set_option('target_file_size', '1MB', table_name => 'child')")
        names = duck.execute("SELECT option_name FROM l.options() WHERE scope = 'TABLE'").fetchall()
        assert ("target_file_size",) in names
        assert duck.execute("SELECT key, name FROM parent ORDER BY name").fetchall() == [(1, "again"), (1, "one")]
    assert options() == before
    server.run("INSERT INTO child VALUES (2, NULL)", "DROP TABLE parent")
    assert server.rows("SELECT count(*) FROM child") == [(3,)]


NAN_MIXES = [
    ("range(8192)", "CASE WHEN i >= 4096 AND i % 4 = 0 THEN 'nan'::DOUBLE ELSE i END"),
    ("range(8192)", "CASE WHEN i < 2048 THEN 'nan'::DOUBLE ELSE i END"),
    ("range(8192)", "CASE i % 4 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf'::DOUBLE WHEN 2 THEN NULL ELSE -i END"),
    ("range(4096)", "CASE WHEN i >= 2048 THEN 'nan'::DOUBLE END"),
    ("range(6000)", "CASE WHEN i > 5990 THEN 'nan'::DOUBLE WHEN i > 3000 THEN '-inf'::DOUBLE ELSE 1 END"),
    ("range(3000)", "'nan'::DOUBLE"),
    ("range(130000)", "CASE (i // 4096) % 5 WHEN 0 THEN 0 WHEN 1 THEN '-inf'::DOUBLE WHEN 2 THEN -i WHEN 3 THEN 'nan'::DOUBLE ELSE i END"),
]


@pytest.mark.parametrize("typ", ["DOUBLE", "FLOAT"])
@pytest.mark.parametrize("source, value", NAN_MIXES)
def test_nan_that_the_extension_does_not_tell_of_is_found(lake, source, value, typ):
    """Its statistics say contains_nan = false of many columns that hold NaN."""
    rows = f"SELECT i, ({value})::{typ} AS v FROM {source} r(i)"
    harness.Server(lake).start().stop()
    with harness.ducklake(lake) as duck:
        duck.execute(f"CREATE TABLE t AS {rows}")
    conditions = [
        f"v {operator} {constant}::{typ}"
        for operator in ("=", "<>", "<", "<=", ">", ">=")
        for constant in ("'nan'", "'inf'", "'-inf'", "0", "5000")
    ] + ["v IS NULL", "v IS NOT NULL", "isnan(v)", "v IN (1, 'nan')", "v BETWEEN 0 AND 'inf'", "v IS DISTINCT FROM 'nan'"]
    memory = harness.memory_duckdb()
    memory.execute(f"CREATE TABLE t AS {rows}")
    with contextlib.closing(harness.Server(lake).start()) as server:
        with server.connect() as connection, connection.cursor() as cursor:
            for condition in conditions:
                sql = f"SELECT count(*), min(i), max(i) FROM t WHERE {condition}"
                want = memory.execute(sql).fetchall()
                cursor.execute(sql)
                assert cursor.fetchall() == want, condition
                cursor.execute(f"SELECT count(*) FROM t WHERE {condition}")
                assert cursor.fetchall() == [want[0][:1]], condition
            for aggregate in ("min(v)", "max(v)", "count(v)"):
                want = memory.execute(f"SELECT {aggregate} FROM t").fetchall()
                cursor.execute(f"SELECT {aggregate} FROM t")
                assert harness.same_rows(cursor.fetchall(), want), aggregate

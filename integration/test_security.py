"""What reaches the server's own files, network, environment or extensions is closed."""

import harness
import pytest

CLOSED = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('{lake}/data/**/*.parquet')",
    "SELECT * FROM parquet_scan('{lake}/data/**/*.parquet')",
    "SELECT * FROM parquet_metadata('{lake}/data/**/*.parquet')",
    "SELECT * FROM parquet_schema('{lake}/data/**/*.parquet')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'file.parquet'",
    "SELECT * FROM '{lake}/catalog.ducklake'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM '/tmp/x.csv'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM (SELECT * FROM read_text('/etc/passwd'))",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/passwd')",
    "SELECT getenv('HOME')",
    "SELECT GETENV('HOME')",
    "COPY (SELECT 1) TO '{lake}/out.csv'",
    "COPY t TO '{lake}/out.parquet' (FORMAT parquet)",
    "COPY t FROM '/etc/passwd'",
    "EXPORT DATABASE '{lake}/out'",
    "IMPORT DATABASE '{lake}/out'",
    "ATTACH '{lake}/other.db' AS other",
    "ATTACH '{lake}/catalog.ducklake' AS c",
    "DETACH lake",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "SET GLOBAL threads = 1",
    "RESET enable_external_access",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "PRAGMA temp_directory='/tmp'",
    "CREATE SECRET s (TYPE s3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "CREATE TABLE stolen AS SELECT * FROM read_text('/etc/passwd')",
    "INSERT INTO t SELECT size FROM read_text('/etc/passwd')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
    "DESCRIBE SELECT * FROM read_text('/etc/passwd')",
    "SUMMARIZE SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM lake.scan_plan('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT 1; SELECT * FROM read_text('/etc/passwd')",
    "SELECT write_log('x')",
    "CHECKPOINT; LOAD httpfs",
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    server = harness.Server(folder / "lake").start()
    server.run("CREATE TABLE t (i BIGINT)", "INSERT INTO t VALUES (1)")
    yield server
    server.close()


@pytest.mark.parametrize("sql", CLOSED)
def test_closed_to_clients(closed, sql):
    before = closed.snapshot()
    with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error) as caught:
        closed.rows(sql.replace("{lake}", closed.lake))
    assert "root:" not in str(caught.value)
    assert harness.error_kind(caught.value) in {"forbidden", "invalid", "unsupported", "not_found", "state"}
    assert closed.snapshot() == before


def test_the_server_still_answers_after_all_of_them(closed):
    assert closed.rows("SELECT * FROM t") == [(1,)]


def test_a_stranger_on_the_network_is_not_served_without_credentials(tmp_path):
    server = harness.Server(tmp_path / "lake", "--listen", "0.0.0.0:0")
    with pytest.raises(RuntimeError, match="loopback|auth|listen"):
        server.start(timeout=10)
    server.close()

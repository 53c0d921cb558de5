"""The 22 TPC-H queries return what DuckDB returns on the generated files.

Rows are compared exactly, doubles bit for bit: all sums in these queries are
of decimals or integers, so that no result depends on the order of a summation.
"""

import re

import conftest
import harness
import pytest

QUERIES = harness.tpch_queries()


@pytest.fixture(scope="module")
def expected(tpch):
    """The answers of DuckDB in-process, by query name: (columns with types, rows)."""
    duck = harness.oracle(tpch)
    answers = {}
    for name, sql in QUERIES:
        table = duck.execute(sql).fetch_arrow_table()
        answers[name] = ([(f.name, str(f.type)) for f in table.schema], rows_of(table))
    return answers


def rows_of(table):
    return [tuple(row) for row in zip(*(column.to_pylist() for column in table.columns))]


def at_version(sql, version):
    """Make every table of a query a CTE that reads it at a version."""
    tables = [t for t in harness.TPCH_TABLES if re.search(rf"\b{t}\b", sql)]
    ctes = ", ".join(f"{t} AS (SELECT * FROM main.{t} AT (VERSION => {version}))" for t in tables)
    match = re.match(r"\s*with\b", without_comments(sql), re.IGNORECASE)
    if match:
        return f"WITH {ctes}, {without_comments(sql)[match.end():]}"
    return f"WITH {ctes} {without_comments(sql)}"


def without_comments(sql):
    return re.sub(r"--[^\n]*", "", sql)


def check(server, expected, version=None):
    for name, sql in QUERIES:
        got = server.table(sql if version is None else at_version(sql, version))
        columns, rows = expected[name]
        assert [(f.name, str(f.type)) for f in got.schema] == columns, name
        harness.assert_same_rows(rows_of(got), rows, name)


def append_again(server, folder):
    """Append rows that would change every answer."""
    with server.connect() as connection:
        for name in ["lineitem", "orders", "customer", "partsupp"]:
            harness.ingest(connection, name, harness.parquet_reader(folder / f"{name}.parquet"), "append")


def test_all_22_queries_are_there():
    assert len(QUERIES) == 22


def test_tpch_survives_kill_restart_and_later_appends(lake, tpch, expected):
    server = harness.Server(lake).start()
    try:
        harness.load_tpch(server, tpch)
        check(server, expected)
        loaded = server.snapshot()
        server.kill()
        server.start()
        check(server, expected)
        append_again(server, tpch)
        check(server, expected, loaded)
        query = dict(QUERIES)[min(expected)]
        assert not harness.same_rows(server.rows(query), expected[min(expected)][1])
        assert server.stop() == 0
    finally:
        server.close()


def test_tpch_on_a_store_that_duckdb_cannot_open(tmp_path, tpch, expected):
    server = conftest.memory_server(tmp_path).start()
    try:
        harness.load_tpch(server, tpch)
        check(server, expected)
        loaded = server.snapshot()
        append_again(server, tpch)
        check(server, expected, loaded)
        assert server.stop() == 0
    finally:
        server.close()

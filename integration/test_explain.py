"""EXPLAIN and scan_plan say what is read, and they tell the truth."""

import harness
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

GROUP_ROWS = 1000
FILES = 4
GROUPS = 5


@pytest.fixture(scope="module")
def planned(shared):
    shared.run(f"CREATE TABLE plan (i BIGINT, g VARCHAR, x DOUBLE) WITH (row_group_rows = {GROUP_ROWS})")
    rows = GROUP_ROWS * GROUPS
    for k in range(FILES):
        i = list(range(k * rows, (k + 1) * rows))
        shared.ingest("plan", pa.table({"i": i, "g": [f"g{v // 1000:03}" for v in i], "x": [v / 2 for v in i]}), "append")
    yield shared
    shared.run("DROP TABLE plan")


def scan_plan(server, sql):
    return server.table("SELECT * FROM lake.scan_plan('" + sql.replace("'", "''") + "')").to_pylist()


def explain(server, sql):
    return "\n".join(str(value) for row in server.rows("EXPLAIN " + sql) for value in row)


def test_a_point_lookup_reads_one_row_group(planned):
    plan = scan_plan(planned, "SELECT i, x FROM plan WHERE i = 7500")
    assert len(plan) == 1
    assert plan[0]["rows"] == GROUP_ROWS
    assert planned.rows("SELECT i, x FROM plan WHERE i = 7500") == [(7500, 3750.0)]


def test_the_row_groups_of_a_plan_hold_the_rows_of_the_query(planned):
    """What another program reads by following the plan is a superset of the answer."""
    if planned.lake == "mem:":
        pytest.skip("no other program can open a memory of this server")
    where = "i BETWEEN 4900 AND 5100 OR g = 'g019'"
    found = set()
    for task in scan_plan(planned, f"SELECT i FROM plan WHERE {where}"):
        found |= set(pq.ParquetFile(task["path"]).read_row_group(task["row_group"], ["i"])["i"].to_pylist())
    wanted = {i for (i,) in planned.rows(f"SELECT i FROM plan WHERE {where}")}
    assert wanted <= found
    assert len(wanted) == 1201 and len(found) == 3 * GROUP_ROWS


@pytest.mark.parametrize(
    ("sql", "groups", "how"),
    [
        ("SELECT * FROM plan", FILES * GROUPS, "native"),
        ("SELECT i FROM plan WHERE i < 0", 0, "native"),
        ("SELECT i FROM plan WHERE g = 'g007'", 1, "native"),
        ("SELECT g, sum(x) FROM plan WHERE i >= 19000 GROUP BY g", 1, "engine"),
        ("SELECT a.i FROM plan a JOIN plan b USING (i) WHERE a.i = 3", 2, "engine"),
    ],
)
def test_explain_agrees_with_scan_plan(planned, sql, groups, how):
    assert len(scan_plan(planned, sql)) == groups
    text = explain(planned, sql).lower()
    assert how in text, text
    assert "row group" in text or "row_group" in text, text


def test_count_min_and_max_are_answered_from_the_catalog(planned):
    total = FILES * GROUPS * GROUP_ROWS
    assert planned.rows("SELECT count(*), min(i), max(i) FROM plan") == [(total, 0, total - 1)]
    assert scan_plan(planned, "SELECT count(*) FROM plan") == []
    assert "catalog" in explain(planned, "SELECT count(*) FROM plan").lower()


def test_explain_changes_nothing(planned):
    before = planned.snapshot()
    with planned.connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("EXPLAIN INSERT INTO plan VALUES (1, 'x', 1)")
        except harness.adbc_driver_flightsql.dbapi.Error:
            pass
    assert planned.snapshot() == before

"""EXPLAIN and scan_plan say what is read, and they tell the truth."""

import pathlib

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
    """The files that a query would read or skip, one row each."""
    return server.table("SELECT * FROM lake.scan_plan('" + sql.replace("'", "''") + "')").to_pylist()


def groups_read(plan):
    """How many row groups are read; a NULL list means all of a file's."""
    read = [row for row in plan if row["skipped_by"] is None]
    return sum(row["row_groups_total"] if row["row_groups"] is None else len(row["row_groups"]) for row in read)


def explain(server, sql):
    return "\n".join(str(value) for row in server.rows("EXPLAIN " + sql) for value in row)


def test_a_point_lookup_reads_one_row_group(planned):
    plan = scan_plan(planned, "SELECT i, x FROM plan WHERE i = 7500")
    assert len(plan) == FILES, "skipped files are listed too"
    (read,) = [row for row in plan if row["skipped_by"] is None]
    assert (read["rows"], read["file_rows"], read["row_groups_total"]) == (GROUP_ROWS, GROUPS * GROUP_ROWS, GROUPS)
    assert len(read["row_groups"]) == 1 and 0 < read["bytes"] < read["file_bytes"]
    assert read["columns"] == ["i", "x"] and read["execution"] == "native scan"
    assert planned.rows("SELECT i, x FROM plan WHERE i = 7500") == [(7500, 3750.0)]


def test_the_row_groups_of_a_plan_hold_the_rows_of_the_query(planned):
    """What another program reads by following the plan is a superset of the answer."""
    if planned.lake == "mem:":
        pytest.skip("no other program can open a memory of this server")
    where = "i BETWEEN 4900 AND 5100 OR g = 'g019'"
    found = set()
    for row in scan_plan(planned, f"SELECT i FROM plan WHERE {where}"):
        if row["skipped_by"] is not None:
            continue
        file = pq.ParquetFile(row["path"])
        groups = row["row_groups"] if row["row_groups"] is not None else list(range(file.num_row_groups))
        found |= set(file.read_row_groups(groups, ["i"])["i"].to_pylist())
    wanted = {i for (i,) in planned.rows(f"SELECT i FROM plan WHERE {where}")}
    assert wanted <= found
    assert len(wanted) == 1201 and len(found) == 3 * GROUP_ROWS


@pytest.mark.parametrize(
    ("sql", "groups", "execution"),
    [
        ("SELECT * FROM plan", FILES * GROUPS, "native scan"),
        ("SELECT i FROM plan WHERE i < 0", 0, "native scan"),
        ("SELECT i FROM plan WHERE g = 'g007'", 1, "native scan"),
        ("SELECT g, sum(x) FROM plan WHERE i >= 19000 GROUP BY g", 1, "engine"),
        ("SELECT a.i FROM plan a JOIN plan b USING (i) WHERE a.i = 3", 2, "engine"),
    ],
)
def test_explain_agrees_with_scan_plan(planned, sql, groups, execution):
    plan = scan_plan(planned, sql)
    assert groups_read(plan) == groups
    assert {row["execution"] for row in plan} == {execution}
    text = explain(planned, sql)
    assert f"execution: {execution}" in text
    lines = [line.split() for line in text.splitlines() if line.strip().startswith("row groups:")]
    assert sum(int(words[2]) for words in lines) == groups, text


def test_count_min_and_max_are_answered_from_the_catalog(planned):
    total = FILES * GROUPS * GROUP_ROWS
    assert planned.rows("SELECT count(*), min(i), max(i) FROM plan") == [(total, 0, total - 1)]
    assert "execution: catalog" in explain(planned, "SELECT count(*), min(i), max(i) FROM plan")
    assert groups_read(scan_plan(planned, "SELECT count(*) FROM plan")) == 0


def test_explain_changes_nothing(planned):
    before = planned.snapshot()
    with planned.connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("EXPLAIN INSERT INTO plan VALUES (1, 'x', 1)")
        except harness.adbc_driver_flightsql.dbapi.Error:
            pass
    assert planned.snapshot() == before

"""A pruned scan returns what an unpruned one returns.

Random schemas, adversarial values and random predicates. The oracle is DuckDB
over the same values in memory, without pushing filters down: its Parquet
reader trusts float bounds that ignore NaN, and both its reader and its own
storage skip a row group of NULLs for `c = 5 OR c IS DISTINCT FROM 6`.
"""

import os
import random

import harness
import pyarrow as pa
import pytest
import values

SEED = int(os.environ.get("FLIGHTLAKE_TEST_SEED", str(random.SystemRandom().randrange(2**32))))
TABLES = 6
PREDICATES = 25
COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]


def random_schema(chance):
    types = chance.sample(list(values.ARROW_VALUES), 5)
    return pa.schema([("id", pa.int64())] + [(f"c{i}", t) for i, t in enumerate(types)])


def random_literal(chance, field):
    return values.literal(field.type, chance.choice(values.ARROW_VALUES[field.type]))


def random_leaf(chance, schema):
    field = schema.field(chance.randrange(1, len(schema)))
    form = chance.randrange(6)
    if form == 0:
        return f"{field.name} IS {chance.choice(['', 'NOT '])}NULL"
    if form == 1:
        items = ", ".join(random_literal(chance, field) for _ in range(3))
        return f"{field.name} {chance.choice(['', 'NOT '])}IN ({items})"
    if form == 2:
        low, high = random_literal(chance, field), random_literal(chance, field)
        return f"{field.name} BETWEEN {low} AND {high}"
    if form == 3 and pa.types.is_string(field.type):
        return f"{field.name} LIKE '{chance.choice(['a', 'aaaa', values.LONG[:5]])}%'"
    if form == 3 and pa.types.is_floating(field.type):
        return f"isnan({field.name})"
    return f"{field.name} {chance.choice(COMPARISONS)} {random_literal(chance, field)}"


def random_predicate(chance, schema, depth=2):
    if depth == 0 or chance.random() < 0.4:
        return random_leaf(chance, schema)
    if chance.random() < 0.25:
        return f"NOT ({random_predicate(chance, schema, depth - 1)})"
    left, right = (random_predicate(chance, schema, depth - 1) for _ in range(2))
    return f"({left} {chance.choice(['AND', 'OR'])} {right})"


def fill(server, name, chance, schema):
    """Append several random batches; return an oracle that holds the same rows."""
    parts, first_id = [], 0
    for _ in range(4):
        rows = chance.choice([0, 1, 7, 60])
        parts.append(values.random_table(chance, schema, rows, first_id))
        first_id += rows
    for part in parts:
        server.ingest(name, part, "create_append")
    duck = harness.memory_duckdb()
    duck.execute("SET disabled_optimizers = 'filter_pushdown, statistics_propagation'")
    everything = pa.concat_tables(parts)  # noqa: F841 named in the SQL below
    duck.execute(f'CREATE TABLE "{name}" AS FROM everything')
    return duck


def compare(connection, duck, sql, form=lambda row: row):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        got = cursor.fetchall()
    harness.assert_same_rows(list(map(form, got)), list(map(form, duck.execute(sql).fetchall())), sql)


def unsigned(row):
    """Without the sign of zeros: which of -0.0 and 0.0 min and max return is open."""
    return tuple(value + 0.0 if isinstance(value, float) else value for value in row)


@pytest.mark.parametrize("number", range(TABLES))
def test_random_predicates(shared, number):
    print(f"FLIGHTLAKE_TEST_SEED={SEED}")
    chance = random.Random(f"{SEED}-{number}")
    schema, name = random_schema(chance), f"random_{number}"
    duck = fill(shared, name, chance, schema)
    with shared.connect() as connection:
        for _ in range(PREDICATES):
            predicate = random_predicate(chance, schema)
            compare(connection, duck, f'SELECT id FROM "{name}" WHERE {predicate}')
            compare(connection, duck, f'SELECT count(*) FROM "{name}" WHERE {predicate}')
        for field in schema:
            bounds = f"min({field.name}), max({field.name}), count({field.name})"
            compare(connection, duck, f'SELECT {bounds} FROM "{name}"', unsigned)
        compare(connection, duck, f'SELECT * FROM "{name}"')
    shared.run(f'DROP TABLE "{name}"')


@pytest.mark.parametrize(
    "predicate",
    [
        "c = 5 OR c IS DISTINCT FROM 6",
        "c IS DISTINCT FROM 6",
        "c IS DISTINCT FROM 6 OR c IS DISTINCT FROM 7",
        "NOT (c IS NOT DISTINCT FROM 6)",
    ],
)
def test_a_row_group_of_nulls_is_distinct_from_a_value(shared, table, predicate):
    shared.ingest(table, pa.table({"i": range(7), "c": pa.array([None] * 7, pa.int64())}))
    assert len(shared.rows(f"SELECT i FROM {table} WHERE {predicate}")) == 7
    assert shared.rows(f"SELECT count(*) FROM {table} WHERE {predicate}") == [(7,)]


@pytest.fixture(scope="module")
def small_groups(shared):
    """A table of many row groups whose bounds are disjoint in i and absent or loose elsewhere."""
    shared.run(
        "CREATE TABLE groups (i BIGINT, f DOUBLE, s VARCHAR, u UBIGINT) WITH (row_group_rows = 100)",
    )
    i = list(range(1000))
    f = [float("nan") if k % 100 == 50 else float(k) for k in i]
    s = [values.LONG + str(k) if k % 100 == 0 else f"s{k:04}" for k in i]
    u = [2**64 - 1 - k for k in i]
    shared.ingest("groups", pa.table({"i": i, "f": f, "s": s, "u": pa.array(u, pa.uint64())}), "append")
    yield shared
    shared.run("DROP TABLE groups")


@pytest.mark.parametrize(
    ("predicate", "count"),
    [
        ("i = 555", 1),
        ("i BETWEEN 250 AND 349", 100),
        ("f > 99999", 10),  # NaN is greater than everything
        ("f = 'nan'", 10),
        ("NOT (f < 2000)", 10),
        ("isnan(f)", 10),
        ("s > 't'", 10),
        ("s LIKE 's05%'", 99),
        ("u > 18446744073709551605", 10),
        ("u < 9223372036854775808", 0),
    ],
)
def test_bounds_of_row_groups(small_groups, predicate, count):
    assert small_groups.rows(f"SELECT count(*) FROM groups WHERE {predicate}") == [(count,)]
    assert len(small_groups.rows(f"SELECT i FROM groups WHERE {predicate}")) == count

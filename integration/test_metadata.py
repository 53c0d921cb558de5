"""What database browsers ask: GetObjects, GetTableSchema, GetInfo, information_schema."""

import harness
import pyarrow as pa
import pytest

KEY = b"ARROW:FLIGHT:SQL:"


@pytest.fixture(scope="module")
def filled(shared):
    shared.run(
        "CREATE SCHEMA meta",
        "CREATE SCHEMA other",
        "CREATE TABLE meta.a_b (id BIGINT NOT NULL, price DECIMAL(9,2), tags VARCHAR[], wide HUGEINT, at_ TIME WITH TIME ZONE)",
        "CREATE TABLE meta.axb (other INTEGER)",
        'CREATE TABLE meta."50%" (p INTEGER)',
        'CREATE TABLE meta."back\\slash" (b INTEGER)',
        "CREATE TABLE other.plain (wrong INTEGER)",
        "CREATE TABLE main.plain (i INTEGER)",
        "CREATE TABLE other.parent (k INTEGER, l VARCHAR, PRIMARY KEY (l, k))",
        "CREATE TABLE other.child (n INTEGER PRIMARY KEY, pl VARCHAR, pk INTEGER, FOREIGN KEY (pl, pk) REFERENCES other.parent (l, k))",
        "COMMENT ON COLUMN meta.a_b.price IS 'in euro'",
    )
    yield shared
    shared.run(
        "DROP TABLE other.child", "DROP TABLE other.parent", "DROP TABLE plain", "DROP TABLE other.plain",
        'DROP TABLE meta."back\\slash"', 'DROP TABLE meta."50%"', "DROP TABLE meta.axb", "DROP TABLE meta.a_b",
        "DROP SCHEMA other", "DROP SCHEMA meta",
    )  # fmt: skip


def objects(server, **filters):
    with server.connect() as connection:
        return listed(connection, **filters)


def listed(connection, **filters):
    return connection.adbc_get_objects(**filters).read_all().to_pylist()


def schemas_of(catalogs, name="lake"):
    (catalog,) = [c for c in catalogs if c["catalog_name"] == name]
    return {s["db_schema_name"]: s["db_schema_tables"] for s in catalog["catalog_db_schemas"] or []}


def names(tables):
    return sorted(t["table_name"] for t in tables or [])


def test_objects_at_every_depth(filled):
    (catalog,) = objects(filled, depth="catalogs")
    assert catalog["catalog_name"] == "lake" and not catalog["catalog_db_schemas"]
    found = schemas_of(objects(filled, depth="db_schemas"))
    assert {"main", "meta", "other"} == set(found) and not any(found.values())
    tables = schemas_of(objects(filled, depth="tables", db_schema_filter="meta"))["meta"]
    assert {t["table_type"] for t in tables} == {"TABLE"} and not any(t["table_columns"] for t in tables)
    assert names(tables) == ["50%", "a_b", "axb", "back\\slash"]
    columns = schemas_of(objects(filled, depth="all", db_schema_filter="meta"))["meta"]
    (table,) = [t for t in columns if t["table_name"] == "a_b"]
    assert [c["column_name"] for c in table["table_columns"]] == ["id", "price", "tags", "wide", "at_"]
    assert [c["ordinal_position"] for c in table["table_columns"]] == [1, 2, 3, 4, 5]


def test_columns_tell_their_types(filled):
    found = schemas_of(objects(filled, depth="columns", db_schema_filter="meta", table_name_filter="a\\_b"))["meta"]
    columns = {c["column_name"]: c for c in found[0]["table_columns"]}
    assert [columns[name]["xdbc_type_name"] for name in columns] == [
        "BIGINT", "DECIMAL(9,2)", "VARCHAR[]", "HUGEINT", "TIME WITH TIME ZONE",
    ]  # fmt: skip
    assert columns["id"]["xdbc_is_autoincrement"] is False
    place = [columns["id"][f"xdbc_scope_{part}"] for part in ("catalog", "schema", "table")]
    assert place == ["lake", "meta", "a_b"]


@pytest.mark.parametrize(
    ("filters", "want"),
    [
        ({"db_schema_filter": "m%", "table_name_filter": "%b"}, {"meta": ["a_b", "axb"], "main": []}),
        ({"db_schema_filter": "m_ta", "table_name_filter": "a_b"}, {"meta": ["a_b", "axb"]}),
        ({"db_schema_filter": "meta", "table_name_filter": "a\\_b"}, {"meta": ["a_b"]}),
        ({"db_schema_filter": "meta", "table_name_filter": "%\\%"}, {"meta": ["50%"]}),
        ({"table_name_filter": "PLAIN"}, {"main": ["plain"], "meta": [], "other": ["plain"]}),
        ({"table_name_filter": "no%such"}, {"main": [], "meta": [], "other": []}),
        ({"table_types_filter": ["VIEW"]}, {"main": [], "meta": [], "other": []}),
        ({"table_types_filter": ["VIEW", "TABLE"], "table_name_filter": "axb"}, {"main": [], "meta": ["axb"], "other": []}),
        ({"catalog_filter": "lake", "table_name_filter": "axb"}, {"main": [], "meta": ["axb"], "other": []}),
        ({"db_schema_filter": "nosuch"}, {}),
    ],
    ids=str,
)
def test_objects_follow_filters(filled, filters, want):
    found = schemas_of(objects(filled, depth="tables", **filters))
    assert {schema: names(tables) for schema, tables in found.items()} == want


def test_other_catalogs_have_nothing(filled):
    assert [c for c in objects(filled, depth="tables", catalog_filter="nosuch") if c["catalog_db_schemas"]] == []


def test_columns_can_be_filtered_too(filled):
    found = schemas_of(objects(filled, depth="columns", db_schema_filter="meta", column_name_filter="pr%"))["meta"]
    columns = [c["column_name"] for t in found for c in t["table_columns"] or []]
    assert columns == ["price"]


def test_the_schema_of_a_table_though_its_name_is_also_a_pattern(filled):
    with filled.connect() as connection:
        schema = connection.adbc_get_table_schema("a_b", db_schema_filter="meta")
        assert schema.names == ["id", "price", "tags", "wide", "at_"]
        assert not schema.field("id").nullable and schema.field("price").nullable
        assert schema.field("price").type == pa.decimal128(9, 2)
        assert connection.adbc_get_table_schema("a_b").names == schema.names
        assert connection.adbc_get_table_schema("50%").names == ["p"]
        assert connection.adbc_get_table_schema("back\\slash").names == ["b"]
        assert connection.adbc_get_table_schema("plain").names == ["i"], "the one that SQL finds"
        assert connection.adbc_get_table_schema("plain", db_schema_filter="other").names == ["wrong"]
        connection.adbc_current_db_schema = "other"
        assert connection.adbc_get_table_schema("plain").names == ["wrong"], "now SQL finds this one"
        for missing in ("nosuch", "a__"):
            with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error):
                connection.adbc_get_table_schema(missing)


def test_fields_carry_the_metadata_of_the_protocol(filled):
    with filled.connect() as connection:
        price = connection.adbc_get_table_schema("a_b", db_schema_filter="meta").field("price").metadata
    assert {key.removeprefix(KEY).decode(): value.decode() for key, value in price.items()} == {
        "CATALOG_NAME": "lake", "SCHEMA_NAME": "meta", "TABLE_NAME": "a_b", "TYPE_NAME": "DECIMAL(9,2)", "PRECISION": "9",
        "SCALE": "2", "IS_AUTO_INCREMENT": "0", "IS_CASE_SENSITIVE": "0", "IS_READ_ONLY": "0", "IS_SEARCHABLE": "1",
        "REMARKS": "in euro",
    }  # fmt: skip


def test_result_columns_carry_type_precision_and_scale(filled):
    got = filled.table("SELECT price, tags, id + 1 AS n, 'b'::ENUM('a', 'b') AS e, INTERVAL '1 day' AS i FROM meta.a_b").schema
    described = [[got.field(n).metadata[KEY + key].decode() for key in (b"TYPE_NAME", b"PRECISION", b"SCALE")] for n in got.names]
    assert described == [
        ["DECIMAL(9,2)", "9", "2"],
        ["VARCHAR[]", "0", "0"],
        ["BIGINT", "19", "0"],
        ["VARCHAR", str(2**31 - 1), "0"],
        ["INTERVAL", "0", "0"],
    ]
    assert got.field("e").type == pa.string(), "an ENUM goes out as text"


def test_table_types_and_information(filled):
    with filled.connect() as connection:
        assert connection.adbc_get_table_types() == ["LOCAL TEMPORARY", "TABLE", "VIEW"]
        info = connection.adbc_get_info()
    assert info["vendor_name"].lower() == "flightlake"
    assert info["vendor_version"]
    assert info["vendor_arrow_version"]


def test_information_by_code(filled):
    sql, substrait = 3, 4
    with filled.connect() as connection:
        stream = connection.adbc_connection.get_info([sql, substrait])
        rows = pa.RecordBatchReader.from_stream(stream).read_all().to_pylist()
    assert {row["info_name"]: row["info_value"] for row in rows} == {sql: True, substrait: False}


@pytest.mark.parametrize("call", ["prepare", "execute_query", "execute_update"])
def test_substrait_plans_are_refused_as_announced(filled, call):
    with filled.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_substrait_plan(b"a plan")
        with harness.raises("unsupported", "substrait"):
            getattr(cursor.adbc_statement, call)()


def test_temporary_tables_are_listed_to_their_session_only(filled):
    with filled.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE plain (t INTEGER)")
        catalogs = listed(connection, depth="tables", table_name_filter="plain")
        assert names(schemas_of(catalogs, "temp")["main"]) == ["plain"]
        assert schemas_of(catalogs, "temp")["main"][0]["table_type"] == "LOCAL TEMPORARY"
        assert names(schemas_of(catalogs)["main"]) == ["plain"]
        assert connection.adbc_get_table_schema("plain").names == ["t"], "the one that SQL finds"
        assert [c["catalog_name"] for c in objects(filled, depth="catalogs")] == ["lake"]


def test_a_transaction_sees_what_it_made(filled):
    with filled.connect(autocommit=False) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE meta.uncommitted (u INTEGER)")
        assert connection.adbc_get_table_schema("uncommitted", db_schema_filter="meta").names == ["u"]
        assert names(schemas_of(objects(filled, depth="tables", table_name_filter="uncommitted"))["meta"]) == []
        connection.rollback()


def test_the_default_schema_can_be_set(filled):
    with filled.connect() as connection:
        assert connection.adbc_current_catalog == "lake"
        assert connection.adbc_current_db_schema == "main"


def test_the_empty_lake_has_a_schema_and_no_tables(server):
    assert schemas_of(objects(server, depth="all")) == {"main": []}
    assert server.rows("SELECT count(*) FROM information_schema.tables") == [(0,)]


POWER_BI = {
    "tables": """
        SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables
        WHERE table_schema = 'other' ORDER BY table_name""",
    "columns": """
        SELECT table_name, column_name, ordinal_position, is_nullable, data_type FROM information_schema.columns
        WHERE table_schema = 'other' AND table_name = 'child' ORDER BY ordinal_position""",
    "primary keys": """
        SELECT tc.table_name, kcu.column_name, kcu.ordinal_position FROM information_schema.table_constraints tc
        JOIN information_schema.key_column_usage kcu USING (constraint_catalog, constraint_schema, constraint_name)
        WHERE tc.constraint_type = 'PRIMARY KEY' AND tc.table_schema = 'other' ORDER BY 1, 3""",
    "foreign keys": """
        SELECT fk.table_name, fk.column_name, pk.table_name, pk.column_name
        FROM information_schema.referential_constraints rc
        JOIN information_schema.key_column_usage fk
          ON fk.constraint_schema = rc.constraint_schema AND fk.constraint_name = rc.constraint_name
        JOIN information_schema.key_column_usage pk
          ON pk.constraint_schema = rc.unique_constraint_schema AND pk.constraint_name = rc.unique_constraint_name
         AND pk.ordinal_position = fk.ordinal_position
        WHERE fk.table_schema = 'other' ORDER BY fk.ordinal_position""",
}


def test_power_bi_finds_tables_columns_and_relations(filled):
    found = {name: filled.rows(sql) for name, sql in POWER_BI.items()}
    assert found["tables"] == [("lake", "other", name, "BASE TABLE") for name in ("child", "parent", "plain")]
    assert found["columns"] == [
        ("child", "n", 1, "NO", "INTEGER"), ("child", "pl", 2, "YES", "VARCHAR"), ("child", "pk", 3, "YES", "INTEGER"),
    ]  # fmt: skip
    assert found["primary keys"] == [("child", "n", 1), ("parent", "l", 1), ("parent", "k", 2)]
    assert found["foreign keys"] == [("child", "pl", "parent", "l"), ("child", "pk", "parent", "k")]


def test_many_idle_connections_cost_nothing(filled):
    connections = [filled.connect(autocommit=False) for _ in range(100)]
    try:
        assert filled.rows("SELECT 1") == [(1,)]
    finally:
        for connection in connections:
            connection.close()

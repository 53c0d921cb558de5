"""What database browsers ask: GetObjects, GetTableSchema, GetInfo, sessions."""

import harness
import pyarrow as pa
import pytest


@pytest.fixture(scope="module")
def filled(shared):
    shared.run(
        "CREATE SCHEMA meta",
        "CREATE TABLE meta.a_b (id BIGINT NOT NULL, price DECIMAL(9,2), tags VARCHAR[])",
        "CREATE TABLE meta.axb (other INTEGER)",
        "CREATE TABLE main.plain (i INTEGER)",
    )
    yield shared
    shared.run("DROP TABLE meta.a_b", "DROP TABLE meta.axb", "DROP SCHEMA meta", "DROP TABLE plain")


def objects(server, **filters):
    with server.connect() as connection:
        return connection.adbc_get_objects(**filters).read_all().to_pylist()


def lake_of(catalogs):
    (lake,) = [c for c in catalogs if c["catalog_name"] == "lake"]
    return {s["db_schema_name"]: s["db_schema_tables"] for s in lake["catalog_db_schemas"] or []}


def test_objects_at_every_depth(filled):
    assert [c["catalog_name"] for c in objects(filled, depth="catalogs")] == ["lake"]
    assert {"main", "meta"} <= set(lake_of(objects(filled, depth="db_schemas")))
    tables = lake_of(objects(filled, depth="tables", db_schema_filter="meta"))["meta"]
    assert sorted((t["table_name"], t["table_type"]) for t in tables) == [("a_b", "TABLE"), ("axb", "TABLE")]
    columns = lake_of(objects(filled, depth="all", db_schema_filter="meta"))["meta"]
    (table,) = [t for t in columns if t["table_name"] == "a_b"]
    assert [c["column_name"] for c in table["table_columns"]] == ["id", "price", "tags"]
    assert [c["ordinal_position"] for c in table["table_columns"]] == [1, 2, 3]


def test_objects_follow_patterns(filled):
    found = lake_of(objects(filled, depth="tables", db_schema_filter="m%", table_name_filter="%b"))
    assert sorted(t["table_name"] for t in found["meta"]) == ["a_b", "axb"]
    assert not found.get("main")
    assert lake_of(objects(filled, depth="tables", table_name_filter="no%such")).get("meta") in (None, [])
    assert not any(lake_of(objects(filled, depth="tables", table_types_filter=["VIEW"])).values())


def test_the_schema_of_a_table_though_its_name_is_also_a_pattern(filled):
    with filled.connect() as connection:
        schema = connection.adbc_get_table_schema("a_b", db_schema_filter="meta")
        assert schema.names == ["id", "price", "tags"]
        assert not schema.field("id").nullable and schema.field("price").nullable
        assert schema.field("price").type == pa.decimal128(9, 2)
        assert connection.adbc_get_table_schema("plain").names == ["i"]
        with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error):
            connection.adbc_get_table_schema("nosuch")


def test_table_types_and_information(filled):
    with filled.connect() as connection:
        assert {"TABLE", "VIEW"} >= set(connection.adbc_get_table_types()) >= {"TABLE"}
        info = connection.adbc_get_info()
    assert info["vendor_name"].lower() == "flightlake"
    assert info["vendor_version"]
    assert info["vendor_arrow_version"]


def test_the_default_schema_can_be_set(filled):
    with filled.connect() as connection:
        assert connection.adbc_current_catalog == "lake"
        assert connection.adbc_current_db_schema == "main"


def test_the_empty_lake_has_a_schema_and_no_tables(server):
    assert lake_of(objects(server, depth="all")) == {"main": []}
    assert server.rows("SELECT count(*) FROM information_schema.tables") == [(0,)]


def test_many_idle_connections_cost_nothing(filled):
    connections = [filled.connect(autocommit=False) for _ in range(100)]
    try:
        assert filled.rows("SELECT 1") == [(1,)]
    finally:
        for connection in connections:
            connection.close()

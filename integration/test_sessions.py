"""Sessions through the ADBC driver: catalog, schema and settings, headers, cookies,
temporary tables, and how sessions end."""

import time

import adbc_driver_manager
import harness
import pyarrow as pa
import pytest

COOKIES = "adbc.flight.sql.rpc.with_cookie_middleware"
OPTION = "adbc.flight.sql.session.option."
HEADER = "adbc.flight.sql.rpc.call_header."
SMALL = pa.table({"i": [1, 2, 3], "s": ["a", "b", None]})


def run(connection, *statements):
    """Run statements; return the rows of the last."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall()


def sessions(server):
    """The sessions besides that of the one who asks."""
    return server.rows("SELECT id, application_name, schema, temporary_bytes FROM lake.sessions() WHERE NOT current")


@pytest.fixture
def schema(one, name):
    one.run(f"CREATE SCHEMA s_{name}", f"CREATE TABLE s_{name}.t AS SELECT 42 AS i")
    return f"s_{name}"


@pytest.fixture(params=["connection", "cookies"])
def connection(request, one):
    """A connection whose session is found by the transport, and one that sends cookies."""
    options = {COOKIES: "true"} if request.param == "cookies" else {}
    with one.connect(**options) as connection:
        yield connection


# Where names resolve.


def test_the_current_schema_is_read_and_set(one, connection, schema):
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("lake", "main")
    connection.adbc_current_catalog = "lake"
    connection.adbc_current_db_schema = schema
    assert connection.adbc_current_db_schema == schema
    assert run(connection, "SELECT current_schema(), current_database(), i FROM t") == [(schema, "lake", 42)]
    harness.ingest(connection, "u", SMALL)
    assert run(connection, f"SELECT count(*) FROM {schema}.u") == [(3,)]
    assert run(connection, "CREATE TABLE v AS SELECT 7 AS i", f"SELECT i FROM {schema}.v") == [(7,)]
    with one.connect() as other:
        assert other.adbc_current_db_schema == "main"
        with harness.raises("not_found"):
            run(other, "SELECT * FROM t")


@pytest.mark.parametrize("sql", ["USE {0}", "USE lake.{0}", "SET schema = '{0}'", "SET search_path = '{0}'"])
def test_sql_sets_what_the_driver_reads(connection, schema, sql):
    run(connection, sql.format(schema))
    assert connection.adbc_current_db_schema == schema
    assert run(connection, "SELECT i FROM t") == [(42,)]
    run(connection, "USE main")
    with harness.raises("not_found"):
        run(connection, "SELECT i FROM t")


def test_a_catalog_or_schema_that_does_not_exist_is_refused_and_nothing_changes(connection, schema):
    connection.adbc_current_db_schema = schema
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="schema"):
        connection.adbc_current_db_schema = "nosuch"
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="catalog"):
        connection.adbc_current_catalog = "nosuch"
    with harness.raises("not_found", "nosuch"):
        run(connection, "USE nosuch")
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("lake", schema)


@pytest.mark.parametrize("header", ["schema", "database"])
def test_a_header_names_the_schema_of_each_call(one, schema, header):
    with one.connect(**{HEADER + header: schema}) as connection:
        assert run(connection, "SELECT i FROM t") == [(42,)]
        harness.ingest(connection, "u", SMALL)
    assert one.rows(f"SELECT count(*) FROM {schema}.u") == [(3,)]


@pytest.mark.parametrize("header", ["schema", "database"])
def test_a_schema_that_does_not_exist_is_what_the_error_names(one, schema, header):
    one.run("CREATE TABLE IF NOT EXISTS here (i BIGINT)")
    almost = schema[:-1] + "x"
    with one.connect(**{HEADER + header: almost}) as connection:
        for table in ("here", "t", "nosuch"):
            for sql in ("FROM {}", "DESCRIBE {}", "SUMMARIZE {}", "EXPLAIN FROM {}", "INSERT INTO {} VALUES (1)", "DROP TABLE {}",
                        "CREATE TABLE {} (i BIGINT)", "CREATE TABLE {} AS SELECT 1 AS i", "SELECT * FROM {} WHERE i = ?"):
                with harness.raises("not_found", f'schema "{almost}" does not exist', "did you mean", f'"{schema}"'):
                    run(connection, sql.format(table))
            for mode in ("append", "create_append"):
                with harness.raises("not_found", f'schema "{almost}" does not exist', "did you mean", f'"{schema}"'):
                    harness.ingest(connection, table, pa.table({"i": [1]}), mode)
        assert run(connection, "FROM main.here") == []
        run(connection, "CREATE TEMP TABLE mine (i BIGINT)")
        assert run(connection, "FROM mine") == []


# Settings.


def test_the_time_zone_is_told_to_tools_and_no_other_setting_of_the_engine(connection):
    assert run(connection, "SELECT current_setting('TimeZone'), current_schema(), current_database()") == [("UTC", "main", "lake")]
    for name in ("threads", "temp_directory", "memory_limit"):
        with harness.raises("forbidden", "current_setting"):
            run(connection, f"SELECT current_setting('{name}')")


def test_settings_are_one_set_for_sql_and_the_driver(one, connection):
    low = connection.adbc_connection
    low.set_options(**{OPTION + "statement_timeout": "5s", OPTION + "application_name": "a test"})
    assert low.get_option(OPTION + "application_name") == "a test"
    assert '"statement_timeout":"5s"' in low.get_option("adbc.flight.sql.session.options")
    assert run(connection, "SELECT value FROM lake.settings() WHERE name = 'statement_timeout'") == [("5s",)]
    assert [row[1] for row in sessions(one)] == ["a test"]
    run(connection, "SET application_name = 'another'")
    assert low.get_option(OPTION + "application_name") == "another"
    low.set_options(**{"adbc.flight.sql.session.optionerase." + "application_name": ""})
    assert low.get_option(OPTION + "application_name") == ""
    run(connection, "RESET statement_timeout")
    assert low.get_option(OPTION + "statement_timeout") == "0"
    with pytest.raises(adbc_driver_manager.Error):
        low.set_options(**{OPTION + "nosuch": "1"})
    with pytest.raises(adbc_driver_manager.Error):
        low.set_options(**{OPTION + "statement_timeout": "a while"})


def test_timestamps_with_a_zone_are_sent_as_utc_or_without_a_zone(connection):
    def sent():
        with connection.cursor() as cursor:
            table = cursor.execute("SELECT TIMESTAMPTZ '2024-07-01 12:00:00+02' AS t, [t] AS l").fetch_arrow_table()
            return table.schema.types[0], table["t"].to_pylist()[0].isoformat(), str(table.schema.types[1])

    assert sent() == (pa.timestamp("us", "UTC"), "2024-07-01T10:00:00+00:00", "list<element: timestamp[us, tz=UTC]>")
    run(connection, "SET timestamptz = 'naive'")
    assert sent() == (pa.timestamp("us"), "2024-07-01T10:00:00", "list<element: timestamp[us]>")
    run(connection, "SET timezone = 'UTC'")
    with harness.raises("invalid", "UTC"):
        run(connection, "SET timezone = 'America/New_York'")


# How sessions begin and end.


def test_a_client_that_keeps_nothing_has_no_session(one):
    with one.connect() as connection, one.connect(**{COOKIES: "true"}) as other:
        run(connection, "SELECT 1")
        run(other, "SELECT 1")
        assert sessions(one) == []
        run(connection, "SET application_name = 'kept'")
        assert [row[1] for row in sessions(one)] == ["kept"]
    assert sessions(one) == []


def test_closing_a_connection_ends_its_session(one, connection, name):
    run(connection, f"CREATE TEMP TABLE {name} AS SELECT 1 AS i")
    assert len(sessions(one)) == 1
    connection.close()
    assert sessions(one) == []


def test_a_cookie_that_the_server_does_not_know_is_refused(one):
    options = {HEADER + "cookie": "flightlake-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    with one.connect(**options) as connection, harness.raises("unauthenticated"):
        run(connection, "SELECT 1")


def test_a_session_that_was_idle_for_too_long_is_unauthenticated_not_new(lake):
    server = harness.Server(lake, "--session-idle-timeout", "500ms").start()
    try:
        with server.connect(**{COOKIES: "true"}) as connection:
            run(connection, "CREATE TEMP TABLE kept AS SELECT 1 AS i")
            assert run(connection, "SELECT i FROM kept") == [(1,)]
            time.sleep(0.8)
            with harness.raises("unauthenticated"):
                run(connection, "SELECT 1")
        with server.connect() as connection:
            assert run(connection, "SELECT 1") == [(1,)]
    finally:
        server.close()


def test_more_sessions_than_the_limit_are_refused(lake):
    server = harness.Server(lake, "--sessions-max", "2").start()
    try:
        with server.connect() as a, server.connect() as b, server.connect() as c:
            run(a, "SET application_name = 'a'")
            run(b, "SET application_name = 'b'")
            with harness.raises("exhausted"):
                run(c, "SET application_name = 'c'")
            assert run(c, "SELECT 1") == [(1,)], "what keeps nothing needs no session"
            a.close()
            harness.wait_until(lambda: len(sessions(server)) == 1, 5, "the end of a session")
            run(c, "SET application_name = 'c'")
    finally:
        server.close()


# Temporary tables.


def test_a_temporary_table_is_its_sessions_own(one, connection, name):
    before = one.snapshot()
    run(connection, f"CREATE TEMP TABLE {name} (i BIGINT, s VARCHAR DEFAULT 'none')")
    run(connection, f"INSERT INTO {name} (i) VALUES (1), (2)", f"INSERT INTO temp.{name} VALUES (3, 'three')")
    assert run(connection, f"SELECT i, s FROM {name} ORDER BY i") == [(1, "none"), (2, "none"), (3, "three")]
    assert run(connection, f"SELECT count(*) FROM {name} WHERE i > 1") == [(2,)]
    with one.connect() as other, harness.raises("not_found"):
        run(other, f"SELECT * FROM {name}")
    assert one.snapshot() == before, "the lake has nothing of it"
    run(connection, f"DROP TABLE {name}")
    with harness.raises("not_found"):
        run(connection, f"SELECT * FROM {name}")


def test_a_temporary_table_hides_one_of_the_lake(one, connection, name):
    one.run(f"CREATE TABLE {name} AS SELECT 'lake' AS s")
    run(connection, f"CREATE TEMPORARY TABLE {name} AS SELECT 'temporary' AS s")
    assert run(connection, f"SELECT s FROM {name}") == [("temporary",)]
    assert run(connection, f"SELECT s FROM main.{name}") == [("lake",)]
    assert run(connection, f"SELECT t.s, l.s FROM {name} t, lake.main.{name} l") == [("temporary", "lake")]
    run(connection, f"DROP TABLE {name}")
    assert run(connection, f"SELECT s FROM {name}") == [("lake",)]


def test_temporary_ingests_of_every_mode_again_and_again(one, connection, name):
    before = one.snapshot()
    with harness.raises("not_found"):
        harness.ingest(connection, name, SMALL, "append", temporary=True)
    rows = 0
    for mode in ["create", "append", "create_append", "replace", "replace", "append", "create_append"]:
        assert harness.ingest(connection, name, SMALL, mode, temporary=True) == 3
        rows = 3 if mode in ("create", "replace") else rows + 3
        assert run(connection, f"SELECT count(*), sum(i) FROM {name}") == [(rows, 2 * rows)]
    with harness.raises("exists"):
        harness.ingest(connection, name, SMALL, "create", temporary=True)
    with one.connect() as other:
        for _ in range(2):
            assert harness.ingest(other, name, SMALL, "create", temporary=True) == 3, "each session has its own"
            run(other, f"DROP TABLE {name}")
    assert one.snapshot() == before


def test_a_temporary_table_can_be_loaded_from_and_into_the_lake(one, connection, name):
    harness.ingest(connection, f"{name}_new", SMALL, temporary=True)
    run(connection, f"CREATE TABLE {name} AS SELECT * FROM {name}_new")
    run(connection, f"INSERT INTO {name} SELECT i + 10, s FROM {name}_new WHERE i > 1")
    assert one.rows(f"SELECT count(*), max(i) FROM {name}") == [(5, 13)]
    run(connection, f"INSERT INTO {name}_new SELECT * FROM {name}")
    assert run(connection, f"SELECT count(*) FROM {name}_new") == [(8,)]


def test_a_rollback_restores_temporary_tables(one, name):
    with one.connect(autocommit=False) as connection:
        harness.ingest(connection, name, SMALL, temporary=True)
        connection.commit()
        harness.ingest(connection, name, SMALL, "append", temporary=True)
        run(connection, f"CREATE TEMP TABLE {name}_2 AS SELECT 1 AS i")
        assert run(connection, f"SELECT count(*) FROM {name}") == [(6,)]
        connection.rollback()
        assert run(connection, f"SELECT count(*) FROM {name}") == [(3,)]
        with harness.raises("not_found"):
            run(connection, f"SELECT * FROM {name}_2")
        run(connection, f"DROP TABLE {name}")
        connection.rollback()
        assert run(connection, f"SELECT count(*) FROM {name}") == [(3,)]


def test_temporary_tables_in_metadata(one, connection, name):
    harness.ingest(connection, name, SMALL, temporary=True)
    assert connection.adbc_get_table_schema(name).names == ["i", "s"]

    def listed(c):
        objects = c.adbc_get_objects(depth="tables", table_name_filter=name).read_all().to_pylist()
        return [
            (catalog["catalog_name"], table["table_type"])
            for catalog in objects
            for db_schema in catalog["catalog_db_schemas"]
            for table in db_schema["db_schema_tables"]
        ]

    assert listed(connection) == [("temp", "LOCAL TEMPORARY")]
    with one.connect() as other:
        assert listed(other) == []


def test_temporary_tables_are_limited_and_their_memory_is_given_back(one, name):
    wide = pa.table({"s": [f"{i:0>1000}" for i in range(8000)]})  # 8 MB
    with one.connect() as connection:
        harness.ingest(connection, name, wide, temporary=True)
        ((_, _, _, held),) = sessions(one)
        assert held > 0
        run(connection, f"DROP TABLE {name}")
        harness.wait_until(lambda: sessions(one)[0][3] == 0, 5, "the memory of a dropped temporary table")

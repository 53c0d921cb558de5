"""Uses a lake with DuckDB's ducklake extension.

Usage: interop.py CATALOG MODE; prints what it sees as JSON.
"""

import glob
import json
import os
import sys

import duckdb
import duckdb_extension_ducklake


def attach(catalog, options=""):
    folder = os.path.dirname(duckdb_extension_ducklake.__file__)
    extension = glob.glob(os.path.join(folder, "**", "ducklake.duckdb_extension"), recursive=True)[0]
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD '{extension}'")
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"ATTACH 'ducklake:{catalog}' AS l {options}")
    con.execute("USE l")
    return con


def rows(con, query):
    return con.execute(query).fetchall()


def look(con):
    """Reads what flightlake wrote."""
    return {
        "schemas": rows(con, "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'l' ORDER BY 1"),
        "columns": rows(con, """SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, comment
            FROM duckdb_columns() WHERE database_name = 'l' ORDER BY 1, 2, column_index"""),
        "comments": rows(con, "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'l' ORDER BY 1"),
        "snapshots": rows(con, "SELECT snapshot_id, schema_version, CAST(changes AS VARCHAR), author FROM l.snapshots() ORDER BY 1"),
        "options": rows(con, "SELECT option_name, value, scope FROM l.options() WHERE option_name = 'target_file_size' ORDER BY 3"),
    }


def write(con):
    """Changes the lake in every way that flightlake must read."""
    con.execute("INSERT INTO p SELECT i, CASE i % 3 WHEN 0 THEN NULL ELSE 'r/' || i % 3 END, "
                "TIMESTAMP '2020-01-01' + INTERVAL (i) DAY FROM range(60) t(i)")
    con.execute("CREATE TABLE big AS SELECT i, i::VARCHAR s FROM range(100) t(i)")
    con.execute("DELETE FROM big WHERE i % 2 = 0")
    con.execute("DELETE FROM big WHERE i = 1")
    con.execute("""CREATE TABLE e (b BOOLEAN, i8 TINYINT, i128 HUGEINT, u128 UHUGEINT, u64 UBIGINT, f FLOAT, d DOUBLE,
        dec DECIMAL(38, 10), dt DATE, t TIME, ttz TIMETZ, ts TIMESTAMP, tss TIMESTAMP_S, tms TIMESTAMP_MS,
        tns TIMESTAMP_NS, tz TIMESTAMPTZ, iv INTERVAL, v VARCHAR, bl BLOB, u UUID, j JSON,
        l UUID[], s STRUCT(a INTEGER, "b c" VARCHAR[]), m MAP(VARCHAR, STRUCT(x HUGEINT)))""")
    con.execute(r"""INSERT INTO e VALUES (true, -128, -5, 7, 18446744073709551615, 'nan', '-inf', -0.5, '0044-03-15 (BC)',
        '23:59:59.5', '01:00:00+02', '12345-01-01 00:00:00', '2020-01-01', '2020-01-01 00:00:00.1',
        '2020-01-01 00:00:00.123456789', '2020-01-01 00:00:00+02', '1 month 2 days', 'é''x', '\x00\xFF',
        '550e8400-e29b-41d4-a716-446655440000', '{"a":1}', ['550e8400-e29b-41d4-a716-446655440000', NULL],
        {'a': 1, 'b c': ['x', NULL]}, MAP {'k': {'x': -1}})""")
    con.execute("INSERT INTO e (b) VALUES (NULL)")
    con.execute("CREATE TABLE ev (a INTEGER, old VARCHAR, s STRUCT(x INTEGER))")
    con.execute("INSERT INTO ev VALUES (1, 'one', {'x': 10}), (2, 'two', NULL)")
    con.execute("ALTER TABLE ev ADD COLUMN n BIGINT DEFAULT 7")
    con.execute("ALTER TABLE ev RENAME COLUMN old TO new")
    con.execute("ALTER TABLE ev ALTER COLUMN a TYPE BIGINT")
    con.execute("ALTER TABLE ev ADD COLUMN s.y VARCHAR")
    con.execute("INSERT INTO ev VALUES (3, 'three', {'x': 30, 'y': 'y'}, 8)")
    con.execute("DELETE FROM ev WHERE a = 2")
    con.execute("COMMENT ON TABLE ev IS 'of the extension'")
    con.execute("CREATE TABLE nested (s STRUCT(x INTEGER))")
    con.execute("ALTER TABLE nested RENAME COLUMN s.x TO z")
    con.execute("CREATE TABLE va (i INTEGER, x VARIANT)")
    con.execute("INSERT INTO va VALUES (1, 2::VARIANT)")
    con.execute("CREATE VIEW w (q, \"r,s\") AS SELECT a, new FROM ev")
    return {}


def append(con):
    """Writes to the tables of a transaction, and changes columns of declared keys."""
    con.execute("CALL l.set_option('data_inlining_row_limit', '0')")
    for name in ("s.fresh", "main.t"):
        con.execute(f"INSERT INTO {name} BY NAME SELECT range AS i, range AS k FROM range(3)")
    con.execute("ALTER TABLE main.t RENAME COLUMN i TO j")
    con.execute("ALTER TABLE main.t DROP COLUMN k")
    return {}


def add_files(con, catalog):
    """Adds files that lie beside the lake."""
    folder = os.path.join(os.path.dirname(catalog), "outside", "r=x")
    os.makedirs(folder)
    con.execute("CREATE TABLE added (i BIGINT, s STRUCT(a INTEGER, b VARCHAR), r VARCHAR, more INTEGER)")
    for name in ("1", "2"):
        con.execute(f"""COPY (SELECT {{'b': 'x', 'a': 1}} AS S, 5 AS i) TO '{folder}/{name}.parquet' (FIELD_IDS 'auto')""")
        con.execute(f"""CALL ducklake_add_data_files('l', 'added', '{folder}/{name}.parquet', allow_missing => true,
            hive_partitioning => true)""")
    return {}


def main():
    catalog, mode = sys.argv[1:3]
    if mode == "create":
        con = attach(catalog, f"(DATA_PATH '{os.path.dirname(catalog)}/data/')")
        con.execute("CREATE TABLE made_by_extension AS SELECT 42 AS answer, 'x' AS text FROM range(20)")
        answer = {}
    else:
        modes = {"look": look, "write": write, "append": append, "add_files": lambda con: add_files(con, catalog)}
        answer = modes[mode](attach(catalog))
    json.dump(answer, sys.stdout, default=str)


main()

"""The Flight SQL JDBC driver, as applications and database browsers use it.

A Java program (jdbc/) does everything once and prints what it sees as JSON
lines; the tests here say what that should be. The JVM runs in UTC: in other
time zones the driver shifts dates and times (docs/clients/jdbc.md).
"""

import json
import os
import subprocess

import harness
import pytest

JAR = os.environ.get("FLIGHTLAKE_TEST_JDBC", str(harness.CACHE / "jdbc" / "flight-sql-jdbc-driver-18.3.0.jar"))
JVM = ["java", "-Duser.timezone=UTC", "--add-opens=java.base/java.nio=ALL-UNNAMED"]

# What the driver itself does not do: every one of these throws before anything is sent.
DRIVER_LACKS = {
    "every deletesAreDetected/1", "every insertsAreDetected/1", "every updatesAreDetected/1",
    "every othersDeletesAreVisible/1", "every othersInsertsAreVisible/1", "every othersUpdatesAreVisible/1",
    "every ownDeletesAreVisible/1", "every ownInsertsAreVisible/1", "every ownUpdatesAreVisible/1",
    "every supportsResultSetHoldability/1",
}  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The lines of one run, by step."""
    folder = tmp_path_factory.mktemp("jdbc")
    sources = sorted(str(path) for path in (harness.ROOT / "integration" / "jdbc").glob("*.java"))
    subprocess.run(["javac", "-nowarn", "-cp", JAR, "-d", str(folder / "classes"), *sources], check=True, timeout=120)
    server = harness.Server(folder / "lake").start()
    try:
        url = server.uri.replace("grpc://", "jdbc:arrow-flight-sql://") + "/?useEncryption=false"
        command = [*JVM, "-cp", os.pathsep.join([JAR, str(folder / "classes")]), "Jdbc", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0 and lines[-1]["step"] == "closed", done.stderr[-4000:]
        assert server.process.poll() is None
    finally:
        server.close()
    steps = {line["step"]: line for line in lines}
    assert len(steps) == len(lines), "every step has its own name"
    return steps


@pytest.fixture
def value(seen):
    """What a step saw; it must not have failed."""

    def get(step):
        assert "error" not in seen[step], seen[step]
        return seen[step]["value"]

    return get


def values(value, prefix, **expected):
    for step, want in expected.items():
        assert value(f"{prefix} {step.replace('_', ' ')}") == want, step


def test_counts_of_statements(value):
    assert value("execute ddl") == {"result": False, "count": 0}
    values(value, "update", create=0, insert=2, insert_nothing=0, comment=0, create_as=2, drop=0)
    assert value("large update") == 1
    assert value("execute insert") == {"result": False, "count": 1}


def test_results_of_statements(value):
    rows = [["1", "one", "1.50", "2024-02-29"], ["2", None, None, None]]
    assert value("execute select") == {"result": True, "rows": rows}
    assert value("explain") is True
    assert value("empty") is False
    assert value("max rows") == 2
    assert value("many rows") == sum(range(300_000))
    columns = [
        ["id", "id", "BIGINT", 19, 0],
        ["label", "label", "VARCHAR", 2**31 - 1, 0],
        ["price", "price", "DECIMAL", 9, 2],
        ["day", "day", "DATE", 10, 0],
        ["f", "f", "FLOAT", 7, 0],
    ]
    assert [column[:5] for column in value("result metadata")] == columns
    assert [column[:5] for column in value("prepared metadata")] == [columns[0], columns[2]]


def test_prepared_statements(value):
    assert value("prepared") == [[["one"]], []]
    assert value("parameters") == ["Int(64, true)", "Utf8", "Decimal(9, 2, 128)", "Date(DAY)"]
    assert value("prepared update") == [1, 1, [["it's 5"], ["it's 6"]]]
    assert value("prepared execute") == [["1"]], "it ran once"
    value("prepared ddl")


def test_batches(seen, value):
    assert value("prepared batch") == [5], "the protocol has one count for all"
    assert value("prepared batch rows") == [["5", "3"]]
    assert seen["batch"]["error"] == "NullPointerException", "the driver has no batches of statements"
    assert value("batch rows") == [["0"]]


def test_cancelling_and_closing(value):
    assert value("cancel") == "cancelled"
    assert value("close in the middle") == [["42"]]


@pytest.mark.parametrize(
    ("step", "text"),
    [("column", "nosuch"), ("table", "app.nosuch"), ("syntax", "SELEC"), ("while reading", "stop here"), ("update", "NOT NULL")],
)
def test_errors_reach_the_application(seen, value, step, text):
    assert seen[f"error {step}"]["error"] == "SQLException"
    assert text in seen[f"error {step}"]["message"]
    assert value("after errors") == [["42"]]


def test_connections(value):
    assert value("valid") is True
    assert value("auto commit") is True
    value("commit and rollback")
    assert value("catalog") == [["lake"]]


def test_transactions_by_sql(value):
    assert value("transaction") == [["1"], ["0"]]


# Type, the SQL type that the driver reports, its Java class, its text.
READ = [
    ("boolean", "BOOLEAN", "Boolean", "true"),
    ("tinyint", "TINYINT", "Byte", "-128"),
    ("smallint", "SMALLINT", "Short", "32767"),
    ("integer", "INTEGER", "Integer", "-2147483648"),
    ("bigint", "BIGINT", "Long", "9223372036854775807"),
    ("hugeint", "DECIMAL", "BigDecimal", "9" * 38),
    ("float", "FLOAT", "Double", "1.5"),
    ("double", "DOUBLE", "Double", "-0.1"),
    ("decimal", "DECIMAL", "BigDecimal", "-12.345"),
    ("decimal38", "DECIMAL", "BigDecimal", "9" * 28 + "." + "9" * 10),
    ("varchar", "VARCHAR", "String", "dr\u00f6\u00f6m"),
    ("json", "VARCHAR", "String", '{"a": 1}'),
    ("enum", "VARCHAR", "String", "b"),
    ("blob", "VARBINARY", "byte[]", "00ff"),
    ("uuid", "BINARY", "byte[]", "000000000000000000000000000000ff"),
    ("date", "DATE", "Date", "2024-02-29"),
    ("old date", "DATE", "Date", "1582-10-04"),
    ("time", "TIME", "ArrowFlightJdbcTime", "23:59:59.123"),
    ("timestamp", "TIMESTAMP", "Timestamp", "2024-07-01 12:30:00.123456"),
    ("timestamp_s", "TIMESTAMP", "Timestamp", "2024-07-01 12:30:00.0"),
    ("timestamp_ms", "TIMESTAMP", "Timestamp", "2024-07-01 12:30:00.123"),
    ("timestamp_ns", "TIMESTAMP", "Timestamp", "2024-07-01 12:30:00.123456789"),
    ("interval", "JAVA_OBJECT", "PeriodDuration", "P14M3D PT4S"),
    ("list", "ARRAY", "ArrowFlightJdbcArray", "[1, null, 3]"),
    ("list of text", "ARRAY", "ArrowFlightJdbcArray", "[a, null]"),
    ("struct", "JAVA_OBJECT", "JsonStringHashMap", '{"a":1,"b":"x"}'),
    ("map", "JAVA_OBJECT", "JsonStringHashMap", '{"k":1}'),
    ("null", "INTEGER", None, None),
]


@pytest.mark.parametrize(("name", "sql_type", "java_class", "text"), READ)
def test_every_type_is_read(value, name, sql_type, java_class, text):
    got = value(f"get {name}")
    assert (got["type"], got["class"], got["getObject"]) == (sql_type, java_class, text)
    assert value(f"get null {name}") == [None, None, True]


def test_getters_convert(value):
    assert value("get smallint")["getLong"] == value("get smallint")["getInt"] == 32767
    assert value("get decimal")["getDouble"] == "-12.345"
    assert value("get bigint")["getBigDecimal"] == "9223372036854775807"
    assert value("get varchar")["getBytes"] == "dr\u00f6\u00f6m".encode().hex()
    assert value("get blob")["getBytes"] == "00ff"
    assert value("get date")["getTimestamp"] == "2024-02-29 00:00:00.0"
    assert value("get timestamp")["getDate"] == "2024-07-01"
    assert value("get timestamp")["getTime"] == "12:30:00"
    assert value("get list")["getArray"] == "[1, null, 3]"
    assert value("get usmallint")["getInt"] == 65535


def test_timestamps_with_a_time_zone_are_read_by_their_getters(seen, value):
    got = value("get timestamptz")
    assert got["getTimestamp"] == got["getString"] == "2024-07-01 12:30:00.123456"
    assert "getObject" not in got, "the driver does not implement it"
    assert seen["get null timestamptz"]["message"] == "not implemented"


def test_time_zones(value):
    wall_clock = "2024-07-01 12:30:00.0"
    assert value("zone read") == [wall_clock, "2024-07-01 03:30:00.0", "2024-07-01T12:30:00Z", "12:30:00"]
    assert value("zone write") == [["2024-07-01 12:30:00", "2024-07-01 12:30:00+00", "12:30:00", "2024-07-01"]]
    assert value("zone New York")[0][:2] == [wall_clock, wall_clock], "texts are not shifted"


WRITTEN = {
    "BOOLEAN/setBoolean": "true",
    "TINYINT/setByte": "-128",
    "SMALLINT/setShort": "32767",
    "INTEGER/setInt": "-2147483648",
    "BIGINT/setInt": "7",
    "BIGINT/setLong": "9223372036854775807",
    "UINTEGER/setLong": "4294967295",
    "UBIGINT/setLong": "7",
    "HUGEINT/setBigDecimal": "9" * 38,
    "FLOAT/setFloat": "1.5",
    "DOUBLE/setFloat": "1.5",
    "DOUBLE/setDouble": "0.1",
    "DECIMAL(10,3)/setBigDecimal": "-12.345",
    "DECIMAL(38,10)/setBigDecimal": "9" * 28 + ".0000000001",
    "VARCHAR/setString": "dr\u00f6\u00f6m's",
    "VARCHAR/setNString": "n",
    "VARCHAR/setObject": "object",
    "JSON/setString": "[1]",
    "UUID/setString": "00000000-0000-0000-0000-0000000000ff",
    "BLOB/setBytes": "\\x00\\xFF",
    "DATE/setDate": "2024-02-29",
    "DATE/setObject": "1969-12-31",
    "TIME/setTime": "23:59:59",
    "TIMESTAMP/setTimestamp": "2024-07-01 12:30:00.123",
    "TIMESTAMP/setObject": "2024-07-01 12:30:00.123",
    "TIMESTAMP_MS/setTimestamp": "2024-07-01 12:30:00.123",
    "TIMESTAMP_NS/setTimestamp": "2024-07-01 12:30:00.123",
    "TIMESTAMPTZ/setTimestamp": "2024-07-01 12:30:00.123+00",
    "VARCHAR/setNull": None,
    "BIGINT/setNull": None,
    "DECIMAL(10,3)/setObject null": None,
    "TIMESTAMP/setTimestamp null": None,
}


@pytest.mark.parametrize("setter", WRITTEN)
def test_every_type_is_written_and_compared(value, setter):
    assert value(f"set {setter}") == WRITTEN[setter]
    assert value(f"compare {setter}") == ("0" if WRITTEN[setter] is None else "1")


def test_every_method_of_database_metadata_answers(seen):
    methods = {step for step in seen if step.startswith("every ")}
    assert len(methods) > 170
    assert {step for step in methods if "error" in seen[step]} == DRIVER_LACKS


def test_what_metadata_says_of_the_server(value):
    values(
        value, "every", **{
            "getDatabaseProductName/0": "flightlake", "getIdentifierQuoteString/0": '"', "getSearchStringEscape/0": "\\",
            "isReadOnly/0": False, "getCatalogTerm/0": "catalog", "getSchemaTerm/0": "schema", "supportsTransactions/0": True,
            "supportsSavepoints/0": True, "supportsTransactionIsolationLevel/1": True, "supportsFullOuterJoins/0": True,
            "supportsBatchUpdates/0": True, "supportsConvert/2": True, "supportsSchemasInPrivilegeDefinitions/0": True,
            "supportsStoredProcedures/0": False, "nullsAreSortedAtEnd/0": True, "getMaxColumnsInTable/0": 0,
        },
    )  # fmt: skip


def place(row, prefix="TABLE"):
    return row[f"{prefix}_CAT"], row[f"{prefix}_SCHEM"], row[f"{prefix}_NAME"]


def test_the_navigator_opens_its_tree(value):
    assert value("nav catalogs") == [{"TABLE_CAT": "lake"}]
    assert {"TABLE_SCHEM": "nav", "TABLE_CATALOG": "lake"} in value("nav schemas")
    assert [row["TABLE_TYPE"] for row in value("nav types")] == ["LOCAL TEMPORARY", "TABLE", "VIEW"]
    tables = value("nav tables")
    assert [place(row) for row in tables] == [("lake", "nav", name) for name in ("lines", "order_s", "orders")]
    assert {row["TABLE_TYPE"] for row in tables} == {"TABLE"}
    lines = value("nav columns lines")
    assert {place(row) for row in lines} == {("lake", "nav", "lines")}
    assert [row["COLUMN_NAME"] for row in lines] == ["n", "order_id", "note", "h"]
    escaped = value("nav columns order\\_s")
    assert [row["COLUMN_NAME"] for row in escaped] == ["id", "price", "placed"], "only of the table whose name has a _"


def test_the_navigator_finds_keys(value):
    primary = value("nav primary lines")
    assert [(row["COLUMN_NAME"], row["KEY_SEQ"]) for row in primary] == [("order_id", "1"), ("n", "2")]
    assert {place(row) for row in primary} == {("lake", "nav", "lines")}
    (imported,) = value("nav imported lines")
    assert place(imported, "PKTABLE") == ("lake", "nav", "order_s") and imported["PKCOLUMN_NAME"] == "id"
    assert place(imported, "FKTABLE") == ("lake", "nav", "lines") and imported["FKCOLUMN_NAME"] == "order_id"
    assert (imported["KEY_SEQ"], imported["UPDATE_RULE"], imported["DELETE_RULE"]) == ("1", "3", "3")
    assert imported["PK_NAME"] == value("nav primary order_s")[0]["PK_NAME"]
    assert value("nav exported order_s") == [imported]
    assert value("nav cross") == [{"PKCOLUMN_NAME": "id", "FKCOLUMN_NAME": "order_id"}]
    for table in ("orders", "nosuch"):
        for kind in ("primary", "imported", "exported", "indexes"):
            assert value(f"nav {kind} {table}") == []


def test_patterns(value):
    def names(step):
        return [row["TABLE_NAME"] for row in value(f"tables {step}")]

    assert names("like _") == ["orders"]
    assert names("like escaped") == ["order_s"]
    assert names("like %") == ["lines", "order_s", "orders"]
    assert names("like case") == ["orders"]
    for step in ("like nothing", "without a catalog", "of another catalog", "of another schema", "of no type"):
        assert names(step) == []
    assert value("columns like") == [{"COLUMN_NAME": "order_id"}]


def test_columns(value):
    rows = {row["COLUMN_NAME"]: row for row in value("columns")}
    assert [row["ORDINAL_POSITION"] for row in rows.values()] == ["1", "2", "3", "4"]
    assert (rows["n"]["DATA_TYPE"], rows["n"]["TYPE_NAME"], rows["n"]["COLUMN_SIZE"]) == ("4", "INTEGER", "10")
    assert (rows["n"]["NULLABLE"], rows["n"]["IS_NULLABLE"]) == ("0", "NO"), "a column of the primary key"
    assert (rows["h"]["NULLABLE"], rows["h"]["IS_NULLABLE"], rows["h"]["TYPE_NAME"]) == ("1", "YES", "HUGEINT")
    assert (rows["h"]["COLUMN_SIZE"], rows["h"]["DECIMAL_DIGITS"]) == ("38", "0")
    assert rows["note"]["REMARKS"] == "what was said" and rows["note"]["IS_NULLABLE"] == "NO"
    assert {row["IS_AUTOINCREMENT"] for row in rows.values()} == {"NO"}

"""Bad input is answered by an error of the right kind, and the lake stays as it was."""

import contextlib
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import threading

import duckdb
import harness
import numpy as np
import pyarrow as pa
import pytest
import wire

SEED = int(os.environ.get("FLIGHTLAKE_TEST_SEED", str(random.SystemRandom().randrange(2**32))))
ROWS = pa.table({"i": range(100), "s": [f"row {i}" for i in range(100)]})
HOSTILE_NAMES = [
    'we"ird', "it's", "a.b", "a/b", "../../escape", "/etc/passwd", "..", "\U0001f980 dr\u00f6\u00f6m", "a b",
    "semi;colon", "%2e%2e", "back\\slash", "line\nbreak", "select", "x" * 200, "ducklake_snapshot", "CON",
]  # fmt: skip


@contextlib.contextmanager
def unchanged(server, table="t"):
    """The current snapshot, the table's rows and its files are the same afterwards."""
    before = state(server, table)
    yield
    assert state(server, table) == before


def state(server, table):
    return server.snapshot(), server.rows(f"SELECT * FROM {table}"), sorted(server.files(table))


@pytest.fixture
def filled(server):
    server.ingest("t", ROWS)
    return server


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_of_tables_and_columns_just_work(server, lake, name):
    server.ingest(name, pa.table({name: [1, 2]}))
    server.ingest(name, pa.table({name: [3]}), "append")
    server.run(f"INSERT INTO {quoted(name)} VALUES (4)")
    server.kill()
    server.start()
    assert server.rows(f"SELECT sum({quoted(name)}) FROM {quoted(name)} WHERE {quoted(name)} > 1") == [(9,)]
    assert (name,) in server.rows("SELECT table_name FROM information_schema.tables")
    if "\\" not in name:  # the driver sends the name as a pattern, in which it escapes
        with server.connect() as connection:
            assert connection.adbc_get_table_schema(name).names == [name]
    assert len(harness.parquet_files(lake)) == 3, "all files are in the lake"
    server.run(f"CREATE SCHEMA {quoted('s' + name)}", f"CREATE TABLE {quoted('s' + name)}.t AS SELECT 1 AS i")
    assert server.rows(f"SELECT i FROM {quoted('s' + name)}.t") == [(1,)]


def test_an_empty_name_is_refused(filled):
    with unchanged(filled):
        for mode in ("create", "create_append"):
            with pytest.raises(Exception):
                filled.ingest("", ROWS, mode)
        with harness.raises("invalid"):
            filled.ingest("u", pa.table([[1]], names=[""]))
        with harness.raises("invalid", "repeated"):
            filled.ingest("u", pa.table([[1], [2]], names=["a", "A"]))


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("SELEC 1", ["syntax error", "SELEC"]),
        ("SELECT i FROM t WHERE", ["syntax error"]),
        ("SELECT (1", ["syntax error"]),
        ("SELECT 'open", ["syntax error", "does not end"]),
        (";", []),
        ("-- only a comment", []),
        ("SELECT 1; SELECT 2", []),
    ],
)
def test_syntax_errors_say_where(filled, sql, texts):
    with unchanged(filled), harness.raises("invalid", *texts):
        filled.rows(sql)


def test_a_syntax_error_points_at_its_line(filled):
    with harness.raises("invalid", "line 2", "^"):
        filled.rows("SELECT i\n FRMO t")


@pytest.mark.parametrize(
    ("sql", "kind", "texts"),
    [
        ("SELECT * FROM lineitm", "not_found", ["lineitm", "lineitem"]),
        ("INSERT INTO lineitm VALUES (1)", "not_found", ["lineitm", "lineitem"]),
        ("SELECT * FROM nosuch.lineitem", "not_found", ["nosuch"]),
        ("SELECT l_quantit FROM lineitem", "invalid", ["l_quantit", "l_quantity"]),
        ("SELECT nosuch(1)", "invalid", ["nosuch"]),
        ("SELECT 'x'::INTEGER", "invalid", ["x"]),
        ("SELECT error('stop here') FROM t", "invalid", ["stop here"]),
        ("SELECT l_quantity + 'x' FROM lineitem WHERE l_quantity IS NULL OR true", "invalid", []),
    ],
)
def test_what_does_not_exist_is_named_with_its_neighbours(filled, sql, kind, texts):
    filled.run("CREATE TABLE lineitem (l_orderkey BIGINT, l_quantity DECIMAL(15,2))", "INSERT INTO lineitem VALUES (1, 2)")
    with unchanged(filled), harness.raises(kind, *texts):
        filled.rows(sql)


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (pa.table({"i": ["seven"], "s": ["x"]}), ["i"]),
        (pa.table({"i": [1], "s": ["x"], "surplus": [1]}), ["surplus"]),
        (pa.table({"other": [1]}), ["other"]),
        (pa.table({"i": [[1]], "s": ["x"]}), ["i"]),
        (pa.table({"i": pa.array([2**64 - 1], pa.uint64()), "s": ["x"]}), ["i"]),
    ],
    ids=["type", "surplus column", "unknown column", "nested", "out of range"],
)
def test_a_schema_that_does_not_match_is_refused(filled, data, texts):
    with unchanged(filled), harness.raises("invalid", *texts):
        filled.ingest("t", data, "append")


def test_a_null_in_a_column_that_has_none_is_refused(server):
    server.run("CREATE TABLE t (i BIGINT NOT NULL)", "INSERT INTO t VALUES (1)")
    with unchanged(server), harness.raises("invalid", "i"):
        server.ingest("t", pa.table({"i": [2, None]}), "append")


@pytest.mark.parametrize("arrow_type", [pa.duration("s"), pa.dense_union([pa.field("a", pa.int64())])], ids=str)
def test_a_type_that_cannot_be_held_is_refused_by_name_or_held(filled, arrow_type):
    values = pa.nulls(1, arrow_type) if not pa.types.is_union(arrow_type) else union()
    with unchanged(filled):
        try:
            filled.ingest("u", pa.table({"odd": values}))
        except harness.adbc_driver_flightsql.dbapi.Error as error:
            assert harness.error_kind(error) == "unsupported" and "odd" in str(error)
        else:
            filled.run("DROP TABLE u")
            pytest.skip("the type is held")


def union():
    return pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])], ["a"])


def test_a_reader_that_fails_in_the_middle_leaves_nothing(filled, lake):
    def batches():
        for _ in range(50):
            yield ROWS.to_batches()[0]
        raise ValueError("the source broke")

    reader = pa.RecordBatchReader.from_batches(ROWS.schema, batches())
    with unchanged(filled):
        with pytest.raises(Exception):
            filled.ingest("t", reader, "append")
    harness.wait_until(lambda: len(harness.parquet_files(lake)) == 1, what="removal of the unfinished file")


def test_a_client_that_vanishes_in_the_middle_leaves_nothing(filled, lake):
    (schema, _), (header, body) = wire.ipc_messages(ROWS)
    sent = threading.Event()

    def stream():
        yield wire.flight_data(schema, first=wire.descriptor(wire.ingest_command("t")))
        for _ in range(100):
            yield wire.flight_data(header, body)
        sent.set()
        threading.Event().wait(60)

    with unchanged(filled):
        raw = wire.Raw(filled.uri)
        call = raw.channel.stream_stream(wire.DO_PUT)(stream())
        assert sent.wait(30)
        call.cancel()
        raw.channel.close()
        harness.wait_until(lambda: len(harness.parquet_files(lake)) == 1, what="removal of the unfinished file")


def test_the_wire_helper_sends_what_the_server_takes(filled):
    """Without this the malformed streams below could fail for another reason."""
    (schema, _), (header, body) = wire.ipc_messages(ROWS)
    first = wire.flight_data(schema, first=wire.descriptor(wire.ingest_command("t")))
    with wire.Raw(filled.uri) as raw:
        assert raw.put([first, wire.flight_data(header, body)]) == (None, None)
    assert filled.rows("SELECT count(*) FROM t") == [(200,)]


def malformed_streams(chance):
    (schema, _), (header, body) = wire.ipc_messages(ROWS)
    opening = wire.descriptor(wire.ingest_command("t"))
    first = wire.flight_data(schema, first=opening)
    yield "no schema", [wire.flight_data(header, body, first=opening)]
    yield "empty schema message", [wire.flight_data(b"", first=opening)]
    yield "garbage for a schema", [wire.flight_data(b"\xff" * 64, first=opening)]
    yield "garbage for a header", [first, wire.flight_data(b"\xff" * len(header), body)]
    yield "header cut short", [first, wire.flight_data(header[: len(header) // 2], body)]
    yield "body cut short", [first, wire.flight_data(header, body[: len(body) // 2])]
    yield "body missing", [first, wire.flight_data(header)]
    yield "schema again as a batch with a body", [first, wire.flight_data(schema, body)]
    yield "garbage for a command", [wire.flight_data(schema, first=wire.descriptor(b"\xff" * 30))]
    unknown = wire.any_of("type.googleapis.com/nosuch.Command", b"")
    yield "unknown command", [wire.flight_data(schema, first=wire.descriptor(unknown))]
    yield "no descriptor", [wire.flight_data(schema), wire.flight_data(header, body)]
    yield "nothing at all", []
    for number in range(40):
        broken = bytearray(header)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        yield f"bits flipped {number}", [first, wire.flight_data(bytes(broken), body)]


def test_malformed_streams_are_refused_and_the_server_lives(filled):
    print(f"FLIGHTLAKE_TEST_SEED={SEED}")
    for what, messages in malformed_streams(random.Random(SEED)):
        before = state(filled, "t")
        with wire.Raw(filled.uri) as raw:
            code, kind = raw.put(messages)
        assert filled.process.poll() is None, what
        if code is None:
            # A flipped bit may leave a valid message, of other values.
            assert what.startswith("bits flipped"), what
            continue
        assert code != "UNAVAILABLE", what
        assert kind != "internal", what
        assert state(filled, "t") == before, what


def greedy_streams():
    """Streams of few bytes that declare many: (what, messages)."""
    (schema, _), (header, body) = wire.ipc_messages(ROWS, "zstd")
    opening = wire.descriptor(wire.ingest_command("t"))
    first = wire.flight_data(schema, first=opening)
    for name, size in [("1 TiB", 1 << 40), ("the most", (1 << 63) - 1), ("less than nothing", 1 << 63)]:
        greedy = body.replace(struct.pack("<q", ROWS.num_rows * 8), struct.pack("<Q", size))
        assert greedy != body
        yield f"a buffer of {name}", [first, wire.flight_data(header, greedy)]
    for at in range(0, len(header) - 8, 4):
        greedy = header[:at] + struct.pack("<q", 1 << 40) + header[at + 8 :]
        yield f"a batch with 1 << 40 at {at}", [first, wire.flight_data(greedy, body)]
    for at in range(0, len(schema) - 4, 4):
        greedy = schema[:at] + struct.pack("<I", 0x7FFFFFF0) + schema[at + 4 :]
        yield f"a schema with 0x7ffffff0 at {at}", [wire.flight_data(greedy, first=opening), wire.flight_data(header, body)]
    deep = pa.int8()
    for _ in range(3000):
        deep = pa.list_(deep)
    message = pa.schema([("x", deep)]).serialize().to_pybytes()[8:]
    yield "deep types", [wire.flight_data(message, first=opening)]


def resident(server):
    """The bytes of memory that the server's process holds now."""
    for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def test_what_few_bytes_declare_is_not_allocated(filled):
    before = resident(filled)
    for what, messages in greedy_streams():
        with wire.Raw(filled.uri) as raw:
            code, kind = raw.put(messages)
        assert filled.process.poll() is None, what
        assert code != "UNAVAILABLE" and kind != "internal", (what, code, kind)
    assert resident(filled) - before < 256 << 20


def test_zeros_that_few_bytes_stand_for_stay_within_limits(filled):
    zeros = pa.table({f"c{i}": pa.array(np.zeros(1 << 20, np.int64)) for i in range(40)})
    before = resident(filled)
    (schema, _), (header, body) = wire.ipc_messages(zeros.slice(0, 1 << 20), "zstd")
    assert len(body) < 1 << 20
    first = wire.flight_data(schema, first=wire.descriptor(wire.ingest_command("zeros")))
    with wire.Raw(filled.uri) as raw:
        assert raw.put([first, wire.flight_data(header, body)]) == ("RESOURCE_EXHAUSTED", "exhausted")
    assert resident(filled) - before < 256 << 20
    with filled.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("zeros", zeros.slice(0, 1 << 18).to_reader(max_chunksize=1 << 14), mode="create")
    assert filled.rows("SELECT count(*), sum(c39) FROM zeros") == [(1 << 18, 0)]


def test_malformed_calls_are_refused_and_the_server_lives(filled):
    chance = random.Random(SEED)
    garbage = [b"", b"\xff" * 40, wire.any_of("type.googleapis.com/nosuch.Command", b"x"), chance.randbytes(100)]
    with unchanged(filled), wire.Raw(filled.uri) as raw:
        for junk in garbage:
            assert raw.unary(wire.GET_FLIGHT_INFO, wire.descriptor(junk))[0] not in (None, "UNAVAILABLE", "INTERNAL")
            assert raw.unary_stream(wire.DO_GET, wire.message((1, junk)))[0] not in (None, "UNAVAILABLE", "INTERNAL")
            for action in ("CreatePreparedStatement", "ClosePreparedStatement", "BeginTransaction", "nosuch"):
                code, _ = raw.unary_stream(wire.DO_ACTION, wire.message((1, action), (2, junk)))
                assert code not in ("UNAVAILABLE", "INTERNAL"), action
    assert filled.process.poll() is None


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "footer", "pages"])
def test_a_damaged_file_is_named_and_other_tables_are_served(filled, lake, damage):
    filled.run("CREATE TABLE other AS SELECT 42 AS i")
    (path,) = [p for p in harness.parquet_files(lake) if os.path.samefile(p, filled.files("t")[0])]
    whole = pathlib.Path(path).read_bytes()
    filled.stop()
    break_file(pathlib.Path(path), whole, damage)
    filled.start()
    for sql in ("SELECT sum(i), max(s) FROM t WHERE i >= 0", "SELECT i, s FROM t", "SELECT s, sum(i) FROM t GROUP BY s"):
        with harness.raises("corrupt", pathlib.Path(path).name):
            filled.rows(sql)
    assert filled.rows("SELECT i FROM other") == [(42,)]
    pathlib.Path(path).write_bytes(whole)
    filled.kill()
    filled.start()
    assert filled.rows("SELECT sum(i) FROM t WHERE s <> ''") == [(4950,)]


def break_file(path, whole, damage):
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "footer":
        path.write_bytes(whole[:-200] + b"\xa5" * 192 + whole[-8:])
    else:
        path.write_bytes(whole[:4] + b"\xa5" * 300 + whole[304:])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_the_append_and_keeps_the_lake(small_disk):
    server = harness.Server(small_disk / "lake").start()
    try:
        server.ingest("t", ROWS)
        noise = random.Random(SEED)
        chunk = pa.table({"i": range(20), "s": [noise.randbytes(2**18).hex() for _ in range(20)]})
        reader = pa.RecordBatchReader.from_batches(chunk.schema, (b for _ in range(20) for b in chunk.to_batches(1)))
        with unchanged(server), harness.raises("exhausted"):
            server.ingest("t", reader, "append")
        harness.wait_until(lambda: len(harness.parquet_files(small_disk)) == 1, what="removal of the unfinished file")
        assert server.ingest("t", ROWS, "append") == 100
        server.kill()
        server.start()
        assert server.rows("SELECT count(*) FROM t") == [(200,)]
    finally:
        server.close()


POISON = {
    "a table": "UPDATE ducklake_table SET table_name = 'bad' || chr(0) || 'x' WHERE table_name = 'poison'",
    "a column": "UPDATE ducklake_column SET column_name = 'i' || chr(0) WHERE column_name = 'poisoned'",
    "a field": "UPDATE ducklake_column SET column_name = 'x' || chr(0) || 'y' WHERE column_name = 'deep'",
    "a default": "UPDATE ducklake_column SET default_value = 'now' || chr(0), default_value_type = 'expression' WHERE column_name = 'poisoned'",
    "a comment": "UPDATE ducklake_tag SET value = 'x' || chr(0) WHERE key = 'comment'",
    "a schema": "UPDATE ducklake_schema SET schema_name = 's' || chr(0) WHERE schema_name = 'bad'",
    "a type": "UPDATE ducklake_column SET column_type = 'nosuch' WHERE column_name = 'poisoned'",
}


@pytest.mark.parametrize("what", POISON)
def test_what_another_program_wrote_wrong_spoils_itself_only(lake, what):
    with contextlib.closing(harness.Server(lake).start()) as server:
        server.run(
            "CREATE TABLE good AS SELECT 1 AS i",
            "CREATE SCHEMA bad",
            "CREATE TABLE bad.t AS SELECT 1 AS i",
            "CREATE TABLE poison (poisoned BIGINT, s STRUCT(deep BIGINT))",
            "COMMENT ON TABLE poison IS 'a comment'",
        )
        server.stop()
    with duckdb.connect(f"{lake}/catalog.ducklake") as catalog:
        assert catalog.execute(POISON[what]).fetchone()[0] > 0
    with contextlib.closing(harness.Server(lake).start()) as server:
        assert server.rows("SELECT 1") == [(1,)]
        assert server.rows("FROM good") == [(1,)]
        assert ("lake", "main", "good") in [row[:3] for row in server.rows("SHOW ALL TABLES")]
        with server.connect() as connection:
            connection.adbc_get_objects(depth="all").read_all()
        if what not in ("a comment", "a schema", "a table"):
            with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error) as caught:
                server.rows("FROM poison")
            assert harness.error_kind(caught.value) in ("unsupported", "invalid", "corrupt"), caught.value
        server.run("INSERT INTO good VALUES (2)", "CREATE TABLE more AS FROM good")
        assert server.rows("SELECT count(*) FROM more") == [(2,)]
        if what not in ("a table", "a schema"):
            server.run("DROP TABLE poison")


def start_fails(server, *texts):
    with pytest.raises(RuntimeError) as caught:
        server.start(timeout=20)
    for text in texts:
        assert text.lower() in str(caught.value).lower(), caught.value
    assert server.process.poll() not in (None, 0), "the process must end by itself, with an error"
    assert "panic" not in str(caught.value) and "goroutine" not in str(caught.value)


def test_a_second_server_on_the_lake_is_told_who_holds_it(filled, lake):
    second = harness.Server(lake)
    with unchanged(filled):
        start_fails(second, str(filled.pid), "catalog.ducklake")


@pytest.mark.parametrize("version", ["9.9", "1.0-dev1", "", "none"])
def test_a_catalog_of_an_unknown_version_is_left_alone(filled, lake, version):
    filled.stop()
    with duckdb.connect(f"{lake}/catalog.ducklake") as catalog:
        catalog.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'version'", [version])
    before = pathlib.Path(lake, "catalog.ducklake").read_bytes()
    start_fails(harness.Server(lake), "version")
    assert pathlib.Path(lake, "catalog.ducklake").read_bytes() == before


def test_a_file_that_is_no_catalog_is_left_alone(lake):
    lake.mkdir()
    (lake / "catalog.ducklake").write_bytes(b"these are somebody's notes\n" * 1000)
    start_fails(harness.Server(lake), "catalog.ducklake")
    assert (lake / "catalog.ducklake").read_bytes() == b"these are somebody's notes\n" * 1000


def test_a_database_that_is_not_a_ducklake_is_left_alone(lake):
    lake.mkdir()
    with duckdb.connect(str(lake / "catalog.ducklake")) as database:
        database.execute("CREATE TABLE notes AS SELECT 'mine' AS note")
    start_fails(harness.Server(lake), "no DuckLake catalog")
    with duckdb.connect(str(lake / "catalog.ducklake")) as database:
        assert database.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("notes",)]


def test_a_lake_that_is_a_file(tmp_path):
    (tmp_path / "lake").write_text("a file")
    start_fails(harness.Server(tmp_path / "lake"), "lake")
    assert (tmp_path / "lake").read_text() == "a file"


def test_a_lake_that_is_not_writable():
    start_fails(harness.Server("/proc/flightlake/lake"), "/proc/flightlake")


@pytest.mark.parametrize(
    "args",
    [("--catalog", "mysql://x"), ("--listen", "nonsense"), ("--listen", "0.0.0.0:0"), ("--config", "/nosuch.toml")],
)
def test_settings_that_make_no_sense(lake, args):
    start_fails(harness.Server(lake, *args))
    shutil.rmtree(lake, ignore_errors=True)


def test_few_file_descriptors_are_an_error_and_not_a_crash(lake):
    server = harness.Server(lake, limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    try:
        server.start()
        server.run("CREATE TABLE t (i BIGINT, p BIGINT) PARTITIONED BY (p)")
        wide = pa.table({"i": range(300), "p": range(300)})
        try:
            server.ingest("t", wide, "append")
            assert server.rows("SELECT count(*) FROM t WHERE i >= 0") == [(300,)]
        except harness.adbc_driver_flightsql.dbapi.Error:
            assert server.rows("SELECT count(*) FROM t") in ([(0,)], [(300,)])
        assert server.process.poll() is None
    finally:
        server.close()

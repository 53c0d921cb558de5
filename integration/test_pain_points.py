"""What users of other Flight SQL servers ran into and no other test here tries.

The numbers are those of docs/clients/pain-points.md, which names the tests.
"""

import concurrent.futures
import contextlib
import socket
import struct
import subprocess
import time
import urllib.parse

import adbc_driver_manager
import grpc
import harness
import pyarrow as pa
import pyarrow.flight
import pytest
import wire

MIB = 1 << 20
QUERY_TYPE = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
JAVA_HEADERS_BYTES_MAX = 8 << 10


def query(sql):
    """The bytes of a CommandStatementQuery."""
    return wire.any_of(QUERY_TYPE, wire.message((1, sql)))


def info(server, sql):
    """The FlightInfo of a query."""
    with pyarrow.flight.connect(server.uri.replace("grpc://", "grpc+tcp://")) as client:
        return client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(query(sql)))


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


# 9, 13, 45: endpoints.


@pytest.mark.parametrize("sql", ["SELECT i FROM none", "SELECT i FROM none WHERE i = 5", "SELECT 1::BIGINT AS i LIMIT 0"])
def test_an_empty_result_has_one_endpoint_whose_stream_has_the_schema(one, sql):
    one.run("CREATE TABLE IF NOT EXISTS none (i BIGINT)")
    got = info(one, sql)
    assert len(got.endpoints) == 1
    assert got.schema.names == ["i"]
    with pyarrow.flight.connect(one.uri.replace("grpc://", "grpc+tcp://")) as client:
        table = client.do_get(got.endpoints[0].ticket).read_all()
    assert (table.num_rows, table.schema.names) == (0, ["i"])


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT i FROM range(1000000) r(i)", "CREATE TABLE IF NOT EXISTS none (i BIGINT)"])
def test_endpoints_name_no_location_that_a_client_could_not_reach(one, sql):
    assert [endpoint.locations for endpoint in info(one, sql).endpoints] == [[]]


# 10: types that old clients cannot read.


def test_text_and_bytes_are_sent_as_plain_types(one, name):
    views = {
        "view": pa.array(["a", None, "a text that is longer than a view"], pa.string_view()),
        "bytes": pa.array([b"a", None, b"bytes that are longer than a view"], pa.binary_view()),
        "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
        "large": pa.array(["x", None, "y"], pa.large_string()),
    }
    one.ingest(name, pa.table(views))
    want = [pa.string(), pa.binary(), pa.string(), pa.string()]
    assert one.table(f"SELECT * FROM {name}").schema.types == want
    assert one.table(f"SELECT view || '!', bytes, dictionary, large FROM {name} ORDER BY 1").schema.types == want
    assert one.table("SELECT 'b'::ENUM ('a', 'b') AS e").schema.types == [pa.string()]


# 12: binary under the name of text.


def test_bytes_that_are_no_text_are_refused_as_text_and_kept_as_bytes(one, name):
    broken = b"\xff\xfe broken"
    with harness.raises("invalid", "s"):
        one.ingest(name, pa.table({"s": pa.array([broken]).view(pa.string())}))
    one.ingest(name, pa.table({"s": pa.array([broken])}))
    assert one.rows(f"SELECT s FROM {name}") == [(broken,)]
    with harness.raises("invalid"):
        one.rows(f"SELECT decode(s) FROM {name}")


# 23: large messages, both ways.


def test_rows_of_several_mib_go_in_and_come_out_by_default(one, name):
    texts = [letter * (3 * MIB) for letter in "abcd"]
    with one.connect() as connection:
        reader = pa.table({"s": texts}).to_reader(max_chunksize=4)  # 12 MiB, below the driver's 16
        with connection.cursor() as cursor:
            cursor.adbc_ingest(name, reader, mode="create")
        assert execute(connection, f"SELECT s FROM {name} ORDER BY s") == [(text,) for text in texts]
        assert execute(connection, f"SELECT upper(s) FROM {name} ORDER BY s LIMIT 1") == [(texts[0].upper(),)]


def test_a_message_of_64_mib_is_taken_from_a_client_that_sends_it(one, name):
    large = {"adbc.flight.sql.client_option.with_max_msg_size": str(256 * MIB)}
    with one.connect(**large) as connection, connection.cursor() as cursor:
        assert cursor.adbc_ingest(name, pa.table({"s": ["x" * MIB] * 64}), mode="create") == 64


def test_batches_stay_below_what_a_client_without_options_takes(one):
    with one.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT repeat('x', 1000) AS s FROM range(200000) r(i)")
        sizes = [batch.nbytes for batch in cursor.fetch_record_batch()]
    assert sum(sizes) > 100 * MIB and max(sizes) < 4 * MIB


# 26, 48: the connection.


class Frames:
    """An HTTP/2 connection whose frames are read one by one."""

    DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8

    def __init__(self, uri):
        host, _, port = uri.split("://")[1].rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(self.SETTINGS))

    @staticmethod
    def frame(kind, flags=0, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", 0) + payload

    def read(self):
        """The type, flags and payload of the next frame."""
        head = self.exactly(9)
        return head[3], head[4], self.exactly(int.from_bytes(head[:3], "big"))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the server closed the connection"
            data += part
        return data

    def until(self, kind, flags=0):
        """The payload of the next frame of a kind; the server must not say goodbye before."""
        while True:
            got, got_flags, payload = self.read()
            assert got != self.GOAWAY, payload
            if (got, got_flags) == (kind, flags):
                return payload

    def close(self):
        self.socket.close()


def test_both_windows_are_set(one):
    with contextlib.closing(Frames(one.uri)) as frames:
        settings = frames.until(Frames.SETTINGS)
        values = dict(struct.unpack_from(">HI", settings, at) for at in range(0, len(settings), 6))
        more = int.from_bytes(frames.until(Frames.WINDOW_UPDATE), "big")
    stream, connection = values[4], 65535 + more  # SETTINGS_INITIAL_WINDOW_SIZE; RFC 9113 6.9.2
    assert stream >= 4 * MIB and connection >= stream


def test_the_server_pings_connections_that_are_silent(tmp_path):
    server = harness.Server(tmp_path / "lake", "--keepalive-interval", "1s").start()
    try:
        with contextlib.closing(Frames(server.uri)) as frames:
            for _ in range(2):
                ping = frames.until(Frames.PING)
                frames.socket.sendall(frames.frame(Frames.PING, 1, ping))
    finally:
        server.close()


def test_clients_may_ping_while_they_do_nothing(one):
    with contextlib.closing(Frames(one.uri)) as frames:
        for k in range(4):
            time.sleep(1.1)  # the server takes a ping a second
            frames.socket.sendall(frames.frame(Frames.PING, 0, struct.pack(">Q", k)))
            assert frames.until(Frames.PING, 1) == struct.pack(">Q", k)


# 28, 38, 40: calls.


def test_connecting_is_quick_and_costs_no_session(one):
    start = time.monotonic()
    for _ in range(50):
        one.connect(autocommit=False).close()
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f980", '"', "%"], ids=["ascii", "accent", "crab", "quote", "percent"])
def test_the_headers_of_an_error_fit_into_what_java_takes(one, letter):
    sql = f"SELECT '{letter * 30000}' AS a, {letter * 3000 if letter != '%' else ''} FROM \"{letter.replace(chr(34), '') * 3000}\""
    with wire.Raw(one.uri) as raw, pytest.raises(grpc.RpcError) as caught:
        raw.channel.unary_unary(wire.GET_FLIGHT_INFO)(wire.descriptor(query(sql)), timeout=30)
    headers = [("grpc-message", urllib.parse.quote(caught.value.details()))]
    for key, value in caught.value.trailing_metadata():
        # Binary values travel in base64.
        headers.append((key, value if isinstance(value, str) else "x" * (4 * len(value) // 3 + 4)))
    assert sum(len(key) + len(value) + 32 for key, value in headers) < JAVA_HEADERS_BYTES_MAX
    assert all(value.isascii() for _, value in headers)
    assert caught.value.details(), "an error says something"


def test_an_error_comes_at_once_and_not_with_the_first_row(one):
    for sql in ("SELECT nosuch FROM range(10)", "SELECT * FROM nosuch", "SELEC 1", "INSERT INTO nosuch VALUES (1)"):
        with pytest.raises(pa.ArrowException) as caught:
            info(one, sql)
        assert "nosuch" in str(caught.value) or "SELEC" in str(caught.value)


# 21: client certificates.


def test_a_client_certificate_logs_in_though_the_servers_is_not_verified(tmp_path):
    certs = tmp_path / "certs"
    made = subprocess.run([harness.BINARY, "cert", "--out", certs, "--client", "carol"], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    (tmp_path / "auth.toml").write_text('[users.carol]\nroles = ["reader"]\n[mtls]\nuser_from = "cn"\n')
    (tmp_path / "auth.toml").chmod(0o600)
    args = ["--auth-file", tmp_path / "auth.toml", "--tls-client-ca", certs / "ca.pem"]
    args += ["--tls-cert", certs / "server.pem", "--tls-key", certs / "server-key.pem"]
    server = harness.Server(tmp_path / "lake", *map(str, args)).start()
    option = "adbc.flight.sql.client_option."
    unverified = {option + "tls_skip_verify": "true"}
    pair = {
        option + "mtls_cert_chain": (certs / "client-carol.pem").read_text(),
        option + "mtls_private_key": (certs / "client-carol-key.pem").read_text(),
    }
    try:
        with server.connect(**unverified, **pair) as connection:
            assert execute(connection, "SELECT 42") == [(42,)]
        with server.connect(**unverified) as connection, harness.raises("unauthenticated", "credentials"):
            execute(connection, "SELECT 42")
    finally:
        server.close()


# 36, 37: parameters.


@pytest.mark.parametrize("sql", ["SELECT 1", "CREATE TABLE never_made (i BIGINT)", "SHOW TABLES", "SET schema = 'main'", "SELECT ?"])
def test_every_statement_tells_its_parameters(one, sql):
    with one.connect() as connection:
        statement = adbc_driver_manager.AdbcStatement(connection.adbc_connection)
        try:
            statement.set_sql_query(sql)
            statement.prepare()
            assert len(pa.schema(statement.get_parameter_schema())) == sql.count("?")
        finally:
            statement.close()


@pytest.mark.parametrize("value", [7, "text", 1.5, True, None, b"bytes"])
def test_a_parameter_without_a_context_takes_what_is_bound(one, value):
    with one.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ?, ? IS NULL", (value, value))
        got, null = cursor.fetchone()
        assert null is (value is None)
        assert got == value or str(got) == str(value)


# 46: names.


def test_a_table_is_written_by_its_whole_name(one, name):
    one.run(f"CREATE SCHEMA s_{name}")
    for mode in ("create", "append", "replace", "create_append"):
        one.ingest(name, pa.table({"i": [1]}), mode, catalog_name="lake", db_schema_name=f"s_{name}")
    assert one.rows(f"SELECT count(*) FROM lake.s_{name}.{name}") == [(2,)]
    with harness.raises("not_found", "nosuch"):
        one.ingest(name, pa.table({"i": [1]}), "create", catalog_name="nosuch", db_schema_name=f"s_{name}")


# 47: many who write.


def test_of_many_concurrent_writers_none_is_lost(one, name):
    one.run(f"CREATE TABLE {name} (i BIGINT)")
    writers, rounds = 24, 4

    def write(k):
        with one.connect(autocommit=k % 3 != 0) as connection:
            for n in range(rounds):
                row = k * rounds + n
                if k % 3 == 1:
                    harness.ingest(connection, name, pa.table({"i": [row]}), "append")
                else:
                    execute(connection, f"INSERT INTO {name} VALUES ({row})")
                if k % 3 == 0:
                    connection.commit()

    before = one.snapshot()
    with concurrent.futures.ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert one.rows(f"SELECT count(*), count(DISTINCT i) FROM {name}") == [(writers * rounds, writers * rounds)]
    assert one.snapshot() == before + writers * rounds, "each is a snapshot of its own"

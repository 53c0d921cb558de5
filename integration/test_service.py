"""The process: what it prints, how it stops, health checks, TLS, response headers, memory."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import harness
import pyarrow as pa
import pytest
import wire

MEMORY_BYTES_MAX = 1 << 30


def test_the_lines_it_prints_are_ready_to_copy(server):
    assert server.lines[0].startswith("flightlake ready ")
    harness.wait_until(lambda: len(server.lines) >= 4, what="the connection strings")
    text = "".join(server.lines)
    assert f'connect("{server.uri}"' in text
    assert f"jdbc:arrow-flight-sql://{server.uri.removeprefix('grpc://')}/?useEncryption=false" in text
    assert "polars.read_database_uri" in text


def test_sigterm_lets_a_running_query_finish(server):
    connection = server.connect()
    cursor = connection.cursor()
    cursor.execute("SELECT i, repeat('x', 200) AS s FROM range(1000000) r(i)")
    reader = cursor.fetch_record_batch()
    rows = reader.read_next_batch().num_rows
    stopped = []
    stopper = threading.Thread(target=lambda: stopped.append(server.stop()))
    stopper.start()
    time.sleep(0.2)
    rows += sum(batch.num_rows for batch in reader)
    stopper.join(60)
    for handle in (reader, cursor, connection):
        with contextlib.suppress(Exception):  # the server that it would say goodbye to is gone
            handle.close()
    assert rows == 1_000_000
    assert stopped == [0]


def test_sigterm_ends_an_idle_server_at_once(server):
    connection = server.connect(autocommit=False)
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 10
    with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def get(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_metrics(lake):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = harness.Server(lake, http=address).start()
    try:
        server.ingest("t", pa.table({"i": [1]}))
        assert get(address, "/healthz")[0] == 200
        assert get(address, "/readyz")[0] == 200
        status, text = get(address, "/metrics")
        assert status == 200 and "go_goroutines" in text
        assert get(address, "/nosuch")[0] == 404
    finally:
        server.close()


def certificate(folder):
    """A self-signed certificate for the loopback address."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="making a certificate needs openssl")
def test_tls(tmp_path):
    cert, key = certificate(tmp_path)
    server = harness.Server(tmp_path / "lake", "--tls-cert", str(cert), "--tls-key", str(key)).start()
    try:
        assert server.uri.startswith("grpc+tls://")
        options = {"adbc.flight.sql.client_option.tls_root_certs": cert.read_text()}
        with server.connect(**options) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 42")
            assert cursor.fetchall() == [(42,)]
        with pytest.raises(harness.adbc_driver_flightsql.dbapi.Error):
            server.rows("SELECT 42")
    finally:
        server.close()


def test_responses_carry_snapshot_and_request_id(server):
    server.ingest("t", pa.table({"i": [1]}))
    query = wire.any_of(
        "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery", wire.message((1, "SELECT i FROM t"))
    )
    with wire.Raw(server.uri) as raw:
        _, call = raw.channel.unary_unary(wire.GET_FLIGHT_INFO).with_call(wire.descriptor(query), timeout=30)
        headers = dict(call.initial_metadata()) | dict(call.trailing_metadata())
    assert headers["flightlake-snapshot"] == str(server.snapshot())
    assert headers["flightlake-request-id"]


def memory_peak(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_memory_stays_bounded_whatever_the_length_of_a_stream_or_a_result(server):
    rows, batches = 20_000, 100
    wide = pa.record_batch({"i": range(rows), "s": [f"{i:0>400}" for i in range(rows)]})  # 8 MB
    stream = pa.RecordBatchReader.from_batches(wide.schema, (wide for _ in range(batches)))
    assert server.ingest("big", stream) == rows * batches
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM big")
        reader = cursor.fetch_record_batch()
        read = reader.read_next_batch().num_rows
        time.sleep(1)  # a slow client: the server must not read ahead without a limit
        read += sum(batch.num_rows for batch in reader)
    assert read == rows * batches
    assert server.rows("SELECT count(*), sum(n) FROM (SELECT s, count(*) AS n FROM big GROUP BY s)") == [
        (rows, rows * batches)
    ]
    assert memory_peak(server.pid) < MEMORY_BYTES_MAX


def test_a_client_that_stops_reading_does_not_stop_the_others(server):
    with server.connect() as stalled, stalled.cursor() as cursor:
        cursor.execute("SELECT i, repeat('x', 500) AS s FROM range(2000000) r(i)")
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        for _ in range(20):
            assert server.rows("SELECT 1") == [(1,)]
        server.ingest("t", pa.table({"i": [1]}), "create_append")

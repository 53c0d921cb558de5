"""`flightlake sql`, `cert` and `passwd`: formats, exit codes, scripts, pipes, and a session at a terminal."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import urllib.request

import harness
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TIMEOUT_SECONDS = 60
LONG = "SELECT count(*) FROM range(100000000000) a(i) WHERE i % 7 = 3"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = harness.Server(tmp_path_factory.mktemp("shell") / "lake").start()
    server.ingest("t", pa.table({"id": [1, 2, 3], "name": ["a,b", None, ""], "price": [1.5, float("nan"), None]}))
    yield server
    server.close()


def sql(server, *args, stdin=None, env=None, check=0, raw=False):
    """Run the shell and return what it wrote to standard output and to standard error."""
    command = [harness.BINARY, "sql", "--uri", server.uri, *args]
    done = subprocess.run(
        command,
        input=stdin if raw or stdin is None else stdin.encode(),
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == check, (done.returncode, done.stderr.decode())
    return (done.stdout if raw else done.stdout.decode()), done.stderr.decode()


def test_csv_is_the_format_of_pipes_and_tells_null_from_empty_text(server):
    out, _ = sql(server, "SELECT id, name FROM t ORDER BY id")
    assert out == 'id,name\n1,"a,b"\n2,\n3,""\n'
    assert list(csv.reader(io.StringIO(out)))[1] == ["1", "a,b"]
    out, _ = sql(server, "--no-header", "--null", "-", "SELECT name FROM t ORDER BY id")
    assert out == '"a,b"\n-\n""\n' or out == '"a,b"\n-\n\n'


def test_json_is_one_object_a_line(server):
    query = """SELECT 9007199254740993 AS big, 1.10::DECIMAL(10,2) AS d, 'nan'::DOUBLE AS n, [1, NULL] AS l,
        {'a': 'x"y'} AS s, TIMESTAMPTZ '2020-01-02 03:04:05.5+02' AS z, TIMESTAMP '2020-01-02 03:04:05' AS ts, NULL AS e"""
    out, _ = sql(server, "--format", "json", query)
    assert json.loads(out) == {
        "big": 9007199254740993, "d": 1.1, "n": "NaN", "l": [1, None], "s": {"a": 'x"y'},
        "z": "2020-01-02T01:04:05.5Z", "ts": "2020-01-02T03:04:05", "e": None,
    }  # fmt: skip
    assert '"d":1.10,' in out
    out, _ = sql(server, "--format", "json", "SELECT 1 AS a, 2 AS a")
    assert json.loads(out) == {"a": 1, "a_1": 2}


def test_table_and_markdown(server):
    out, _ = sql(server, "--format", "table", "SELECT id, name FROM t ORDER BY id")
    assert out.splitlines() == [
        "┌────┬──────┐", "│ id │ name │", "├────┼──────┤", "│  1 │ a,b  │", "│  2 │ NULL │", "│  3 │      │", "└────┴──────┘"
    ]  # fmt: skip
    out, _ = sql(server, "--format", "markdown", "SELECT 'a|b' AS x, 1 AS n")
    assert out.splitlines() == ["| x    | n |", "|------|--:|", "| a\\|b | 1 |"]


def test_a_table_holds_as_many_rows_as_asked_for_and_says_so(server):
    out, err = sql(server, "--format", "table", "--max-rows", "10", "SELECT * FROM range(100000)")
    assert len(out.splitlines()) == 14
    assert "first 10 rows" in err
    out, err = sql(server, "--format", "table", "--max-rows", "3", "SELECT id FROM t")
    assert len(out.splitlines()) == 7 and "first" not in err


def test_parquet(server, tmp_path):
    path = tmp_path / "out.parquet"
    sql(server, "--output", str(path), "SELECT i, 'x' || i AS s, i::DECIMAL(12,3) AS d FROM range(200000) r(i)")
    table = pq.read_table(path)
    assert table.num_rows == 200_000
    assert table.column("s")[7].as_py() == "x7"
    assert str(table.schema.field("d").type) == "decimal128(12, 3)"
    assert table.schema.field("i").metadata is None
    out, _ = sql(server, "--format", "parquet", "FROM t", stdin=b"", raw=True)
    assert pq.read_table(pa.BufferReader(out)).num_rows == 3


def test_a_result_of_no_rows_keeps_its_columns(server, tmp_path):
    assert sql(server, "SELECT id, name FROM t WHERE false")[0] == "id,name\n"
    path = tmp_path / "empty.parquet"
    sql(server, "-o", str(path), "SELECT id, name FROM t WHERE false")
    assert pq.read_table(path).schema.names == ["id", "name"]


def test_a_failure_leaves_the_file_that_was_there(server, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("precious")
    sql(server, "-o", str(path), "SELECT 1; SELECT nope", check=1)
    assert path.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    sql(server, "-o", str(path), "--format", "parquet", "SELECT 1; SELECT 2", check=2)
    assert path.read_text() == "precious"
    sql(server, "-o", str(path), "SELECT 1 AS a")
    assert path.read_text() == "a\n1\n"


def test_exit_codes(server):
    assert "not found" in sql(server, "SELECT nope FROM t", check=1)[1]
    out, err = sql(server, "SELECT 1 AS a;\nSELEC 2; SELECT 3 AS c", check=1)
    assert out == "a\n1\n"
    assert "error (invalid)" in err and "  SELEC 2\n  ^" in err
    out, _ = sql(server, "--continue", "SELECT 1 AS a; SELECT nope; SELECT 3 AS c", check=1)
    assert out == "a\n1\nc\n3\n"
    for wrong in (["--nope"], ["--format", "xml", "SELECT 1"], ["--uri", "http://x:1", "SELECT 1"], ["-f", "/nonexistent"], ["a", "b"]):
        assert sql(server, *wrong, check=2)[1]
    assert "connection refused" in sql(server, "--uri", "grpc://127.0.0.1:1", "SELECT 1", check=3)[1]
    assert "not known" in sql(server, stdin="\\nope\n", check=2)[1]


def test_scripts_from_files_and_standard_input(server, tmp_path):
    script = tmp_path / "s.sql"
    script.write_text(
        "\ufeff-- a comment; with a semicolon\r\n"
        "CREATE TABLE script (i INTEGER, s VARCHAR);\r\n"
        "INSERT INTO script VALUES (1, 'a;b'), (2, $$c;\nd$$);\n"
        "/* ; */ SELECT i,\n  s FROM script ORDER BY i;\n"
        "\\format json\n"
        "SELECT count(*) AS n FROM script; DROP TABLE script"
    )
    out, err = sql(server, "-f", str(script))
    assert out == 'i,s\n1,a;b\n2,"c;\nd"\n{"n":2}\n' and err == ""
    assert sql(server, stdin="SELECT 1 AS a\n;\nSELECT 2 AS b")[0] == "a\n1\nb\n2\n"
    assert sql(server, "-f", "-", stdin="SELECT 1 AS a")[0] == "a\n1\n"
    script.write_text("SELECT 1;\n\nSELECT\n nope;\n")
    assert f"{script}:3: error (invalid)" in sql(server, "-f", str(script), check=1)[1]
    assert sql(server, stdin="")[0] == ""
    assert sql(server, stdin="SELECT 1; \\q\n", check=1)  # a command has a line of its own
    assert sql(server, stdin="SELECT 1 AS a;\n\\q\nSELECT nope;\n")[0] == "a\n1\n"
    assert "does not end" in sql(server, stdin="SELECT 'abc", check=1)[1]


def test_a_script_is_one_session(server):
    out, _ = sql(server, "BEGIN; INSERT INTO t VALUES (4, 'x', 0); SELECT count(*) AS n FROM t; ROLLBACK; SELECT count(*) AS n FROM t")
    assert out == "n\n4\nn\n3\n"


def test_a_reader_that_goes_away_ends_the_shell_quietly_and_soon(server):
    command = f"{harness.BINARY} sql --uri {server.uri} 'SELECT * FROM range(10000000000)' | head -3; echo ${{PIPESTATUS[0]}}"
    start = time.monotonic()
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.stdout == "range\n0\n1\n0\n" and done.stderr == ""
    assert time.monotonic() - start < 20


def test_an_interrupt_stops_a_script_and_its_statement(server):
    process = subprocess.Popen(
        [harness.BINARY, "sql", "--uri", server.uri, LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130 and out == "" and "cancelled" in err


def test_streaming_holds_no_result_in_memory(server, tmp_path):
    command = [harness.BINARY, "sql", "--uri", server.uri, "SELECT i, repeat('x', 200) AS s FROM range(2000000) r(i)"]
    with open(tmp_path / "big.csv", "wb") as out:
        process = subprocess.Popen(command, stdout=out)
        peak = 0
        while process.poll() is None:  # ru_maxrss would count the test's own memory, from which it was forked
            peak = max(peak, resident_peak(process.pid))
            time.sleep(0.01)
    assert process.returncode == 0
    assert (tmp_path / "big.csv").stat().st_size > 400_000_000
    assert 0 < peak < 300 << 10


def resident_peak(pid):
    """The peak of a process's resident memory in KiB, 0 if it has ended."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
    return 0


def test_descriptions(server):
    assert sql(server, "--schema", "SELECT id, name FROM t")[0] == "column,type,null\nid,BIGINT,YES\nname,VARCHAR,YES\n"
    assert "returns no rows" in sql(server, "--schema", "DROP TABLE t")[1]
    assert sql(server, stdin="\\dt\n")[0] == "schema,table,type\nmain,t,TABLE\n"
    assert "price,DOUBLE,YES" in sql(server, stdin="\\d main.t\n")[0]
    assert "does not exist" in sql(server, stdin="\\d nope\n", check=1)[1]
    assert "native scan" in sql(server, "--format", "table", "EXPLAIN SELECT * FROM t")[0]


class Terminal:
    """The shell at a pseudo-terminal."""

    def __init__(self, server, tmp_path, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {**os.environ, "TERM": "xterm", "XDG_STATE_HOME": str(tmp_path), "INPUTRC": "/dev/null"}
            os.execve(harness.BINARY, [harness.BINARY, "sql", "--uri", server.uri, *args], env)
        self.seen = ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=20):
        """Wait until the terminal has shown the pattern; return everything up to its end."""
        deadline = time.monotonic() + timeout
        while True:
            text = re.sub(r"\x1b\[[0-9;? ]*[a-zA-Z]", "", self.seen)
            match = re.search(pattern, text)
            if match:
                self.seen = text[match.end() :]
                return text[: match.end()]
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            chunk = b""
            with contextlib.suppress(OSError):  # what reading says when the shell has ended
                chunk = os.read(self.fd, 65536) if ready else b""
            assert chunk, f"{pattern!r} was not shown: {text[-2000:]!r}"
            self.seen += chunk.decode(errors="replace")

    def wait(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if select.select([self.fd], [], [], 0)[0]:
                    os.read(self.fd, 65536)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        raise AssertionError("the shell did not end")

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(server, tmp_path):
    terminal = Terminal(server, tmp_path)
    terminal.expect(r"connected to grpc://.*\r\n")
    terminal.expect("sql> ")
    yield terminal
    terminal.close()


def test_a_statement_may_span_lines(terminal):
    terminal.send("SELECT 40 +\r")
    terminal.send("  2 AS answer;\r")
    assert "│     42 │" in terminal.expect(r"1 row in [0-9.]+ s")
    terminal.send("SELECT 'a;\rb' AS x;\r")
    assert r"a;\nb" in terminal.expect(r"1 row in")
    terminal.send("\\q\r")
    assert terminal.wait() == 0


def test_an_error_does_not_end_the_shell(terminal):
    terminal.send("SELECT nope FROM t;\r")
    terminal.expect(r"error \(invalid\)")
    terminal.send("\\nope\r")
    terminal.expect(r"not known")
    terminal.send("SELECT 1 AS one;\r")
    terminal.expect(r"1 row in [^\r]*\r\nsql> ")
    terminal.send("\x04")
    assert terminal.wait() == 0


def test_tab_completes_keywords_tables_and_columns(terminal):
    terminal.send("CREATE TABLE completion_target (lengthy_column INTEGER);\r")
    terminal.expect("ok in")
    terminal.send("SELECT count(*) FROM completion_t\t")
    terminal.expect("completion_target")
    terminal.send(" WHERE lengthy\t")
    terminal.expect("lengthy_column")
    terminal.send(" IS NULL;\r")
    terminal.expect(r"1 row in")
    terminal.send("DROP TABLE completion_target;\r")
    terminal.expect("ok in")


def test_history_outlives_the_shell_and_is_private(server, tmp_path):
    first = Terminal(server, tmp_path)
    first.expect("sql> ")
    first.send("SELECT 11 *\r 11 AS squared;\r")
    first.expect("│     121 │")
    first.send("\\q\r")
    assert first.wait() == 0
    first.close()
    path = tmp_path / "flightlake" / "sql_history"
    assert path.stat().st_mode & 0o777 == 0o600
    second = Terminal(server, tmp_path)
    second.expect("sql> ")
    second.send("\x1b[A\x1b[A")  # past \q
    second.expect("11 AS squared;")
    second.send("\r")
    second.expect("│     121 │")
    second.close()


def test_ctrl_c_cancels_the_statement_and_not_the_shell(terminal):
    terminal.send(LONG + ";\r")
    terminal.expect(r"running [23] s(, \d+%)? \(")
    start = time.monotonic()
    terminal.send("\x03")
    terminal.expect("cancelled")
    assert time.monotonic() - start < 5
    terminal.send("SELECT 1 AS one;\r")
    terminal.expect(r"1 row in [^\r]*\r\nsql> ")
    terminal.send("half a statem\x03")
    terminal.expect("quits")
    terminal.send("\x03")
    assert terminal.wait() == 0


def test_commands_at_a_terminal(terminal, tmp_path):
    terminal.send("\\format csv\r")
    terminal.expect("format is csv")
    terminal.send("SELECT id FROM t WHERE id = 2;\r")
    terminal.expect(r"id\r\n2\r\n1 row")
    terminal.send(f"\\o {tmp_path}/o.csv\r")
    terminal.send("SELECT id FROM t ORDER BY id;\r")
    terminal.expect("3 rows")
    terminal.send("\\o\r")
    terminal.send("\\timing off\r")
    terminal.expect("timing is off")
    assert (tmp_path / "o.csv").read_text() == "id\n1\n2\n3\n"
    terminal.send("INSERT INTO t SELECT 9, 'i', 0 WHERE false;\r")
    terminal.expect("0 rows affected")
    terminal.send("\\?\r")
    terminal.expect("Ctrl-D quits")


# Certificates and users.


def tool(*args, stdin="", check=0):
    done = subprocess.run([harness.BINARY, *args], input=stdin, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == check, done.stderr
    return done.stdout + done.stderr


def password_entry(user, password, role):
    return tool("passwd", user, stdin=password + "\n").replace('"reader"', f'"{role}"')


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server with TLS, users, and client certificates for those who have one."""
    folder = tmp_path_factory.mktemp("secured")
    certs = folder / "certs"
    tool("cert", "--out", str(certs), "--client", "carol")
    auth = folder / "auth.toml"
    auth.write_text(
        password_entry("alice", "wonder land", "admin")
        + password_entry("bob", "builder", "reader")
        + '[users.carol]\nroles = ["reader"]\n[mtls]\nuser_from = "cn"\n'
    )
    auth.chmod(0o600)
    args = ["--auth-file", str(auth), "--tls-client-ca", str(certs / "ca.pem")]
    args += ["--tls-cert", str(certs / "server.pem"), "--tls-key", str(certs / "server-key.pem")]
    server = harness.Server(folder / "lake", *args).start()
    server.certs = certs
    yield server
    server.close()


def login(server, user, password):
    return ["--tls-ca", str(server.certs / "ca.pem"), "--user", user, "--password", password]


def test_login_over_tls(secured):
    ca = ["--tls-ca", str(secured.certs / "ca.pem")]
    sql(secured, *login(secured, "alice", "wonder land"), "CREATE TABLE mine AS SELECT 1 AS i")
    assert sql(secured, *login(secured, "bob", "builder"), "FROM mine")[0] == "i\n1\n"
    env = {"FLIGHTLAKE_USER": "bob", "FLIGHTLAKE_PASSWORD": "builder", "FLIGHTLAKE_TLS_CA": str(secured.certs / "ca.pem")}
    assert sql(secured, "FROM mine", env=env)[0] == "i\n1\n"
    assert "forbidden" in sql(secured, *login(secured, "bob", "builder"), "DROP TABLE mine", check=3)[1]
    assert "unauthenticated" in sql(secured, *login(secured, "bob", "wrong"), "FROM mine", check=3)[1]
    assert "unauthenticated" in sql(secured, *ca, "FROM mine", check=3)[1]
    assert "certificate" in sql(secured, "FROM mine", check=3)[1]
    assert "builder" not in "".join(secured.errors) and "wonder" not in "".join(secured.errors)


def test_a_client_certificate_logs_in(secured):
    certs = secured.certs
    pair = ["--tls-cert", str(certs / "client-carol.pem"), "--tls-key", str(certs / "client-carol-key.pem")]
    assert sql(secured, "--tls-ca", str(certs / "ca.pem"), *pair, "SELECT 1 AS a")[0] == "a\n1\n"


def test_the_lines_that_it_prints_connect(secured):
    harness.wait_until(lambda: len(secured.lines) >= 5, what="the connection strings")
    adbc = next(line for line in secured.lines if line.startswith("  ADBC"))
    call = adbc.removeprefix("  ADBC").strip().replace("USER", "alice").replace("PASSWORD", "wonder land")
    with eval(call, {"adbc_driver_flightsql": harness.adbc_driver_flightsql}) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        assert cursor.fetchall() == [(42,)]
    shell = next(line for line in secured.lines if line.startswith("  shell")).split()[3:]
    out, _ = sql(secured, *" ".join(shell).replace("USER", "bob").split(), "SELECT 1 AS a", env={"FLIGHTLAKE_PASSWORD": "builder"})
    assert out == "a\n1\n"
    jdbc = next(line for line in secured.lines if line.startswith("  JDBC"))
    assert "useEncryption=true&tlsRootCerts=" in jdbc and "user=USER" in jdbc


def test_certificates_are_not_overwritten(tmp_path):
    folder = str(tmp_path / "c")
    assert "--tls-cert" in tool("cert", "--out", folder)
    before = (tmp_path / "c" / "server.pem").read_text()
    assert "--force" in tool("cert", "--out", folder, check=1)
    assert (tmp_path / "c" / "server.pem").read_text() == before
    assert (tmp_path / "c" / "server-key.pem").stat().st_mode & 0o777 == 0o600


def test_passwd_reads_the_first_line(tmp_path):
    assert tool("passwd", stdin="secret\nother\n").startswith("$argon2id$v=19$")
    assert tool("passwd", "al\"ice", stdin="x\n").startswith('[users."al\\"ice"]\n')
    assert "password" in tool("passwd", stdin="\n", check=1)


def test_a_network_is_served_with_users_only(tmp_path):
    refused = harness.Server(tmp_path / "lake", "--log-level", "info", listen="0.0.0.0:0")
    with pytest.raises(RuntimeError, match=r"flightlake passwd(.|\n)*flightlake cert(.|\n)*--auth-file"):
        refused.start(timeout=10)


def test_metrics_count_sessions_and_statements(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = harness.Server(tmp_path / "lake", http=address).start()
    try:
        server.run("CREATE TABLE t (i INTEGER)")
        server.rows("SELECT 1")
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("flightlake_s"))
        assert float(values["flightlake_statement_calls_total"]) >= 2
        assert float(values["flightlake_statements_running"]) == 0
        assert "flightlake_sessions" in values and "flightlake_statements_queued" in values
    finally:
        server.close()


def test_the_key_of_tickets_and_tokens_survives_a_restart_and_is_secret(tmp_path):
    server = harness.Server(tmp_path / "lake").start()
    try:
        key = tmp_path / "lake" / "flightlake.key"
        before = key.read_bytes()
        assert len(before) == 32 and key.stat().st_mode & 0o777 == 0o600
        server.stop()
        server.start()
        assert key.read_bytes() == before
        server.stop()
        key.chmod(0o644)
        with pytest.raises(RuntimeError, match="chmod 600"):
            server.start(timeout=10)
    finally:
        server.close()

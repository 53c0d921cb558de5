"""A real flightlake server as a child process, and the clients that talk to it.

The tests, the benchmark and the demo share this module. It starts
`bin/flightlake serve` on a free port of the loopback interface, waits for the
ready line, and stops the process or kills it.
"""

import contextlib
import glob
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("FLIGHTLAKE_TEST_BINARY", str(ROOT / "bin" / "flightlake"))
CACHE = pathlib.Path(os.environ.get("FLIGHTLAKE_TEST_CACHE", str(ROOT / ".cache")))
TPCH_TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]

# The ADBC driver refuses to send a message of 16 MiB or more; this many rows
# of the widest table here stay well below.
CHUNK_ROWS = 64 * 1024
READY_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 60
TOKEN_OPTION = "adbc.flight.sql.rpc.call_header.flightlake-append-token"


class Server:
    """One `flightlake serve` process over one lake.

    The same object can be started again after stop or kill; a lake that is a
    folder is then found as it was left.
    """

    def __init__(self, lake, *args, listen="127.0.0.1:0", http="", env=None, limits=None, binary=BINARY):
        self.lake = str(lake)
        self.listen = listen
        self.http = http
        self.args = list(args)
        self.env = dict(env or {})
        self.limits = limits  # called in the child before exec, for resource limits
        self.binary = binary
        self.process = None
        self.uri = None
        self.lines = []
        self.errors = []

    def start(self, timeout=READY_TIMEOUT_SECONDS):
        """Start the process and return self once it has printed that it is ready."""
        command = [self.binary, "serve", "--lake", self.lake, "--listen", self.listen, "--http", self.http, *self.args]
        self.lines, self.errors, self.uri = [], [], None
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env},
            preexec_fn=self.limits,
        )
        ready = threading.Event()
        self._readers = [
            threading.Thread(target=self._read_stdout, args=(self.process.stdout, ready), daemon=True),
            threading.Thread(target=self._read_stderr, args=(self.process.stderr,), daemon=True),
        ]
        for thread in self._readers:
            thread.start()
        if not ready.wait(timeout) or self.uri is None:
            self.kill()
            raise RuntimeError("flightlake did not become ready: " + "".join(self.errors + self.lines))
        return self

    def _read_stdout(self, stream, ready):
        for line in stream:
            self.lines.append(line)
            match = re.match(r"flightlake ready .*?(grpc(?:\+tls)?://[^\s]+)", line)
            if match:
                self.uri = match.group(1)
                ready.set()
        ready.set()

    def _read_stderr(self, stream):
        for line in stream:
            self.errors.append(line)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """Ask the process to drain, wait for it, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self):
        """End the process as a power cut would: nothing is flushed."""
        self.process.kill()
        return self._wait()

    def _wait(self):
        code = self.process.wait(STOP_TIMEOUT_SECONDS)
        for thread in self._readers:
            thread.join(STOP_TIMEOUT_SECONDS)
        return code

    def close(self):
        """End the process however it is."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def connect(self, autocommit=True, **options):
        """Return a new ADBC DB-API connection."""
        return connect(self.uri, autocommit=autocommit, **options)

    def rows(self, sql, parameters=None):
        """Run one query on a connection of its own and return its rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def table(self, sql, parameters=None):
        """Run one query on a connection of its own and return an Arrow table."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetch_arrow_table()

    def run(self, *statements):
        """Run statements, one after another, on one connection."""
        with self.connect() as connection:
            for sql in statements:
                with connection.cursor() as cursor:
                    cursor.execute(sql)

    def ingest(self, name, data, mode="create", token=None, **names):
        """Bulk load a table or a reader; return the driver's row count."""
        with self.connect() as connection:
            return ingest(connection, name, data, mode, token, **names)

    def snapshot(self):
        """Return the number of the current snapshot."""
        return self.rows("SELECT * FROM lake.current_snapshot()")[0][0]

    def files(self, table, schema="main"):
        """Return the paths of the table's live data files."""
        rows = self.rows(f"SELECT data_file FROM ducklake_list_files('lake', '{table}', schema => '{schema}')")
        return [row[0] for row in rows]


def connect(uri, autocommit=True, **options):
    """Connect to a server; options are the driver's, as database options."""
    return adbc_driver_flightsql.dbapi.connect(uri, db_kwargs=options, autocommit=autocommit)


def ingest(connection, name, data, mode="create", token=None, **names):
    """Bulk load a table or a reader in messages that the driver can send."""
    if isinstance(data, pa.Table) and data.num_rows > 0:
        data = data.to_reader(max_chunksize=CHUNK_ROWS)
    elif isinstance(data, pa.Table):
        # Of a reader without batches the driver sends not even the schema.
        empty = pa.record_batch([pa.array([], field.type) for field in data.schema], schema=data.schema)
        data = pa.RecordBatchReader.from_batches(data.schema, [empty])
    with connection.cursor() as cursor:
        if token is not None:
            cursor.adbc_statement.set_options(**{TOKEN_OPTION: token})
        return cursor.adbc_ingest(name, data, mode=mode, **names)


def error_kind(error):
    """Return the kind that the server gave an error, such as "not_found"."""
    for key, value in getattr(error, "details", None) or []:
        if key.decode().lower() == "flightlake-error-kind":
            return value.decode()
    return None


@contextlib.contextmanager
def raises(kind, *texts):
    """Expect an error of the given kind whose text holds all texts, without case."""
    with pytest.raises(adbc_driver_flightsql.dbapi.Error) as caught:
        yield caught
    message = str(caught.value)
    assert error_kind(caught.value) == kind, message
    for text in texts:
        assert text.lower() in message.lower(), message


def tpch_folder(scale):
    """Return the folder of the generated TPC-H Parquet files, made on first use."""
    folder = CACHE / "tpch" / f"sf{scale}"
    if not (folder / ".complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        tool = pathlib.Path(os.sys.executable).parent / "tpchgen-cli"
        subprocess.run([str(tool), "parquet", "-s", str(scale), f"--output-dir={folder}"], check=True)
        (folder / ".complete").touch()
    return folder


def tpch_queries():
    """Return the 22 queries as (name, SQL), in order."""
    paths = sorted((ROOT / "integration" / "testdata" / "tpch").glob("q*.sql"))
    return [(path.stem, path.read_text().strip().rstrip(";")) for path in paths]


def parquet_reader(path, rows=CHUNK_ROWS):
    """Stream a Parquet file in batches of at most rows rows."""
    file = pq.ParquetFile(path)
    schema = file.schema_arrow.remove_metadata()
    return pa.RecordBatchReader.from_batches(schema, (b.cast(schema) for b in file.iter_batches(rows)))


def load_tpch(server, folder, progress=None):
    """Load the eight tables; progress is called with a table name and its rows."""
    with server.connect() as connection:
        for name in TPCH_TABLES:
            path = folder / f"{name}.parquet"
            ingest(connection, name, parquet_reader(path))
            if progress:
                progress(name, pq.ParquetFile(path).metadata.num_rows)


def memory_duckdb():
    """Return an in-process DuckDB whose time zone is that of all results here."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def oracle(folder):
    """Return an in-process DuckDB with the generated Parquet files as views."""
    connection = memory_duckdb()
    for name in TPCH_TABLES:
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder / name}.parquet')")
    return connection


def ducklake_extension():
    """Return the path of the ducklake extension that its wheel holds."""
    import duckdb_extension_ducklake

    package = pathlib.Path(duckdb_extension_ducklake.__file__).parent
    paths = glob.glob(str(package / "extensions" / f"v{duckdb.__version__}" / "ducklake.duckdb_extension"))
    assert len(paths) == 1, paths
    return paths[0]


@contextlib.contextmanager
def ducklake(lake):
    """Attach a lake, whose server is stopped, with DuckDB's ducklake extension as `l`."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"LOAD '{ducklake_extension()}'")
        connection.execute(f"ATTACH 'ducklake:{lake}/catalog.ducklake' AS l")
        connection.execute("USE l")
        yield connection
    finally:
        connection.close()


def canonical(value):
    """Return a form of a value in which NaN equals NaN and -0.0 differs from 0.0."""
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, dict):
        return ("struct", tuple((k, canonical(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(canonical(v) for v in value))
    return (type(value).__name__, repr(value))


def same_rows(got, want):
    """Compare two lists of rows exactly, whatever their order."""
    return sorted(map(canonical, got)) == sorted(map(canonical, want))


def assert_same_rows(got, want, what=""):
    """Fail with the first few differing rows unless the rows are the same."""
    got, want = sorted(map(canonical, got)), sorted(map(canonical, want))
    if got != want:
        extra = [row for row in got if row not in want][:3]
        missing = [row for row in want if row not in got][:3]
        raise AssertionError(f"{what}: {len(got)} rows for {len(want)}; extra {extra}; missing {missing}")


def parquet_files(folder):
    """Return all Parquet files below a folder, as absolute paths."""
    return sorted(str(path.resolve()) for path in pathlib.Path(folder).rglob("*.parquet"))


def wait_until(condition, timeout=30.0, what="condition"):
    """Wait until condition() holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout} s"
        time.sleep(0.02)

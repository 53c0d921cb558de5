"""The cases of the benchmark and their contenders."""

import contextlib
import dataclasses
import importlib.metadata
import itertools
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time
import typing
import urllib.request

import duckdb
import harness
import pyarrow as pa
import pyarrow.parquet as pq
import wire
from pyarrow import flight

SEED = 20240229
APPEND_ROWS = 1000
LOOKUP = "SELECT l_partkey, l_quantity, l_extendedprice FROM {} WHERE l_orderkey = {}"
SLOWDOWN = 0.05
SELF_REPEATS = 7
TRANSACTION_STATEMENTS = 10
BUSY_CONNECTIONS = 64
# What is cancelled: work of DuckDB that would take minutes, and a scan whose rows nobody takes.
ENDLESS = "SELECT count(*) FROM range(1000000000000) r(i) WHERE i % 7 = 3"
CANCELLED = [ENDLESS, "SELECT * FROM lineitem"]
RUNNING = "SELECT count(*) FROM lake.statements() WHERE sql NOT LIKE '%lake.statements%'"
CANCEL_TIMEOUT_SECONDS = 30


@dataclasses.dataclass
class Sample:
    """One run: its time, the latency of each operation in it, and its answer."""

    seconds: float
    answer: object
    latencies: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Contender:
    """One way to do what a case asks for."""

    run: typing.Callable[[], Sample]
    answer: object  # what every run must answer
    pid: int | None = None  # of its server; None if it works in this process

    def check(self, sample):
        if sample.answer != self.answer:
            raise AssertionError(f"got {sample.answer}, want {self.answer}")


@dataclasses.dataclass
class Case:
    """Contenders that do the same; flightlake is the first."""

    name: str
    what: str
    contenders: dict


@dataclasses.dataclass
class Peak:
    """Peak memory of a process during a block."""

    bytes: int = 0


def status_bytes(pid, field):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def peak_memory(contender):
    """Measure the peak resident memory of a server, or the growth of this process."""
    pid = contender.pid or "self"
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")
    before = 0 if contender.pid else status_bytes(pid, "VmRSS")
    peak = Peak()
    yield peak
    peak.bytes = status_bytes(pid, "VmHWM") - before


def versions():
    """The versions of what is compared."""
    return {
        "duckdb": duckdb.__version__,
        "roapi": importlib.metadata.version("roapi"),
        "adbc": importlib.metadata.version("adbc-driver-flightsql"),
    }


def timed(function):
    """Run a function once; its result is the answer."""
    start = time.perf_counter()
    answer = function()
    return Sample(time.perf_counter() - start, answer)


def timed_each(functions):
    """Run functions one after another; the answer is the list of their results."""
    latencies, answers = [], []
    for function in functions:
        start = time.perf_counter()
        answers.append(function())
        latencies.append(time.perf_counter() - start)
    return Sample(sum(latencies), answers, latencies)


@dataclasses.dataclass
class Flightlake:
    """A running server with lineitem, and a connection to it."""

    server: harness.Server
    adbc: object


@dataclasses.dataclass
class Environment:
    """Running servers, open connections and the data."""

    parquet: pathlib.Path
    lineitem: pa.Table
    flightlakes: dict  # Flightlake by contender: that of this commit, and perhaps one of before
    roapi_pid: int
    roapi_uri: str
    roapi: object
    duck: object
    ducklake: object
    lookups: int
    appends: int
    connects: int
    transactions: int
    cancels: int  # of each statement
    busy_lookups: int  # of each connection
    plans: int  # of each statement
    bound_rows: int

    def ours(self, run_of, answer):
        """The contenders that are flightlake; run_of returns what one of them runs."""
        return {name: Contender(run_of(of), answer, of.server.pid) for name, of in self.flightlakes.items()}


@contextlib.contextmanager
def setup(folder, scale, short, before=None):
    """Generate the data, start the servers and load lineitem; before is another binary of flightlake to compare with."""
    parquet = harness.tpch_folder(scale) / "lineitem.parquet"
    schema = pa.schema([(f.name, plain_type(f.type)) for f in pq.read_schema(parquet)])
    lineitem = pq.read_table(parquet).cast(schema)
    with contextlib.ExitStack() as stack:
        flightlakes = {}
        for name, binary in {"flightlake": harness.BINARY, "before": before}.items():
            if binary is None:
                continue
            server = harness.Server(folder / name, http=f"127.0.0.1:{free_port()}", binary=str(binary)).start()
            stack.callback(server.close)
            flightlakes[name] = Flightlake(server, stack.enter_context(server.connect()))
            harness.ingest(flightlakes[name].adbc, "lineitem", lineitem)
        process, address = start_roapi(parquet)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        roapi = stack.enter_context(connect_when_ready(address))
        yield Environment(
            parquet, lineitem, flightlakes, process.pid, f"grpc://{address}", roapi, duckdb.connect(),
            attach_ducklake(folder / "ducklake"),
            lookups=20 if short else 50, appends=10 if short else 100, connects=5 if short else 50,
            transactions=2 if short else 10, cancels=1 if short else 5, busy_lookups=1 if short else 5,
            plans=20 if short else 500, bound_rows=1_000 if short else 100_000,
        )  # fmt: skip


def plain_type(arrow_type):
    """Strings without views, so that every contender is given the same."""
    return pa.string() if arrow_type == pa.string_view() else arrow_type


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_roapi(parquet):
    """Start ROAPI over the generated file; it reads the file for each query, as the others do."""
    ports = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    command = [
        str(pathlib.Path(sys.executable).parent / "roapi"), "-a", ports[0], "-p", ports[1], "--addr-flight-sql", ports[2],
        "-t", f"lineitem={parquet},format=parquet,use_memory_table=false",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process, ports[2]


def connect_when_ready(address):
    """Connect once the port answers."""

    def listening():
        with socket.socket() as probe:
            host, port = address.split(":")
            return probe.connect_ex((host, int(port))) == 0

    harness.wait_until(listening, what="start of ROAPI")
    return harness.connect(f"grpc://{address}")


def attach_ducklake(folder):
    """A DuckLake of DuckDB's own extension in this process."""
    folder.mkdir()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{harness.ducklake_extension()}'")
    connection.execute(f"ATTACH 'ducklake:{folder}/catalog.ducklake' AS l (DATA_PATH '{folder}/data/')")
    connection.execute("USE l")
    return connection


def all_cases(e):
    """The cases, in the order in which they run."""
    yield self_case(e)
    yield export_case(e)
    yield ingest_case(e)
    yield lookup_case(e)
    yield from plan_cases(e)
    yield append_case(e)
    yield bound_case(e)
    yield connect_case(e)
    yield transaction_case(e)
    yield busy_case(e)
    yield cancel_case(e)


def adbc_count(connection, sql):
    """Run a query and count its rows, batch by batch."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def self_case(e):
    rows = e.lineitem.num_rows
    own = e.flightlakes["flightlake"]

    def once():
        return timed(lambda: adbc_count(own.adbc, "SELECT l_orderkey, l_quantity, l_comment FROM lineitem"))

    def run():
        # The fastest of several: what else runs on the machine only ever adds time.
        return min((once() for _ in range(SELF_REPEATS)), key=lambda sample: sample.seconds)

    def slowed():
        sample = run()
        return Sample(sample.seconds * (1 + SLOWDOWN), sample.answer)

    pid = own.server.pid
    return Case(
        "self",
        "three columns of lineitem from flightlake, against itself and against itself with 5 % added",
        {"flightlake": Contender(run, rows, pid), "again": Contender(run, rows, pid), "slowed": Contender(slowed, rows, pid)},
    )


def export_case(e):
    rows = e.lineitem.num_rows

    def duck():
        reader = e.duck.execute(f"SELECT * FROM read_parquet('{e.parquet}')").to_arrow_reader(harness.CHUNK_ROWS)
        return sum(batch.num_rows for batch in reader)

    return Case(
        "export",
        "all of lineitem, batch by batch: ADBC from flightlake, DuckDB in-process to Arrow, ADBC from ROAPI",
        {
            **e.ours(lambda of: lambda: timed(lambda: adbc_count(of.adbc, "SELECT * FROM lineitem")), rows),
            "duckdb": Contender(lambda: timed(duck), rows),
            "roapi": Contender(lambda: timed(lambda: adbc_count(e.roapi, "SELECT * FROM lineitem")), rows, e.roapi_pid),
        },
    )


def ingest_case(e):
    rows = e.lineitem.num_rows
    e.ducklake.register("arrow_lineitem", e.lineitem)

    def ours(adbc):
        execute(adbc, "DROP TABLE IF EXISTS loaded")
        sample = timed(lambda: harness.ingest(adbc, "loaded", e.lineitem))
        sample.answer = count(adbc, "loaded")
        return sample

    def theirs():
        e.ducklake.execute("DROP TABLE IF EXISTS loaded")
        e.ducklake.execute("CREATE TABLE loaded AS FROM arrow_lineitem LIMIT 0")
        sample = timed(lambda: e.ducklake.execute("INSERT INTO loaded FROM arrow_lineitem"))
        sample.answer = e.ducklake.execute("SELECT count(*) FROM loaded").fetchall()[0][0]
        return sample

    return Case(
        "ingest",
        "lineitem from an Arrow table in memory: adbc_ingest to flightlake, INSERT of DuckDB's ducklake extension in-process",
        {**e.ours(lambda of: lambda: ours(of.adbc), rows), "ducklake": Contender(theirs, rows)},
    )


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def count(connection, table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchall()[0][0]


def lookup_case(e):
    chance = random.Random(SEED)
    keys = e.lineitem.column("l_orderkey")
    wanted = [keys[chance.randrange(len(keys))].as_py() for _ in range(e.lookups)]
    answers = [sorted(e.duck.execute(LOOKUP.format(f"read_parquet('{e.parquet}')", k)).fetchall()) for k in wanted]

    def adbc(connection):
        def one(key):
            with connection.cursor() as cursor:
                cursor.execute(LOOKUP.format("lineitem", key))
                return sorted(cursor.fetchall())

        return lambda: timed_each([lambda k=k: one(k) for k in wanted])

    def duck(key):
        return sorted(e.duck.execute(LOOKUP.format(f"read_parquet('{e.parquet}')", key)).fetchall())

    return Case(
        "lookup",
        "three columns of the rows of one order, by l_orderkey",
        {
            **e.ours(lambda of: adbc(of.adbc), answers),
            "duckdb": Contender(lambda: timed_each([lambda k=k: duck(k) for k in wanted]), answers),
            "roapi": Contender(adbc(e.roapi), answers, e.roapi_pid),
        },
    )


def plan_case(e, name, what, text):
    """GetFlightInfo alone; text makes the SQL of a statement."""

    def info(client, sql):
        command = wire.any_of(wire.STATEMENT_TYPE, wire.message((1, sql)))
        return len(client.get_flight_info(flight.FlightDescriptor.for_command(command)).endpoints) > 0

    def run(of):
        texts = [text() for _ in range(e.plans)]
        with flight.FlightClient(of.server.uri.replace("grpc://", "grpc+tcp://")) as client:
            info(client, "SELECT 2")
            return timed_each([lambda sql=sql: info(client, sql) for sql in texts])

    return Case(name, f"GetFlightInfo of {what}, {e.plans} times", e.ours(lambda of: lambda: run(of), [True] * e.plans))


def plan_cases(e):
    """Of SELECT 1 again and again, whose plan is found, and of statements each of which is planned."""
    keys = e.lineitem.column("l_orderkey")
    chance = random.Random(SEED)
    numbers = itertools.count()
    yield plan_case(e, "plan-again", "SELECT 1", lambda: "SELECT 1")
    yield plan_case(e, "plan-constant", "SELECT with another number", lambda: f"SELECT {next(numbers)}")
    yield plan_case(
        e, "plan-lookup", "lookups as of the case lookup", lambda: LOOKUP.format("lineitem", keys[chance.randrange(len(keys))].as_py())
    )


def append_case(e):
    schema = [("id", pa.int64()), ("name", pa.string()), ("x", pa.float64())]
    rows = pa.table(
        [range(APPEND_ROWS), [f"name {i}" for i in range(APPEND_ROWS)], [i / 3 for i in range(APPEND_ROWS)]],
        schema=pa.schema(schema),
    )
    create = "CREATE TABLE small (id BIGINT, name VARCHAR, x DOUBLE)"
    for of in e.flightlakes.values():
        execute(of.adbc, create)
    e.ducklake.execute(create)
    e.ducklake.register("arrow_rows", rows)

    def theirs():
        return e.ducklake.execute("INSERT INTO small FROM arrow_rows").fetchall()[0][0]

    answers = [APPEND_ROWS] * e.appends
    return Case(
        "append",
        "appends of 1,000 rows, each one snapshot: adbc_ingest to flightlake, INSERT of the ducklake extension in-process",
        {
            **e.ours(lambda of: lambda: timed_each([lambda: harness.ingest(of.adbc, "small", rows, "append")] * e.appends), answers),
            "ducklake": Contender(lambda: timed_each([theirs] * e.appends), answers),
        },
    )


def bound_case(e):
    """INSERT with bound rows against an ingest of the same rows."""
    rows = pa.table({
        "id": list(range(e.bound_rows)),
        "name": [f"name {i}" for i in range(e.bound_rows)],
        "x": [i / 3 for i in range(e.bound_rows)],
    })

    def fresh(of):
        execute(of.adbc, "CREATE OR REPLACE TABLE bound (id BIGINT, name VARCHAR, x DOUBLE)")

    def inserted(of):
        fresh(of)
        with of.adbc.cursor() as cursor:
            sample = timed(lambda: cursor.executemany("INSERT INTO bound VALUES (?, ?, ?)", rows))
        sample.answer = count(of.adbc, "bound")
        return sample

    def ingested():
        of = e.flightlakes["flightlake"]
        fresh(of)
        sample = timed(lambda: harness.ingest(of.adbc, "bound", rows, "append"))
        sample.answer = count(of.adbc, "bound")
        return sample

    return Case(
        "bound",
        f"executemany of INSERT ... VALUES (?, ?, ?) with {e.bound_rows:,} rows, against adbc_ingest of the same",
        {**e.ours(lambda of: lambda: inserted(of), e.bound_rows), "ingest": Contender(ingested, e.bound_rows)},
    )


def connect_case(e):
    def once(uri):
        with harness.connect(uri) as connection, connection.cursor() as cursor:
            return cursor.execute("SELECT 1").fetchall()

    def cycles(uri):
        return lambda: timed_each([lambda: once(uri)] * e.connects)

    answers = [[(1,)]] * e.connects
    return Case(
        "connect",
        "connect, SELECT 1 and close, one after another",
        {
            **e.ours(lambda of: cycles(of.server.uri), answers),
            "roapi": Contender(cycles(e.roapi_uri), answers, e.roapi_pid),
        },
    )


def transaction_case(e):
    inserts = [f"INSERT INTO entries VALUES ({i}, 'name {i}', {i / 3})" for i in range(TRANSACTION_STATEMENTS)]
    create = "CREATE TABLE entries (id BIGINT, name VARCHAR, x DOUBLE)"

    def ours(of):
        execute(of.adbc, "DROP TABLE IF EXISTS entries")
        execute(of.adbc, create)

        def one(connection):
            for sql in inserts:
                execute(connection, sql)
            connection.commit()

        with of.server.connect(autocommit=False) as connection:
            sample = timed_each([lambda: one(connection)] * e.transactions)
        sample.answer = adbc_count(of.adbc, "SELECT id FROM entries")
        return sample

    def theirs():
        e.ducklake.execute("DROP TABLE IF EXISTS entries")
        e.ducklake.execute(create)

        def one():
            e.ducklake.begin()
            for sql in inserts:
                e.ducklake.execute(sql)
            e.ducklake.commit()

        sample = timed_each([one] * e.transactions)
        sample.answer = e.ducklake.execute("SELECT count(*) FROM entries").fetchall()[0][0]
        return sample

    rows = e.transactions * TRANSACTION_STATEMENTS
    return Case(
        "transaction",
        f"{TRANSACTION_STATEMENTS} INSERTs of a row and COMMIT: ADBC to flightlake, the ducklake extension in-process",
        {**e.ours(lambda of: lambda: ours(of), rows), "ducklake": Contender(theirs, rows)},
    )


def busy_case(e):
    chance = random.Random(SEED)
    keys = e.lineitem.column("l_orderkey")
    count = BUSY_CONNECTIONS * e.busy_lookups
    wanted = [keys[chance.randrange(len(keys))].as_py() for _ in range(count)]

    def run(uri):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(harness.connect(uri)) for _ in range(BUSY_CONNECTIONS)]
            found = [0] * BUSY_CONNECTIONS

            def work(number):
                for key in wanted[number::BUSY_CONNECTIONS]:
                    found[number] += adbc_count(connections[number], LOOKUP.format("lineitem", key))

            def all_at_once():
                threads = [threading.Thread(target=work, args=(i,)) for i in range(BUSY_CONNECTIONS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                return sum(found)

            return timed(all_at_once)

    source = f"read_parquet('{e.parquet}')"
    sql = f"SELECT count(*) FROM {source} l JOIN (SELECT unnest(?) AS k) w ON l.l_orderkey = w.k"
    rows = e.duck.execute(sql, [wanted]).fetchall()[0][0]
    return Case(
        "busy",
        f"{count} lookups as of the case lookup, by {BUSY_CONNECTIONS} connections at once",
        {
            **e.ours(lambda of: lambda: run(of.server.uri), rows),
            "roapi": Contender(lambda: run(e.roapi_uri), rows, e.roapi_pid),
        },
    )


def cancel_case(e):
    def idle(of):
        """Whether nothing runs and statements hold no memory."""
        with of.adbc.cursor() as cursor:
            if cursor.execute(RUNNING).fetchall() != [(0,)]:
                return False
        return metric(of.server, "flightlake_statements_memory_bytes") == 0

    def once(of, sql):
        with of.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
            if sql == ENDLESS:
                harness.wait_until(lambda: not idle(of), CANCEL_TIMEOUT_SECONDS, "the start of what is cancelled")
            time.sleep(0.1)  # the scan reads ahead what it may
            start = time.perf_counter()
            cursor.adbc_cancel()
            harness.wait_until(lambda: idle(of), CANCEL_TIMEOUT_SECONDS, "the end of what was cancelled")
            latency = time.perf_counter() - start
            reader.close()
            return latency

    def run(of):
        latencies = [once(of, sql) for sql in CANCELLED * e.cancels]
        return Sample(sum(latencies), len(latencies), latencies)

    return Case(
        "cancel",
        "from the cancellation of a statement, in DuckDB or the scanner, until lake.statements() and its memory are empty",
        e.ours(lambda of: lambda: run(of), e.cancels * len(CANCELLED)),
    )


def metric(server, name):
    """Return the value of one of the server's metrics."""
    with urllib.request.urlopen(f"http://{server.http}/metrics") as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

"""Show flightlake at work: load TPC-H, query it, travel back in time.

Run by `make demo`. Starts `flightlake serve` on its embedded defaults over a
fresh ./lake-demo, loads the eight tables through ADBC, runs a few queries and
prints how to connect. At a terminal it keeps serving until Ctrl-C.
"""

import argparse
import os
import shutil
import socket
import sys
import time

import harness
import pyarrow.parquet as pq

LAKE = harness.ROOT / "lake-demo"
BAR = 30
QUERIES = [
    (
        "Revenue by return flag and line status (TPC-H 1, shortened)",
        """SELECT l_returnflag AS flag, l_linestatus AS status, count(*) AS orders,
       sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM lineitem
WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL 90 DAY
GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "The five nations that buy most",
        """SELECT n_name AS nation, sum(o_totalprice) AS total
FROM nation JOIN customer ON c_nationkey = n_nationkey JOIN orders ON o_custkey = c_custkey
GROUP BY n_name ORDER BY total DESC LIMIT 5""",
    ),
    (
        "What a lookup would read: statistics of files and row groups skip the rest",
        """SELECT path, skipped_by, row_groups, row_groups_total, rows, file_rows
FROM lake.scan_plan('SELECT l_partkey FROM lineitem WHERE l_orderkey = 7')""",
    ),
]


def bar(name, done, total, seconds):
    """Draw the progress of one table over the same line; away from a terminal, its end only."""
    if done < total and not sys.stdout.isatty():
        return
    filled = BAR if total == 0 else BAR * done // total
    rate = done / seconds if seconds > 0 else 0
    end = "\n" if done >= total else ""
    print(f"\r  {name:<9} [{'#' * filled}{'.' * (BAR - filled)}] {done:>9,} rows {rate:>10,.0f} rows/s", end=end, flush=True)


def load(connection, folder):
    """Load the eight tables, drawing a bar as the reader is drained."""
    for name in harness.TPCH_TABLES:
        path = folder / f"{name}.parquet"
        total, start = pq.ParquetFile(path).metadata.num_rows, time.monotonic()
        source = harness.parquet_reader(path)

        def batches(name=name, total=total, start=start, source=source):
            done = 0
            for batch in source:
                yield batch
                done += batch.num_rows
                if done < total:
                    bar(name, done, total, time.monotonic() - start)

        rows = harness.ingest(connection, name, harness.pa.RecordBatchReader.from_batches(source.schema, batches()))
        bar(name, rows, total, time.monotonic() - start)


def show(connection, title, sql):
    """Run one query and print its text, its rows and its time."""
    print(f"\n{title}\n\n{indent(sql)}\n")
    start = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        frame = cursor.fetch_polars()
    print(indent(str(frame)))
    print(f"  {frame.height} rows in {(time.monotonic() - start) * 1000:.0f} ms")


def indent(text):
    return "\n".join("  " + line for line in text.splitlines())


def travel(connection):
    """Append to a table, then read it now and as it was before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM lake.current_snapshot()")
        ((before,),) = cursor.fetchall()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO region VALUES (5, 'ANTARCTICA', 'appended by the demo')")
    show(
        connection,
        f"One row was appended to region: now, and AT (VERSION => {before}) before it",
        f"SELECT (SELECT count(*) FROM region) AS now,\n       (SELECT count(*) FROM region AT (VERSION => {before})) AS before",
    )


def transact(server):
    """Add to two tables in a transaction, and look at them from within and from outside before the commit."""
    sql = "SELECT (SELECT count(*) FROM region) AS regions, (SELECT count(*) FROM nation) AS nations"
    with server.connect(autocommit=False) as inside, server.connect() as outside, inside.cursor() as cursor:
        cursor.execute("INSERT INTO region VALUES (6, 'ATLANTIS', 'appended by the demo')")
        cursor.execute("INSERT INTO nation VALUES (25, 'POSEIDIA', 6, 'appended by the demo')")
        show(inside, "A transaction added a row to each of two tables, and sees them", sql)
        show(outside, "Others see them once it commits; until then", sql)
        inside.commit()


def free(address):
    """Return the address, or one with any free port if it is taken."""
    host, port = address.split(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return f"{host}:0"
    return address


def wait_for_interrupt():
    print("\nServing until Ctrl-C.", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sf", default="1", help="TPC-H scale factor")
    options = parser.parse_args()
    folder = harness.tpch_folder(options.sf)
    os.chdir(harness.ROOT)
    shutil.rmtree(LAKE, ignore_errors=True)
    server = harness.Server(LAKE.name, listen=free("127.0.0.1:32010"), http=free("127.0.0.1:32080")).start()
    try:
        print("".join(server.lines[:1]).rstrip())
        print(f"\nLoading TPC-H at scale factor {options.sf} into {LAKE.name}/ through ADBC:")
        with server.connect() as connection:
            load(connection, folder)
            for title, sql in QUERIES:
                show(connection, title, sql)
            travel(connection)
        transact(server)
        print("\nTo connect:\n" + "".join(server.lines[1:]).rstrip())
        if sys.stdin.isatty() and sys.stdout.isatty():
            wait_for_interrupt()
    finally:
        code = server.stop() if server.process.poll() is None else server.process.returncode
    print(f"\nThe server has stopped. The lake stays: bin/flightlake serve --lake {LAKE.name}")
    return code


if __name__ == "__main__":
    sys.exit(main())

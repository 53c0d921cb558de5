"""Compare flightlake with other ways to do the same, in pairs.

    bench/run.py [--sf 1] [--rounds 10] [--only NAME] [--short] [--before BINARY]

Every round runs each contender once, one after another and in turns forwards
and backwards, so that whatever slows the machine slows all of them; a ratio is taken within a round and reported as
the median of the rounds with its quartiles. The case `self` runs flightlake
against itself and against itself slowed by 5 %: it shows how small a change
this machine can tell at the time of the run. Results are checked outside the
timed part. Raw times, ratios and the machine go to bench/results/.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import cases
import harness

# What the first version sets out to reach; a ratio is flightlake's time over the other's.
MARKS = [
    ("export", "ratio", "duckdb", 1.5),
    ("ingest", "ratio", "ducklake", 3.0),
    ("append", "p50_ms", "flightlake", 15.0),
    ("lookup", "p50_ms", "flightlake", 10.0),
    ("cancel", "p99_ms", "flightlake", 1000.0),
]
SERVER_MEMORY_MARK_BYTES = 1 << 30


def machine():
    """Describe where the figures come from."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=harness.ROOT, capture_output=True, text=True, check=False
    )
    return {
        "cpu": cpu,
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **cases.versions(),
    }


def quartiles(values):
    """Return (first quartile, median, third quartile)."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def percentile(values, share):
    """Return the smallest value that is at least as great as that share of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(case, rounds):
    """Run a case; return times in seconds, latencies and peak memory by contender."""
    times = {name: [] for name in case.contenders}
    latencies = {name: [] for name in case.contenders}
    memory = {name: 0 for name in case.contenders}
    order = list(case.contenders)
    for number in range(-1, rounds):  # the round before the first warms up and is dropped
        order.reverse()  # so that none always follows the same other
        for name in order:
            contender = case.contenders[name]
            with cases.peak_memory(contender) as peak:
                sample = contender.run()
            contender.check(sample)
            if number < 0:
                continue
            times[name].append(sample.seconds)
            latencies[name] += sample.latencies
            memory[name] = max(memory[name], peak.bytes)
    return times, latencies, memory


def summarise(case, times, latencies, memory):
    """Return what is reported of a case."""
    first = next(iter(times))
    out = {"name": case.name, "what": case.what, "contenders": {}}
    for name, seconds in times.items():
        low, middle, high = quartiles([a / b for a, b in zip(times[first], seconds)])
        row = {
            "seconds": seconds,
            "median_seconds": statistics.median(seconds),
            "peak_bytes": memory[name],
            "ratio": middle,
            "ratio_quartiles": [low, high],
        }
        if latencies[name]:
            row["p50_ms"] = percentile(latencies[name], 0.50) * 1000
            row["p99_ms"] = percentile(latencies[name], 0.99) * 1000
        out["contenders"][name] = row
    return out


def table(results, info, scale, rounds):
    """Return the results as Markdown."""
    lines = [
        f"# Benchmark of {info['commit']} on {info['time'][:10]}",
        "",
        f"TPC-H scale factor {scale}, {rounds} rounds. {info['processors']} processors, {info['cpu']}.",
        f"DuckDB {info['duckdb']} with its ducklake extension, ROAPI {info['roapi']}, ADBC driver {info['adbc']}.",
        "",
        "A ratio is the time of flightlake over the time of the contender in the same round: below 1 flightlake is",
        "faster. Memory is the peak of the server's process; for a contender without a server, the growth of the",
        "client's process.",
        "",
        "| case | contender | median | ratio (quartiles) | p50 | p99 | peak memory |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        for name, row in result["contenders"].items():
            low, high = row["ratio_quartiles"]
            p50, p99 = (f"{row[k]:.2f} ms" if k in row else "" for k in ("p50_ms", "p99_ms"))
            lines.append(
                f"| {result['name']} | {name} | {row['median_seconds']:.3f} s | {row['ratio']:.3f} ({low:.3f}-{high:.3f}) "
                f"| {p50} | {p99} | {row['peak_bytes'] / 2**20:.0f} MiB |"
            )
    lines += ["", *(f"- {result['name']}: {result['what']}" for result in results), "", *marks(results), ""]
    return "\n".join(lines)


def marks(results):
    """Say which of the first marks are reached."""
    by_name = {result["name"]: result["contenders"] for result in results}
    lines = []
    for case, key, contender, mark in MARKS:
        value = by_name.get(case, {}).get(contender, {}).get(key)
        if value is not None:
            verdict = "reached" if value <= mark else "missed"
            lines.append(f"- mark: {case}, {key} of {contender} at most {mark}: {value:.2f}, {verdict}")
    peak = max((c["flightlake"]["peak_bytes"] for c in by_name.values() if "flightlake" in c), default=0)
    verdict = "reached" if peak < SERVER_MEMORY_MARK_BYTES else "missed"
    lines.append(f"- mark: server memory under 1 GiB in all of it: {peak / 2**20:.0f} MiB, {verdict}")
    return lines


def write(folder, info, scale, rounds, results):
    """Write JSON and Markdown; return the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{info['time'][:10]}-{info['commit']}"
    document = {"machine": info, "scale": scale, "rounds": rounds, "results": results}
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    stem.with_suffix(".md").write_text(table(results, info, scale, rounds))
    return stem.with_suffix(".md")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sf", default="1", help="TPC-H scale factor")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", action="append", help="run this case only; may be repeated")
    parser.add_argument("--short", action="store_true", help="little data, two rounds, results not recorded")
    parser.add_argument("--before", type=pathlib.Path, help="another binary of flightlake, to compare with")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the results")
    options = parser.parse_args()
    if options.short:
        options.sf, options.rounds = "0.01", 2
    options.out = options.out or (harness.CACHE / "bench" if options.short else harness.ROOT / "bench" / "results")
    return options


def main():
    options = arguments()
    results = []
    with tempfile.TemporaryDirectory(prefix="flightlake-bench-") as folder:
        with cases.setup(pathlib.Path(folder), options.sf, options.short, options.before) as environment:
            for case in cases.all_cases(environment):
                if options.only and case.name not in options.only:
                    continue
                print(f"{case.name}: {case.what}", flush=True)
                results.append(summarise(case, *measure(case, options.rounds)))
    info = machine()
    path = write(options.out, info, options.sf, options.rounds, results)
    print(table(results, info, options.sf, options.rounds))
    print(f"written to {path}")


if __name__ == "__main__":
    main()

"""Prints, as JSON, the partition values that DuckLake's own functions compute.

Argument: a JSON list of [expression, type, text of a value]; the expression
has {} for the value.
"""

import glob
import importlib.util
import json
import os
import sys

import duckdb


def main() -> None:
    package = os.path.dirname(importlib.util.find_spec("duckdb_extension_ducklake").origin)
    (extension,) = glob.glob(f"{package}/**/ducklake.duckdb_extension", recursive=True)
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"LOAD '{extension}'")
    results = []
    for expression, kind, text in json.loads(sys.argv[1]):
        value = f"CAST('{text}' AS {kind})"
        results.append(db.sql(f"SELECT {expression.format(value)}").fetchone()[0])
    print(json.dumps(results))


main()

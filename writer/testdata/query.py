"""Prints, as JSON, the first column of a query that DuckDB runs. Argument: the query."""

import json
import sys

import duckdb

print(json.dumps([row[0] for row in duckdb.sql(sys.argv[1]).fetchall()]))

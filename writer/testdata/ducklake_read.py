"""Prints, as JSON, what DuckDB's ducklake extension reads from one Parquet file.

Arguments: the file, its footer's length, and the column definitions of the
table that it belongs to. Rows come as texts, NULL as null.
"""

import glob
import importlib.util
import json
import os
import sys
import tempfile

import duckdb


def main() -> None:
    path, footer, definition = sys.argv[1:4]
    package = os.path.dirname(importlib.util.find_spec("duckdb_extension_ducklake").origin)
    (extension,) = glob.glob(f"{package}/**/ducklake.duckdb_extension", recursive=True)
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"LOAD '{extension}'")
    with tempfile.TemporaryDirectory() as folder:
        attach = f"ATTACH 'ducklake:{folder}/c.db' AS l (DATA_PATH '{folder}/d')"
        db.execute(attach)
        db.execute(f"CREATE TABLE l.t ({definition})")
        db.execute("DETACH l")
        db.execute(f"ATTACH '{folder}/c.db' AS c")
        rows = db.sql(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()[0]
        db.execute(
            f"INSERT INTO c.ducklake_data_file SELECT 100, 1, 1, NULL, NULL, '{path}', false, 'parquet', {rows}, "
            f"{os.path.getsize(path)}, {footer}, 0, NULL, NULL, NULL, NULL"
        )
        db.execute(f"INSERT INTO c.ducklake_table_stats VALUES (1, {rows}, {rows}, {os.path.getsize(path)})")
        db.execute("DETACH c")
        db.execute(attach)
        columns = [row[0] for row in db.sql("DESCRIBE l.t").fetchall()]
        texts = ", ".join(f'"{c}"::VARCHAR' for c in columns)
        print(json.dumps(db.sql(f"SELECT {texts} FROM l.t").fetchall()))


main()

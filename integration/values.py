"""Every type that a table can hold, with values that have been lost elsewhere.

SQL_VALUES maps a DuckDB type to SQL literals of it. random_table makes Arrow
tables of adversarial values for the property tests.
"""

import datetime
import decimal
import math

import pyarrow as pa

LONG = "\U0010ffff" * 300  # UTF-8 with no successor at any prefix length

SQL_VALUES = {
    "BOOLEAN": ["true", "false"],
    "TINYINT": ["-128", "0", "127"],
    "SMALLINT": ["-32768", "127", "32767"],
    "INTEGER": ["-2147483648", "0", "2147483647"],
    "BIGINT": ["-9223372036854775808", "0", "9223372036854775807"],
    # DuckDB writes HUGEINT to Parquet as a double, so these are powers of two.
    "HUGEINT": ["-1267650600228229401496703205376", "0", "1267650600228229401496703205376"],
    "UTINYINT": ["0", "128", "255"],
    "USMALLINT": ["0", "32768", "65535"],
    "UINTEGER": ["0", "2147483648", "4294967295"],
    "UBIGINT": ["0", "9223372036854775808", "18446744073709551615"],
    "FLOAT": ["'nan'", "'inf'", "'-inf'", "-0.0", "0.0", "3.4028235e38", "1e-45"],
    "DOUBLE": ["'nan'", "'inf'", "'-inf'", "-0.0", "0.0", "1.7976931348623157e308", "5e-324", "0.1"],
    "DECIMAL(4,1)": ["-999.9", "0", "999.9"],
    "DECIMAL(9,2)": ["-9999999.99", "0", "9999999.99"],
    "DECIMAL(18,4)": ["-99999999999999.9999", "0.0001", "99999999999999.9999"],
    "DECIMAL(38,10)": ["-9999999999999999999999999999.9999999999", "0", "9999999999999999999999999999.9999999999"],
    "DATE": ["'0001-01-01'", "'1969-12-31'", "'1970-01-01'", "'9999-12-31'"],
    "TIME": ["'00:00:00'", "'23:59:59.999999'"],
    "TIMESTAMP": ["'0001-01-01 00:00:00'", "'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"],
    "TIMESTAMP_S": ["'1969-12-31 23:59:59'", "'2024-02-29 12:00:00'"],
    "TIMESTAMP_MS": ["'1969-12-31 23:59:59.999'", "'2024-02-29 12:00:00.001'"],
    "TIMESTAMP_NS": ["'1677-09-22 00:00:00'", "'2024-02-29 12:00:00.123456789'", "'2262-04-11 00:00:00'"],
    "TIMESTAMP WITH TIME ZONE": ["'1969-12-31 23:59:59.999999+00'", "'2024-02-29 12:00:00+05:30'"],
    # Parquet holds no negative intervals and no fractions of a millisecond.
    "INTERVAL": ["INTERVAL '1 month 2 days 3 milliseconds'", "INTERVAL '14 months'"],
    "VARCHAR": ["''", "'it''s'", "'\U0001f980 dr\u00f6\u00f6m'", f"'{LONG}'", "'line\nbreak'"],
    "BLOB": ["''::BLOB", r"'\x00\xFF'::BLOB", r"'" + r"\xFF" * 80 + "'::BLOB"],
    "UUID": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "JSON": ["'{\"a\": [1, null]}'", "'null'"],
    "INTEGER[]": ["[]", "[1, NULL, 3]"],
    "VARCHAR[][]": ["[['a'], [], NULL, ['b', NULL]]"],
    "STRUCT(a INTEGER, b VARCHAR)": ["{'a': 1, 'b': NULL}", "{'a': NULL, 'b': 'x'}"],
    "STRUCT(a INTEGER[], s STRUCT(d DOUBLE))[]": ["[{'a': [1], 's': {'d': 1.5}}, NULL]"],
    "MAP(VARCHAR, INTEGER)": ["MAP {'a': 1, 'b': NULL}", "MAP {}"],
}


def type_name(sql_type):
    """A form of a type that can be part of a test's or a table's name."""
    return "".join(c if c.isalnum() else "_" for c in sql_type.lower().replace("[]", "list")).strip("_")


def insert_rows(table, sql_type):
    """An INSERT of every value of a type and a NULL, numbered from 0."""
    values = [*SQL_VALUES[sql_type], "NULL"]
    rows = ", ".join(f"({i}, CAST({value} AS {sql_type}))" for i, value in enumerate(values))
    return f"INSERT INTO {table} VALUES {rows}"


def _nines(digits, scale, negative=0):
    """The greatest decimal of so many digits, or its opposite."""
    return decimal.Decimal((negative, (9,) * digits, -scale))


# For each Arrow type the values that columns of the property tests draw from.
ARROW_VALUES = {
    pa.bool_(): [True, False],
    pa.int8(): [-128, -1, 0, 1, 127],
    pa.int32(): [-(2**31), -1, 0, 7, 2**31 - 1],
    pa.int64(): [-(2**63), -(2**53) - 1, 0, 2**53 + 1, 2**63 - 1],
    pa.uint8(): [0, 127, 128, 255],
    pa.uint32(): [0, 2**31 - 1, 2**31, 2**32 - 1],
    pa.uint64(): [0, 2**63 - 1, 2**63, 2**64 - 1],
    pa.float32(): [math.nan, math.inf, -math.inf, -0.0, 0.0, 1.5, -1.5],
    pa.float64(): [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.5, -1.7976931348623157e308],
    pa.decimal128(9, 2): [_nines(9, 2, 1), decimal.Decimal("0.00"), decimal.Decimal("0.01"), _nines(9, 2)],
    pa.decimal128(38, 10): [_nines(38, 10, 1), decimal.Decimal("0"), decimal.Decimal("1E-10"), _nines(38, 10)],
    pa.date32(): [datetime.date(1, 1, 1), datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), datetime.date.max],
    pa.timestamp("us"): [
        datetime.datetime(1, 1, 1),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime.datetime(2024, 2, 29, 12),
        datetime.datetime.max,
    ],
    pa.timestamp("ms"): [datetime.datetime(1969, 12, 31, 23, 59, 59, 999000), datetime.datetime(2024, 2, 29, 12)],
    pa.string(): ["", "a", "a" * 40, "a" * 40 + "b", LONG, LONG + "\U0010ffff", "z\x00", "\u007f", "\u0080"],
    pa.binary(): [b"", b"\x00", b"\xff" * 40, b"\xff" * 41, b"\x7f", b"\x80"],
}


def random_column(chance, arrow_type, rows):
    """A column that is narrow, all null or mixed, so that bounds of row groups differ."""
    values = ARROW_VALUES[arrow_type]
    shape = chance.choice(["mixed", "mixed", "narrow", "narrow", "null"])
    if shape == "null":
        return pa.array([None] * rows, arrow_type)
    if shape == "narrow":
        values = chance.sample(values, min(2, len(values)))
    nulls = chance.choice([0.0, 0.0, 0.3])
    return pa.array([None if chance.random() < nulls else chance.choice(values) for _ in range(rows)], arrow_type)


def random_table(chance, schema, rows, first_id):
    """A table whose first column numbers the rows and whose others are random."""
    columns = [pa.array(range(first_id, first_id + rows), pa.int64())]
    columns += [random_column(chance, field.type, rows) for field in list(schema)[1:]]
    return pa.table(columns, schema=schema)


def literal(arrow_type, value):
    """A value as a DuckDB literal of exactly its type."""
    if pa.types.is_floating(arrow_type):
        name = "FLOAT" if arrow_type == pa.float32() else "DOUBLE"
        return f"'{value!r}'::{name}"
    if pa.types.is_binary(arrow_type):
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
    if pa.types.is_string(arrow_type):
        return "'" + value.replace("'", "''") + "'" if "\x00" not in value else f"('{value[:-1]}' || chr(0))"
    if pa.types.is_timestamp(arrow_type):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if pa.types.is_date(arrow_type):
        return f"DATE '{value.isoformat()}'"
    if pa.types.is_decimal(arrow_type):
        return f"CAST({value:f} AS DECIMAL({arrow_type.precision},{arrow_type.scale}))"
    return str(value).lower()

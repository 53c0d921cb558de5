// Package writer turns a stream of Arrow record batches into staged Parquet
// DataFiles with statistics.
//
// Writer.Write matches the incoming schema with the table's columns (CheckFit),
// routes rows to files by partition, cuts row groups and files by size, encodes
// the columns of a row group in parallel, and computes the statistics of every
// row group and leaf from the values themselves. Its memory is bounded by
// Limits, whatever the length of the stream. A key is staged before its upload
// begins, and nothing is visible to readers before the caller commits the
// DataFiles to the catalog, which this package does not know.
//
// How a column type is stored (writer/schema.go) is what DuckDB's ducklake
// extension reads back as that type. It differs from DuckDB's own files in two
// places: int128 and uint128 are DECIMAL(38,0) instead of a lossy DOUBLE, and
// time_ns, which DuckDB cannot write, is a TIMESTAMP(NANOS) of 1970-01-01, the only
// form that it reads without loss. timestamp_s is stored in microseconds, for
// Parquet has no seconds.
//
// Row-group bounds of a float column chunk that holds NaN are left out of the
// footer and of the page index, because readers that do not know of NaN would
// lose its rows; the statistics of the DataFile keep them, beside the NaN count.
package writer

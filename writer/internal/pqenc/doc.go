// Package pqenc encodes Parquet files from dense leaf values: thrift headers,
// level and dictionary encodings, pages, the page index and the footer.
//
// It exists because the writer of arrow-go cannot leave out the bounds of one
// column chunk that holds NaN, computes statistics a second time, and takes
// four times as long. It writes data pages of version 1 with the encodings
// PLAIN, RLE and RLE_DICTIONARY only, which every reader of Parquet reads.
//
// The main types are Schema, Values (the rows of one leaf of one row group),
// Encoder (Values to Chunk) and File (Chunks to bytes). It knows nothing of
// Arrow arrays, of partitions or of stores, and reads nothing.
package pqenc

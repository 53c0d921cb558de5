package writer

import (
	"math"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// Defaults of Options.
const (
	// DefaultRowGroupRows is DuckDB's own: 60 of its vectors.
	DefaultRowGroupRows int64 = 122880
	// DefaultTargetFileSize is DuckLake's default of target_file_size.
	DefaultTargetFileSize int64 = 512 << 20
	// DefaultCompression is DuckDB's own. Lineitem SF1 (2 cores, 6,001,215
	// rows): uncompressed 365 MB in 0.75 s, snappy 201 MB in 1.2 s, lz4_raw
	// 205 MB in 1.2 s, zstd 158 MB in 1.8 s.
	DefaultCompression = "snappy"
)

// Limits of Options.
const (
	maxRowGroupRows = 1 << 24 // levels of a page are counted in 32 bits
	minFileSize     = 1 << 10
)

// Options says how files are written. Its zero value is usable and means the
// defaults.
type Options struct {
	RowGroupRows     int64  // most rows of a row group; 0 means DefaultRowGroupRows
	TargetFileSize   int64  // bytes at which a file ends, after a row group; 0 means DefaultTargetFileSize
	Compression      string // see pqenc.ParseCodec; empty means DefaultCompression
	CompressionLevel int    // the codec's own scale; 0 means its default
}

// ParseOptions returns the options with the given names, which are DuckLake's
// and flightlake's own: parquet_compression or compression,
// parquet_compression_level, parquet_row_group_size or row_group_rows,
// target_file_size. Other names are ignored: they belong to other parts.
// Sizes are numbers of bytes, or have a unit as in "128MB" (10^6) or "128MiB" (2^20).
//
// Errors: KindInvalid, naming the option, for a value that is malformed or out of range.
func ParseOptions(options map[string]string) (Options, error) {
	var o Options
	for name, value := range options {
		var err error
		switch strings.ToLower(name) {
		case "parquet_compression", "compression":
			var codec pqenc.Codec
			codec, err = pqenc.ParseCodec(value)
			o.Compression = codec.Name
		case "parquet_compression_level":
			o.CompressionLevel, err = parseLevel(value)
		case "parquet_row_group_size", "row_group_rows":
			o.RowGroupRows, err = parseCount(value, 1, maxRowGroupRows)
		case "target_file_size":
			o.TargetFileSize, err = parseSize(value)
		}
		if err != nil {
			return Options{}, lake.Errorf(lake.KindInvalid, "option %s: %w", name, err)
		}
	}
	return o, nil
}

func parseLevel(value string) (int, error) {
	n, err := parseCount(value, 1, 22)
	return int(n), err
}

func parseCount(value string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n < least || n > most {
		return 0, lake.Errorf(lake.KindInvalid, "%q is not a number from %d to %d", value, least, most)
	}
	return n, nil
}

// parseSize parses a number of bytes with or without a unit.
func parseSize(value string) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(value))
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	units := map[string]float64{
		"": 1, "b": 1, "byte": 1, "bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}
	unit, known := units[strings.TrimSpace(text[len(digits):])]
	n, err := strconv.ParseFloat(digits, 64)
	size := n * unit
	if err != nil || !known || math.IsNaN(size) || size < minFileSize || size > math.MaxInt64/2 {
		return 0, lake.Errorf(lake.KindInvalid, "%q is not a size of at least %d bytes, such as 128MB", value, minFileSize)
	}
	return int64(size), nil
}

func (o Options) withDefaults() Options {
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = DefaultRowGroupRows
	}
	if o.TargetFileSize <= 0 {
		o.TargetFileSize = DefaultTargetFileSize
	}
	if o.Compression == "" {
		o.Compression = DefaultCompression
	}
	return o
}

// codec returns the codec that o names.
func (o Options) codec() (pqenc.Codec, error) {
	c, err := pqenc.ParseCodec(o.Compression)
	if err != nil || o.CompressionLevel == 0 {
		return c, err
	}
	return c.WithLevel(o.CompressionLevel)
}

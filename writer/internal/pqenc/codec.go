package pqenc

import (
	"strings"

	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/flightlake/flightlake/lake"
)

// Codec is a way to compress pages. Level is the codec's own;
// compress.DefaultCompressionLevel leaves the choice to it.
type Codec struct {
	Name  string
	Level int

	id       int32
	codec    compress.Compression
	maxLevel int // 0 if the codec has no levels
}

// WithLevel returns c with another level, on the codec's own scale. A codec
// without levels ignores it.
//
// Errors: KindInvalid for a level that the codec does not have.
func (c Codec) WithLevel(level int) (Codec, error) {
	if c.maxLevel == 0 {
		return c, nil
	}
	if level < 1 || level > c.maxLevel {
		return c, lake.Errorf(lake.KindInvalid, "compression level %d is not one of %s's: 1 to %d", level, c.Name, c.maxLevel)
	}
	c.Level = level
	return c, nil
}

// ParseCodec returns the codec with one of the names of DuckLake's option
// parquet_compression, compared without case: uncompressed, snappy, gzip,
// brotli, zstd, lz4_raw.
//
// Errors: KindInvalid for another name.
func ParseCodec(name string) (Codec, error) {
	c := Codec{Name: strings.ToLower(name), Level: compress.DefaultCompressionLevel}
	switch c.Name {
	case "uncompressed", "none":
		c.Name, c.codec, c.id = "uncompressed", compress.Codecs.Uncompressed, 0
	case "snappy":
		c.codec, c.id = compress.Codecs.Snappy, 1
	case "gzip":
		c.codec, c.id = compress.Codecs.Gzip, 2
		c.maxLevel = 9
	case "brotli":
		c.codec, c.id = compress.Codecs.Brotli, 4
		c.maxLevel = 11
	case "zstd":
		c.codec, c.id = compress.Codecs.Zstd, 6
		c.maxLevel = 22
	case "lz4_raw", "lz4":
		c.Name, c.codec, c.id = "lz4_raw", compress.Codecs.Lz4Raw, 7
	default:
		return Codec{}, lake.Errorf(lake.KindInvalid,
			"unknown compression %q: use uncompressed, snappy, gzip, brotli, zstd or lz4_raw", name)
	}
	return c, nil
}

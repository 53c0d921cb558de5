package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// parquetFunction reads Parquet files.
const parquetFunction = "read_parquet"

// RegisterFiles makes local Parquet files known that DuckDB reads by itself, and returns
// the SQL text that reads them, as Register does. The files must lie in Options.AllowedDirs,
// and there must be at least one. No statement can name files otherwise. See CanReadParquet.
//
// If current is set, every file has exactly these columns, in this order, and
// is read as it is where its types say enough. Otherwise columns are matched by
// field id and cast, and one that a file lacks is NULL; DuckDB then knows nothing
// of the number of rows, and orders joins badly (TPC-H Q5 took three times as
// long), so that this is the second choice.
func (x *Executor) RegisterFiles(ctx context.Context, files []string, columns []lake.Column, current bool) (ref string, release func()) {
	return x.sources.add(ctx, &registration{files: parquetText(files, columns, current)})
}

func parquetText(files []string, columns []lake.Column, current bool) string {
	var b strings.Builder
	b.WriteString(parquetFunction + "([")
	for i, f := range files {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(lake.QuoteLiteral(f))
	}
	b.WriteString("], hive_partitioning = false, union_by_name = false")
	if !current || !selfDescribing(columns) {
		writeFieldMap(&b, columns)
	}
	b.WriteString(")")
	return b.String()
}

// writeFieldMap writes the parameter by which columns are matched by field id.
func writeFieldMap(b *strings.Builder, columns []lake.Column) {
	b.WriteString(", schema = MAP {")
	for i := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(int64(columns[i].ID), 10))
		b.WriteString(": {name: " + lake.QuoteLiteral(columns[i].Name) + ", type: " + lake.QuoteLiteral(columns[i].SQLType()) +
			", default_value: NULL}")
	}
	b.WriteString("}")
}

// selfDescribing reports whether DuckDB reads the types of these columns off
// the Parquet schema. It does not for the timestamps that Parquet lacks a unit for
// or that it widens to microseconds.
func selfDescribing(columns []lake.Column) bool {
	ok := true
	for i := range columns {
		columns[i].Walk(func(c *lake.Column) {
			switch c.Type.ID {
			case lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimeNS:
				ok = false
			default:
			}
		})
	}
	return ok
}

// CanReadParquet reports whether DuckDB's reader, through RegisterFiles, gives
// columns of these types the values that were written. It does not for structs,
// whose fields it matches by name and not by id, and not for types that Parquet
// writers store in different ways. Besides, a file must not go to DuckDB's reader
// if it may have bounds for a float column chunk that holds NaN: the reader
// trusts them and loses rows.
func CanReadParquet(columns []lake.Column) bool {
	for i := range columns {
		ok := columns[i].InitialDefault == nil
		columns[i].Walk(func(c *lake.Column) {
			switch c.Type.ID {
			case lake.TypeStruct, lake.TypeInt128, lake.TypeUint128, lake.TypeTimeTZ, lake.TypeInterval,
				lake.TypeVariant, lake.TypeGeometry, lake.TypeInvalid:
				ok = false
			default:
			}
		})
		if !ok {
			return false
		}
	}
	return true
}

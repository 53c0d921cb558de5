package scanner

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// nullArray returns n NULLs of a column.
func nullArray(mem memory.Allocator, c *lake.Column, n int) arrow.Array {
	b := array.NewBuilder(mem, c.ArrowType())
	defer b.Release()
	b.AppendNulls(n)
	return b.NewArray()
}

func parseDefault(c *lake.Column) (lake.Value, error) {
	if c.Type.Nested() {
		return lake.Value{}, lake.Errorf(lake.KindUnsupported, "column %q is not in the file, and an initial default of type %s cannot be read", c.Name, c.SQLType())
	}
	v, err := expr.ParseValue(c.Type, *c.InitialDefault)
	return v, lake.Wrap(lake.KindInvalid, "initial default of column "+c.Name, err)
}

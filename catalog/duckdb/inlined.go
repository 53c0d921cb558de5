package duckdb

import (
	"fmt"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

func findColumn(columns []lake.Column, id lake.FieldID) *lake.Column {
	for i := range columns {
		if columns[i].ID == id {
			return &columns[i]
		}
	}
	return nil
}

// inlined yields a column of inlined rows, in the type under which it travels.
func inlined(column, stored *lake.Column) string { return transported(column, stored, "", 0) }

// transported returns the SQL expression that yields column from what is
// stored, in the type under which it travels. value is the expression of the
// stored value; empty means the stored column itself. depth names lambda
// parameters apart.
func transported(column, stored *lake.Column, value string, depth int) string {
	target := transportType(column)
	if stored == nil {
		if column.InitialDefault == nil || column.Type.Nested() {
			return "CAST(NULL AS " + target + ")"
		}
		return "CAST(CAST(" + lake.QuoteLiteral(*column.InitialDefault) + " AS " + column.SQLType() + ") AS " + target + ")"
	}
	if value == "" {
		value = lake.QuoteIdent(stored.Name)
	}
	if !column.Type.Nested() || column.Type.ID != stored.Type.ID {
		return "CAST(" + value + " AS " + target + ")"
	}
	parameter := fmt.Sprintf("x%d", depth)
	switch column.Type.ID {
	case lake.TypeStruct:
		fields := make([]string, len(column.Children))
		for i := range column.Children {
			child := &column.Children[i]
			old := findColumn(stored.Children, child.ID)
			inner := ""
			if old != nil {
				inner = "struct_extract(" + value + ", " + lake.QuoteLiteral(old.Name) + ")"
			}
			fields[i] = lake.QuoteIdent(child.Name) + " := " + transported(child, old, inner, depth+1)
		}
		return "CASE WHEN " + value + " IS NULL THEN NULL ELSE struct_pack(" + strings.Join(fields, ", ") + ") END"
	case lake.TypeMap:
		key := transported(&column.Children[0], &stored.Children[0], parameter+".key", depth+1)
		item := transported(&column.Children[1], &stored.Children[1], parameter+".value", depth+1)
		return "map_from_entries(list_transform(map_entries(" + value + "), lambda " + parameter +
			": struct_pack(k := " + key + ", v := " + item + ")))"
	default:
		inner := transported(&column.Children[0], &stored.Children[0], parameter, depth+1)
		return "list_transform(" + value + ", lambda " + parameter + ": " + inner + ")"
	}
}

// transportType returns the SQL type under which a column's values travel:
// text for leaves that DuckDB's Arrow types do not hold as ours do.
func transportType(c *lake.Column) string {
	var replace func(c *lake.Column) lake.Column
	replace = func(c *lake.Column) lake.Column {
		out := *c
		if travelsAsText(c.Type.ID) {
			out.Type = lake.Type{ID: lake.TypeVarchar}
		}
		out.Children = make([]lake.Column, len(c.Children))
		for i := range c.Children {
			out.Children[i] = replace(&c.Children[i])
		}
		return out
	}
	replaced := replace(c)
	return replaced.SQLType()
}

func travelsAsText(id lake.TypeID) bool {
	switch id {
	case lake.TypeInt128, lake.TypeUint128, lake.TypeUUID, lake.TypeJSON, lake.TypeTimeTZ:
		return true
	default:
		return false
	}
}

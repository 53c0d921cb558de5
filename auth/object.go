package auth

import "strings"

// object is what a grant is on: a table, a schema (table is empty) or the lake
// (both are empty). Names are in lower case, because names do not differ by case.
type object struct{ schema, table string }

func newObject(schema, table string) object {
	return object{schema: strings.ToLower(schema), table: strings.ToLower(table)}
}

// within reports whether o is p or lies in it.
func (o object) within(p object) bool {
	return (p.schema == "" || p.schema == o.schema) && (p.table == "" || p.table == o.table)
}

// String names the object in messages.
func (o object) String() string {
	switch {
	case o.schema == "":
		return "the lake"
	case o.table == "":
		return "schema " + o.schema
	}
	return "table " + o.schema + "." + o.table
}

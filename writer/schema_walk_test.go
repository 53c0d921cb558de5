package writer_test

import (
	"strconv"

	"github.com/apache/arrow-go/v18/parquet/schema"
)

// fieldIDs returns the names and field ids at and below n, depth first.
func fieldIDs(n schema.Node, name string) []string {
	ids := []string{name + " " + strconv.Itoa(int(n.FieldID()))}
	if group, ok := n.(*schema.GroupNode); ok {
		for i := range group.NumFields() {
			ids = append(ids, fieldIDs(group.Field(i), group.Field(i).Name())...)
		}
	}
	return ids
}

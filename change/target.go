package change

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/writer"
)

// resolveFunc finds the target of a statement in a view. done is set if there is nothing
// to do.
type resolveFunc func(ctx context.Context, v *view.View) (t *target, done bool, err error)

// target is the table that an append goes to: one that exists, or one that the
// append creates.
type target struct {
	view   *view.View // in which it was resolved
	schema *lake.Schema
	name   string
	table  *lake.Table // nil if it does not exist
	// replace drops table in the same Commit.
	replace bool
	// reads is set if the rows were read from table.
	reads   bool
	columns []lake.Column
	spec    *lake.PartitionSpec
	path    string
	// options of a table to be created.
	options     map[string]string
	comment     string
	primaryKey  []string
	foreignKeys []lake.ForeignKey
}

// creates reports whether the append creates its table.
func (t *target) creates() bool { return t.table == nil || t.replace }

// appendTo makes an existing table the target.
//
// Errors: those of lake.Table.Check.
func (t *target) appendTo(table *lake.Table) error {
	t.table, t.name = table, table.Name
	t.columns, t.spec, t.path = table.Columns, table.Partition, table.Path
	return table.Check()
}

func (t *target) create(columns []lake.Column) {
	t.columns, _ = lake.AssignFieldIDs(columns)
	t.path = t.schema.Path + tableFolder(t.name)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// tableFolder returns the folder of a new table's files: its name where that is
// a plain word, otherwise an opaque one, the same for the same name, so that
// writers which create a table at the same time write to one folder. Paths are
// never parsed back.
func tableFolder(name string) string {
	if plainName.MatchString(name) {
		return name + "/"
	}
	hash := sha256.Sum256([]byte(name))
	return hex.EncodeToString(hash[:16]) + "/"
}

// writeOptions merges the options of the lake, the schema, the table and the call, the
// later overriding the earlier.
func (t *target) writeOptions(call map[string]string) (writer.Options, error) {
	merged := make(map[string]string)
	layers := []map[string]string{t.view.State.Options, nil, nil, call}
	if t.creates() {
		layers[1], layers[2] = t.schema.Options, t.options
	} else {
		layers[2] = t.table.Options // which has those of its schema
	}
	for _, layer := range layers {
		for name, value := range layer {
			merged[name] = value
		}
	}
	return writer.ParseOptions(merged)
}

// operations returns what a Commit does to add files to the target.
func (t *target) operations(files []lake.DataFile) []catalog.Operation {
	if !t.creates() {
		return []catalog.Operation{catalog.AddFiles{Table: t.table.ID, Layout: t.table.LayoutBegin, Files: files}}
	}
	create := catalog.CreateTable{
		Schema: t.schema.Name, Name: t.name, Columns: t.columns, Path: t.path, Partition: t.spec,
		Options: t.options, Comment: t.comment, PrimaryKey: t.primaryKey, ForeignKeys: t.foreignKeys, Files: files,
	}
	if t.replace {
		return []catalog.Operation{catalog.DropTable{ID: t.table.ID}, create}
	}
	return []catalog.Operation{create}
}

// sameShape reports whether files written for a fit b too: the folder, the
// columns that reach the file and the partitioning are the same. Of two tables, field ids say
// nothing about which column is which, and names do; where both were there before, what
// stands in the files for columns that the rows lack must be the defaults of both.
func sameShape(a, b *target) bool {
	if a.path != b.path || len(a.columns) != len(b.columns) || (a.spec == nil) != (b.spec == nil) {
		return false
	}
	if a.table != nil && b.table != nil && a.table.ID != b.table.ID && !slices.EqualFunc(a.table.Columns, b.table.Columns, sameDefault) {
		return false
	}
	for i := range a.columns {
		if !sameColumn(&a.columns[i], &b.columns[i]) {
			return false
		}
	}
	if a.spec == nil {
		return true
	}
	if len(a.spec.Fields) != len(b.spec.Fields) {
		return false
	}
	for i := range a.spec.Fields {
		if a.spec.Fields[i] != b.spec.Fields[i] {
			return false
		}
	}
	return true
}

func sameDefault(a, b lake.Column) bool { return a.DefaultSQL() == b.DefaultSQL() }

func sameColumn(a, b *lake.Column) bool {
	if a.ID != b.ID || !strings.EqualFold(a.Name, b.Name) || a.Type != b.Type || a.Nullable != b.Nullable || len(a.Children) != len(b.Children) {
		return false
	}
	for i := range a.Children {
		if !sameColumn(&a.Children[i], &b.Children[i]) {
			return false
		}
	}
	return true
}

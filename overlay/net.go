package overlay

import (
	"maps"
	"slices"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// Operations returns the net effect, in an order in which names are free before
// they are taken, with the tokens of the appends in it.
func (o *Overlay) Operations() ([]catalog.Operation, []catalog.AppendToken) {
	out := o.drops()
	positions := map[lake.TableID]int{}
	for i := range o.state.Schemas {
		if s := &o.state.Schemas[i]; s.ID < 0 {
			out = append(out, catalog.CreateSchema{Name: s.Name, Path: s.Path})
		}
	}
	ids := slices.Sorted(maps.Keys(o.created))
	for _, id := range slices.Backward(ids) { // from the first that was made to the last
		create := o.created[id]
		create.Files = unassigned(o.files[id])
		positions[id] = len(out)
		out = append(out, create)
	}
	for _, id := range slices.Sorted(maps.Keys(o.files)) {
		if id < 0 {
			continue
		}
		t, _ := o.state.TableByID(id)
		positions[id] = len(out)
		out = append(out, catalog.AddFiles{Table: id, Layout: t.LayoutBegin, Files: unassigned(o.files[id])})
	}
	out = append(out, o.settings()...)
	var tokens []catalog.AppendToken
	for _, a := range o.appends {
		token := catalog.AppendToken{Token: a.token, Rows: a.rows}
		if at, ok := positions[a.table]; ok {
			token.Operations = []int{at}
		}
		tokens = append(tokens, token)
	}
	return out, tokens
}

// settings returns the operations that set comments and options, but for what new
// tables are made with.
func (o *Overlay) settings() []catalog.Operation {
	var out []catalog.Operation
	for _, c := range o.comments {
		op := catalog.SetComment{Column: c.Column, Text: c.Text}
		if c.Table == 0 {
			op.Schema = o.schemaName(c.Schema)
		} else {
			if create, ok := o.created[c.Table]; ok && c.Text == commentOf(&create, c.Column) {
				continue
			}
			t, _ := o.state.TableByID(c.Table)
			op.Schema, op.Table = t.Schema, t.Name
		}
		out = append(out, op)
	}
	for _, option := range o.options {
		op := catalog.SetOption{Name: option.Name, Value: option.Value}
		if option.Table != 0 {
			if value, ok := o.created[option.Table].Options[option.Name]; ok && value == option.Value {
				continue
			}
			t, _ := o.state.TableByID(option.Table)
			op.Schema, op.Table = t.Schema, t.Name
		}
		out = append(out, op)
	}
	return out
}

// commentOf returns the comment that a new table, or a column of it, is made with.
func commentOf(op *catalog.CreateTable, column lake.FieldID) string {
	if column == 0 {
		return op.Comment
	}
	t := lake.Table{Columns: op.Columns}
	if c, ok := t.Field(column); ok {
		return c.Comment
	}
	return ""
}

func (o *Overlay) schemaName(id lake.SchemaID) string {
	i := slices.IndexFunc(o.state.Schemas, func(s lake.Schema) bool { return s.ID == id })
	return o.state.Schemas[i].Name
}

// drops returns the operations that drop what the base has and the state has not.
func (o *Overlay) drops() []catalog.Operation {
	schemas, tables := map[lake.SchemaID]bool{}, map[lake.TableID]bool{}
	for i := range o.state.Schemas {
		schemas[o.state.Schemas[i].ID] = true
		for j := range o.state.Schemas[i].Tables {
			tables[o.state.Schemas[i].Tables[j].ID] = true
		}
	}
	var out, last []catalog.Operation
	for i := range o.base.Schemas {
		s := &o.base.Schemas[i]
		for j := range s.Tables {
			if t := &s.Tables[j]; !tables[t.ID] {
				out = append(out, catalog.DropTable{ID: t.ID, Layout: t.LayoutBegin})
			}
		}
		if !schemas[s.ID] {
			last = append(last, catalog.DropSchema{Name: s.Name})
		}
	}
	return append(out, last...)
}

// unassigned returns files without what the catalog assigns.
func unassigned(files []*lake.DataFile) []lake.DataFile {
	out := make([]lake.DataFile, len(files))
	for i, f := range files {
		out[i] = *f
		out[i].ID, out[i].Table, out[i].Begin, out[i].PartitionID = 0, 0, 0, max(0, f.PartitionID)
	}
	return out
}

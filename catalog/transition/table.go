package transition

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// nullText is how the DuckLake format writes that a column has no default.
const nullText = "NULL"

func (b *builder) createTable(op catalog.CreateTable) (lake.TableID, error) {
	schema, _, err := b.find(op.Schema, "")
	if err != nil {
		return 0, err
	}
	if err := checkNewTable(schema, &op); err != nil {
		return 0, err
	}
	id := b.env.UUIDFunc()
	t := lake.Table{
		ID: lake.TableID(b.env.NextIDFunc()), Origin: b.env.Origin, UUID: id.String(), SchemaID: schema.ID, Schema: schema.Name,
		Name: op.Name, Path: op.Path, Comment: op.Comment, Columns: storedColumns(op.Columns),
		// An option of the schema is one of its tables, unless they have their own.
		Options:    map[string]string{},
		PrimaryKey: op.PrimaryKey, ForeignKeys: op.ForeignKeys,
		Begin: b.env.At, ColumnsBegin: b.env.At, LayoutBegin: b.env.At,
	}
	if b.env.Origin != lake.OriginCatalog {
		t.Draft = int64(t.ID)
	}
	maps.Copy(t.Options, schema.Options)
	maps.Copy(t.Options, op.Options)
	if err := t.ResolveKeys(nil); err != nil {
		return 0, err
	}
	if op.Partition != nil && len(op.Partition.Fields) > 0 {
		t.Partition = &lake.PartitionSpec{ID: lake.PartitionID(b.env.NextIDFunc()), Fields: slices.Clone(op.Partition.Fields)}
	}
	path := schema.Path
	schema = b.changeSchema(schema.ID)
	at, _ := slices.BinarySearchFunc(schema.Tables, t.Name, func(t lake.Table, name string) int { return cmp.Compare(t.Name, name) })
	schema.Tables = slices.Insert(schema.Tables, at, t)
	b.delta.begin(TableBegun{t, id, path})
	b.describe(&t, op.Options)
	return t.ID, b.addFilesTo(&t, op.Files)
}

// describe adds what belongs to a new table to the delta.
func (b *builder) describe(t *lake.Table, options map[string]string) {
	comment := func(column lake.FieldID, text string) {
		if text != "" {
			b.delta.Comments = append(b.delta.Comments, Comment{Schema: t.SchemaID, Table: t.ID, Column: column, Text: text})
		}
	}
	comment(0, t.Comment)
	var begin func(columns []lake.Column, parent lake.FieldID)
	begin = func(columns []lake.Column, parent lake.FieldID) {
		for i := range columns {
			c := columns[i]
			b.delta.Begun.Columns = append(b.delta.Begun.Columns, ColumnBegun{Table: t.ID, Parent: parent, Order: int64(c.ID), Column: c})
			comment(c.ID, c.Comment)
			begin(c.Children, c.ID)
		}
	}
	begin(t.Columns, 0)
	if t.Partition != nil {
		b.delta.Begun.Partitions = append(b.delta.Begun.Partitions, PartitionBegun{t.ID, *t.Partition})
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		b.delta.Options = append(b.delta.Options, Option{t.ID, name, options[name]})
	}
	if len(t.PrimaryKey)+len(t.ForeignKeys) > 0 {
		b.delta.Keys = append(b.delta.Keys, *t)
	}
}

// checkNewTable refuses what would make a table that cannot be read.
func checkNewTable(schema *lake.Schema, op *catalog.CreateTable) error {
	if op.Name == "" {
		return lake.Errorf(lake.KindInvalid, "a table needs a name")
	}
	free := Precondition{Kind: NameFree, Schema: schema.Name, Table: op.Name}
	for i := range schema.Tables {
		if strings.EqualFold(schema.Tables[i].Name, op.Name) {
			return fail(free, lake.KindExists, "table %q.%q exists", schema.Name, schema.Tables[i].Name)
		}
	}
	for i := range schema.Views {
		if strings.EqualFold(schema.Views[i].Name, op.Name) {
			return fail(free, lake.KindExists, "view %q.%q exists", schema.Name, schema.Views[i].Name)
		}
	}
	if len(op.Columns) == 0 {
		return lake.Errorf(lake.KindInvalid, "table %q needs at least one column", op.Name)
	}
	if !strings.HasPrefix(op.Path, schema.Path) || !strings.HasSuffix(op.Path, "/") || op.Path == schema.Path {
		return lake.Errorf(lake.KindInvalid, "path %q of table %q is no folder below %q", op.Path, op.Name, schema.Path)
	}
	if err := checkTexts(op); err != nil {
		return err
	}
	return checkColumns(op)
}

func checkColumns(op *catalog.CreateTable) error {
	fields := map[lake.FieldID]bool{}
	var err error
	for i := range op.Columns {
		op.Columns[i].Walk(func(c *lake.Column) {
			if c.ID <= 0 || fields[c.ID] {
				err = lake.Errorf(lake.KindInvalid, "column %q of table %q has no field id of its own", c.Name, op.Name)
			}
			if c.Type.ID == lake.TypeInvalid {
				err = lake.Errorf(lake.KindInvalid, "column %q of table %q has no type", c.Name, op.Name)
			}
			fields[c.ID] = true
		})
	}
	if err != nil || op.Partition == nil {
		return err
	}
	for _, f := range op.Partition.Fields {
		if !fields[f.Column] {
			return lake.Errorf(lake.KindInvalid, "table %q is partitioned by column %d, which it does not have", op.Name, f.Column)
		}
	}
	return nil
}

// checkTexts checks the names and texts of a new table.
func checkTexts(op *catalog.CreateTable) error {
	err := errors.Join(lake.CheckName(op.Name), lake.CheckColumns(op.Columns), CheckText(op.Path, op.Comment))
	for name, value := range op.Options {
		if err == nil {
			err = checkOption(name, value)
		}
	}
	for i := range op.Columns {
		op.Columns[i].Walk(func(c *lake.Column) {
			for _, text := range []*string{&c.Comment, c.InitialDefault} {
				if err == nil && text != nil {
					err = CheckText(*text)
				}
			}
		})
	}
	for _, k := range op.ForeignKeys {
		if err == nil {
			err = CheckText(append([]string{k.Schema, k.Table}, k.RefColumns...)...)
		}
	}
	return err
}

// storedColumns returns the columns as they can be read back: a default that
// is the text NULL becomes an expression, because that text marks no default,
// and nested fields are nullable but for the keys of maps.
func storedColumns(columns []lake.Column) []lake.Column {
	out := lake.CloneColumns(columns)
	for i := range out {
		out[i].Walk(func(c *lake.Column) {
			if c.Default != nil && *c.Default == nullText && !c.DefaultIsExpression {
				quoted := lake.QuoteLiteral(nullText)
				c.Default, c.DefaultIsExpression = &quoted, true
			}
			for i := range c.Children {
				c.Children[i].Nullable = c.Type.ID != lake.TypeMap || i > 0
			}
		})
	}
	return out
}

func (b *builder) addFiles(op catalog.AddFiles) error {
	t, err := b.live(op.Table)
	if err != nil {
		return err
	}
	if err := errors.Join(unchanged(t, op.Layout), t.Check()); err != nil {
		return err
	}
	return b.addFilesTo(t, op.Files)
}

// addFilesTo adds files to a table of the state.
func (b *builder) addFilesTo(t *lake.Table, files []lake.DataFile) error {
	if len(files) == 0 {
		return nil
	}
	leaves := lake.LeavesOf(t.Columns)
	assigned := slices.Clone(files)
	added := make([]*lake.DataFile, len(files))
	for i := range assigned {
		f := &assigned[i]
		if err := checkFile(t, leaves, f); err != nil {
			return lake.Errorf(lake.KindOf(err), "file %s: %w", f.Path, err)
		}
		f.ID, f.Table, f.Begin, f.PartitionID = b.env.NextFileIDFunc(), t.ID, b.env.At, 0
		if len(f.PartitionValues) > 0 {
			f.PartitionID = t.Partition.ID
		}
		f.CheckInvariants()
		added[i] = f
		b.rows += f.Rows
	}
	b.delta.Begun.Files = append(b.delta.Begun.Files, FilesBegun{*t, leaves, added})
	b.delta.enter(insertedInto, idText(t.ID))
	return nil
}

// checkFile refuses a file that the table could not be read with.
func checkFile(t *lake.Table, leaves map[lake.FieldID]lake.Column, f *lake.DataFile) error {
	if err := CheckText(f.Path); err != nil {
		return err
	}
	if name, ok := strings.CutPrefix(f.Path, t.Path); !f.Absolute && (!ok || name == "") {
		return lake.Errorf(lake.KindInvalid, "it is not in the folder of table %q.%q, %s", t.Schema, t.Name, t.Path)
	}
	if f.Rows < 0 || f.Bytes < 0 {
		return lake.Errorf(lake.KindInvalid, "%d rows and %d bytes", f.Rows, f.Bytes)
	}
	if err := checkPartition(t, leaves, f); err != nil {
		return err
	}
	for i := range f.Stats {
		if _, ok := leaves[f.Stats[i].Field]; !ok {
			return lake.Errorf(lake.KindInvalid, "it has statistics of field %d, which is no leaf of table %q.%q", f.Stats[i].Field, t.Schema, t.Name)
		}
	}
	if f.RowGroups == nil {
		return nil
	}
	var rows int64
	for i := range f.RowGroups {
		rows += f.RowGroups[i].Rows
	}
	if rows != f.Rows {
		return lake.Errorf(lake.KindInvalid, "its row groups have %d rows, the file %d", rows, f.Rows)
	}
	return nil
}

func checkPartition(t *lake.Table, leaves map[lake.FieldID]lake.Column, f *lake.DataFile) error {
	if len(f.PartitionValues) == 0 {
		return nil
	}
	if t.Partition == nil || len(f.PartitionValues) != len(t.Partition.Fields) ||
		(f.PartitionID != 0 && f.PartitionID != t.Partition.ID) {
		return lake.Errorf(lake.KindInvalid, "its partition values are not those of table %q.%q", t.Schema, t.Name)
	}
	for i, v := range f.PartitionValues {
		if v == nil {
			continue
		}
		typ := t.Partition.Fields[i].ValueType(leaves)
		if _, ok := lake.FormatPartition(typ, *v); !ok {
			return lake.Errorf(lake.KindInvalid, "partition value %d has no text as %s", i, typ)
		}
	}
	return nil
}

package sqlcatalog

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// commentKey names what a comment is on; field is 0 for an object.
type commentKey struct {
	object int64
	field  lake.FieldID
}

// setComment changes a comment. The extension keeps them as tags with the key
// comment; a schema's is a tag of its id, which the extension does not read.
func (p *plan) setComment(ctx context.Context, op catalog.SetComment) (lake.TableID, error) {
	if _, _, err := p.find(ctx, op.Schema, op.Table); err != nil {
		return 0, err
	}
	state := p.state()
	schema, t, err := locate(state, op.Schema, op.Table)
	if err != nil {
		return 0, err
	}
	if t == nil {
		schema.Comment = op.Text
		p.tag(commentKey{object: int64(schema.ID)}, op.Text)
		return 0, nil
	}
	key := commentKey{int64(t.ID), op.Column}
	if op.Column == 0 {
		t.Comment = op.Text
	} else {
		t.Columns = cloneColumns(t.Columns)
		column, ok := t.Field(op.Column)
		if !ok {
			return 0, p.changedSinceBase(t, lake.Errorf(lake.KindNotFound, "table %q.%q has no column %d", t.Schema, t.Name, op.Column))
		}
		column.Comment = op.Text
	}
	p.tag(key, op.Text)
	p.altered(t.ID)
	return t.ID, nil
}

func cloneColumns(columns []lake.Column) []lake.Column {
	if columns == nil {
		return nil
	}
	out := make([]lake.Column, len(columns))
	for i := range columns {
		out[i] = columns[i]
		out[i].Children = cloneColumns(columns[i].Children)
	}
	return out
}

// altered notes the change of a table, once, and not of one that is new.
func (p *plan) altered(id lake.TableID) {
	if change := alteredTable(id); !p.created[id] && !slices.Contains(p.changes, change) {
		p.changes = append(p.changes, change)
	}
}

func alteredTable(id lake.TableID) string { return "altered_table:" + idText(id) }

// tag ends the comment of earlier snapshots and writes the new one. If this
// plan has written one already, that is replaced.
func (p *plan) tag(key commentKey, text string) {
	table, where, args := "ducklake_tag", "object_id = ?", []any{key.object}
	row := []any{key.object, int64(p.id), nil, tagComment, text}
	if key.field != 0 {
		table, where, args = "ducklake_column_tag", "table_id = ? AND column_id = ?", []any{key.object, int64(key.field)}
		row = []any{key.object, int64(key.field), int64(p.id), nil, tagComment, text}
	}
	conditions := where + ` AND "key" = '` + tagComment + `'`
	p.batch.removeInserts(table, row[:len(args)])
	p.batch.then(`UPDATE `+table+` SET end_snapshot = ? WHERE `+conditions+` AND end_snapshot IS NULL AND begin_snapshot < ?`,
		append(append([]any{int64(p.id)}, args...), int64(p.id))...)
	if text != "" {
		p.batch.insert(table, row...)
	}
}

// removeInserts takes the rows that begin with the given values out of the batch.
func (b *batch) removeInserts(table string, prefix []any) {
	for i := range b.inserts {
		if b.inserts[i].table != table {
			continue
		}
		var kept [][]any
		for _, row := range b.inserts[i].rows {
			same := true
			for j := range prefix {
				same = same && row[j] == prefix[j]
			}
			if !same {
				kept = append(kept, row)
			}
		}
		b.inserts[i].rows = kept
	}
}

// checkOption refuses the keys that are no options but describe the catalog.
func checkOption(name string) error {
	switch name {
	case "":
		return lake.Errorf(lake.KindInvalid, "an option needs a name")
	case keyVersion, keyCreatedBy, keyDataPath, keyEncrypted:
		return lake.Errorf(lake.KindInvalid, "%q describes the catalog and cannot be set", name)
	}
	if strings.HasPrefix(strings.ToLower(name), ownPrefix) {
		return lake.Errorf(lake.KindInvalid, "%q: names that begin with %s are flightlake's own", name, ownPrefix)
	}
	return nil
}

// setOption changes an option. ducklake_metadata has no history: the option
// holds for all snapshots from now on.
func (p *plan) setOption(ctx context.Context, op catalog.SetOption) (lake.TableID, error) {
	if err := checkOption(op.Name); err != nil {
		return 0, err
	}
	if op.Schema == "" && op.Table != "" {
		return 0, lake.Errorf(lake.KindInvalid, "the option of table %q needs its schema", op.Table)
	}
	if op.Schema == "" {
		p.state().Options[op.Name] = op.Value
		p.writeOption(op, `"scope" IS NULL`, nil, nil)
		return 0, nil
	}
	if schema, t, err := p.find(ctx, op.Schema, op.Table); err != nil {
		return 0, err
	} else if t == nil {
		return 0, lake.Errorf(lake.KindUnsupported, "option %q of schema %q: options are set for the lake or for a table",
			op.Name, schema.Name)
	}
	_, t, err := locate(p.state(), op.Schema, op.Table)
	if err != nil {
		return 0, err
	}
	t.Options = maps.Clone(t.Options)
	t.Options[op.Name] = op.Value
	p.writeOption(op, `"scope" = '`+scopeTable+`' AND scope_id = `+idText(t.ID), scopeTable, int64(t.ID))
	p.altered(t.ID)
	return t.ID, nil
}

// inheritOptions gives a new table the options of its schema that it does not set.
func (p *plan) inheritOptions(ctx context.Context, t *lake.Table) error {
	return p.s.each(ctx, `SELECT "key", "value" FROM ducklake_metadata WHERE "scope" = '`+scopeSchema+`' AND scope_id = ?`,
		[]any{int64(t.SchemaID)}, func(scan func(...any) error) error {
			var key, value string
			err := scan(&key, &value)
			if _, own := t.Options[key]; !own {
				t.Options[key] = value
			}
			return err
		})
}

func (p *plan) writeOption(op catalog.SetOption, where string, scope, id any) {
	p.batch.before = append(p.batch.before, statement{`DELETE FROM ducklake_metadata WHERE "key" = ? AND ` + where, []any{op.Name}})
	p.batch.insert(optionTable, op.Name, op.Value, scope, id)
}

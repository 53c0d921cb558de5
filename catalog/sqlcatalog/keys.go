package sqlcatalog

import (
	"encoding/json"
	"slices"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// Declared keys are kept as options of the table, of flightlake's own
// (docs/format.md, Declared keys). Columns of the table are field ids, so that
// keys survive a rename by another program.
const (
	keyPrimaryKey  = catalog.OwnOptionPrefix + "primary_key"
	keyForeignKeys = catalog.OwnOptionPrefix + "foreign_keys"
)

// storedKey is one element of the option flightlake_foreign_keys.
type storedKey struct {
	Columns    []lake.FieldID `json:"columns"`
	Schema     string         `json:"schema"`
	Table      string         `json:"table"`
	RefColumns []string       `json:"ref_columns"`
}

// keys adds the rows of declared keys.
func (r *rows) keys(d *transition.Delta) error {
	for i := range d.Keys {
		t := &d.Keys[i]
		if len(t.PrimaryKey) > 0 {
			if err := r.key(t, keyPrimaryKey, fieldsOf(t, t.PrimaryKey)); err != nil {
				return err
			}
		}
		if len(t.ForeignKeys) == 0 {
			continue
		}
		stored := make([]storedKey, len(t.ForeignKeys))
		for i, k := range t.ForeignKeys {
			stored[i] = storedKey{fieldsOf(t, k.Columns), k.Schema, k.Table, k.RefColumns}
		}
		if err := r.key(t, keyForeignKeys, stored); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) key(t *lake.Table, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return lake.Errorf(lake.KindInvalid, "keys of table %q.%q: %w", t.Schema, t.Name, err)
	}
	r.batch.setOption(optionRow{name, string(text), scopeTable, int64(t.ID)})
	return nil
}

func fieldsOf(t *lake.Table, names []string) []lake.FieldID {
	ids := make([]lake.FieldID, len(names))
	for i, name := range names {
		c, _ := t.Column(name)
		ids[i] = c.ID
	}
	return ids
}

// readKey decodes one of flightlake's own options of a table. A key of which a
// column was dropped is left out, and so is an option that is not known.
// Errors: KindCorrupt.
func readKey(t *lake.Table, name, value string) error {
	var err error
	switch name {
	case keyPrimaryKey:
		var fields []lake.FieldID
		err = json.Unmarshal([]byte(value), &fields)
		t.PrimaryKey = namesOf(t, fields)
	case keyForeignKeys:
		var stored []storedKey
		err = json.Unmarshal([]byte(value), &stored)
		for _, k := range stored {
			if columns := namesOf(t, k.Columns); columns != nil {
				t.ForeignKeys = append(t.ForeignKeys, lake.ForeignKey{
					Columns: columns, Schema: k.Schema, Table: k.Table, RefColumns: k.RefColumns,
				})
			}
		}
	}
	if err != nil {
		return lake.Errorf(lake.KindCorrupt, "option %s of table %q.%q: %w", name, t.Schema, t.Name, err)
	}
	return nil
}

// namesOf returns the names of columns; nil if there is one that is not.
func namesOf(t *lake.Table, fields []lake.FieldID) []string {
	var names []string
	for _, id := range fields {
		i := slices.IndexFunc(t.Columns, func(c lake.Column) bool { return c.ID == id })
		if i < 0 {
			return nil
		}
		names = append(names, t.Columns[i].Name)
	}
	return names
}

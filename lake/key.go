package lake

import (
	"slices"
	"strings"
)

// ForeignKey declares that columns refer to those of another table, or of the
// same one.
type ForeignKey struct {
	Columns       []string
	Schema, Table string   // that they refer to
	RefColumns    []string // of that table, as many as Columns
}

// ResolveKeys checks the keys that are declared for a table to be created in
// state, where one of its name, if any, is about to be replaced. It gives names the case that
// columns and tables have, fills in the schema of the table and the primary key
// of the other one where a foreign key does not name them, and makes the columns
// of the primary key not nullable. Slices of keys are replaced, not modified.
// With a nil state other tables are not looked at, and foreign keys to them are complete.
//
// Errors: KindNotFound for a column or table; KindInvalid for a key that repeats
// a column or whose sides differ in length, and for a primary key of a type that
// DuckDB takes for none.
func (t *Table) ResolveKeys(state *State) (err error) {
	if t.PrimaryKey, err = t.resolveColumns(t.PrimaryKey, "primary key"); err != nil {
		return err
	}
	for _, name := range t.PrimaryKey {
		c, _ := t.Column(name)
		if c.Type.Nested() || c.Type.ID == TypeInterval || c.Type.ID == TypeVariant {
			return Errorf(KindInvalid, "primary key: column %q of type %s cannot be in a key", c.Name, c.SQLType())
		}
		c.Nullable = false
	}
	t.ForeignKeys = append([]ForeignKey(nil), t.ForeignKeys...)
	for i := range t.ForeignKeys {
		if err := t.resolveForeignKey(state, &t.ForeignKeys[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) resolveForeignKey(state *State, k *ForeignKey) (err error) {
	if k.Columns, err = t.resolveColumns(k.Columns, "foreign key"); err != nil {
		return err
	}
	if k.Schema == "" {
		k.Schema = t.Schema
	}
	if itself := strings.EqualFold(k.Schema, t.Schema) && strings.EqualFold(k.Table, t.Name); itself || state != nil {
		other := t
		if !itself {
			var ok bool
			if other, ok = state.Table(k.Schema, k.Table); !ok {
				return TableNotFound(state, k.Schema, k.Table)
			}
		}
		if err := k.resolveOther(other); err != nil {
			return err
		}
	}
	if len(k.Columns) != len(k.RefColumns) || len(k.Columns) == 0 {
		return Errorf(KindInvalid, "a foreign key of %d columns refers to %d columns of table %s.%s",
			len(k.Columns), len(k.RefColumns), k.Schema, k.Table)
	}
	return nil
}

// resolveOther completes the side of the table that the key refers to.
func (k *ForeignKey) resolveOther(other *Table) (err error) {
	k.Schema, k.Table = other.Schema, other.Name
	if len(k.RefColumns) == 0 {
		k.RefColumns = slices.Clone(other.PrimaryKey)
	}
	if len(k.RefColumns) == 0 {
		return Errorf(KindInvalid, "table %s.%s has no primary key: a foreign key that refers to it names the columns", k.Schema, k.Table)
	}
	k.RefColumns, err = other.resolveColumns(k.RefColumns, "foreign key")
	return err
}

// resolveColumns returns the names as the columns have them; nil stays nil.
func (t *Table) resolveColumns(names []string, key string) ([]string, error) {
	var out []string
	for _, name := range names {
		c, ok := t.Column(name)
		if !ok {
			return nil, Errorf(KindNotFound, "%s: table %s.%s has no column %q", key, t.Schema, t.Name, name)
		}
		if slices.Contains(out, c.Name) {
			return nil, Errorf(KindInvalid, "%s: column %q is repeated", key, c.Name)
		}
		out = append(out, c.Name)
	}
	return out, nil
}

// ForeignKeys returns the foreign keys of a table whose other side exists, with
// all its columns.
func (s *State) ForeignKeys(t *Table) []ForeignKey {
	var out []ForeignKey
	for _, k := range t.ForeignKeys {
		other, ok := s.Table(k.Schema, k.Table)
		if ok && !slices.ContainsFunc(k.RefColumns, func(name string) bool {
			_, has := other.Column(name)
			return !has
		}) {
			out = append(out, k)
		}
	}
	return out
}

package transition

import (
	"slices"
	"strings"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// Draft is a commit before it is published: operations applied one after the other,
// which see what those before them did. No table or schema is both changed or created
// and dropped by one Draft. After an error it is worth nothing. It is used by one
// goroutine.
type Draft struct {
	builder
	tables []lake.TableID // of each operation
	// dropped are the tables that the draft drops, with their quoted names.
	dropped map[lake.TableID]string
	// names are those that operations before the last took or freed, as nameKey has
	// them; lastNames are those of the last one, which is judged without them.
	names     map[string]bool
	lastNames []string

	snapshot lake.Snapshot // set by seal
	tokens   map[string]catalog.Result
	replayed *catalog.Result
}

// NewDraft returns a draft without operations.
func NewDraft(state *lake.State, env Env) *Draft {
	return &Draft{builder: builder{state: state, env: env}}
}

// Apply applies an operation and returns its table, 0 if it has none.
//
// Errors: those of the function Apply; KindInvalid for a table or schema that the
// draft has changed or created and the operation drops, or the other way round.
func (d *Draft) Apply(op catalog.Operation) (lake.TableID, error) {
	d.settle()
	if err := d.check(op); err != nil {
		return 0, err
	}
	schemas, began := len(d.delta.Ended.Schemas), len(d.delta.Begun.Schemas)
	id, err := d.apply(op)
	if err != nil {
		return 0, err
	}
	for _, s := range d.delta.Begun.Schemas[began:] {
		d.took(s.Schema.Name, "")
	}
	for _, ended := range d.delta.Ended.Schemas[schemas:] {
		name := op.(catalog.DropSchema).Name
		if slices.ContainsFunc(d.delta.Begun.Schemas, func(s SchemaBegun) bool { return s.Schema.ID == ended }) {
			return 0, lake.Errorf(lake.KindInvalid, "schema %q is created and dropped by one commit", name)
		}
		d.took(name, "")
	}
	if create, ok := op.(catalog.CreateTable); ok {
		d.took(create.Schema, create.Name)
	}
	d.tables = append(d.tables, id)
	return id, nil
}

// check refuses to change what the draft drops, and to drop what it changes.
func (d *Draft) check(op catalog.Operation) error {
	const text = "table %s is changed and dropped by one commit"
	switch op := op.(type) {
	case catalog.AddFiles:
		if name, ok := d.dropped[op.Table]; ok {
			return lake.Errorf(lake.KindInvalid, text, name)
		}
	case catalog.DropTable:
		if name, ok := d.dropped[op.ID]; ok {
			return lake.Errorf(lake.KindInvalid, text, name)
		}
		t, ok := d.state.TableByID(op.ID)
		if !ok {
			return nil
		}
		name, id := quoteTable(t.Schema, t.Name), idText(op.ID)
		if d.delta.created[op.ID] || d.delta.entered[Entry{insertedInto, id}] || d.delta.entered[Entry{alteredTable, id}] {
			return lake.Errorf(lake.KindInvalid, text, name)
		}
		if d.dropped == nil {
			d.dropped = map[lake.TableID]string{}
		}
		d.dropped[op.ID] = name
		d.took(t.Schema, t.Name)
	}
	return nil
}

// took notes that the operation takes or frees a name.
func (d *Draft) took(schema, table string) { d.lastNames = append(d.lastNames, nameKey(schema, table)) }

// settle adds the names of the last operation to those of all.
func (d *Draft) settle() {
	if len(d.lastNames) > 0 && d.names == nil {
		d.names = map[string]bool{}
	}
	for _, name := range d.lastNames {
		d.names[name] = true
	}
	d.lastNames = d.lastNames[:0]
}

// State returns the state with all operations applied. It is not modified any more
// once the draft is published.
func (d *Draft) State() *lake.State { return d.state }

// Delta returns what the operations change.
func (d *Draft) Delta() *Delta { return &d.delta }

// Result returns what the commit did, or what an earlier one with its token did.
func (d *Draft) Result() catalog.Result {
	if d.replayed != nil {
		return *d.replayed
	}
	return catalog.Result{Snapshot: d.snapshot, Tables: d.tables, Rows: d.rows}
}

// Tokens returns what Outcome answers from now on, by token.
func (d *Draft) Tokens() map[string]catalog.Result { return d.tokens }

// seal makes the draft's snapshot, the child of parent. A snapshot is not older than
// its parent, also if the clock was set back.
func (d *Draft) seal(parent lake.Snapshot, now time.Time, c *catalog.Commit) error {
	d.settle()
	if err := CheckText(c.Author, c.Message); err != nil {
		return err
	}
	changes := make([]string, len(d.delta.Entries))
	for i, e := range d.delta.Entries {
		changes[i] = e.String()
	}
	d.snapshot = lake.Snapshot{
		ID: d.env.At, Time: instant(now), SchemaVersion: parent.SchemaVersion,
		Changes: strings.Join(changes, ","), Author: c.Author, Message: c.Message,
	}
	if d.snapshot.Time.Before(parent.Time) {
		d.snapshot.Time = parent.Time
	}
	if d.delta.NewSchemaVersion {
		d.snapshot.SchemaVersion++
		d.change().SchemaVersion = d.snapshot.SchemaVersion
	}
	return d.answer(c)
}

// answer notes what Outcome answers for the tokens of the commit.
func (d *Draft) answer(c *catalog.Commit) error {
	d.tokens = map[string]catalog.Result{}
	if c.Token != "" {
		d.tokens[c.Token] = d.Result()
	}
	for _, a := range c.Appends {
		result := catalog.Result{Snapshot: d.snapshot, Rows: a.Rows}
		for _, at := range a.Operations {
			if at < 0 || at >= len(d.tables) {
				return lake.Errorf(lake.KindInvalid, "append token %q names operation %d of %d", a.Token, at, len(d.tables))
			}
			result.Tables = append(result.Tables, d.tables[at])
		}
		d.tokens[a.Token] = result
	}
	return nil
}

// instant is a time as catalogs keep it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

package transition

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// tokenBytesMax is the longest append token.
const tokenBytesMax = 256

// Parent is what a commit builds on: the newest snapshot, and the time now.
type Parent struct {
	Snapshot lake.Snapshot
	State    *lake.State
	Now      time.Time
}

// First returns the draft of snapshot 0 of a new lake with the given options, which
// holds the schema lake.DefaultSchema.
//
// Errors: none but those of a fault of this program.
func First(options map[string]string, now time.Time, env Env) (*Draft, error) {
	d := NewDraft(&lake.State{Options: options}, env)
	if _, err := d.Apply(catalog.CreateSchema{Name: lake.DefaultSchema}); err != nil {
		return nil, err
	}
	d.delta.NewSchemaVersion = false // the first is 0
	return d, d.seal(lake.Snapshot{}, now, &catalog.Commit{})
}

// Commit drafts a commit on its parent, to be published as the next snapshot; At of
// env is set to that. If the token of the commit was published before, the draft
// changes nothing and its Result says Replayed.
//
// Errors: those of catalog.Committer.Commit that do not come of the database; those
// of the history, which carry no Kind but what it gives them.
func Commit(ctx context.Context, parent Parent, c *catalog.Commit, env Env, h History) (*Draft, error) {
	env.At = parent.Snapshot.ID + 1
	d := NewDraft(parent.State, env)
	if replayed, err := replay(ctx, c, h); replayed != nil || err != nil {
		d.replayed = replayed
		return d, err
	}
	if len(c.Operations) == 0 {
		return nil, lake.Errorf(lake.KindInvalid, "a commit without operations")
	}
	j := judge{draft: d, history: h, base: c.Base}
	for _, op := range c.Operations {
		_, err := d.Apply(op)
		if err := j.judge(ctx, err); err != nil {
			return nil, err
		}
	}
	return d, d.seal(parent.Snapshot, parent.Now, c)
}

// replay returns what the commit did when it was published before.
//
// Errors: those of CheckTokens; KindConflict if one of its appends was committed.
func replay(ctx context.Context, c *catalog.Commit, h History) (*catalog.Result, error) {
	if err := CheckTokens(c); err != nil {
		return nil, err
	}
	if c.Token != "" {
		result, ok, err := h.Outcome(ctx, c.Token)
		if err != nil {
			return nil, err
		}
		if ok {
			result.Replayed = true
			return &result, nil
		}
	}
	for _, a := range c.Appends {
		result, ok, err := h.Outcome(ctx, a.Token)
		if err != nil {
			return nil, err
		}
		if ok {
			return nil, lake.Errorf(lake.KindConflict, "append token %q was committed by snapshot %d", a.Token, result.Snapshot.ID)
		}
	}
	return nil, nil // most commits are new
}

// CheckTokens refuses tokens of a commit that repeat, or are none.
//
// Errors: KindInvalid.
func CheckTokens(c *catalog.Commit) error {
	tokens := map[string]bool{}
	if c.Token != "" {
		tokens[c.Token] = true
	}
	for _, a := range c.Appends {
		if a.Token == "" || tokens[a.Token] {
			return lake.Errorf(lake.KindInvalid, "append token %q of a commit is empty or repeated", a.Token)
		}
		tokens[a.Token] = true
	}
	for token := range tokens {
		if len(token) > tokenBytesMax || !utf8.ValidString(token) {
			return lake.Errorf(lake.KindInvalid, "an append token is UTF-8 text of at most %d bytes", tokenBytesMax)
		}
	}
	return nil
}

// judge tells what an operation means in view of what other commits did since the
// base of its own.
type judge struct {
	draft   *Draft
	history History
	base    *lake.SnapshotID // nil: none
}

// judge returns the error of the operation that the draft has just applied. What
// failed because another commit was first is KindConflict; and so is what holds, but
// for another thing than the one that the commit knew.
func (j *judge) judge(ctx context.Context, err error) error {
	var failed *Failed
	switch {
	case err == nil:
		for _, p := range j.draft.requires {
			if err := j.held(ctx, p); err != nil {
				return err
			}
		}
		return nil
	case !errors.As(err, &failed):
		return err
	}
	p := failed.Precondition
	switch p.Kind {
	case NameFree, NameTaken:
		return j.sinceBase(ctx, p, err)
	case TableLive:
		return j.missing(ctx, p, err)
	case SchemaEmpty:
		return j.inUse(ctx, p, err)
	case ColumnExists:
		if since := j.sinceBase(ctx, p, nil); since != nil {
			return since
		}
		return j.changedSinceBase(p, err)
	case LayoutUnchanged, FilesSeen:
	}
	return err
}

// held judges a precondition that holds.
func (j *judge) held(ctx context.Context, p Precondition) error {
	switch p.Kind {
	case NameTaken:
		return j.sinceBase(ctx, p, nil)
	case FilesSeen:
		return j.filesSinceBase(ctx, p)
	case NameFree, TableLive, LayoutUnchanged, SchemaEmpty, ColumnExists:
	}
	return nil
}

// sinceBase returns err, which is about a name, or KindConflict if the name is
// not what it was in the base.
func (j *judge) sinceBase(ctx context.Context, p Precondition, err error) error {
	if j.base == nil || j.draft.names[nameKey(p.Schema, p.Table)] {
		return err
	}
	changed, readErr := j.history.NameChanged(ctx, p.Schema, p.Table)
	if readErr != nil {
		return readErr
	}
	if changed <= *j.base {
		return err
	}
	return fail(p, lake.KindConflict, "%s was created, dropped or replaced by snapshot %d, after snapshot %d that this commit is based on",
		p, changed, *j.base)
}

// changedSinceBase returns err, which is about a column, or KindConflict if the
// columns of the table changed after the base.
func (j *judge) changedSinceBase(p Precondition, err error) error {
	t, ok := j.draft.state.TableByID(p.ID)
	if !ok || j.base == nil || t.ColumnsBegin <= *j.base || t.ColumnsBegin == j.draft.env.At {
		return err
	}
	return fail(p, lake.KindConflict, "table %q.%q was changed by snapshot %d", t.Schema, t.Name, t.ColumnsBegin)
}

// filesSinceBase refuses to drop a table to which another commit added rows after
// the base: who drops or replaces it has not seen them, and they would be lost.
//
// Errors: KindConflict.
func (j *judge) filesSinceBase(ctx context.Context, p Precondition) error {
	if j.base == nil {
		return nil
	}
	at, err := j.history.FilesAdded(ctx, p.ID)
	if err != nil || at <= *j.base {
		return err
	}
	return fail(p, lake.KindConflict, "table %q.%q got rows by snapshot %d, after snapshot %d that this commit is based on",
		p.Schema, p.Table, at, *j.base)
}

// missing says why a table is not live.
//
// Errors: KindConflict, naming the table and the snapshot that dropped it; err if it
// never was.
func (j *judge) missing(ctx context.Context, p Precondition, err error) error {
	past, readErr := j.history.Table(ctx, p.ID)
	if readErr != nil {
		return readErr
	}
	if past.Name == "" {
		return err
	}
	return fail(p, lake.KindConflict, "table %s was dropped or replaced by snapshot %d", past.Name, past.Ended)
}

// inUse is why a schema cannot be dropped: err, or KindConflict if what is in it came
// after the base.
func (j *judge) inUse(ctx context.Context, p Precondition, err error) error {
	schema, ok := j.draft.state.Schema(p.Schema)
	if !ok || j.base == nil {
		return err
	}
	names := make([]string, 0, len(schema.Tables)+len(schema.Views))
	for i := range schema.Tables {
		names = append(names, schema.Tables[i].Name)
	}
	for i := range schema.Views {
		names = append(names, schema.Views[i].Name)
	}
	for _, name := range names {
		if since := j.sinceBase(ctx, Precondition{Kind: NameFree, Schema: schema.Name, Table: name}, nil); since != nil {
			return since
		}
	}
	return err
}

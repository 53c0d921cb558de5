package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/workload"
	"github.com/flightlake/flightlake/writer"
)

// appendAttempts bounds how often an append that met a concurrent DDL is
// resolved against the new state and published again. Appends do not conflict
// with each other, so more than one DDL per attempt would have to keep hitting
// the same table.
const appendAttempts = 10

// target is the table that an append goes to: one that exists, or one that the
// append creates.
type target struct {
	view   *view // in which it was resolved
	schema *lake.Schema
	name   string
	table  *lake.Table // nil if it does not exist
	// replace drops table in the same Commit.
	replace bool
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

// Ingest appends one stream of record batches to a table as one Snapshot, or
// changes nothing. The columns of the stream are matched to the table's by
// name.
//
// Errors: KindNotFound and KindExists as in.IfMissing and in.IfExists say;
// KindInvalid if the stream does not fit the table; KindUnsupported for a type
// that cannot be held; KindConflict if the table's columns changed meanwhile.
func (s *Service) Ingest(ctx context.Context, in Ingest, stream array.RecordReader) (Update, error) {
	if in.Temporary {
		if _, err := in.Caller.Open(ctx); err != nil {
			return Update{}, err
		}
	}
	ctx, c, err := s.begin(ctx, in.Caller, workload.Info{ID: string(in.ID), SQL: in.text(), Kind: kindIngest})
	if err != nil {
		return Update{}, err
	}
	defer c.end()
	up, err := s.ingest(ctx, in, clientReader{RecordReader: stream, call: c})
	return up, because(ctx, err)
}

func (s *Service) ingest(ctx context.Context, in Ingest, stream array.RecordReader) (Update, error) {
	in.Token = in.Caller.ownToken(in.Token)
	if up, ok, err := s.replayed(ctx, in.Token); ok || err != nil {
		return up, err
	}
	v, done, err := s.enter(ctx, in.Caller, in.Scope, entry{join: true, pin: true, write: true})
	if err != nil {
		return Update{}, err
	}
	defer done()
	t, err := s.ingestTarget(ctx, v, in, stream)
	if err != nil {
		return Update{}, err
	}
	again := func(ctx context.Context) (*target, error) {
		now, err := s.refresh(ctx, v)
		if err != nil {
			return nil, err
		}
		return s.ingestTarget(ctx, now, in, stream)
	}
	return s.append(ctx, t, appendRequest{stream: stream, token: in.Token, options: in.Options, againFunc: again})
}

// ingestTarget resolves the table of an ingest in a view.
func (s *Service) ingestTarget(ctx context.Context, v *view, in Ingest, stream array.RecordReader) (_ *target, err error) {
	object := sqltext.ObjectName{Schema: in.Schema, Name: in.Table}
	if v, err = v.placeOf(object, in.Temporary); err != nil {
		return nil, err
	}
	state, err := v.tables()
	if err != nil {
		return nil, err
	}
	name := v.scope.schema(in.Schema)
	if v.into != nil {
		name = temporarySchema
	}
	schema, ok := state.Schema(name)
	if !ok {
		return nil, lake.SchemaNotFound(state, name)
	}
	if in.Table == "" {
		return nil, lake.Errorf(lake.KindInvalid, "the name of the table is empty")
	}
	table, exists := state.Table(schema.Name, in.Table)
	t := &target{view: v, schema: schema, name: in.Table}
	switch {
	case !exists && in.IfMissing == MissingFails:
		return nil, lake.TableNotFound(state, schema.Name, in.Table)
	case exists && in.IfExists == ExistsFails:
		return nil, lake.Errorf(lake.KindExists, "table %s.%s already exists", schema.Name, table.Name)
	case exists && in.IfExists == ExistsAppend:
		t.appendTo(table)
		if err := v.mayChange(auth.Insert, table); err != nil {
			return nil, err
		}
		if t.columns, err = s.fixDefaults(ctx, t.columns, stream.Schema()); err != nil {
			return nil, err
		}
		return t, writer.CheckFit(t.columns, stream.Schema())
	}
	columns, err := lake.ColumnsFromArrow(stream.Schema())
	if err != nil {
		return nil, err
	}
	t.create(columns)
	if exists {
		t.table, t.replace = table, true
	}
	return t, v.mayCreate(schema, t.table)
}

func (t *target) appendTo(table *lake.Table) {
	t.table, t.name = table, table.Name
	t.columns, t.spec, t.path = table.Columns, table.Partition, table.Path
}

func (t *target) create(columns []lake.Column) {
	t.columns, _ = lake.AssignFieldIDs(columns)
	t.path = t.schema.Path + tableFolder(t.name)
}

// tableFolder returns the folder of a new table's files: its name where that is
// a plain word, otherwise an opaque one, the same for the same name, so that
// writers which create a table at the same time write to one folder. Paths are
// never parsed back.
func tableFolder(name string) string {
	if plain, err := regexp.MatchString(`^[A-Za-z0-9_-]{1,100}$`, name); err == nil && plain {
		return name + "/"
	}
	hash := sha256.Sum256([]byte(name))
	return hex.EncodeToString(hash[:16]) + "/"
}

// appendRequest is what an append publishes to its target.
type appendRequest struct {
	stream  array.RecordReader
	token   string
	options map[string]string
	// againFunc resolves the target anew after a conflict; nil means that the stream
	// has to be made anew too, which the caller does.
	againFunc func(context.Context) (*target, error)
	// base is the snapshot that the stream was read from, if that makes a difference
	// to what is replaced.
	base *lake.SnapshotID
}

// append writes the stream and publishes it. Objects of an append that is
// surely not published are removed before it returns.
func (s *Service) append(ctx context.Context, t *target, r appendRequest) (Update, error) {
	options, err := t.writeOptions(r.options)
	if err != nil {
		return Update{}, err
	}
	files, err := s.write(ctx, t, writer.Spec{Columns: t.columns, Partition: t.spec, KeyPrefix: t.path, Options: options}, counted(ctx, r.stream))
	if err != nil {
		return Update{}, err
	}
	if len(files) == 0 && !t.creates() && r.token == "" {
		return t.view.unchanged(), nil
	}
	published, err := s.publish(ctx, t, r, files)
	if published.Replayed || (err != nil && !errors.Is(err, lake.ErrIndeterminate)) {
		s.unwrite(ctx, t, files)
	}
	if err != nil {
		return Update{}, err
	}
	return Update{Rows: published.Rows, Snapshot: published.Snapshot.ID, Replayed: published.Replayed}, nil
}

// write writes the rows of a stream to files that are in no table yet. If it
// fails, there are none.
func (s *Service) write(ctx context.Context, t *target, spec writer.Spec, stream array.RecordReader) ([]lake.DataFile, error) {
	if t.view.into != nil {
		return s.writeTemporary(ctx, t.view.into, spec, stream)
	}
	result, err := s.writer.Write(ctx, spec, stream)
	s.unstageLater(ctx, result.Gone)
	if err != nil {
		s.discardLater(ctx, result.Left)
	}
	return result.Files, err
}

// unwrite removes files that write has written and no table has.
func (s *Service) unwrite(ctx context.Context, t *target, files []lake.DataFile) {
	if t.view.into != nil {
		t.view.into.deleteTemporary(paths(files))
		return
	}
	s.discardLater(ctx, paths(files))
}

// writeOptions merges the options of the lake, the schema, the table and the call, the
// later overriding the earlier.
func (t *target) writeOptions(call map[string]string) (writer.Options, error) {
	merged := make(map[string]string)
	layers := []map[string]string{t.view.state.Options, nil, nil, call}
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

// publish commits files to the target. If a concurrent Commit changed the
// table, the target is resolved again; the files still fit if its columns and
// partitioning are the same.
func (s *Service) publish(ctx context.Context, t *target, r appendRequest, files []lake.DataFile) (catalog.Result, error) {
	for attempt := 1; ; attempt++ {
		result, err := s.change(ctx, t.view, catalog.Commit{Token: r.token, Base: r.base, Operations: t.operations(files)})
		retry := errors.Is(err, lake.ErrConflict) || t.creates() && (errors.Is(err, lake.ErrExists) || errors.Is(err, lake.ErrNotFound))
		if !retry || r.againFunc == nil || attempt == appendAttempts {
			return result, err
		}
		now, againErr := r.againFunc(ctx)
		if againErr != nil {
			return catalog.Result{}, againErr
		}
		if !sameShape(t, now) {
			return catalog.Result{}, err
		}
		t = now
	}
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

func paths(files []lake.DataFile) []string {
	out := make([]string, len(files))
	for i := range files {
		out[i] = files[i].Path
	}
	return out
}

// unstageLater forgets staged keys that hold no object. What fails stays
// staged, which is harmless.
func (s *Service) unstageLater(ctx context.Context, keys []string) {
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := s.Catalog.Unstage(ctx, keys); err != nil {
		s.Log.WarnContext(ctx, "unused keys stay staged", slog.String("error", err.Error()))
	}
}

// discardLater removes objects even if the statement's context has ended. What
// fails is left staged, and removed by the next Recover.
func (s *Service) discardLater(ctx context.Context, paths []string) {
	if len(paths) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := s.discard(ctx, paths); err != nil {
		s.Log.WarnContext(ctx, "files of a failed append stay staged", slog.String("error", err.Error()))
	}
}

// ownToken returns an append token as the catalog keeps it. The tokens of a user are
// theirs alone: else whoever may append to some table could use up the tokens of others,
// whose appends would then be taken for done.
func (c *Caller) ownToken(token string) string {
	if token == "" || c.Identity == nil {
		return token
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %s", c.Identity.User, token))
	return "user:" + hex.EncodeToString(sum[:])
}

// replayed answers an append whose token has been committed before.
func (s *Service) replayed(ctx context.Context, token string) (Update, bool, error) {
	if token == "" {
		return Update{}, false, nil
	}
	result, err := s.Catalog.Outcome(ctx, token)
	if errors.Is(err, lake.ErrNotFound) {
		return Update{}, false, nil
	}
	if err != nil {
		return Update{}, false, err
	}
	return Update{Rows: result.Rows, Snapshot: result.Snapshot.ID, Replayed: true}, true, nil
}

// sameShape reports whether files written for a fit b too: the folder, the
// columns that reach the file and the partitioning are the same.
func sameShape(a, b *target) bool {
	if a.path != b.path || len(a.columns) != len(b.columns) || (a.spec == nil) != (b.spec == nil) {
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

func sameColumn(a, b *lake.Column) bool {
	if a.ID != b.ID || a.Type != b.Type || a.Nullable != b.Nullable || len(a.Children) != len(b.Children) {
		return false
	}
	for i := range a.Children {
		if !sameColumn(&a.Children[i], &b.Children[i]) {
			return false
		}
	}
	return true
}

package lakefn

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Catalog is what the functions read of a catalog.
type Catalog interface {
	Snapshots(ctx context.Context) ([]lake.Snapshot, error)
	Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (catalog.Files, error)
}

// Components are the parts that the functions show. All but Policy are required.
type Components struct {
	Catalog    Catalog
	Bucket     objstore.Bucket
	Views      *view.Views
	Queries    *query.Processor
	Sessions   *session.Registry
	Statements *workload.Registry
	Policy     *auth.Policy
}

// Functions finds the lake's functions. Safe for concurrent use.
type Functions struct {
	Components
	byName map[string]query.Function
}

var _ query.Functions = (*Functions)(nil)

// New returns the functions over their parts.
func New(c Components) *Functions {
	s := &Functions{Components: c}
	s.byName = map[string]query.Function{
		"snapshots": {CallFunc: s.snapshots}, "current_snapshot": {CallFunc: s.currentSnapshot},
		"table_info": {CallFunc: s.tableInfo}, "options": {CallFunc: s.options},
		"snapshot_files": {CallFunc: s.snapshotFiles}, "list_files": {CallFunc: s.listFiles},
		"row_groups": {CallFunc: s.rowGroups}, "scan_plan": {CallFunc: s.scanPlan}, "settings": {CallFunc: s.settings},
		"statements": {CallFunc: s.statements, Watches: true}, "sessions": {CallFunc: s.sessions, Watches: true},
	}
	return s
}

// Function implements query.Functions.
func (s *Functions) Function(schema, name string) (query.Function, bool) {
	lower := strings.ToLower(name)
	if strings.EqualFold(schema, lake.CatalogName) {
		f, ok := s.byName[lower]
		return f, ok
	}
	long, ok := strings.CutPrefix(lower, "ducklake_")
	if !ok || schema != "" {
		return query.Function{}, false
	}
	f, ok := s.byName[long]
	f.CallFunc = dropCatalogArgument(f.CallFunc)
	return f, ok
}

type callFunc = func(ctx context.Context, c query.Call) (*query.Rowset, error)

// dropCatalogArgument checks and removes the first argument of DuckLake's long names.
func dropCatalogArgument(call callFunc) callFunc {
	return func(ctx context.Context, c query.Call) (*query.Rowset, error) {
		name, err := query.Constants(c.Name, c.Args).Text()
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(name, lake.CatalogName) {
			return nil, lake.Errorf(lake.KindNotFound, "%s: catalog %q does not exist; the catalog is %q", c.Name, name, lake.CatalogName)
		}
		for i := range c.Args {
			if c.Args[i].Name == "" {
				c.Args = append(c.Args[:i:i], c.Args[i+1:]...)
				break
			}
		}
		return call(ctx, c)
	}
}

// none checks that a call has no arguments.
func none(c query.Call) error { return query.Constants(c.Name, c.Args).AtMost(0) }

// rows makes the rows of a Rowset of a function that calls yield for each, until that
// returns false or an error ends them.
func rows(each func(ctx context.Context, yield func(row ...any) bool) error) func(context.Context) iter.Seq2[[]any, error] {
	return func(ctx context.Context) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			more := true
			err := each(ctx, func(row ...any) bool {
				more = more && yield(row, nil)
				return more
			})
			if err != nil && more {
				yield(nil, err)
			}
		}
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// location returns where other programs find an object: a file of this
// machine, or its key.
func (s *Functions) location(path string, absolute bool) string {
	if local := s.Bucket.Capabilities().LocalPathFunc; local != nil && !absolute {
		return local(path)
	}
	return path
}

// version moves the view of a call to another snapshot, and pins it.
func (s *Functions) version(ctx context.Context, run *workload.Statement, v *view.View, version int64) (*view.View, error) {
	id := lake.SnapshotID(version)
	past, err := s.Views.At(ctx, v, catalog.Selector{ID: &id})
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	run.Pin(past.Snapshot)
	return past, nil
}

// tablesOf yields the tables of a view of which the caller may see files.
func tablesOf(v *view.View) iter.Seq[*lake.Table] {
	return func(yield func(*lake.Table) bool) {
		for i := range v.State.Schemas {
			for j := range v.State.Schemas[i].Tables {
				if t := &v.State.Schemas[i].Tables[j]; v.MayInspect(t) == nil && !yield(t) {
					return
				}
			}
		}
	}
}

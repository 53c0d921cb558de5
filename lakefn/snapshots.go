package lakefn

import (
	"context"
	"maps"
	"slices"

	"github.com/flightlake/flightlake/change"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/query"
)

func (s *Functions) snapshots(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	v := c.View
	return &query.Rowset{Columns: []lake.Column{
		query.Column("snapshot_id", lake.TypeInt64), query.Column("snapshot_time", lake.TypeTimestampTZ),
		query.Column("schema_version", lake.TypeInt64),
		query.Column("changes", lake.TypeMap, lake.Column{Name: lake.KeyName, Type: lake.Type{ID: lake.TypeVarchar}},
			query.Column(lake.ValueName, lake.TypeList, query.Column(lake.ElementName, lake.TypeVarchar))),
		query.Column("author", lake.TypeVarchar), query.Column("commit_message", lake.TypeVarchar),
		query.Column("commit_extra_info", lake.TypeVarchar),
	}, Rows: rows(func(ctx context.Context, yield func(...any) bool) error {
		all, err := s.Catalog.Snapshots(ctx)
		if err != nil {
			return err
		}
		for i := range all {
			sn := &all[i]
			if sn.ID > v.Snapshot {
				break
			}
			row := []any{int64(sn.ID), sn.Time, sn.SchemaVersion, nil, nil, nil, nil}
			if v.Access.Unrestricted() { // what changed tells about tables that others must not see
				row[3], row[4], row[5] = changeMap(sn.Changes), orNull(sn.Author), orNull(sn.Message)
			}
			if !yield(row...) {
				break
			}
		}
		return nil
	})}, nil
}

func (s *Functions) currentSnapshot(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	return &query.Rowset{
		Columns: []lake.Column{query.Column("id", lake.TypeInt64)},
		Rows:    query.Fixed([]any{int64(c.View.Snapshot)}),
	}, nil
}

func (s *Functions) options(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	v := c.View
	return &query.Rowset{Columns: []lake.Column{
		query.Column("option_name", lake.TypeVarchar), query.Column("description", lake.TypeVarchar),
		query.Column("value", lake.TypeVarchar), query.Column("scope", lake.TypeVarchar), query.Column("scope_entry", lake.TypeVarchar),
	}, Rows: rows(func(_ context.Context, yield func(...any) bool) error {
		add := func(options map[string]string, scope string, entry any) bool {
			for _, name := range slices.Sorted(maps.Keys(options)) {
				if name == "data_path" && !v.Access.Unrestricted() {
					continue // a folder of the server
				}
				if !yield(name, orNull(change.OptionDescription(name)), options[name], scope, entry) {
					return false
				}
			}
			return true
		}
		if !add(v.State.Options, "GLOBAL", nil) {
			return nil
		}
		for i := range v.State.Schemas {
			for j := range v.State.Schemas[i].Tables {
				t := &v.State.Schemas[i].Tables[j]
				if !add(t.Options, "TABLE", t.Schema+"."+t.Name) {
					return nil
				}
			}
		}
		return nil
	})}, nil
}

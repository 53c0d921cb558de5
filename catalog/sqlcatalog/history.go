package sqlcatalog

import (
	"context"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/catalog/transition"
	"github.com/flightlake/flightlake/lake"
)

// history is what the database tells of the snapshots in it.
type history struct{ s *session }

var _ transition.History = history{}

// NameChanged implements transition.History.
func (h history) NameChanged(ctx context.Context, schema, table string) (lake.SnapshotID, error) {
	var (
		parts []string
		args  []any
	)
	for _, column := range []string{"begin_snapshot", "end_snapshot"} {
		if table == "" {
			parts = append(parts, `SELECT `+column+` AS changed FROM ducklake_schema WHERE lower(schema_name) = lower(?)`)
			args = append(args, schema)
			continue
		}
		for _, kind := range []string{"table", "view"} {
			parts = append(parts, `SELECT o.`+column+` AS changed FROM ducklake_`+kind+` o JOIN ducklake_schema s
				ON s.schema_id = o.schema_id WHERE lower(s.schema_name) = lower(?) AND lower(o.`+kind+`_name) = lower(?)`)
			args = append(args, schema, table)
		}
	}
	var at lake.SnapshotID
	_, err := h.s.one(ctx, `SELECT coalesce(max(changed), 0) FROM (`+strings.Join(parts, " UNION ALL ")+`) AS changes`, args, &at)
	return at, err
}

// FilesAdded implements transition.History.
func (h history) FilesAdded(ctx context.Context, table lake.TableID) (lake.SnapshotID, error) {
	var at lake.SnapshotID
	_, err := h.s.one(ctx, `SELECT coalesce(max(begin_snapshot), 0) FROM ducklake_data_file WHERE table_id = ?`, []any{int64(table)}, &at)
	return at, err
}

// Table implements transition.History.
func (h history) Table(ctx context.Context, table lake.TableID) (transition.Past, error) {
	var (
		schema, name string
		past         transition.Past
	)
	found, err := h.s.one(ctx, `SELECT s.schema_name, t.table_name, coalesce(t.end_snapshot, 0)
		FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id WHERE t.table_id = ?
		ORDER BY t.begin_snapshot DESC, s.begin_snapshot DESC LIMIT 1`, []any{int64(table)}, &schema, &name, &past.Ended)
	if found {
		past.Name = lake.QuoteIdent(schema) + "." + lake.QuoteIdent(name)
	}
	return past, err
}

// Outcome implements transition.History.
func (h history) Outcome(ctx context.Context, token string) (catalog.Result, bool, error) {
	return h.s.outcome(ctx, token)
}

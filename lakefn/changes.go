package lakefn

import "strings"

// changeMap groups ducklake_snapshot_changes.changes_made as DuckLake's
// snapshots() shows it: from kind of change, with the plural of DuckLake, to
// what was changed.
func changeMap(changes string) []any {
	var order []string
	values := make(map[string][]any)
	for _, change := range splitChanges(changes) {
		kind, value, _ := strings.Cut(change, ":")
		kind = changeKind(kind)
		if _, ok := values[kind]; !ok {
			order = append(order, kind)
		}
		values[kind] = append(values[kind], unquoteChange(value))
	}
	cells := make([]any, 0, 2*len(order))
	for _, kind := range order {
		cells = append(cells, kind, values[kind])
	}
	return cells
}

// changeKind returns the key under which DuckLake's snapshots() lists a change.
func changeKind(kind string) string {
	plural := map[string]string{
		"created_schema": "schemas_created", "created_table": "tables_created", "created_view": "views_created",
		"inserted_into_table": "tables_inserted_into", "deleted_from_table": "tables_deleted_from",
		"dropped_schema": "schemas_dropped", "dropped_table": "tables_dropped", "dropped_view": "views_dropped",
		"altered_table": "tables_altered", "altered_view": "views_altered",
		"inlined_insert": "inlined_insert", "inlined_delete": "inlined_delete", "compacted_table": "compacted_table",
	}
	if key, ok := plural[kind]; ok {
		return key
	}
	return kind
}

// splitChanges splits a changes_made list at the commas outside quotes.
func splitChanges(changes string) []string {
	var out []string
	start, quoted := 0, false
	for i := range len(changes) {
		switch {
		case changes[i] == '"':
			quoted = !quoted
		case changes[i] == ',' && !quoted:
			out = append(out, changes[start:i])
			start = i + 1
		}
	}
	if start < len(changes) {
		out = append(out, changes[start:])
	}
	return out
}

// unquoteChange turns "main"."t" into main.t, as DuckLake shows it.
func unquoteChange(value string) string {
	if !strings.HasPrefix(value, `"`) {
		return value
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`), `"."`)
	return strings.ReplaceAll(strings.Join(parts, "."), `""`, `"`)
}

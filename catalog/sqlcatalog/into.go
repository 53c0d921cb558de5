package sqlcatalog

import "strings"

// What rows are inserted into: a table, and the columns that a row gives, in this
// order. The others are NULL. A test compares them with the definitions.
const (
	intoOption        = `ducklake_metadata("key", "value", "scope", scope_id)`
	intoSnapshot      = `ducklake_snapshot(snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)`
	intoChanges       = `ducklake_snapshot_changes(snapshot_id, changes_made, author, commit_message, commit_extra_info)`
	intoSchema        = `ducklake_schema(schema_id, schema_uuid, begin_snapshot, schema_name, path, path_is_relative)`
	intoTable         = `ducklake_table(table_id, table_uuid, begin_snapshot, schema_id, table_name, path, path_is_relative)`
	intoTag           = `ducklake_tag(object_id, begin_snapshot, "key", "value")`
	intoColumnTag     = `ducklake_column_tag(table_id, column_id, begin_snapshot, "key", "value")`
	intoColumn        = `ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, column_type, initial_default, default_value, nulls_allowed, parent_column, default_value_type, default_value_dialect)`
	intoPartition     = `ducklake_partition_info(partition_id, table_id, begin_snapshot)`
	intoPartitionKey  = `ducklake_partition_column(partition_id, table_id, partition_key_index, column_id, "transform")`
	intoSchemaVersion = `ducklake_schema_versions(begin_snapshot, schema_version, table_id)`
	intoFile          = `ducklake_data_file(data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format, record_count, file_size_bytes, footer_size, row_id_start, partition_id, mapping_id)`
	intoFileStats     = `ducklake_file_column_stats(data_file_id, table_id, column_id, column_size_bytes, value_count, null_count, min_value, max_value, contains_nan)`
	intoFilePartition = `ducklake_file_partition_value(data_file_id, table_id, partition_key_index, partition_value)`
	intoTableStats    = `ducklake_table_stats(table_id, record_count, next_row_id, file_size_bytes)`
	intoColumnStats   = `ducklake_table_column_stats(table_id, column_id, contains_null, contains_nan, min_value, max_value)`
	intoOwnOption     = tableMetadata + `("key", "value")`
	intoAppend        = tableAppend + `(token, snapshot_id, row_count, table_ids, committed_at)`
	intoStaged        = tableStaged + `(path, token, holder, lease_until)`
	intoZoneMap       = tableZoneMap + `(data_file_id, table_id, zone_map)`
)

// splitInto returns the table of one of the constants above, and its columns
// without quotes.
func splitInto(into string) (table string, columns []string) {
	table, list, _ := strings.Cut(into, "(")
	columns = strings.Split(strings.TrimSuffix(list, ")"), ", ")
	for i := range columns {
		columns[i] = strings.Trim(columns[i], `"`)
	}
	return table, columns
}

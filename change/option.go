package change

import (
	"context"
	"strings"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/statement"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/writer"
)

// OptionDescription says what an option of lake.options() means; empty for one
// that is not known.
func OptionDescription(name string) string {
	descriptions := map[string]string{
		"data_inlining_row_limit": "rows of one insert that DuckDB may keep in the catalog; flightlake itself writes files",
		"parquet_compression":     "compression of new files: uncompressed, snappy, gzip, zstd, brotli, lz4_raw",
		"compression":             "the same as parquet_compression",
		"parquet_row_group_size":  "rows of a row group in new files",
		"row_group_rows":          "the same as parquet_row_group_size",
		"target_file_size":        "bytes at which a new file is closed and the next begun",
		"version":                 "version of the DuckLake format",
		"created_by":              "program that created the lake",
		"data_path":               "where the files of the lake are",
		"encrypted":               "whether files are encrypted",
	}
	return descriptions[name]
}

// setOption runs CALL lake.set_option(name, value, [schema =>], [table_name =>]).
func (s *Executor) setOption(ctx context.Context, v *view.View, st *sqltext.Statement) (statement.Update, error) {
	call := st.Call
	a := query.Constants(call.Name.String(), call.Args)
	if strings.EqualFold(call.Name.Name, "ducklake_set_option") {
		if name, err := a.Text(); err != nil || !strings.EqualFold(name, lake.CatalogName) {
			return statement.Update{}, lake.Errorf(lake.KindInvalid, "%s: the first argument is the catalog, %q", a.Name, lake.CatalogName)
		}
		a.Positional = a.Positional[1:]
	} else if !strings.EqualFold(call.Name.Schema, lake.CatalogName) {
		return statement.Update{}, lake.Errorf(lake.KindNotFound, "function %s does not exist; did you mean lake.set_option?", a.Name)
	}
	if err := a.AtMost(2, "schema", "table_name"); err != nil {
		return statement.Update{}, err
	}
	if len(a.Positional) != 2 || !a.Positional[1].Constant {
		return statement.Update{}, lake.Errorf(lake.KindInvalid, "%s takes the name of an option and a constant value", a.Name)
	}
	name, err := a.Text()
	if err != nil {
		return statement.Update{}, err
	}
	set := catalog.SetOption{
		Schema: a.Named["schema"].Value, Table: a.Named["table_name"].Value,
		Name: strings.ToLower(name), Value: a.Positional[1].Value,
	}
	if set.Table != "" && set.Schema == "" {
		set.Schema = lake.DefaultSchema
	}
	if err := checkOption(set.Name, set.Value); err != nil {
		return statement.Update{}, err
	}
	if err := v.MayConfigure(set); err != nil {
		return statement.Update{}, err
	}
	return s.commit(ctx, v, set)
}

// checkOption refuses what no program would understand.
func checkOption(name, value string) error {
	if err := catalog.CheckOption(name); err != nil {
		return err
	}
	if OptionDescription(name) == "" {
		return lake.Errorf(lake.KindUnsupported, "option %q is not supported; lake.options() lists those that are", name)
	}
	_, err := writer.ParseOptions(map[string]string{name: value})
	return err
}

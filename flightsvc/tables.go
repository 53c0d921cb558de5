package flightsvc

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/statement"
)

// The table types, as GetTables spells them.
const (
	typeTable     = "TABLE"
	typeView      = "VIEW"
	typeTemporary = "LOCAL TEMPORARY"
)

// GetFlightInfoTables describes DoGetTables.
func (s *metadataServer) GetFlightInfoTables(_ context.Context, cmd flightsql.GetTables, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, tablesSchema(cmd))
}

func tablesSchema(cmd flightsql.GetTables) *arrow.Schema {
	if cmd.GetIncludeSchema() {
		return schema_ref.TablesWithIncludedSchema
	}
	return schema_ref.Tables
}

// tablesBatchBytes is how much of names and schemas a batch of a listing holds.
// Clients refuse messages of more than 16 MiB, which the schemas of some thousand
// tables exceed.
const tablesBatchBytes = 4 << 20

// DoGetTables lists the tables and views that pass the filters, in the order of
// relation.compare. ADBC's GetTableSchema reads the first batch only: a listing
// is one batch unless it is too large for that, and begins with what was named.
func (s *metadataServer) DoGetTables(ctx context.Context, cmd flightsql.GetTables) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	spaces, err := s.namespaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	found := relations(spaces, cmd, currentSchema(ctx))
	b := array.NewRecordBuilder(s.mem, tablesSchema(cmd))
	defer b.Release()
	var batches []arrow.RecordBatch
	size := 0
	for i := range found {
		n, err := s.appendRelation(ctx, b, &found[i], cmd.GetIncludeSchema())
		if err != nil {
			for _, rec := range batches {
				rec.Release()
			}
			return nil, nil, err
		}
		if size += n; size >= tablesBatchBytes && i+1 < len(found) {
			batches, size = append(batches, b.NewRecordBatch()), 0
		}
	}
	batches = append(batches, b.NewRecordBatch())
	ch := make(chan flight.StreamChunk, len(batches))
	for _, rec := range batches {
		ch <- flight.StreamChunk{Data: rec}
	}
	close(ch)
	return b.Schema(), ch, nil
}

// appendRelation adds a row for r and returns about how many bytes it has.
func (s *metadataServer) appendRelation(ctx context.Context, b *array.RecordBuilder, r *relation, withSchema bool) (int, error) {
	size := 0
	for i, name := range []string{r.catalog, r.schema, r.name, r.kind} {
		text(b, i).Append(name)
		size += len(name)
	}
	if !withSchema {
		return size, nil
	}
	schema, err := s.relationSchema(ctx, r)
	if err != nil {
		return 0, err
	}
	raw := flight.SerializeSchema(schema, s.mem)
	b.Field(4).(*array.BinaryBuilder).Append(raw)
	return size + len(raw), nil
}

// relation is a table or a view in a listing.
type relation struct {
	catalog, schema, name, kind string
	table                       *lake.Table // nil for a view
	rank                        int         // see rankOf
}

// relations returns the tables and views of spaces that pass the filters of cmd.
func relations(spaces []namespace, cmd flightsql.GetTables, current string) []relation {
	var out []relation
	pattern := cmd.GetTableNameFilterPattern()
	for i := range spaces {
		n := &spaces[i]
		if !nameIs(cmd.GetCatalog(), n.catalog) || !nameMatches(cmd.GetDBSchemaFilterPattern(), n.schema) {
			continue
		}
		add := func(name, kind string, table *lake.Table) {
			if tableMatches(pattern, name) && typeWanted(cmd.GetTableTypes(), kind) {
				out = append(out, relation{
					catalog: n.catalog, schema: n.schema, name: name, kind: kind, table: table,
					rank: rankOf(n, name, pattern, current),
				})
			}
		}
		kind := typeTable
		if n.catalog == lake.TemporarySchema {
			kind = typeTemporary
		}
		for j := range n.tables {
			add(n.tables[j].Name, kind, &n.tables[j])
		}
		for j := range n.views {
			add(n.views[j].Name, typeView, nil)
		}
	}
	slices.SortStableFunc(out, relation.compare)
	return out
}

// The ranks of relations in a listing, the first first.
const (
	rankFound  = iota // SQL finds it under the name that was asked for
	rankNamed         // it has that name
	rankListed        // it matches a pattern
)

// rankOf tells where to list a table of the given name. ADBC's GetTableSchema
// sends a bare name as a pattern and takes the first row with that name, which
// must be the table that SQL would find: a temporary one, then that of the
// current schema.
func rankOf(n *namespace, name string, pattern *string, current string) int {
	switch {
	case pattern == nil || !strings.EqualFold(name, *pattern) && !strings.EqualFold(name, unescaped(*pattern)):
		return rankListed
	case n.catalog == lake.TemporarySchema || strings.EqualFold(n.schema, current):
		return rankFound
	}
	return rankNamed
}

// compare orders relations by rank, temporary ones first among those that SQL
// finds, and then as FlightSql.proto asks for.
func (r relation) compare(o relation) int {
	if c := cmp.Compare(r.rank, o.rank); c != 0 {
		return c
	}
	if c := strings.Compare(r.catalog, o.catalog); c != 0 {
		if r.rank == rankFound {
			return -c // "temp" before "lake"
		}
		return c
	}
	return cmp.Or(strings.Compare(r.schema, o.schema), strings.Compare(r.name, o.name), strings.Compare(r.kind, o.kind))
}

// relationSchema returns the schema of a table or view. A view that does not
// bind any more has no columns: it must not make the listing fail.
func (s *metadataServer) relationSchema(ctx context.Context, r *relation) (*arrow.Schema, error) {
	if r.table != nil {
		return tableSchema(r), nil
	}
	d, err := s.statements.Describe(ctx, statement.Statement{
		SQL:    "SELECT * FROM " + lake.QuoteIdent(r.catalog) + "." + lake.QuoteIdent(r.schema) + "." + lake.QuoteIdent(r.name),
		Caller: metadataCaller(ctx),
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return arrow.NewSchema(nil, nil), nil
	}
	return viewSchema(r, d.Result), nil
}

// typeWanted reports whether a list of table types holds kind; an empty list
// means all. Some drivers leave spaces in.
func typeWanted(types []string, kind string) bool {
	for _, t := range types {
		if strings.EqualFold(strings.TrimSpace(t), kind) {
			return true
		}
	}
	return len(types) == 0
}

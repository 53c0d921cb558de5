package flightsvc

import (
	"context"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// The table types, as GetTables spells them.
const (
	typeTable = "TABLE"
	typeView  = "VIEW"
)

// metadataInfo answers a metadata command: its ticket is the command itself.
func (s *Server) metadataInfo(desc *flight.FlightDescriptor, schema *arrow.Schema) (*flight.FlightInfo, error) {
	return &flight.FlightInfo{
		Schema:           flight.SerializeSchema(schema, s.mem),
		FlightDescriptor: desc,
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: desc.GetCmd()}}},
		TotalRecords:     lake.Unknown,
		TotalBytes:       lake.Unknown,
		Ordered:          true,
	}, nil
}

// GetFlightInfoCatalogs describes DoGetCatalogs.
func (s *Server) GetFlightInfoCatalogs(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.Catalogs)
}

// DoGetCatalogs lists the one catalog.
func (s *Server) DoGetCatalogs(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema_ref.Catalogs)
	defer b.Release()
	text(b, 0).Append(catalogName)
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoSchemas describes DoGetDBSchemas.
func (s *Server) GetFlightInfoSchemas(_ context.Context, _ flightsql.GetDBSchemas, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.DBSchemas)
}

// DoGetDBSchemas lists the schemas that pass the filters, by name.
func (s *Server) DoGetDBSchemas(ctx context.Context, cmd flightsql.GetDBSchemas) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	state, err := s.state(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, schema_ref.DBSchemas)
	defer b.Release()
	for i := range state.Schemas {
		name := state.Schemas[i].Name
		if catalogMatches(cmd.GetCatalog()) && nameMatches(cmd.GetDBSchemaFilterPattern(), name) {
			text(b, 0).Append(catalogName)
			text(b, 1).Append(name)
		}
	}
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoTableTypes describes DoGetTableTypes.
func (s *Server) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.TableTypes)
}

// DoGetTableTypes lists the table types.
func (s *Server) DoGetTableTypes(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema_ref.TableTypes)
	defer b.Release()
	text(b, 0).AppendValues([]string{typeTable, typeView}, nil)
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoTables describes DoGetTables.
func (s *Server) GetFlightInfoTables(_ context.Context, cmd flightsql.GetTables, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, tablesSchema(cmd))
}

func tablesSchema(cmd flightsql.GetTables) *arrow.Schema {
	if cmd.GetIncludeSchema() {
		return schema_ref.TablesWithIncludedSchema
	}
	return schema_ref.Tables
}

// DoGetTables lists the tables and views that pass the filters, by schema, name
// and type, in one batch: ADBC's GetTableSchema reads no other.
func (s *Server) DoGetTables(ctx context.Context, cmd flightsql.GetTables) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	state, err := s.state(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, tablesSchema(cmd))
	defer b.Release()
	for _, r := range s.relations(ctx, state, cmd) {
		text(b, 0).Append(catalogName)
		text(b, 1).Append(r.schema)
		text(b, 2).Append(r.name)
		text(b, 3).Append(r.kind)
		if cmd.GetIncludeSchema() {
			schema, err := s.relationSchema(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			b.Field(4).(*array.BinaryBuilder).Append(flight.SerializeSchema(schema, s.mem))
		}
	}
	return chunks(b.NewRecordBatch())
}

// relation is a table or a view in a listing.
type relation struct {
	schema, name, kind string
	table              *lake.Table // nil for a view
}

func (s *Server) relations(ctx context.Context, state *lake.State, cmd flightsql.GetTables) []relation {
	if !catalogMatches(cmd.GetCatalog()) {
		return nil
	}
	var out []relation
	add := func(r relation) {
		if nameMatches(cmd.GetTableNameFilterPattern(), r.name) && typeWanted(cmd.GetTableTypes(), r.kind) {
			out = append(out, r)
		}
	}
	for i := range state.Schemas {
		sc := &state.Schemas[i]
		if !nameMatches(cmd.GetDBSchemaFilterPattern(), sc.Name) {
			continue
		}
		for j := range sc.Tables {
			add(relation{schema: sc.Name, name: sc.Tables[j].Name, kind: typeTable, table: &sc.Tables[j]})
		}
		for j := range sc.Views {
			add(relation{schema: sc.Name, name: sc.Views[j].Name, kind: typeView})
		}
	}
	current := ""
	if oneName(cmd) {
		current = currentSchema(ctx)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].before(&out[j], current) })
	return out
}

// before orders relations as FlightSql.proto asks for, except that those of the
// schema current come first.
func (r *relation) before(o *relation, current string) bool {
	if a, b := strings.EqualFold(r.schema, current), strings.EqualFold(o.schema, current); a != b {
		return a
	}
	if r.schema != o.schema {
		return r.schema < o.schema
	}
	if r.name != o.name {
		return r.name < o.name
	}
	return r.kind < o.kind
}

// oneName reports whether the command asks for a table by its name alone, as
// ADBC's GetTableSchema does: the client takes the first row with that name,
// which must then be the one that SQL would find.
func oneName(cmd flightsql.GetTables) bool {
	p := cmd.GetTableNameFilterPattern()
	return p != nil && !strings.Contains(*p, "%") && cmd.GetDBSchemaFilterPattern() == nil
}

// relationSchema returns the schema of a table or view. A view that does not
// bind any more has no columns: it must not make the listing fail.
func (s *Server) relationSchema(ctx context.Context, r relation) (*arrow.Schema, error) {
	if r.table != nil {
		return tableSchema(r.schema, r.table), nil
	}
	d, err := s.backend.Describe(ctx, session.Statement{
		SQL: "SELECT * FROM " + lake.QuoteIdent(r.schema) + "." + lake.QuoteIdent(r.name),
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return arrow.NewSchema(nil, nil), nil
	}
	return viewSchema(r.schema, r.name, d.Result), nil
}

// state returns the latest schemas and tables and announces their snapshot.
func (s *Server) state(ctx context.Context) (*lake.State, error) {
	seen, err := s.backend.State(ctx, session.Caller{})
	if err != nil {
		return nil, err
	}
	announceSnapshot(ctx, seen.Snapshot)
	return seen.State, nil
}

// catalogMatches reports whether a catalog filter lets the one catalog pass: nil
// does, and the empty text asks for objects without a catalog.
func catalogMatches(filter *string) bool {
	return filter == nil || strings.EqualFold(*filter, catalogName)
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

// none answers a command that has no rows here.
func (s *Server) none(schema *arrow.Schema) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema)
	defer b.Release()
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoPrimaryKeys describes DoGetPrimaryKeys.
func (s *Server) GetFlightInfoPrimaryKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.PrimaryKeys)
}

// DoGetPrimaryKeys lists nothing: the lake has no keys.
func (s *Server) DoGetPrimaryKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.PrimaryKeys)
}

// GetFlightInfoExportedKeys describes DoGetExportedKeys.
func (s *Server) GetFlightInfoExportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ExportedKeys)
}

// DoGetExportedKeys lists nothing: the lake has no keys.
func (s *Server) DoGetExportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.ExportedKeys)
}

// GetFlightInfoImportedKeys describes DoGetImportedKeys.
func (s *Server) GetFlightInfoImportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ImportedKeys)
}

// DoGetImportedKeys lists nothing: the lake has no keys.
func (s *Server) DoGetImportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.ImportedKeys)
}

// GetFlightInfoCrossReference describes DoGetCrossReference.
func (s *Server) GetFlightInfoCrossReference(_ context.Context, _ flightsql.CrossTableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.CrossReference)
}

// DoGetCrossReference lists nothing: the lake has no keys.
func (s *Server) DoGetCrossReference(context.Context, flightsql.CrossTableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.CrossReference)
}

// text returns the builder of a text column.
func text(b *array.RecordBuilder, i int) *array.StringBuilder {
	return b.Field(i).(*array.StringBuilder)
}

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
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// metadataServer answers the commands that describe the lake and the server.
type metadataServer struct {
	statements Statements
	info       []sqlInfo
	mem        memory.Allocator
}

// metadataInfo answers a metadata command: its ticket is the command itself.
func (s *metadataServer) metadataInfo(desc *flight.FlightDescriptor, schema *arrow.Schema) (*flight.FlightInfo, error) {
	return &flight.FlightInfo{
		Schema:           flight.SerializeSchema(schema, s.mem),
		FlightDescriptor: desc,
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: desc.GetCmd()}}},
		TotalRecords:     lake.Unknown,
		TotalBytes:       lake.Unknown,
		Ordered:          true,
	}, nil
}

// namespace is a schema with the catalog that it is in.
type namespace struct {
	catalog, schema string
	tables          []lake.Table
	views           []lake.View
}

// namespaces returns the schemas that the caller sees, by catalog and name, and
// announces their snapshot. That of the temporary tables is among them only if
// there are some: browsers would show it to everybody.
func (s *metadataServer) namespaces(ctx context.Context) ([]namespace, error) {
	seen, err := s.statements.State(ctx, metadataCaller(ctx))
	if err != nil {
		return nil, err
	}
	announceSnapshot(ctx, seen.Snapshot)
	out := make([]namespace, 0, len(seen.State.Schemas)+1)
	for i := range seen.State.Schemas {
		sc := &seen.State.Schemas[i]
		out = append(out, namespace{catalog: lake.CatalogName, schema: sc.Name, tables: sc.Tables, views: sc.Views})
	}
	if len(seen.Temporary) > 0 {
		out = append(out, namespace{catalog: lake.TemporarySchema, schema: lake.DefaultSchema, tables: seen.Temporary})
	}
	slices.SortStableFunc(out, func(a, b namespace) int {
		return cmp.Or(strings.Compare(a.catalog, b.catalog), strings.Compare(a.schema, b.schema))
	})
	return out, nil
}

// GetFlightInfoCatalogs describes DoGetCatalogs.
func (s *metadataServer) GetFlightInfoCatalogs(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.Catalogs)
}

// DoGetCatalogs lists the catalog of the lake, and that of temporary tables if
// there are some.
func (s *metadataServer) DoGetCatalogs(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	spaces, err := s.namespaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, schema_ref.Catalogs)
	defer b.Release()
	text(b, 0).Append(lake.CatalogName) // also if nothing in it may be seen
	if slices.ContainsFunc(spaces, func(n namespace) bool { return n.catalog == lake.TemporarySchema }) {
		text(b, 0).Append(lake.TemporarySchema)
	}
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoSchemas describes DoGetDBSchemas.
func (s *metadataServer) GetFlightInfoSchemas(_ context.Context, _ flightsql.GetDBSchemas, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.DBSchemas)
}

// DoGetDBSchemas lists the schemas that pass the filters, by catalog and name.
func (s *metadataServer) DoGetDBSchemas(ctx context.Context, cmd flightsql.GetDBSchemas) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	spaces, err := s.namespaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, schema_ref.DBSchemas)
	defer b.Release()
	for i := range spaces {
		n := &spaces[i]
		if nameIs(cmd.GetCatalog(), n.catalog) && nameMatches(cmd.GetDBSchemaFilterPattern(), n.schema) {
			text(b, 0).Append(n.catalog)
			text(b, 1).Append(n.schema)
		}
	}
	return chunks(b.NewRecordBatch())
}

// GetFlightInfoTableTypes describes DoGetTableTypes.
func (s *metadataServer) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.TableTypes)
}

// DoGetTableTypes lists the table types, by name.
func (s *metadataServer) DoGetTableTypes(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema_ref.TableTypes)
	defer b.Release()
	text(b, 0).AppendValues([]string{typeTemporary, typeTable, typeView}, nil)
	return chunks(b.NewRecordBatch())
}

// text returns the builder of a text column.
func text(b *array.RecordBuilder, i int) *array.StringBuilder {
	return b.Field(i).(*array.StringBuilder)
}

// metadataCaller returns on whose behalf a metadata call runs.
func metadataCaller(ctx context.Context) session.Caller { return callOf(ctx).caller() }

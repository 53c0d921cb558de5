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
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/flightlake/flightlake/lake"
)

// The columns of schema_ref.ImportedKeys and its like.
const (
	keyPKCatalog = iota
	keyPKSchema
	keyPKTable
	keyPKColumn
	keyFKCatalog
	keyFKSchema
	keyFKTable
	keyFKColumn
	keySequence
	keyFKName
	keyPKName
	keyUpdateRule
	keyDeleteRule
)

// located is a table with the place it is in.
type located struct {
	catalog, schema string
	table           *lake.Table
}

// is reports whether ref means t. Names of keys are no patterns.
func (t *located) is(ref *flightsql.TableRef) bool {
	return nameIs(ref.Catalog, t.catalog) && nameIs(ref.DBSchema, t.schema) && strings.EqualFold(ref.Table, t.table.Name)
}

// compare orders tables by catalog, schema and name.
func (t *located) compare(o *located) int {
	return cmp.Or(strings.Compare(t.catalog, o.catalog), strings.Compare(t.schema, o.schema), strings.Compare(t.table.Name, o.table.Name))
}

// locate returns the tables of spaces.
func locate(spaces []namespace) []located {
	var out []located
	for i := range spaces {
		for j := range spaces[i].tables {
			out = append(out, located{catalog: spaces[i].catalog, schema: spaces[i].schema, table: &spaces[i].tables[j]})
		}
	}
	return out
}

// GetFlightInfoPrimaryKeys describes DoGetPrimaryKeys.
func (s *metadataServer) GetFlightInfoPrimaryKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.PrimaryKeys)
}

// DoGetPrimaryKeys lists the columns of the declared primary key. A table that
// does not exist has none: browsers ask again what they have listed before.
func (s *metadataServer) DoGetPrimaryKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	spaces, err := s.namespaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, schema_ref.PrimaryKeys)
	defer b.Release()
	tables := locate(spaces)
	for i := range tables {
		t := &tables[i]
		if !t.is(&ref) {
			continue
		}
		for j, column := range t.table.PrimaryKey {
			text(b, 0).Append(t.catalog)
			text(b, 1).Append(t.schema)
			text(b, 2).Append(t.table.Name)
			text(b, 3).Append(column)
			number(b, 4).Append(int32(j + 1))
			text(b, 5).Append(primaryName(t.table))
		}
	}
	return chunks(b.NewRecordBatch())
}

// reference is a foreign key with the tables at both of its ends.
type reference struct {
	from, to *located
	key      *lake.ForeignKey
}

// references returns the foreign keys between tables of spaces. One to a table
// or column that is gone, or that the caller may not see, is left out.
func references(spaces []namespace) []reference {
	tables := locate(spaces)
	var out []reference
	for i := range tables {
		from := &tables[i]
		for j := range from.table.ForeignKeys {
			key := &from.table.ForeignKeys[j]
			to := slices.IndexFunc(tables, func(t located) bool { return t.catalog == from.catalog && refersTo(key, &t) })
			if to >= 0 {
				out = append(out, reference{from: from, to: &tables[to], key: key})
			}
		}
	}
	return out
}

// refersTo reports whether key refers to columns of t.
func refersTo(key *lake.ForeignKey, t *located) bool {
	if !strings.EqualFold(key.Schema, t.schema) || !strings.EqualFold(key.Table, t.table.Name) || len(key.RefColumns) != len(key.Columns) {
		return false
	}
	for _, name := range key.RefColumns {
		if _, ok := t.table.Column(name); !ok {
			return false
		}
	}
	return true
}

// primaryName returns the name of the primary key of t, as information_schema
// makes it up: declarations of keys have no names of their own.
func primaryName(t *lake.Table) string {
	return t.Name + "_" + strings.ToLower(strings.Join(t.PrimaryKey, "_")) + "_pkey"
}

// name returns the name of the foreign key, as information_schema makes it up.
func (r *reference) name() string {
	return r.from.table.Name + "_" + strings.ToLower(strings.Join(slices.Concat(r.key.Columns, r.key.RefColumns), "_")) + "_fkey"
}

// primaryName returns the name of the primary key that r refers to, "" if it
// refers to other columns.
func (r *reference) primaryName() string {
	if !slices.EqualFunc(r.key.RefColumns, r.to.table.PrimaryKey, strings.EqualFold) {
		return ""
	}
	return primaryName(r.to.table)
}

// keys answers one of the commands that list foreign keys: those that wanted
// chooses, ordered by the table at the end that end returns.
func (s *metadataServer) keys(
	ctx context.Context, wanted func(*reference) bool, end func(*reference) (*located, string),
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	spaces, err := s.namespaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.mem, schema_ref.ImportedKeys)
	defer b.Release()
	found := references(spaces)
	slices.SortStableFunc(found, func(x, y reference) int {
		xt, xName := end(&x)
		yt, yName := end(&y)
		return cmp.Or(xt.compare(yt), strings.Compare(xName, yName))
	})
	for i := range found {
		if wanted(&found[i]) {
			found[i].append(b)
		}
	}
	return chunks(b.NewRecordBatch())
}

// append adds a row for each column of r.
func (r *reference) append(b *array.RecordBuilder) {
	for i := range r.key.Columns {
		text(b, keyPKCatalog).Append(r.to.catalog)
		text(b, keyPKSchema).Append(r.to.schema)
		text(b, keyPKTable).Append(r.to.table.Name)
		text(b, keyPKColumn).Append(r.key.RefColumns[i])
		text(b, keyFKCatalog).Append(r.from.catalog)
		text(b, keyFKSchema).Append(r.from.schema)
		text(b, keyFKTable).Append(r.from.table.Name)
		text(b, keyFKColumn).Append(r.key.Columns[i])
		number(b, keySequence).Append(int32(i + 1))
		text(b, keyFKName).Append(r.name())
		if name := r.primaryName(); name != "" {
			text(b, keyPKName).Append(name)
		} else {
			b.Field(keyPKName).AppendNull()
		}
		b.Field(keyUpdateRule).(*array.Uint8Builder).Append(uint8(pb.UpdateDeleteRules_NO_ACTION))
		b.Field(keyDeleteRule).(*array.Uint8Builder).Append(uint8(pb.UpdateDeleteRules_NO_ACTION))
	}
}

// GetFlightInfoExportedKeys describes DoGetExportedKeys.
func (s *metadataServer) GetFlightInfoExportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ExportedKeys)
}

// DoGetExportedKeys lists the foreign keys that refer to a table, by the tables
// that have them.
func (s *metadataServer) DoGetExportedKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.keys(ctx, func(r *reference) bool { return r.to.is(&ref) }, byForeign)
}

// GetFlightInfoImportedKeys describes DoGetImportedKeys.
func (s *metadataServer) GetFlightInfoImportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ImportedKeys)
}

// DoGetImportedKeys lists the foreign keys of a table, by the tables that they
// refer to.
func (s *metadataServer) DoGetImportedKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.keys(ctx, func(r *reference) bool { return r.from.is(&ref) }, byPrimary)
}

// GetFlightInfoCrossReference describes DoGetCrossReference.
func (s *metadataServer) GetFlightInfoCrossReference(_ context.Context, _ flightsql.CrossTableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.CrossReference)
}

// DoGetCrossReference lists the foreign keys of one table that refer to another.
func (s *metadataServer) DoGetCrossReference(ctx context.Context, ref flightsql.CrossTableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.keys(ctx, func(r *reference) bool { return r.to.is(&ref.PKRef) && r.from.is(&ref.FKRef) }, byPrimary)
}

func byForeign(r *reference) (*located, string) { return r.from, r.name() }

func byPrimary(r *reference) (*located, string) { return r.to, r.primaryName() }

package scanner

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/scanner/internal/flat"
)

// snapshotColumn tags the rows of files and delete files that were merged from
// several snapshots (DuckLake: partial files).
const snapshotColumn = "_ducklake_internal_snapshot_id"

// layout says where in a file the columns of a scan are.
type layout struct {
	columns  []source // as shape.columns
	snapshot *source  // the snapshot of each row, for partial files
}

// source is where a column comes from: a top-level field of the file, or its
// initial default where the file has none.
type source struct {
	column  lake.Column
	field   int // -1 if absent
	leaves  []int
	convert converter
	// physical, if set, is the integer as which a decimal is to be decoded;
	// convert widens it. Left to the Parquet reader, the 16 bytes of each
	// value would be garbage to collect.
	physical arrow.DataType
	// flat, if set, is what package flat can decode the column to, and
	// flatConvert makes the table's type of it.
	flat        arrow.DataType
	flatConvert converter
}

// matching says how the columns of a table are found among the fields of a file.
// The zero value goes by field ids if the file has any, and else by name.
type matching struct {
	byName  bool              // whatever ids there are
	mapping *lake.NameMapping // if not nil, whatever ids there are
}

func newLayout(meta *metadata.FileMetaData, sh *shape, by matching, partial bool) (out *layout, err error) {
	defer recoverCorrupt(&err)
	manifest, err := pqarrow.NewSchemaManifest(meta.Schema, nil, nil)
	if err != nil {
		return nil, lake.Errorf(lake.KindCorrupt, "read schema: %w", err)
	}
	out = &layout{}
	by.byName = by.byName || !hasFieldIDs(manifest.Fields)
	for _, c := range sh.columns {
		s, err := newSource(c, manifest.Fields, by)
		if err != nil {
			return nil, err
		}
		if s.field >= 0 && manifest.Fields[s.field].IsLeaf() {
			s.decodeLeaf(meta.Schema.Column(s.leaves[0]), manifest.Fields[s.field].Field.Type)
		}
		out.columns = append(out.columns, s)
	}
	if partial {
		c := lake.Column{Name: snapshotColumn, Type: lake.Type{ID: lake.TypeInt64}, Nullable: true}
		s, err := newSource(c, manifest.Fields, matching{byName: true})
		if err != nil {
			return nil, err
		}
		if s.field < 0 {
			return nil, lake.Errorf(lake.KindCorrupt, "a file of several snapshots lacks the column %s", snapshotColumn)
		}
		out.snapshot = &s
	}
	return out, nil
}

// decodeLeaf chooses how a leaf that the file holds as dt is decoded.
func (s *source) decodeLeaf(leaf *schema.Column, dt arrow.DataType) {
	physical := leaf.PhysicalType()
	general := s.convert
	s.decodeUnscaled(physical, dt)
	if leaf.MaxRepetitionLevel() > 0 || leaf.MaxDefinitionLevel() > 1 {
		return
	}
	switch {
	case s.physical != nil:
		s.flat, s.flatConvert = s.column.ArrowType(), keep
	case dt.ID() != arrow.DECIMAL128 && flat.Readable(dt, physical):
		s.flat, s.flatConvert = dt, general
	}
}

// decodeUnscaled has a decimal that the file holds as integers decoded as such.
func (s *source) decodeUnscaled(physical parquet.Type, dt arrow.DataType) {
	from, ok := dt.(*arrow.Decimal128Type)
	to, same := s.column.ArrowType().(*arrow.Decimal128Type)
	if !ok || !same || from.Scale != to.Scale {
		return
	}
	switch physical {
	case parquet.Types.Int32:
		s.physical, s.convert = arrow.PrimitiveTypes.Int32, unscaledToDecimal[int32](to)
	case parquet.Types.Int64:
		s.physical, s.convert = arrow.PrimitiveTypes.Int64, unscaledToDecimal[int64](to)
	default:
	}
}

func newSource(c lake.Column, fields []pqarrow.SchemaField, by matching) (source, error) {
	field, err := by.find(&c, fields)
	if err != nil {
		return source{}, err
	}
	s := source{column: c, field: field}
	if s.field < 0 {
		_, err := defaultArray(nil, &c, 0)
		return s, err
	}
	s.convert, s.leaves, err = newConverter(&c, &fields[s.field], by)
	return s, err
}

// find returns the ordinal of the field that holds c, -1 if there is none. A
// file that has field ids, or a mapping, is never matched by the column's own
// name: a column may have been dropped and another of its name added.
//
// Errors: KindUnsupported for a column that is in the path of the file.
func (by matching) find(c *lake.Column, fields []pqarrow.SchemaField) (int, error) {
	switch {
	case by.mapping != nil:
		mapped, ok := by.mapping.Fields[c.ID]
		if mapped.InPath {
			return -1, lake.Errorf(lake.KindUnsupported, "column %q, which is in the path of the file and not in the file, cannot be read", c.Name)
		}
		if !ok {
			return -1, nil
		}
		return fieldNamed(mapped.Name, fields), nil
	case by.byName:
		return fieldNamed(c.Name, fields), nil
	}
	for i := range fields {
		if id, ok := fieldID(&fields[i]); ok && id == c.ID {
			return i, nil
		}
	}
	return -1, nil
}

// fieldNamed returns the ordinal of the field of a name, as it is written if
// there is one; -1 if there is none.
func fieldNamed(name string, fields []pqarrow.SchemaField) int {
	found := -1
	for i := range fields {
		switch field := fields[i].Field.Name; {
		case field == name:
			return i
		case found < 0 && strings.EqualFold(field, name):
			found = i
		}
	}
	return found
}

func hasFieldIDs(fields []pqarrow.SchemaField) bool {
	for i := range fields {
		if _, ok := fieldID(&fields[i]); ok && !strings.HasPrefix(fields[i].Field.Name, "_ducklake_internal_") {
			return true
		}
	}
	return false
}

func fieldID(f *pqarrow.SchemaField) (lake.FieldID, bool) {
	text, ok := f.Field.Metadata.GetValue("PARQUET:field_id")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return lake.FieldID(id), err == nil && id >= 0
}

package pqenc

import "github.com/flightlake/flightlake/lake"

// Kind is the physical type of a leaf, with Parquet's numbers.
type Kind int32

// The physical types that are written.
const (
	Bool    Kind = 0
	Int32   Kind = 1
	Int64   Kind = 2
	Float32 Kind = 4
	Float64 Kind = 5
	Bytes   Kind = 6
	Fixed   Kind = 7
)

// Repetition says how often a node occurs, with Parquet's numbers.
type Repetition int32

// The repetitions.
const (
	Required Repetition = 0
	Optional Repetition = 1
	Repeated Repetition = 2
)

// Logical is a member of the union LogicalType, with Parquet's numbers.
type Logical int16

// The logical types that are written; NoLogical is none.
const (
	NoLogical        Logical = 0
	LogicalString    Logical = 1
	LogicalMap       Logical = 2
	LogicalList      Logical = 3
	LogicalDecimal   Logical = 5
	LogicalDate      Logical = 6
	LogicalTime      Logical = 7
	LogicalTimestamp Logical = 8
	LogicalInteger   Logical = 10
	LogicalJSON      Logical = 12
	LogicalUUID      Logical = 14
)

// TimeUnit is a member of the union TimeUnit, with Parquet's numbers.
type TimeUnit int16

// The units of time.
const (
	Millis TimeUnit = 1
	Micros TimeUnit = 2
	Nanos  TimeUnit = 3
)

// NoConverted is the converted type of a node that has none.
const NoConverted int32 = -1

// Annotation says what the values of a node mean.
type Annotation struct {
	Logical   Logical
	Converted int32 // Parquet's number, or NoConverted
	Precision int32 // decimal
	Scale     int32 // decimal
	Unit      TimeUnit
	UTC       bool
	Bits      int8 // integer
	Signed    bool // integer
}

// Node is one element of a Parquet schema. A node without Children is a leaf.
type Node struct {
	Name       string
	Field      lake.FieldID // 0 for a group that DuckLake does not number
	Repetition Repetition
	Annotation Annotation
	Children   []Node

	// Kind, Width (bytes of Fixed) and Type, which orders the values, are set
	// for a leaf.
	Kind  Kind
	Width int
	Type  lake.Type
}

// Leaf is a leaf of a Schema.
type Leaf struct {
	Field          lake.FieldID
	Path           []string
	Kind           Kind
	Width          int
	Type           lake.Type
	MaxDef, MaxRep uint8
}

// Schema is the schema of a file.
type Schema struct {
	Nodes  []Node
	Leaves []Leaf // depth first
}

// NewSchema returns the schema with the given top-level nodes.
func NewSchema(nodes []Node) *Schema {
	s := &Schema{Nodes: nodes}
	for i := range nodes {
		s.addLeaves(&nodes[i], nil, 0, 0)
	}
	return s
}

func (s *Schema) addLeaves(n *Node, parent []string, def, rep uint8) {
	path := append(parent[:len(parent):len(parent)], n.Name)
	switch n.Repetition {
	case Optional:
		def++
	case Repeated:
		def++
		rep++
	case Required:
	}
	if len(n.Children) == 0 {
		s.Leaves = append(s.Leaves, Leaf{
			Field: n.Field, Path: path, Kind: n.Kind, Width: n.Width, Type: n.Type, MaxDef: def, MaxRep: rep,
		})
		return
	}
	for i := range n.Children {
		s.addLeaves(&n.Children[i], path, def, rep)
	}
}

// rootName is the name of the root element; readers ignore it.
const rootName = "schema"

// write writes the list FileMetaData.schema.
func (s *Schema) write(t *thriftWriter, id int16) {
	count := 1
	for i := range s.Nodes {
		count += s.Nodes[i].size()
	}
	t.list(id, thriftStruct, count)
	t.open()
	t.text(4, rootName)
	t.i32(5, int32(len(s.Nodes)))
	t.close()
	for i := range s.Nodes {
		s.Nodes[i].write(t)
	}
}

func (n *Node) size() int {
	count := 1
	for i := range n.Children {
		count += n.Children[i].size()
	}
	return count
}

// write writes a SchemaElement and then its descendants.
func (n *Node) write(t *thriftWriter) {
	t.open()
	if len(n.Children) == 0 {
		t.i32(1, int32(n.Kind))
		if n.Kind == Fixed {
			t.i32(2, int32(n.Width))
		}
	}
	t.i32(3, int32(n.Repetition))
	t.text(4, n.Name)
	if len(n.Children) > 0 {
		t.i32(5, int32(len(n.Children)))
	}
	if n.Annotation.Converted != NoConverted {
		t.i32(6, n.Annotation.Converted)
	}
	if n.Annotation.Logical == LogicalDecimal {
		t.i32(7, n.Annotation.Scale)
		t.i32(8, n.Annotation.Precision)
	}
	if n.Field != 0 {
		t.i32(9, int32(n.Field))
	}
	if n.Annotation.Logical != NoLogical {
		t.structField(10)
		n.Annotation.write(t)
		t.close()
	}
	t.close()
	for i := range n.Children {
		n.Children[i].write(t)
	}
}

// write writes the one member of the union LogicalType.
func (a *Annotation) write(t *thriftWriter) {
	t.structField(int16(a.Logical))
	switch a.Logical {
	case LogicalDecimal:
		t.i32(1, a.Scale)
		t.i32(2, a.Precision)
	case LogicalTime, LogicalTimestamp:
		t.boolean(1, a.UTC)
		t.structField(2)
		t.emptyStruct(int16(a.Unit))
		t.close()
	case LogicalInteger:
		t.i8(1, a.Bits)
		t.boolean(2, a.Signed)
	default: // the other members have no fields
	}
	t.close()
}

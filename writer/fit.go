package writer

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/lake"
)

// CheckFit reports whether rows of schema can be appended to a table of the
// given columns. Fields go to columns by name, compared without case; a column
// without a field takes its default. Types must fit without loss, but for what
// Write checks value by value, such as int64 in an INTEGER column.
//
// Errors: KindInvalid, naming the column, for a field that no column has, a
// type that does not fit, a repeated field, and an absent NOT NULL column
// without default; KindUnsupported for a column whose type is not held.
func CheckFit(columns []lake.Column, schema *arrow.Schema) error {
	_, err := compile(columns, schema)
	return err
}

// compile returns the node that appends records of schema to columns: a struct
// without a column of its own.
func compile(columns []lake.Column, schema *arrow.Schema) (*node, error) {
	if len(columns) == 0 || len(columns) > maxColumnsPerTable {
		return nil, lake.Errorf(lake.KindUnsupported, "a table has 1 to %d columns, not %d", maxColumnsPerTable, len(columns))
	}
	c := &compiler{}
	root := &node{column: &lake.Column{Type: lake.Type{ID: lake.TypeStruct}, Children: columns}}
	if err := c.fields(root, schema.Fields(), level{}); err != nil {
		return nil, err
	}
	return root, nil
}

// compiler counts the leaves met so far.
type compiler struct{ leaves int }

// level is where a node is: how deep, and its repetition level.
type level struct {
	depth int
	rep   uint8
}

func (l level) deeper() level { return level{depth: l.depth + 1, rep: l.rep} }

// fields matches the children of parent with fields.
func (c *compiler) fields(parent *node, fields []arrow.Field, at level) error {
	byName := make(map[string]int, len(fields))
	for i := range fields {
		name := strings.ToLower(fields[i].Name)
		if _, twice := byName[name]; twice {
			return lake.Errorf(lake.KindInvalid, "column %q occurs twice (names are compared without case)", join(parent.path, fields[i].Name))
		}
		byName[name] = i
	}
	columns := parent.column.Children
	parent.children = make([]*node, len(columns))
	parent.source = make([]int, len(columns))
	for i := range columns {
		column := &columns[i]
		path := join(parent.path, column.Name)
		name := strings.ToLower(column.Name)
		position, found := byName[name]
		var err error
		if found {
			delete(byName, name)
			parent.source[i] = position
			parent.children[i], err = c.node(column, path, fields[position].Type, at)
		} else {
			parent.source[i] = absent
			parent.children[i], err = c.absent(column, path, at)
		}
		if err != nil {
			return err
		}
	}
	for i := range fields {
		if _, extra := byName[strings.ToLower(fields[i].Name)]; extra {
			return lake.Errorf(lake.KindInvalid, "the table has no column %q", join(parent.path, fields[i].Name))
		}
	}
	return nil
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// absent returns the node of a column without a field.
func (c *compiler) absent(column *lake.Column, path string, at level) (*node, error) {
	literal, err := literalOf(column)
	if err != nil {
		return nil, lake.Errorf(lake.KindOf(err), "column %q: %w", path, err)
	}
	if literal == nil && !column.Nullable {
		return nil, lake.Errorf(lake.KindInvalid, "column %q is NOT NULL, has no default, and is missing from the data", path)
	}
	t := column.ArrowType()
	if literal != nil {
		t = literal.DataType()
	}
	n, err := c.node(column, path, t, at)
	if err != nil {
		return nil, err
	}
	n.absent, n.literal = true, literal
	return n, nil
}

// node returns the node of a column whose field has type t.
func (c *compiler) node(column *lake.Column, path string, t arrow.DataType, at level) (*node, error) {
	if at.depth >= maxDepth {
		return nil, lake.Errorf(lake.KindUnsupported, "column %q is nested more than %d deep", path, maxDepth)
	}
	switch column.Type.ID {
	case lake.TypeInvalid, lake.TypeVariant, lake.TypeGeometry:
		return nil, lake.Errorf(lake.KindUnsupported, "column %q: type %s cannot be written yet", path, column.Type)
	default:
	}
	storage := storageOf(t)
	if storage.ID() == arrow.NULL {
		storage = column.ArrowType() // no value will come
	}
	n := &node{column: column, path: path, leaf: c.leaves}
	err := c.typed(n, storageOf(storage), at)
	n.leaves = c.leaves - n.leaf
	if err != nil {
		return nil, err
	}
	return n, nil
}

// typed sets what depends on the type of n's column and on that of its field.
func (c *compiler) typed(n *node, t arrow.DataType, at level) error {
	misfit := lake.Errorf(lake.KindInvalid, "column %q is of type %s and cannot hold Arrow type %s without loss",
		n.path, n.column.SQLType(), t)
	switch n.column.Type.ID {
	case lake.TypeStruct:
		s, ok := t.(*arrow.StructType)
		if !ok {
			return misfit
		}
		return c.fields(n, s.Fields(), at.deeper())
	case lake.TypeList:
		l, ok := t.(arrow.ListLikeType)
		if _, isMap := t.(*arrow.MapType); !ok || isMap {
			return misfit
		}
		return c.elements(n, []arrow.Field{l.ElemField()}, at)
	case lake.TypeMap:
		m, ok := t.(*arrow.MapType)
		if !ok {
			return misfit
		}
		return c.elements(n, []arrow.Field{m.KeyField(), m.ItemField()}, at)
	default:
		n.kernel = kernelFor(t, n.column.Type)
		if n.kernel == nil {
			return misfit
		}
		c.leaves++
	}
	return nil
}

// elements compiles the children of a list or map, which go by position.
func (c *compiler) elements(n *node, fields []arrow.Field, at level) error {
	at = at.deeper()
	at.rep++
	n.rep = at.rep
	for i := range n.column.Children {
		column := &n.column.Children[i]
		child, err := c.node(column, join(n.path, column.Name), fields[i].Type, at)
		if err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	return nil
}

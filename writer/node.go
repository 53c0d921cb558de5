package writer

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// node appends arrays of one incoming field to the leaves of one column. It is
// built by compile and not changed by use.
type node struct {
	column *lake.Column
	path   string // for messages: names joined by dots
	rep    uint8  // lists and maps: repetition level of the second element on

	kernel   kernel // leaves
	leaf     int    // leaves: index in the schema; nested: of the first leaf below
	leaves   int    // number of leaves at or below
	children []*node
	source   []int // structs: position of each child in the incoming struct, or absent

	absent  bool        // the incoming schema has no such field
	literal arrow.Array // of length 1: the value of an absent field; nil means NULL
}

// absent marks a child without a field in node.source.
const absent = -1

// appender appends rows to the leaves of one top-level column. It is used by
// one goroutine at a time.
type appender struct {
	arena  arena
	values []*pqenc.Values // of the whole schema
}

// append appends the rows r of arr.
//
// Errors: KindInvalid for a NULL in a NOT NULL column and for a value that the
// column cannot hold.
func (n *node) append(a *appender, arr arrow.Array, r rows) error {
	arr, r, dropped, err := unwrap(&a.arena, arr, r)
	if err != nil {
		return n.wrap(err)
	}
	if dropped && !n.column.Nullable {
		return lake.Errorf(lake.KindInvalid, "column %q is NOT NULL and cannot hold NULL", n.path)
	}
	if n.column.Nullable {
		r = r.raise(&a.arena)
	}
	if arr == nil { // of type null: nothing exists
		n.appendNothing(a, r)
		return nil
	}
	switch n.column.Type.ID {
	case lake.TypeStruct:
		return n.appendStruct(a, arr, r)
	case lake.TypeList, lake.TypeMap:
		return n.appendList(a, arr, r)
	default:
		return n.appendLeaf(a, arr, r)
	}
}

func (n *node) wrap(err error) error {
	return lake.Errorf(lake.KindOf(err), "column %q: %w", n.path, err)
}

func (n *node) appendLeaf(a *appender, arr arrow.Array, r rows) error {
	v := a.values[n.leaf]
	if err := n.kernel(v, arr, r.existing(&a.arena)); err != nil {
		return n.wrap(err)
	}
	if r.defs == nil && v.Leaf.MaxRep == 0 {
		v.AddPresent(r.n)
		return nil
	}
	n.addLevels(a, v, r)
	return nil
}

func (n *node) addLevels(a *appender, v *pqenc.Values, r rows) {
	if r.defs == nil {
		r = r.explicit(&a.arena)
	}
	if v.Leaf.MaxRep > 0 && r.reps == nil {
		r.reps = a.arena.newBytes(r.n)
		clear(r.reps)
	}
	v.AddLevels(r.defs, r.reps)
}

// appendNothing appends the levels of r, in which no element exists any more,
// to all leaves at or below n.
func (n *node) appendNothing(a *appender, r rows) {
	for leaf := n.leaf; leaf < n.leaf+n.leaves; leaf++ {
		n.addLevels(a, a.values[leaf], r)
	}
}

// appendAbsent appends the rows r of a field that the incoming schema does not have.
func (n *node) appendAbsent(a *appender, r rows) error {
	if n.literal != nil {
		return n.append(a, n.literal, r.constant(&a.arena))
	}
	if r.defs == nil {
		r = r.explicit(&a.arena)
	}
	n.appendNothing(a, r)
	return nil
}

func (n *node) appendStruct(a *appender, arr arrow.Array, r rows) error {
	s, ok := arr.(*array.Struct)
	if !ok {
		return lake.Errorf(lake.KindInternal, "column %q: %s is not a struct", n.path, arr.DataType())
	}
	for i, child := range n.children {
		var err error
		if n.source[i] == absent {
			err = child.appendAbsent(a, r)
		} else {
			err = child.append(a, s.Field(n.source[i]), r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// appendList appends lists of every layout, and maps as lists of entries.
func (n *node) appendList(a *appender, arr arrow.Array, r rows) error {
	list, ok := arr.(array.ListLike)
	if !ok {
		return lake.Errorf(lake.KindInternal, "column %q: %s is not a list", n.path, arr.DataType())
	}
	items := list.ListValues()
	if items.Len() > math.MaxInt32 {
		return lake.Errorf(lake.KindUnsupported, "column %q: a batch of more than 2^31 list elements", n.path)
	}
	elements, err := expand(&a.arena, list, r, n.rep)
	if err != nil {
		return n.wrap(err)
	}
	if n.column.Type.ID == lake.TypeList {
		return n.children[0].append(a, items, elements)
	}
	entries, ok := items.(*array.Struct)
	if !ok || entries.NumField() != 2 || entries.NullN() > 0 {
		return lake.Errorf(lake.KindInvalid, "column %q: malformed map entries", n.path)
	}
	for i, child := range n.children {
		if err := child.append(a, entries.Field(i), elements); err != nil {
			return err
		}
	}
	return nil
}

// maxElements bounds the list elements of one slice of a batch: views of lists
// can name the same elements again and again.
const maxElements = 1 << 26

// expand returns the elements of the lists r: one level per element, and one
// for each list that is empty or does not exist.
//
// Errors: KindInvalid for offsets outside of the elements; KindExhausted for
// more than maxElements.
func expand(a *arena, list array.ListLike, r rows, rep uint8) (rows, error) {
	if r.defs == nil || r.idx == nil {
		r = r.explicit(a)
	}
	total, most := r.n, int64(list.ListValues().Len())
	for _, j := range r.idx {
		if j == none {
			continue
		}
		start, end := list.ValueOffsets(int(j))
		if start < 0 || start > end || end > most {
			return rows{}, lake.Errorf(lake.KindInvalid, "list offsets %d to %d are outside of its %d elements", start, end, most)
		}
		if total += max(0, int(end-start)-1); total > maxElements {
			return rows{}, lake.Errorf(lake.KindExhausted, "a batch of more than %d list elements", maxElements)
		}
	}
	out := rows{n: total, idx: a.newInts(total), defs: a.newBytes(total), reps: a.newBytes(total)}
	at := 0
	for i, j := range r.idx {
		first := uint8(0)
		if r.reps != nil {
			first = r.reps[i]
		}
		start, end := int64(0), int64(0)
		if j != none {
			start, end = list.ValueOffsets(int(j))
		}
		if start == end {
			out.idx[at], out.defs[at], out.reps[at] = none, r.defs[i], first
			at++
			continue
		}
		for k := start; k < end; k++ {
			out.idx[at], out.defs[at], out.reps[at] = int32(k), r.defs[i]+1, rep
			at++
		}
		out.reps[at-int(end-start)] = first
	}
	return out, nil
}

// unwrap returns the plain array under extension types, dictionaries and
// run-end encodings, with r mapped to it and the NULLs of every layer dropped.
// The array is nil if it is of type null.
func unwrap(a *arena, arr arrow.Array, r rows) (_ arrow.Array, _ rows, dropped bool, err error) {
	for {
		switch t := arr.(type) {
		case array.ExtensionArray:
			arr = t.Storage()
			continue
		case *array.Null:
			r = r.explicit(a)
			for i, j := range r.idx {
				dropped = dropped || j != none
				r.idx[i] = none
			}
			return nil, r, dropped, nil
		case *array.Dictionary:
			var some bool
			r, some = r.dropNulls(a, t.Indices())
			dropped = dropped || some
			if r, err = throughDictionary(a, r, t); err != nil {
				return nil, r, false, err
			}
			arr = t.Dictionary()
			continue
		case *array.RunEndEncoded:
			idx := a.newInts(r.n)
			src := r.explicit(a)
			for i, j := range src.idx {
				idx[i] = none
				if j != none {
					idx[i] = int32(t.GetPhysicalIndex(int(j)))
				}
			}
			r.idx, arr = idx, t.Values()
			continue
		}
		r, some := r.dropNulls(a, arr)
		return arr, r, dropped || some, nil
	}
}

// throughDictionary maps r from the indices of d to its values.
//
// Errors: KindInvalid for an index outside of the dictionary.
func throughDictionary(a *arena, r rows, d *array.Dictionary) (rows, error) {
	data := d.Indices().Data()
	switch data.DataType().ID() {
	case arrow.INT8:
		r = through(a, r, arrow.GetValues[int8](data, 1))
	case arrow.UINT8:
		r = through(a, r, arrow.GetValues[uint8](data, 1))
	case arrow.INT16:
		r = through(a, r, arrow.GetValues[int16](data, 1))
	case arrow.UINT16:
		r = through(a, r, arrow.GetValues[uint16](data, 1))
	case arrow.INT32:
		r = through(a, r, arrow.GetValues[int32](data, 1))
	case arrow.UINT32:
		r = through(a, r, arrow.GetValues[uint32](data, 1))
	case arrow.INT64:
		r = through(a, r, arrow.GetValues[int64](data, 1))
	case arrow.UINT64:
		r = through(a, r, arrow.GetValues[uint64](data, 1))
	default:
		return r, lake.Errorf(lake.KindUnsupported, "dictionary indices of type %s", data.DataType())
	}
	least, most := int32(none), int32(d.Dictionary().Len())
	for _, j := range r.idx {
		if j < least || j >= most {
			return r, lake.Errorf(lake.KindInvalid, "dictionary index %d is outside of the dictionary of %d values", j, most)
		}
	}
	return r, nil
}

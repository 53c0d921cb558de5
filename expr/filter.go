package expr

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/flightlake/flightlake/lake"
)

// The three truth values of a row, ordered so that AND is the minimum, OR the
// maximum and NOT the difference from isTrue.
const (
	isFalse uint8 = iota
	isNull
	isTrue
)

// Filter is a Predicate compiled for the batches of some columns. It is immutable
// and safe for concurrent use: a scan compiles its residual once, for all row
// groups and goroutines.
type Filter struct {
	root  node
	masks sync.Pool // of *masks
}

// node evaluates one part of a Predicate. It writes a truth value per row.
type node interface {
	eval(m *masks, batch arrow.RecordBatch, out []uint8) error
}

// NewFilter compiles p for batches whose columns are the given ones, in order,
// in the types of lake.ArrowSchema. A field may be inside structs.
//
// Errors: KindUnsupported if p is not Evaluable; KindInvalid if it names a
// field that is not in columns or is inside a list.
func NewFilter(p Predicate, columns []lake.Column) (*Filter, error) {
	if !Evaluable(p) {
		return nil, lake.Errorf(lake.KindUnsupported, "predicate %s cannot be evaluated on rows", Format(p, columns))
	}
	root, err := compile(Simplify(p), columns)
	if err != nil {
		return nil, err
	}
	return &Filter{root: root, masks: sync.Pool{New: func() any { return new(masks) }}}, nil
}

// Select returns the positions, ascending, of the rows for which the Predicate
// is true. It overwrites into and returns it, grown where it is too small.
func (f *Filter) Select(batch arrow.RecordBatch, into []int32) ([]int32, error) {
	m := f.masks.Get().(*masks)
	defer f.masks.Put(m)
	mask := m.get(int(batch.NumRows()))
	defer m.put(mask)
	if err := f.root.eval(m, batch, mask); err != nil {
		return nil, err
	}
	into = into[:0]
	for i, v := range mask {
		if v == isTrue {
			into = append(into, int32(i))
		}
	}
	return into, nil
}

// masks are buffers of truth values that one evaluation uses again and again.
type masks struct{ free [][]uint8 }

// get returns a mask of n rows with any content.
func (m *masks) get(n int) []uint8 {
	if last := len(m.free) - 1; last >= 0 {
		b := m.free[last]
		m.free = m.free[:last]
		if cap(b) >= n {
			return b[:n]
		}
	}
	return make([]uint8, n)
}

func (m *masks) put(b []uint8) { m.free = append(m.free, b) }

func compile(p Predicate, columns []lake.Column) (node, error) {
	switch p := p.(type) {
	case nil:
		return constantNode{isTrue}, nil
	case And:
		terms, err := compileAll(p.Terms, columns)
		return andNode{terms}, err
	case Or:
		terms, err := compileAll(p.Terms, columns)
		return orNode{terms}, err
	case Not:
		term, err := compile(p.Term, columns)
		return notNode{term}, err
	case Constant:
		switch {
		case p.Null:
			return constantNode{isNull}, nil
		case p.Value:
			return constantNode{isTrue}, nil
		}
		return constantNode{isFalse}, nil
	case Compare:
		path, err := locate(p.Field, columns)
		return leafNode{path: path, kernel: compareKernel(p)}, err
	case In:
		path, err := locate(p.Field, columns)
		return leafNode{path: path, kernel: inKernel(p)}, err
	case IsNull:
		path, err := locate(p.Field, columns)
		return nullNode{path}, err
	}
	return nil, lake.Errorf(lake.KindUnsupported, "predicate %T cannot be evaluated on rows", p)
}

func compileAll(terms []Predicate, columns []lake.Column) ([]node, error) {
	out := make([]node, len(terms))
	for i, t := range terms {
		n, err := compile(t, columns)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// locate returns the path to a field: the ordinal of the column, then those of
// the fields of structs.
func locate(id lake.FieldID, columns []lake.Column) ([]int, error) {
	if path := search(id, columns); path != nil {
		return path, nil
	}
	return nil, lake.Errorf(lake.KindInvalid, "field %d of the predicate is not a column or a field of a struct", id)
}

func search(id lake.FieldID, columns []lake.Column) []int {
	for i := range columns {
		if columns[i].ID == id {
			return []int{i}
		}
		if columns[i].Type.ID == lake.TypeStruct {
			if rest := search(id, columns[i].Children); rest != nil {
				return append([]int{i}, rest...)
			}
		}
	}
	return nil
}

type constantNode struct{ value uint8 }

func (n constantNode) eval(_ *masks, _ arrow.RecordBatch, out []uint8) error {
	for i := range out {
		out[i] = n.value
	}
	return nil
}

type andNode struct{ terms []node }

func (n andNode) eval(m *masks, batch arrow.RecordBatch, out []uint8) error {
	return evalTerms(m, batch, n.terms, out, func(out, other []uint8) {
		for i, v := range other[:len(out)] {
			out[i] = min(out[i], v)
		}
	})
}

type orNode struct{ terms []node }

func (n orNode) eval(m *masks, batch arrow.RecordBatch, out []uint8) error {
	return evalTerms(m, batch, n.terms, out, func(out, other []uint8) {
		for i, v := range other[:len(out)] {
			out[i] = max(out[i], v)
		}
	})
}

func evalTerms(m *masks, batch arrow.RecordBatch, terms []node, out []uint8, join func(out, other []uint8)) error {
	if err := terms[0].eval(m, batch, out); err != nil {
		return err
	}
	other := m.get(len(out))
	defer m.put(other)
	for _, t := range terms[1:] {
		if err := t.eval(m, batch, other); err != nil {
			return err
		}
		join(out, other)
	}
	return nil
}

type notNode struct{ term node }

func (n notNode) eval(m *masks, batch arrow.RecordBatch, out []uint8) error {
	if err := n.term.eval(m, batch, out); err != nil {
		return err
	}
	for i, v := range out {
		out[i] = isTrue - v
	}
	return nil
}

// kernel writes isTrue or isFalse for each row, also where the array is NULL.
type kernel func(arr arrow.Array, out []uint8) bool

type leafNode struct {
	path   []int
	kernel kernel
}

func (n leafNode) eval(_ *masks, batch arrow.RecordBatch, out []uint8) error {
	leaf, err := follow(batch, n.path, func(a arrow.Array) error {
		if storage, ok := a.(array.ExtensionArray); ok {
			a = storage.Storage()
		}
		if !n.kernel(a, out) {
			return lake.Errorf(lake.KindInternal, "a predicate met a column of Arrow type %s", a.DataType())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range leaf {
		overlayNulls(a, out, isNull)
	}
	return nil
}

type nullNode struct{ path []int }

func (n nullNode) eval(_ *masks, batch arrow.RecordBatch, out []uint8) error {
	arrays, err := follow(batch, n.path, func(arrow.Array) error { return nil })
	if err != nil {
		return err
	}
	clear(out)
	for _, a := range arrays {
		overlayNulls(a, out, isTrue)
	}
	return nil
}

// follow calls fn with the array at the path and returns it with its parents.
func follow(batch arrow.RecordBatch, path []int, fn func(arrow.Array) error) ([]arrow.Array, error) {
	if path[0] >= int(batch.NumCols()) {
		return nil, lake.Errorf(lake.KindInternal, "a batch of %d columns lacks the predicate's", batch.NumCols())
	}
	a := batch.Column(path[0])
	arrays := []arrow.Array{a}
	for _, i := range path[1:] {
		s, ok := a.(*array.Struct)
		if !ok || i >= s.NumField() {
			return nil, lake.Errorf(lake.KindInternal, "a predicate met %s in place of a struct", a.DataType())
		}
		a = s.Field(i)
		arrays = append(arrays, a)
	}
	return arrays, fn(a)
}

// overlayNulls sets out to value where the array is NULL.
func overlayNulls(a arrow.Array, out []uint8, value uint8) {
	if a.NullN() == 0 {
		return
	}
	if a.DataType().ID() == arrow.NULL {
		for i := range out {
			out[i] = value
		}
		return
	}
	bits, offset := a.NullBitmapBytes(), a.Data().Offset()
	if len(bits) == 0 {
		return
	}
	for i := range out {
		if !bitutil.BitIsSet(bits, offset+i) {
			out[i] = value
		}
	}
}

package writer

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

// maxInterned bounds the partitions that a router remembers; beyond it all
// buffers are written and the router starts anew.
const maxInterned = 1 << 16

// router assigns each row to a partition. It is used by one goroutine.
type router struct {
	fields []routeField
	levels []routeLevel // one per field; the ids of the last are the partitions
	ids    []uint32     // scratch: the id of each row
	codes  []uint32     // scratch: the code of each row in one field
}

// routeLevel numbers the pairs of an id of the level before (0 at first) and a
// code of the level's field.
type routeLevel struct {
	ids   map[uint64]uint32
	pairs []routePair // by id
}

type routePair struct{ before, code uint32 }

// routeField interns the values of one field of the spec. Code 0 is NULL.
type routeField struct {
	column    int // position of the top-level column
	transform transform
	numbers   map[uint64]uint32
	texts     map[string]uint32
	values    []lake.Value // by code - 1
	appender  appender
	buffer    *pqenc.Values
	node      *node // a copy whose leaf is the only one of appender
}

// newRouter returns the router of rows of columns by spec.
//
// Errors: KindInvalid for a column that does not exist or a transform that its
// type does not have; KindUnsupported for an unknown transform.
func newRouter(columns []lake.Column, spec *lake.PartitionSpec, root *node) (*router, error) {
	r := &router{}
	for _, field := range spec.Fields {
		f, err := newRouteField(columns, field)
		if err != nil {
			return nil, err
		}
		schema := pqenc.NewSchema([]pqenc.Node{parquetNode(&columns[f.column])})
		f.buffer = &pqenc.Values{Leaf: &schema.Leaves[0]}
		f.appender.values = []*pqenc.Values{f.buffer}
		n := *root.children[f.column]
		n.leaf = 0
		f.node = &n
		r.fields = append(r.fields, f)
	}
	r.reset()
	return r, nil
}

func newRouteField(columns []lake.Column, field lake.PartitionField) (routeField, error) {
	for i := range columns {
		if columns[i].ID != field.Column {
			continue
		}
		t, err := newTransform(&columns[i], field)
		return routeField{column: i, transform: t}, err
	}
	return routeField{}, lake.Errorf(lake.KindInvalid, "partition column %d is not a top-level column of the table", field.Column)
}

// reset forgets all partitions.
func (r *router) reset() {
	r.levels = make([]routeLevel, len(r.fields))
	for i := range r.fields {
		r.levels[i].ids = map[uint64]uint32{}
		r.fields[i].numbers, r.fields[i].texts, r.fields[i].values = map[uint64]uint32{}, map[string]uint32{}, nil
	}
}

// full reports whether the router should be reset before more rows come.
func (r *router) full() bool {
	for i := range r.levels {
		if len(r.levels[i].pairs) > maxInterned || len(r.fields[i].values) > maxInterned {
			return true
		}
	}
	return false
}

// route returns the partition of each of the n rows of batch from lo on.
// Partitions are numbered from 0 in order of appearance. The result is valid
// until the next call.
func (r *router) route(root *node, batch arrow.RecordBatch, lo, n int) ([]uint32, error) {
	r.ids = slices.Grow(r.ids[:0], n)[:n]
	clear(r.ids)
	for i := range r.fields {
		f := &r.fields[i]
		if err := f.load(root, batch, lo, n); err != nil {
			return nil, err
		}
		r.codes = f.intern(r.codes[:0])
		r.levels[i].number(r.ids, r.codes)
	}
	return r.ids, nil
}

// number replaces each id by the id of its pair with a code.
func (l *routeLevel) number(ids, codes []uint32) {
	for i, code := range codes {
		key := uint64(ids[i])<<32 | uint64(code)
		id, ok := l.ids[key]
		if !ok {
			id = uint32(len(l.pairs))
			l.ids[key] = id
			l.pairs = append(l.pairs, routePair{before: ids[i], code: code})
		}
		ids[i] = id
	}
}

// load fills the buffer of f.
func (f *routeField) load(root *node, batch arrow.RecordBatch, lo, n int) error {
	f.buffer.Reset()
	f.appender.arena.reset()
	if source := root.source[f.column]; source != absent {
		return f.node.append(&f.appender, batch.Column(source), slice(lo, n))
	}
	return f.node.appendAbsent(&f.appender, slice(lo, n))
}

// partitionValues returns the value of each field of a partition; nil is NULL.
func (r *router) partitionValues(partition uint32) []*lake.Value {
	values := make([]*lake.Value, len(r.fields))
	for i := len(r.levels) - 1; i >= 0; i-- {
		pair := r.levels[i].pairs[partition]
		if pair.code != 0 {
			v := r.fields[i].values[pair.code-1]
			values[i] = &v
		}
		partition = pair.before
	}
	return values
}

// intern appends the code of each row in f's buffer to codes.
func (f *routeField) intern(codes []uint32) []uint32 {
	v := f.buffer
	at := 0
	for row := range v.Levels {
		if v.Defs != nil && v.Defs[row] != v.Leaf.MaxDef {
			codes = append(codes, 0)
			continue
		}
		codes = append(codes, f.code(at))
		at++
	}
	return codes
}

// code returns the code of value i in f's buffer.
func (f *routeField) code(i int) uint32 {
	if f.transform.text(f.buffer.Leaf) {
		raw := rawValue(f.buffer, i)
		if code, ok := f.texts[string(raw)]; ok {
			return code
		}
		code := f.add(f.transform.textValue(f.buffer.Leaf, raw))
		f.texts[string(raw)] = code
		return code
	}
	key, ok := f.transform.number(f.buffer, i)
	if !ok {
		return 0
	}
	if code, ok := f.numbers[key]; ok {
		return code
	}
	code := f.add(f.transform.numberValue(f.buffer.Leaf, key))
	f.numbers[key] = code
	return code
}

func (f *routeField) add(v lake.Value) uint32 {
	f.values = append(f.values, v)
	return uint32(len(f.values))
}

func rawValue(v *pqenc.Values, i int) []byte {
	if v.Leaf.Kind == pqenc.Fixed {
		return v.Data[i*v.Leaf.Width : (i+1)*v.Leaf.Width]
	}
	return v.Data[startOf(v, i):v.Ends[i]]
}

// floatKey returns the bits of v, the same for both zeros and for all NaN.
func floatKey(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return quietNaN
	}
	return math.Float64bits(v)
}

package writer

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

const (
	// sliceRows and sliceBytes bound how many rows of a batch are routed and
	// appended at a time, so that limits are checked between.
	sliceRows  = 8192
	sliceBytes = 16 << 20
)

// job is one Write.
type job struct {
	w         *Writer
	spec      Spec
	root      *node
	schema    *pqenc.Schema
	router    *router // nil if not partitioned
	appenders []appender
	encoders  []*pqenc.Encoder // by worker
	chunks    []*pqenc.Chunk   // by leaf: of the row group being written
	parts     []*part          // by partition
	spare     []*pqenc.Values  // an empty buffer to be used again
	order     []int32          // scratch of split
	buffered  int64            // bytes in all buffers
	keys      keyring
	open      int // files open
	files     []lake.DataFile
	rows      int64
}

// part is a partition: rows that are buffered, and perhaps an open file.
type part struct {
	id     uint32
	values []*pqenc.Values // by leaf; nil if there are no rows
	rows   int64
	bytes  int64
	file   *openFile

	slice    int // scratch of split: rows in the slice
	selected int // scratch of split: position in its result
}

// selection is the rows of a slice that belong to a part.
type selection struct {
	part *part
	idx  []int32 // rows of the batch; nil means lo, lo+1, ...
	lo   int
	n    int
}

func newJob(w *Writer, spec Spec, schema *arrow.Schema) (*job, error) {
	if !strings.HasSuffix(spec.KeyPrefix, "/") {
		return nil, lake.Errorf(lake.KindInternal, "key prefix %q does not end with a slash", spec.KeyPrefix)
	}
	spec.Options = spec.Options.withDefaults()
	codec, err := spec.Options.codec()
	if err != nil {
		return nil, err
	}
	root, err := compile(spec.Columns, schema)
	if err != nil {
		return nil, err
	}
	j := &job{w: w, spec: spec, root: root, schema: pqenc.NewSchema(parquetNodes(spec.Columns))}
	j.keys = keyring{prefix: spec.KeyPrefix, newID: w.newID, stage: w.stage}
	if spec.Partition != nil && len(spec.Partition.Fields) > 0 {
		if j.router, err = newRouter(spec.Columns, spec.Partition, root); err != nil {
			return nil, err
		}
	}
	j.appenders = make([]appender, len(root.children))
	for range j.schema.Leaves {
		j.chunks = append(j.chunks, &pqenc.Chunk{})
	}
	for range w.parallelism {
		e, err := pqenc.NewEncoder(codec)
		if err != nil {
			return nil, err
		}
		j.encoders = append(j.encoders, e)
	}
	return j, nil
}

// add writes the rows of one batch.
func (j *job) add(ctx context.Context, batch arrow.RecordBatch) error {
	rows := int(batch.NumRows())
	if rows == 0 {
		return nil
	}
	perRow := max(1, batchSize(batch)/int64(rows))
	step := int(min(sliceRows, max(1, sliceBytes/perRow)))
	for lo := 0; lo < rows; lo += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.addSlice(ctx, batch, lo, min(step, rows-lo)); err != nil {
			return err
		}
	}
	return nil
}

// batchSize returns about how many bytes batch occupies.
func batchSize(batch arrow.RecordBatch) int64 {
	size := int64(0)
	for _, column := range batch.Columns() {
		size += dataSize(column.Data())
	}
	return size
}

func dataSize(data arrow.ArrayData) int64 {
	size := int64(0)
	for _, b := range data.Buffers() {
		if b != nil {
			size += int64(b.Len())
		}
	}
	for _, child := range data.Children() {
		size += dataSize(child)
	}
	return size
}

func (j *job) addSlice(ctx context.Context, batch arrow.RecordBatch, lo, n int) error {
	pending, err := j.assign(ctx, batch, lo, n)
	if err != nil {
		return err
	}
	for len(pending) > 0 {
		var now []selection
		now, pending = j.fitting(pending)
		if err := j.appendRows(batch, now); err != nil {
			return err
		}
		for _, s := range now {
			if s.part.rows >= j.spec.Options.RowGroupRows || s.part.bytes >= j.w.limits.RowGroupBytes {
				if err := j.flush(ctx, s.part); err != nil {
					return err
				}
			}
		}
	}
	return j.shrink(ctx)
}

// assign splits the rows of a slice by partition.
func (j *job) assign(ctx context.Context, batch arrow.RecordBatch, lo, n int) ([]selection, error) {
	if j.router == nil {
		return []selection{{part: j.part(0), lo: lo, n: n}}, nil
	}
	if j.router.full() {
		if err := j.finish(ctx); err != nil {
			return nil, err
		}
		j.router.reset()
		j.parts = nil
	}
	var ids []uint32
	err := guarded(func() (err error) {
		ids, err = j.router.route(j.root, batch, lo, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return j.split(ids, lo), nil
}

// split sorts the rows from lo on by partition, keeping their order within. The
// result is valid until the next call.
func (j *job) split(ids []uint32, lo int) []selection {
	var selections []selection
	for _, id := range ids {
		p := j.part(id)
		if p.slice == 0 {
			selections = append(selections, selection{part: p})
		}
		p.slice++
	}
	j.order = slices.Grow(j.order[:0], len(ids))[:len(ids)]
	start := 0
	for i := range selections {
		s := &selections[i]
		end := start + s.part.slice
		s.idx, s.n = j.order[start:start:end], s.part.slice
		s.part.slice, s.part.selected = 0, i
		start = end
	}
	for i, id := range ids {
		s := &selections[j.parts[id].selected]
		s.idx = append(s.idx, int32(lo+i))
	}
	return selections
}

func (j *job) part(id uint32) *part {
	for uint32(len(j.parts)) <= id {
		j.parts = append(j.parts, &part{id: uint32(len(j.parts))})
	}
	return j.parts[id]
}

// fitting splits the selections into what their row groups have room for, and
// what comes later.
func (j *job) fitting(pending []selection) (now, later []selection) {
	for _, s := range pending {
		room := int(j.spec.Options.RowGroupRows - s.part.rows)
		if s.n > room {
			rest := s
			rest.n, rest.lo = s.n-room, s.lo+room
			if s.idx != nil {
				rest.idx, s.idx = s.idx[room:], s.idx[:room]
			}
			s.n = room
			later = append(later, rest)
		}
		now = append(now, s)
	}
	return now, later
}

// appendRows appends the selected rows to the buffers of their parts, columns
// in parallel.
func (j *job) appendRows(batch arrow.RecordBatch, selections []selection) error {
	for _, s := range selections {
		if s.part.values == nil {
			s.part.values = j.newBuffer()
		}
	}
	err := parallel(j.w.parallelism, len(j.root.children), func(_, column int) error {
		return guarded(func() error { return j.appendColumn(batch, selections, column) })
	})
	if err != nil {
		return err
	}
	for _, s := range selections {
		s.part.rows += int64(s.n)
		size := int64(0)
		for _, v := range s.part.values {
			size += int64(v.Size())
		}
		j.hold(size - s.part.bytes)
		s.part.bytes = size
	}
	return nil
}

func (j *job) appendColumn(batch arrow.RecordBatch, selections []selection, column int) error {
	a, n := &j.appenders[column], j.root.children[column]
	for _, s := range selections {
		a.values = s.part.values
		a.arena.reset()
		r := slice(s.lo, s.n)
		r.idx = s.idx
		var err error
		if source := j.root.source[column]; source == absent {
			err = n.appendAbsent(a, r)
		} else {
			err = n.append(a, batch.Column(source), r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newBuffer returns empty Values for all leaves.
func (j *job) newBuffer() []*pqenc.Values {
	if j.spare != nil {
		values := j.spare
		j.spare = nil
		return values
	}
	values := make([]*pqenc.Values, len(j.schema.Leaves))
	for i := range values {
		values[i] = &pqenc.Values{Leaf: &j.schema.Leaves[i]}
	}
	return values
}

// hold counts bytes of buffered rows.
func (j *job) hold(delta int64) {
	j.buffered += delta
	if j.spec.Memory != nil {
		j.spec.Memory.Hold(delta)
	}
}

// shrink writes the largest buffers until the rest is within the limits.
func (j *job) shrink(ctx context.Context) error {
	limit := j.w.limits.BufferedBytes
	if j.spec.Memory != nil {
		limit = min(limit, j.spec.Memory.Share())
	}
	for j.buffered > limit {
		largest := j.parts[0]
		for _, p := range j.parts {
			if p.bytes > largest.bytes {
				largest = p
			}
		}
		if err := j.flush(ctx, largest); err != nil {
			return err
		}
	}
	return nil
}

// finish writes all buffers and closes all files.
func (j *job) finish(ctx context.Context) error {
	for _, p := range j.parts {
		if p.rows > 0 {
			if err := j.flush(ctx, p); err != nil {
				return err
			}
		}
		if p.file != nil {
			if err := j.closeFile(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the buffer of p as one row group, and closes p's file if that
// has reached its size.
func (j *job) flush(ctx context.Context, p *part) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := j.encode(p); err != nil {
		return err
	}
	if p.file == nil {
		if err := j.openFile(ctx, p); err != nil {
			return err
		}
	}
	if err := p.file.add(ctx, p.rows, j.chunks); err != nil {
		return lake.Wrap(lake.KindUnavailable, "write "+p.file.key, err)
	}
	for _, v := range p.values {
		v.Reset()
	}
	if j.router == nil {
		j.spare = p.values
	}
	j.hold(-p.bytes)
	p.values, p.rows, p.bytes = nil, 0, 0
	if p.file.parquet.Size() >= j.spec.Options.TargetFileSize {
		return j.closeFile(ctx, p)
	}
	return nil
}

// encode encodes the columns of p's buffer to j.chunks in parallel, the largest
// first.
func (j *job) encode(p *part) error {
	order := make([]int, len(p.values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p.values[b].Size(), p.values[a].Size()) })
	return parallel(j.w.parallelism, len(order), func(worker, i int) error {
		leaf := order[i]
		return j.encoders[worker].Encode(p.values[leaf], j.chunks[leaf])
	})
}

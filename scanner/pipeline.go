package scanner

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// unit is one row group of a file, or a whole file whose row groups are not
// known before its footer is read.
type unit struct {
	file     *file
	rowGroup int // wholeFile if not known
	bytes    int64
	claimed  bool
	done     bool
	queue    []arrow.RecordBatch // decoded and not consumed; in an ordered pipeline only
}

const wholeFile = -1

// pipeline decodes the units of one scan in parallel and hands their batches
// to the consumer: in the order of the units, or as they come.
type pipeline struct {
	scanner *Scanner
	scan    *expr.Scan
	shape   *shape
	schema  *arrow.Schema
	ordered bool

	ctx     context.Context // the scan's own, cancelled when it ends
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu   sync.Mutex // guards what follows
	cond *sync.Cond // signals every change
	// units holds what is not wholly consumed, in the order of the rows.
	units    []*unit
	ready    []arrow.RecordBatch // the queue of an unordered pipeline
	used     int64               // bytes in hand: see Options.ReadAheadBytes
	skip     int64               // rows still to skip for the offset
	left     int64               // rows still to produce; negative for no limit
	rowBytes int64               // most decoded bytes per row seen in a batch; 0 at first
	stopped  bool
	closed   bool
	err      error // why it stopped; nil for the limit or the consumer
}

func newPipeline(ctx context.Context, s *Scanner, scan *expr.Scan, sh *shape, ordered bool) *pipeline {
	p := &pipeline{
		scanner: s, scan: scan, shape: sh, ordered: ordered,
		schema: lake.ArrowSchema(sh.columns[:sh.projected]),
		skip:   max(scan.Offset, 0), left: scan.Limit,
	}
	p.cond = sync.NewCond(&p.mu)
	s.budget.scans.Add(1)
	for i := range scan.Tasks {
		p.units = append(p.units, newFile(s, scan, &scan.Tasks[i]).units()...)
	}
	ctx, p.cancel = context.WithCancel(ctx)
	p.ctx = ctx
	if p.left == 0 {
		p.stopped = true
	}
	context.AfterFunc(ctx, func() { p.stop(ctx.Err()) })
	for range p.workerCount() {
		p.workers.Go(p.work)
	}
	return p
}

// workerCount is one for a limit that the first batch is likely to satisfy,
// and for a single row group.
func (p *pipeline) workerCount() int {
	few := p.left >= 0 && p.shape.residual == nil && p.left+p.skip <= p.scanner.opts.BatchRows
	if few || len(p.units) == 1 && p.units[0].rowGroup != wholeFile {
		return 1
	}
	return p.scanner.opts.Workers
}

// stop ends the scan, with an error or without; only the first call counts.
func (p *pipeline) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLocked(err)
}

func (p *pipeline) stopLocked(err error) {
	if !p.stopped {
		p.stopped, p.err = true, err
	}
	p.cond.Broadcast()
}

// close ends the scan, waits for its goroutines and frees what was not consumed.
func (p *pipeline) close() {
	p.stop(nil)
	p.cancel()
	p.workers.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.units {
		releaseAll(u.queue)
		u.file.close()
	}
	releaseAll(p.ready)
	p.units, p.ready = nil, nil
	p.use(-p.used)
	if !p.closed {
		p.closed = true
		p.scanner.budget.scans.Add(-1)
	}
}

// use counts bytes that the scan holds, or no longer. The caller holds mu.
func (p *pipeline) use(bytes int64) {
	p.used += bytes
	p.scanner.budget.used.Add(bytes)
}

func releaseAll(batches []arrow.RecordBatch) {
	for _, b := range batches {
		b.Release()
	}
}

// work decodes units until there are none.
func (p *pipeline) work() {
	for u := p.claim(); u != nil; u = p.claim() {
		parts, err := p.run(u)
		if err != nil {
			p.stop(err)
		}
		p.finish(u, parts)
	}
}

// claim returns the first unit that no worker has claimed, once there is room for
// it; nil when there are none and will be none.
func (p *pipeline) claim() *unit {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.stopped {
		i := slices.IndexFunc(p.units, func(u *unit) bool { return !u.claimed })
		if i < 0 && !slices.ContainsFunc(p.units, func(u *unit) bool { return !u.done && u.rowGroup == wholeFile }) {
			return nil
		}
		if i == 0 || i > 0 && p.scanner.budget.fits(p.used, p.units[i].bytes) {
			u := p.units[i]
			u.claimed = true
			p.use(u.bytes)
			return u
		}
		p.cond.Wait()
	}
	return nil
}

// finish marks u as decoded; parts are the units that it turned out to be.
func (p *pipeline) finish(u *unit, parts []*unit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.done = true
	p.use(-u.bytes)
	if len(parts) > 0 {
		i := slices.Index(p.units, u)
		p.units = slices.Insert(p.units, i+1, parts...)
	}
	u.file.unitsLeft.Add(int64(len(parts)))
	if u.file.unitsLeft.Add(-1) == 0 {
		u.file.close()
	}
	if !p.ordered {
		p.dropConsumed()
	}
	p.cond.Broadcast()
}

// emit hands over a batch of u, whose reference it takes. It waits while the
// consumer is behind, and reports false when the scan has ended. The queue
// that the consumer is waiting at always takes one batch.
func (p *pipeline) emit(u *unit, batch arrow.RecordBatch) bool {
	size := batchBytes(batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.stopped && !p.scanner.budget.fits(p.used, size) && !p.awaited(u) {
		p.cond.Wait()
	}
	if p.stopped {
		batch.Release()
		return false
	}
	if rows := batch.NumRows(); rows > 0 {
		p.rowBytes = max(p.rowBytes, size/rows+1)
	}
	if p.ordered {
		u.queue = append(u.queue, batch)
	} else {
		p.ready = append(p.ready, batch)
	}
	p.use(size)
	p.cond.Broadcast()
	return true
}

// awaited reports whether the consumer has nothing else to take.
func (p *pipeline) awaited(u *unit) bool {
	if p.ordered {
		return p.units[0] == u && len(u.queue) == 0
	}
	return len(p.ready) == 0
}

// pop returns the next batch, with a reference for the caller, or io.EOF.
func (p *pipeline) pop(ctx context.Context) (arrow.RecordBatch, error) {
	unregister := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cond.Broadcast()
	})
	defer unregister()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return nil, p.err
		case p.stopped:
			return nil, io.EOF
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		queue := p.queue()
		switch {
		case queue != nil && len(*queue) > 0:
			batch := (*queue)[0]
			(*queue)[0] = nil
			*queue = (*queue)[1:]
			p.use(-batchBytes(batch))
			p.cond.Broadcast()
			if batch = p.clip(batch); batch != nil {
				return batch, nil
			}
		case len(p.units) == 0:
			return nil, io.EOF
		default:
			p.cond.Wait()
		}
	}
}

// queue returns the queue to take from; nil if there are no units left.
func (p *pipeline) queue() *[]arrow.RecordBatch {
	p.dropConsumed()
	if !p.ordered {
		return &p.ready
	}
	if len(p.units) == 0 {
		return nil
	}
	return &p.units[0].queue
}

// dropConsumed forgets the leading units of which nothing is left.
func (p *pipeline) dropConsumed() {
	for len(p.units) > 0 && p.units[0].done && len(p.units[0].queue) == 0 {
		p.units = p.units[1:]
		p.cond.Broadcast() // there is a new first unit, which is always admitted
	}
}

// clip applies offset and limit to a batch, whose reference it takes, and
// returns what is left of it, or nil.
func (p *pipeline) clip(batch arrow.RecordBatch) arrow.RecordBatch {
	rows := batch.NumRows()
	from := min(p.skip, rows)
	p.skip -= from
	to := rows
	if p.left >= 0 {
		to = min(rows, from+p.left)
		p.left -= to - from
		if p.left == 0 {
			p.stopLocked(nil)
			p.cancel()
		}
	}
	if from == to {
		batch.Release()
		return nil
	}
	if from == 0 && to == rows {
		return batch
	}
	defer batch.Release()
	return batch.NewSlice(from, to)
}

// decodeRows returns how many rows to decode at once: few until the size of
// the rows is known, then as many as make a batch that need not be split: parts
// of a batch cost a copy of their offsets on the way to the client. A filter
// decodes larger batches, of which it leaves few rows.
func (p *pipeline) decodeRows() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := p.scanner.opts.BatchRows
	switch {
	case p.rowBytes > 0:
		bytes := int64(decodeBytes)
		if p.shape.residual == nil {
			bytes = min(bytes, p.scanner.opts.BatchBytes)
		}
		rows = min(rows, max(bytes/p.rowBytes, 1))
	case p.shape.residual != nil:
		rows = min(rows, filterProbeRows)
	default:
		rows = min(rows, probeRows)
	}
	if p.left >= 0 && p.shape.residual == nil {
		rows = min(rows, max(p.skip+p.left, 1))
	}
	return rows
}

const (
	// probeRows is the size of the first batch of a scan: values may be large.
	probeRows = 1 << 10
	// filterProbeRows is the size of the batches of a scan with a filter until
	// a row has matched: most are of small values and never leave the filter.
	filterProbeRows = 8 << 10
	// decodeBytes is what a worker decodes at once for a filter, about.
	decodeBytes = 16 << 20
)

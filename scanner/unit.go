package scanner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// run decodes one unit and emits its batches. A unit that is a whole file is
// returned as its row groups instead.
func (p *pipeline) run(u *unit) (parts []*unit, err error) {
	defer func() {
		if err == nil {
			return
		}
		if ctxErr := p.ctx.Err(); ctxErr != nil {
			err = ctxErr
			return
		}
		if errors.Is(err, lake.ErrNotFound) { // from opening the object, or from its first read
			err = lake.Errorf(lake.KindCorrupt, "the object is missing")
		}
		err = lake.Wrap(lake.KindCorrupt, "read "+u.file.name(), err)
		if lake.KindOf(err) == lake.KindCorrupt {
			u.file.scanner.forget(FooterKey{Path: u.file.task.File.Path, Bytes: u.file.bytes})
		}
	}()
	defer recoverCorrupt(&err)
	if err := u.file.open(p.ctx, p.shape); err != nil {
		return nil, err
	}
	if u.rowGroup == wholeFile {
		return u.file.parts(), nil
	}
	if u.rowGroup >= u.file.meta.NumRowGroups() {
		return nil, lake.Errorf(lake.KindCorrupt, "the file has %d row groups, the catalog names number %d", u.file.meta.NumRowGroups(), u.rowGroup)
	}
	g := newGroup(p, u)
	defer g.release()
	return nil, g.read()
}

// group decodes one row group.
type group struct {
	pipeline *pipeline
	unit     *unit
	mem      memory.Allocator
	filter   *expr.Filter
	ranges   *ranges
	reader   *pqarrow.FileReader // nil until a column needs it
	columns  []columnReader      // as shape.columns; nil if not opened or not in the file
	snapshot columnReader
	rows     int64
	first    int64 // position in the file of the group's first row
}

func newGroup(p *pipeline, u *unit) *group {
	f := u.file
	return &group{
		pipeline: p, unit: u, mem: p.scanner.mem, filter: p.shape.filter,
		ranges:  &ranges{ctx: p.ctx, reader: f.reader, mem: p.scanner.pages},
		columns: make([]columnReader, len(p.shape.columns)),
		rows:    f.meta.RowGroups[u.rowGroup].NumRows,
		first:   f.starts[u.rowGroup],
	}
}

func (g *group) release() {
	for _, c := range append(g.columns, g.snapshot) {
		if c != nil {
			c.release()
		}
	}
	g.ranges.release()
}

// openColumns fetches the column chunks of the columns for which want is true
// and opens their readers.
func (g *group) openColumns(want func(i int) bool) error {
	var leaves []int
	f := g.unit.file
	for i := range f.layout.columns {
		if want(i) {
			leaves = append(leaves, f.layout.columns[i].leaves...)
		}
	}
	if f.layout.snapshot != nil && g.snapshot == nil {
		leaves = append(leaves, f.layout.snapshot.leaves...)
	}
	if err := g.fetch(leaves); err != nil {
		return err
	}
	for i := range f.layout.columns {
		if !want(i) {
			continue
		}
		var err error
		if g.columns[i], err = g.openColumn(&f.layout.columns[i]); err != nil {
			return err
		}
	}
	if f.layout.snapshot != nil && g.snapshot == nil {
		var err error
		g.snapshot, err = g.openColumn(f.layout.snapshot)
		return err
	}
	return nil
}

func (g *group) fetch(leaves []int) error {
	meta := g.unit.file.meta.RowGroup(g.unit.rowGroup)
	wanted := make([]objstore.Range, len(leaves))
	for i, leaf := range leaves {
		chunk, err := meta.ColumnChunk(leaf)
		if err != nil {
			return err
		}
		if chunk.CryptoMetadata() != nil {
			return lake.Errorf(lake.KindUnsupported, "a column is encrypted")
		}
		wanted[i] = chunkRange(chunk)
	}
	return g.ranges.fetch(wanted)
}

// read decodes the group batch by batch. With a filter, the columns that it
// reads come first, and the others only once a row has matched.
func (g *group) read() error {
	filtering := g.pipeline.shape.filtering
	opened := func(i int) bool { return g.filter == nil || filtering[i] }
	if err := g.openColumns(opened); err != nil {
		return err
	}
	var pending int64 // rows that the unopened columns are behind
	late := g.filter == nil
	for done := int64(0); done < g.rows; {
		if err := g.pipeline.ctx.Err(); err != nil {
			return err
		}
		n := min(g.pipeline.decodeRows(), g.rows-done)
		arrays := make([]arrow.Array, len(g.columns))
		rows, err := g.choose(arrays, n, done)
		if err == nil && (rows == nil || len(rows) > 0) {
			if !late {
				late = true
				err = g.openColumns(func(i int) bool { return !filtering[i] })
			}
			if err == nil {
				err = g.complete(arrays, n, pending)
			}
			pending = 0
		} else {
			pending += n
		}
		var ok bool
		if err == nil {
			ok, err = g.emit(arrays, n, rows)
		}
		releaseArrays(arrays)
		if err != nil || !ok {
			return err
		}
		done += n
	}
	return nil
}

// choose decodes the filtering columns of n rows into arrays and returns the
// positions of the rows to produce; nil means all.
func (g *group) choose(arrays []arrow.Array, n, done int64) ([]int32, error) {
	var rows []int32
	f := g.unit.file
	if g.filter != nil {
		var filtered []arrow.Array
		for i := range arrays {
			if g.pipeline.shape.filtering[i] {
				if err := g.decode(arrays, i, n); err != nil {
					return nil, err
				}
				filtered = append(filtered, arrays[i])
			}
		}
		batch := array.NewRecordBatch(g.pipeline.shape.filterSchema, filtered, n)
		defer batch.Release()
		var err error
		if rows, err = g.filter.Select(batch, make([]int32, 0, n)); err != nil {
			return nil, err
		}
	}
	if g.filter == nil && f.layout.snapshot == nil && !f.touches(g.first+done, n) {
		return nil, nil
	}
	if g.filter == nil {
		rows = make([]int32, n)
		for i := range rows {
			rows[i] = int32(i)
		}
	}
	rows = f.keep(rows, g.first+done)
	if f.layout.snapshot != nil {
		return g.keepSnapshots(rows, n)
	}
	return rows, nil
}

// touches reports whether one of n rows from a position is deleted.
func (f *file) touches(first, n int64) bool {
	i, _ := slices.BinarySearch(f.deleted, first)
	return i < len(f.deleted) && f.deleted[i] < first+n
}

// keepSnapshots removes the rows that are younger than the scan's snapshot.
func (g *group) keepSnapshots(rows []int32, n int64) ([]int32, error) {
	arr, err := g.nextArray(g.unit.file.layout.snapshot, g.snapshot, n)
	if err != nil {
		return nil, err
	}
	defer arr.Release()
	ids := arr.(*array.Int64) // the converter's target
	out := rows[:0]
	for _, r := range rows {
		if ids.IsValid(int(r)) && lake.SnapshotID(ids.Value(int(r))) <= g.pipeline.scan.Snapshot {
			out = append(out, r)
		}
	}
	return out, nil
}

// complete decodes the columns that the filter did not read, after dropping
// the rows of earlier batches of which nothing was wanted.
func (g *group) complete(arrays []arrow.Array, n, skip int64) error {
	for i := range arrays {
		if arrays[i] != nil {
			continue
		}
		if g.columns[i] != nil && skip > 0 {
			if err := g.columns[i].skip(skip); err != nil {
				return err
			}
		}
		if err := g.decode(arrays, i, n); err != nil {
			return err
		}
	}
	return nil
}

// decode reads n values of column i into arrays.
func (g *group) decode(arrays []arrow.Array, i int, n int64) error {
	var err error
	arrays[i], err = g.nextArray(&g.unit.file.layout.columns[i], g.columns[i], n)
	return err
}

// nextArray reads n values of a column in the table's type.
func (g *group) nextArray(s *source, reader columnReader, n int64) (arrow.Array, error) {
	if reader == nil {
		return defaultArray(g.mem, &s.column, int(n))
	}
	arr, err := reader.next(n)
	return arr, lake.Wrap(lake.KindCorrupt, fmt.Sprintf("row group %d, column %q", g.unit.rowGroup, s.column.Name), err)
}

// emit hands over the chosen rows of the projected columns.
func (g *group) emit(arrays []arrow.Array, n int64, rows []int32) (bool, error) {
	if rows != nil && len(rows) == 0 {
		return true, nil
	}
	p := g.pipeline
	batch := array.NewRecordBatch(p.schema, arrays[:p.shape.projected], n)
	if rows != nil {
		taken, err := expr.Take(batch, rows, g.mem)
		batch.Release()
		if err != nil {
			return false, err
		}
		batch = taken
	}
	return split(batch, p.scanner.opts.BatchBytes, func(part arrow.RecordBatch) bool { return p.emit(g.unit, part) }), nil
}

func releaseArrays(arrays []arrow.Array) {
	for _, a := range arrays {
		if a != nil {
			a.Release()
		}
	}
}

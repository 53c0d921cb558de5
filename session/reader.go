package session

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// renamedReader gives the batches of a reader another schema, whose fields have
// the same types.
type renamedReader struct {
	array.RecordReader
	schema  *arrow.Schema
	current arrow.RecordBatch
	err     error
}

// renamed takes over the caller's reference to reader. If the types differ, it
// fails when it is read.
func renamed(reader array.RecordReader, schema *arrow.Schema) array.RecordReader {
	if reader.Schema().Equal(schema) {
		return reader
	}
	r := &renamedReader{RecordReader: reader, schema: schema}
	own := reader.Schema()
	same := own.NumFields() == schema.NumFields()
	for i := 0; same && i < own.NumFields(); i++ {
		same = arrow.TypeEqual(own.Field(i).Type, schema.Field(i).Type)
	}
	if !same {
		r.err = lake.Errorf(lake.KindInternal, "the rows have the columns %s where %s were expected", own, schema)
	}
	return r
}

// Err implements array.RecordReader.
func (r *renamedReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.RecordReader.Err()
}

// Schema implements array.RecordReader.
func (r *renamedReader) Schema() *arrow.Schema { return r.schema }

// RecordBatch implements array.RecordReader.
func (r *renamedReader) RecordBatch() arrow.RecordBatch { return r.current }

// Record implements array.RecordReader.
func (r *renamedReader) Record() arrow.RecordBatch { return r.current }

// Next implements array.RecordReader.
func (r *renamedReader) Next() bool {
	r.drop()
	if r.err != nil || !r.RecordReader.Next() {
		return false
	}
	b := r.RecordReader.RecordBatch()
	r.current = array.NewRecordBatch(r.schema, b.Columns(), b.NumRows())
	return true
}

// Release implements array.RecordReader.
func (r *renamedReader) Release() {
	r.drop()
	r.RecordReader.Release()
}

func (r *renamedReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// releasingReader calls a function when its last reference is released.
type releasingReader struct {
	array.RecordReader
	references  atomic.Int64
	releaseFunc func()
}

// onRelease takes over the caller's reference to reader.
func onRelease(reader array.RecordReader, releaseFunc func()) array.RecordReader {
	r := &releasingReader{RecordReader: reader, releaseFunc: releaseFunc}
	r.references.Store(1)
	return r
}

// Retain implements array.RecordReader.
func (r *releasingReader) Retain() { r.references.Add(1) }

// Release implements array.RecordReader.
func (r *releasingReader) Release() {
	if r.references.Add(-1) == 0 {
		r.RecordReader.Release()
		r.releaseFunc()
	}
}

// chain reads the rows of several readers of one schema, each opened when the
// one before has ended.
type chain struct {
	schema     *arrow.Schema
	rest       []func() (array.RecordReader, error)
	reader     array.RecordReader // nil between two
	err        error
	references atomic.Int64
}

func newChain(schema *arrow.Schema, parts []func() (array.RecordReader, error)) *chain {
	c := &chain{schema: schema, rest: parts}
	c.references.Store(1)
	return c
}

var _ array.RecordReader = (*chain)(nil)

// Schema implements array.RecordReader.
func (c *chain) Schema() *arrow.Schema { return c.schema }

// RecordBatch implements array.RecordReader.
func (c *chain) RecordBatch() arrow.RecordBatch { return c.reader.RecordBatch() }

// Record implements array.RecordReader.
func (c *chain) Record() arrow.RecordBatch { return c.reader.RecordBatch() }

// Err implements array.RecordReader.
func (c *chain) Err() error { return c.err }

// Retain implements array.RecordReader.
func (c *chain) Retain() { c.references.Add(1) }

// Release implements array.RecordReader.
func (c *chain) Release() {
	if c.references.Add(-1) == 0 {
		c.close()
		c.rest = nil
	}
}

func (c *chain) close() {
	if c.reader != nil {
		c.reader.Release()
		c.reader = nil
	}
}

// Next implements array.RecordReader.
func (c *chain) Next() bool {
	for c.err == nil {
		if c.reader == nil {
			if len(c.rest) == 0 {
				return false
			}
			open := c.rest[0]
			c.rest = c.rest[1:]
			if c.reader, c.err = open(); c.err != nil {
				c.reader = nil
				return false
			}
		}
		if c.reader.Next() {
			return true
		}
		c.err = c.reader.Err()
		c.close()
	}
	return false
}

// oneBatch returns a reader of one batch and takes over the reference to it.
func oneBatch(batch arrow.RecordBatch) (array.RecordReader, error) {
	defer batch.Release()
	return array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
}

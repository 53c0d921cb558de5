package query

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Functions finds the lake's own table functions.
type Functions interface {
	// Function returns the function of a name, as written: lake.snapshots, or
	// ducklake_snapshots without a schema.
	Function(schema, name string) (Function, bool)
}

// Function is a table function of the lake.
type Function struct {
	// CallFunc checks the arguments and says what a call returns, without making its rows.
	CallFunc func(ctx context.Context, c Call) (*Rowset, error)
	// Watches is set for functions that show why statements wait: a query of nothing
	// else needs no turn.
	Watches bool
}

// Call is a call of a Function.
type Call struct {
	Name string // for errors
	Args []sqltext.Arg
	View *view.View
	Run  *workload.Statement // in whose life the rows are made
}

// Rowset is what a table function of the lake returns, or one of the catalog's own
// tables: rows that are made when they are read, as often as that is.
type Rowset struct {
	Columns []lake.Column
	// Rows yields rows of cells: nil, bool, int64, uint64, float64, string (also for
	// uuid), []byte, time.Time, or []any: the elements of a list, the fields of a struct,
	// or the alternating keys and values of a map. An error ends them.
	Rows func(ctx context.Context) iter.Seq2[[]any, error]
	// OpenFunc returns the rows as batches instead.
	OpenFunc func(ctx context.Context, mem memory.Allocator) (array.RecordReader, error)
}

// Column makes a column of a Rowset; children as in lake.Column.
func Column(name string, id lake.TypeID, children ...lake.Column) lake.Column {
	return lake.Column{Name: name, Type: lake.Type{ID: id}, Nullable: true, Children: children}
}

// Fixed returns rows that are there.
func Fixed(rows ...[]any) func(context.Context) iter.Seq2[[]any, error] {
	return func(context.Context) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// rowsetBatchRows is how many rows of a Rowset are made at a time.
const rowsetBatchRows = 1024

// open starts to read the rows, in batches allocated from mem.
func (r *Rowset) open(ctx context.Context, mem memory.Allocator) (array.RecordReader, error) {
	if r.OpenFunc != nil {
		return r.OpenFunc(ctx, mem)
	}
	// A goroutine makes the rows: DuckDB reads them from threads that are not Go's, where
	// iter.Pull cannot switch.
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk)
	go r.make(ctx, chunks)
	schema := lake.ArrowSchema(r.Columns)
	return stream.New(stream.Source{
		Schema: schema,
		NextFunc: func() (arrow.RecordBatch, error) {
			made, ok := <-chunks
			if !ok {
				return nil, cmp.Or(ctx.Err(), io.EOF)
			}
			if made.err != nil {
				return nil, made.err
			}
			b := array.NewRecordBuilder(mem, schema)
			defer b.Release()
			for _, row := range made.rows {
				for i, cell := range row {
					appendCell(b.Field(i), cell)
				}
			}
			return b.NewRecordBatch(), nil
		},
		CloseFunc: func() {
			cancel()
			for range chunks { // until the goroutine has ended
			}
		},
	}), nil
}

// chunk is some rows of a Rowset, or the error that ends them.
type chunk struct {
	rows [][]any
	err  error
}

// make sends the rows in chunks until ctx ends, and closes the channel.
func (r *Rowset) make(ctx context.Context, chunks chan<- chunk) {
	defer close(chunks)
	send := func(c chunk) bool {
		select {
		case chunks <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var rows [][]any
	for row, err := range r.Rows(ctx) {
		if err != nil {
			send(chunk{err: err})
			return
		}
		if rows = append(rows, row); len(rows) == rowsetBatchRows {
			if !send(chunk{rows: rows}) {
				return
			}
			rows = nil
		}
	}
	if len(rows) > 0 {
		send(chunk{rows: rows})
	}
}

func appendCell(b array.Builder, cell any) {
	if cell == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(cell.(bool))
	case *array.Int32Builder:
		b.Append(int32(cell.(int64)))
	case *array.Int64Builder:
		b.Append(cell.(int64))
	case *array.Uint64Builder:
		b.Append(cell.(uint64))
	case *array.Float64Builder:
		b.Append(cell.(float64))
	case *array.StringBuilder:
		b.Append(cell.(string))
	case *array.BinaryBuilder:
		b.Append(cell.([]byte))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(cell.(time.Time).UnixMicro()))
	case *extensions.UUIDBuilder:
		b.Append(uuid.MustParse(cell.(string)))
	default:
		appendNested(b, cell.([]any))
	}
}

func appendNested(b array.Builder, cells []any) {
	switch b := b.(type) {
	case *array.MapBuilder:
		b.Append(true)
		for i := 0; i < len(cells); i += 2 {
			appendCell(b.KeyBuilder(), cells[i])
			appendCell(b.ItemBuilder(), cells[i+1])
		}
	case *array.ListBuilder:
		b.Append(true)
		for _, cell := range cells {
			appendCell(b.ValueBuilder(), cell)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, cell := range cells {
			appendCell(b.FieldBuilder(i), cell)
		}
	default:
		panic(fmt.Sprintf("rowset: no cell for builder %T", b)) // a bug of the table function
	}
}

// rowsetSource feeds a Rowset to the engine.
type rowsetSource struct {
	set *Rowset
	mem memory.Allocator
}

var _ engine.TableSource = rowsetSource{}

// Columns implements engine.TableSource.
func (s rowsetSource) Columns() []lake.Column { return s.set.Columns }

// Rows implements engine.TableSource.
func (s rowsetSource) Rows() int64 { return lake.Unknown }

// Open implements engine.TableSource.
func (s rowsetSource) Open(ctx context.Context, projection []int) (engine.Stream, error) {
	reader, err := s.set.open(ctx, s.mem)
	return &readerStream{reader: reader, projection: projection}, err
}

// readerStream hands out the rows of a reader, which it owns.
type readerStream struct {
	mu         sync.Mutex
	reader     array.RecordReader // guarded by mu
	projection []int
}

// Next implements engine.Stream.
func (s *readerStream) Next(context.Context) (arrow.RecordBatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, err := stream.Next(s.reader)
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	return project(batch, s.projection), nil
}

// Close implements engine.Stream.
func (s *readerStream) Close() { s.reader.Release() }

// project returns the columns of a batch with the given indices.
func project(batch arrow.RecordBatch, projection []int) arrow.RecordBatch {
	fields := make([]arrow.Field, len(projection))
	columns := make([]arrow.Array, len(projection))
	for i, p := range projection {
		fields[i], columns[i] = batch.Schema().Field(p), batch.Column(p)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, batch.NumRows())
}

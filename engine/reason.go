package engine

import (
	"errors"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// reasonTries is how often a query runs again for its error. One run in twenty loses it.
const reasonTries = 4

// errReasonLost is what a client is told of a query whose error DuckDB lost every time.
var errReasonLost = lake.Errorf(lake.KindInternal, "the query failed while its rows were read, and DuckDB lost the reason; run it again")

// reasonOf finds why a query failed of which DuckDB says that it was interrupted, although
// nobody did that. DuckDB interrupts the other threads of a query that fails, and 1.5
// takes that for the reason if it looks at a streaming result in this moment; the error
// itself is gone then. A source knows its own; another is found by running the query again
// for nothing else. The result is of no use afterwards.
func (r *resultReader) reasonOf(err error) error {
	for range reasonTries {
		if !isInterruption(err) || r.ctx.Err() != nil {
			return err
		}
		for _, source := range r.sources {
			if cause := source.failure(); cause != nil {
				return cause
			}
		}
		err = r.runAgain()
	}
	if isInterruption(err) {
		return errReasonLost
	}
	return err
}

func isInterruption(err error) bool {
	var e *SQLError
	return errors.As(err, &e) && e.Type == "INTERRUPT Error"
}

// runAgain runs the query from its beginning, without its rows, and returns its error.
func (r *resultReader) runAgain() error {
	if r.result != nil {
		duckdb.DestroyResult(r.result)
		r.result = nil
	}
	r.statement.close()
	if err := r.connection.exec("ROLLBACK"); err != nil {
		return err
	}
	r.connection.temporary = nil
	s, err := r.executor.begin(r.connection, r.query, r.first)
	if err != nil {
		return err
	}
	r.statement = s
	if err := r.execute(); err != nil {
		return err
	}
	for {
		chunk := duckdb.FetchChunk(*r.result)
		if chunk.Ptr != nil {
			duckdb.DestroyDataChunk(&chunk)
			continue
		}
		if message := duckdb.ResultError(r.result); message != "" {
			return newError(message)
		}
		return errReasonLost // it depends on chance whether the query fails
	}
}

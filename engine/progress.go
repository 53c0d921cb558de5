package engine

import (
	"sync"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// progress tells how far a query is. Safe for concurrent use.
type progress struct {
	mu         sync.Mutex
	connection *connection     // that runs the query; nil when it has ended; guarded by mu
	sources    []*registration // guarded by mu
	last       float64         // guarded by mu
	done       bool            // guarded by mu
}

// progressMax is the most that is said of a query that has not ended: the numbers
// of rows are estimates, and what follows the reading is not counted.
const progressMax = 0.99

// watch begins to follow a query.
func (p *progress) watch(c *connection, sources []*registration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connection, p.sources, p.last = c, sources, float64(lake.Unknown)
}

// end says that the connection is the query's no more; done if all was read.
func (p *progress) end(done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connection, p.sources = nil, nil
	p.done = p.done || done
}

// share returns the greatest share known so far: of the rows of the sources, or
// what DuckDB says, which knows the files that it reads itself.
func (p *progress) share() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return 1
	}
	if p.connection == nil {
		return p.last
	}
	own := duckdb.QueryProgress(p.connection.conn)
	if percent, _, _ := duckdb.QueryProgressTypeMembers(&own); percent > 0 {
		p.last = max(p.last, min(percent/100, progressMax))
	}
	var read, rows int64
	for _, s := range p.sources {
		if s.source == nil {
			continue // which DuckDB counts
		}
		if n := s.source.Rows(); n > 0 {
			rows += n
			read += min(s.read.Load(), n)
		}
	}
	if rows > 0 {
		p.last = max(p.last, min(float64(read)/float64(rows), progressMax))
	}
	return p.last
}

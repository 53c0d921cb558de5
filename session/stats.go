package session

import (
	"github.com/flightlake/flightlake/cache"
	"github.com/flightlake/flightlake/workload"
)

// Stats are the counters of a Service.
type Stats struct {
	Tables  cache.TablesStats // table versions with their files and zone maps
	States  cache.Stats       // schemas
	Objects cache.Stats       // ends of files: Parquet footers
	Footers cache.Stats       // Parquet footers, decoded
	Plans   cache.Stats       // planned queries

	Workload workload.Stats // statements
	Sessions int64          // that are open
}

// Stats returns the counters. It is safe for concurrent use and cheap.
func (s *Service) Stats() Stats {
	return Stats{
		Tables: s.tables.Stats(), States: s.states.Stats(), Objects: s.objects.Stats(), Footers: s.footers.Stats(),
		Plans:    s.plans.Stats(),
		Workload: s.statements.Stats(), Sessions: int64(s.sessions.count()),
	}
}

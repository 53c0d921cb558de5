package session

import "github.com/flightlake/flightlake/cache"

// Stats are the counters of the metadata cache.
type Stats struct {
	Tables  cache.TablesStats // table versions with their files and zone maps
	States  cache.Stats       // schemas
	Objects cache.Stats       // ends of files: Parquet footers
	Footers cache.Stats       // Parquet footers, decoded
}

// Stats returns the counters. It is safe for concurrent use and cheap.
func (s *Service) Stats() Stats {
	return Stats{
		Tables: s.tables.Stats(), States: s.states.Stats(), Objects: s.objects.Stats(), Footers: s.footers.Stats(),
	}
}

package lakehouse

import (
	"context"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// FilesOf returns the files of a table that a caller sees, as a scan of it has them.
func (s *Statements) FilesOf(ctx context.Context, c session.Caller, table *lake.Table) (*lake.TableVersion, error) {
	v, err := s.views.Look(ctx, c, session.Scope{})
	if err != nil {
		return nil, err
	}
	return s.views.Files(ctx, v, table)
}

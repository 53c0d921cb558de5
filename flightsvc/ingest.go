package flightsvc

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// ingest appends the stream of a CommandStatementIngest to a table and returns
// the rows appended; a failure appends none.
//
// Errors: KindNotFound for another catalog; KindUnsupported for a temporary
// table; KindState for a transaction; KindInvalid for a malformed stream or
// request; those of Backend.Ingest.
func (s *Server) ingest(ctx context.Context, cmd flightsql.StatementIngest, src *putSource) (int64, error) {
	in, err := ingestOf(ctx, cmd)
	if err != nil {
		return 0, err
	}
	rd, err := newPutReader(ctx, src, s.mem)
	if err != nil {
		return 0, err
	}
	defer rd.Release()
	up, err := s.backend.Ingest(ctx, in, rd)
	if err != nil {
		return 0, preferReaderError(rd, err)
	}
	announceSnapshot(ctx, up.Snapshot)
	return up.Rows, nil
}

// preferReaderError returns what ended the stream, if it is more telling than
// the error that the backend made of it.
func preferReaderError(rd *putReader, err error) error {
	if rd.err != nil && lake.KindOf(err) == lake.KindInternal {
		return rd.err
	}
	return err
}

// ingestOf checks the request.
func ingestOf(ctx context.Context, cmd flightsql.StatementIngest) (session.Ingest, error) {
	c := callOf(ctx)
	in := session.Ingest{Schema: cmd.GetSchema(), Table: cmd.GetTable(), Scope: c.scope(), Options: cmd.GetOptions()}
	var err error
	if in.Token, err = c.appendToken(); err != nil {
		return in, err
	}
	if in.Table == "" {
		return in, lake.Errorf(lake.KindInvalid, "the ingest names no table")
	}
	if cmd.GetTemporary() {
		return in, lake.Errorf(lake.KindUnsupported, "temporary tables are not supported; ingest %q without the temporary option", in.Table)
	}
	if name := cmd.GetCatalog(); name != "" && !strings.EqualFold(name, catalogName) {
		return in, lake.Errorf(lake.KindNotFound, "there is no catalog %q; the only one is %q", name, catalogName)
	}
	if err := noTransaction(cmd.GetTransactionId()); err != nil {
		return in, err
	}
	if in.IfMissing, err = ifMissing(cmd.GetTableDefinitionOptions()); err != nil {
		return in, err
	}
	in.IfExists, err = ifExists(cmd.GetTableDefinitionOptions())
	return in, err
}

func ifMissing(o *flightsql.TableDefinitionOptions) (session.IfMissing, error) {
	switch o.GetIfNotExist() {
	case flightsql.TableDefinitionOptionsTableNotExistOptionCreate:
		return session.MissingCreate, nil
	case flightsql.TableDefinitionOptionsTableNotExistOptionFail:
		return session.MissingFails, nil
	case flightsql.TableDefinitionOptionsTableNotExistOptionUnspecified:
	}
	return 0, lake.Errorf(lake.KindInvalid, "the ingest does not say what to do if the table does not exist (if_not_exist)")
}

func ifExists(o *flightsql.TableDefinitionOptions) (session.IfExists, error) {
	switch o.GetIfExists() {
	case flightsql.TableDefinitionOptionsTableExistsOptionFail:
		return session.ExistsFails, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionAppend:
		return session.ExistsAppend, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionReplace:
		return session.ExistsReplace, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionUnspecified:
	}
	return 0, lake.Errorf(lake.KindInvalid, "the ingest does not say what to do if the table exists (if_exists)")
}

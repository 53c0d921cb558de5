package flightsvc

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// ingest appends the stream of a CommandStatementIngest to a table and returns
// the rows appended; a failure appends none.
//
// Errors: KindNotFound for another catalog; KindInvalid for a malformed stream or
// request; those of Backend.Ingest.
func (s *statementServer) ingest(ctx context.Context, cmd flightsql.StatementIngest, src *putSource) (int64, error) {
	in, err := ingestOf(ctx, cmd)
	if err != nil {
		return 0, err
	}
	rd, err := newPutReader(ctx, src, s.mem)
	if err != nil {
		return 0, err
	}
	defer rd.Release()
	up, err := s.statements.Ingest(ctx, in, rd)
	if err != nil {
		return 0, preferReaderError(rd, err)
	}
	announceSnapshot(ctx, up.Snapshot)
	return up.Rows, nil
}

// preferReaderError returns what ended the stream, if it is more telling than
// the error that the backend made of it.
func preferReaderError(rd array.RecordReader, err error) error {
	if readErr := rd.Err(); readErr != nil && lake.KindOf(err) == lake.KindInternal {
		return readErr
	}
	return err
}

// ingestOf checks the request.
func ingestOf(ctx context.Context, cmd flightsql.StatementIngest) (statement.Ingest, error) {
	c := callOf(ctx)
	in := statement.Ingest{
		Schema: cmd.GetSchema(), Table: cmd.GetTable(), Temporary: cmd.GetTemporary(),
		Scope: c.scope(), Caller: c.caller(), ID: newStatementID(), Options: cmd.GetOptions(),
	}
	in.Caller.Transaction = session.TransactionID(cmd.GetTransactionId())
	err := c.checkCatalog()
	if err != nil {
		return in, err
	}
	if in.Token, err = c.appendToken(); err != nil {
		return in, err
	}
	if in.Table == "" {
		return in, lake.Errorf(lake.KindInvalid, "the ingest names no table")
	}
	if name := cmd.GetCatalog(); name != "" && !(in.Temporary && strings.EqualFold(name, lake.TemporarySchema)) {
		if err := checkCatalog(name); err != nil {
			return in, err
		}
	}
	if in.IfMissing, err = ifMissing(cmd.GetTableDefinitionOptions()); err != nil {
		return in, err
	}
	in.IfExists, err = ifExists(cmd.GetTableDefinitionOptions())
	return in, err
}

func ifMissing(o *flightsql.TableDefinitionOptions) (statement.IfMissing, error) {
	switch o.GetIfNotExist() {
	case flightsql.TableDefinitionOptionsTableNotExistOptionCreate:
		return statement.MissingCreate, nil
	case flightsql.TableDefinitionOptionsTableNotExistOptionFail:
		return statement.MissingFails, nil
	case flightsql.TableDefinitionOptionsTableNotExistOptionUnspecified:
	}
	return 0, lake.Errorf(lake.KindInvalid, "the ingest does not say what to do if the table does not exist (if_not_exist)")
}

func ifExists(o *flightsql.TableDefinitionOptions) (statement.IfExists, error) {
	switch o.GetIfExists() {
	case flightsql.TableDefinitionOptionsTableExistsOptionFail:
		return statement.ExistsFails, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionAppend:
		return statement.ExistsAppend, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionReplace:
		return statement.ExistsReplace, nil
	case flightsql.TableDefinitionOptionsTableExistsOptionUnspecified:
	}
	return 0, lake.Errorf(lake.KindInvalid, "the ingest does not say what to do if the table exists (if_exists)")
}

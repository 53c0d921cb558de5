package flightsvc

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
)

// GetFlightInfoStatement plans a query, or runs an update once: drivers send
// DDL and DML this way too and may never fetch the result.
func (s *Server) GetFlightInfoStatement(ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return nil, err
	}
	d, err := s.backend.Describe(ctx, st)
	if err != nil {
		return nil, err
	}
	if d.Update {
		return s.updateInfo(ctx, st, desc)
	}
	return s.queryInfo(ctx, sealed{SQL: st.SQL, Schema: st.Scope.Schema}, desc)
}

// GetSchemaStatement plans a statement and never runs it.
func (s *Server) GetSchemaStatement(ctx context.Context, q flightsql.StatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return nil, err
	}
	d, err := s.backend.Describe(ctx, st)
	if err != nil {
		return nil, err
	}
	return s.schemaResult(d), nil
}

// DoPutCommandStatementUpdate runs a statement once.
func (s *Server) DoPutCommandStatementUpdate(ctx context.Context, q flightsql.StatementUpdate) (int64, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return 0, err
	}
	up, err := s.execute(ctx, st)
	return up.Rows, err
}

// PollFlightInfo refuses what is not a statement.
func (s *Server) PollFlightInfo(context.Context, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, lake.Errorf(lake.KindUnsupported, "PollFlightInfo takes statements and prepared statements only")
}

// PollFlightInfoStatement answers at once: planning is quick, and an update must
// not run twice.
func (s *Server) PollFlightInfoStatement(ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return polled(s.GetFlightInfoStatement(ctx, q, desc))
}

// PollFlightInfoPreparedStatement answers at once.
func (s *Server) PollFlightInfoPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return polled(s.GetFlightInfoPreparedStatement(ctx, q, desc))
}

func polled(info *flight.FlightInfo, err error) (*flight.PollInfo, error) {
	if err != nil {
		return nil, err
	}
	complete := 1.0
	return &flight.PollInfo{Info: info, Progress: &complete}, nil
}

// statement checks what every statement command carries.
//
// Errors: KindInvalid for no SQL; KindState for a transaction, since none can be open.
func (s *Server) statement(ctx context.Context, sql string, transaction []byte) (session.Statement, error) {
	if sql == "" {
		return session.Statement{}, lake.Errorf(lake.KindInvalid, "the statement is empty")
	}
	if err := noTransaction(transaction); err != nil {
		return session.Statement{}, err
	}
	return session.Statement{SQL: sql, Scope: callOf(ctx).scope()}, nil
}

// execute runs an update, with the append token of the call, and announces its
// snapshot.
func (s *Server) execute(ctx context.Context, st session.Statement) (up session.Update, err error) {
	if st.Token, err = callOf(ctx).appendToken(); err != nil {
		return session.Update{}, err
	}
	up, err = s.backend.Execute(ctx, st)
	if err == nil {
		announceSnapshot(ctx, up.Snapshot)
	}
	return up, err
}

// updateInfo runs an update; the ticket holds the outcome.
func (s *Server) updateInfo(ctx context.Context, st session.Statement, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	up, err := s.execute(ctx, st)
	if err != nil {
		return nil, err
	}
	t := sealed{Purpose: purposeUpdate, Snapshot: up.Snapshot, Rows: up.Rows}
	return s.flightInfo(t, countSchema(), desc, up.Rows, lake.Unknown)
}

// queryInfo plans a query. With several parameter rows the plan of the first
// stands for all.
func (s *Server) queryInfo(ctx context.Context, v sealed, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	params, err := decodeParams(v.Params, s.mem)
	if err != nil {
		return nil, err
	}
	v.Purpose, v.Rows = purposeQuery, lake.Unknown
	if params == nil {
		return s.planInfo(ctx, v, nil, desc)
	}
	defer params.Release()
	if params.NumRows() == 0 {
		return s.emptyInfo(ctx, v, desc)
	}
	row := params.NewSlice(0, 1)
	defer row.Release()
	info, err := s.planInfo(ctx, v, row, desc)
	if err == nil && params.NumRows() > 1 {
		info.TotalRecords, info.TotalBytes = lake.Unknown, lake.Unknown
	}
	return info, err
}

func (s *Server) planInfo(ctx context.Context, v sealed, row arrow.RecordBatch, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	q, err := s.backend.Plan(ctx, v.statement(row))
	if err != nil {
		return nil, err
	}
	announceSnapshot(ctx, q.Snapshot)
	v.Snapshot = q.Snapshot
	return s.flightInfo(v, describeColumns(q.Schema), desc, q.Rows, q.Bytes)
}

// emptyInfo answers a query bound to zero rows: it has a schema and no rows.
func (s *Server) emptyInfo(ctx context.Context, v sealed, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	d, err := s.backend.Describe(ctx, v.statement(nil))
	if err != nil {
		return nil, err
	}
	return s.flightInfo(v, describeColumns(d.Result), desc, 0, 0)
}

// statement returns the statement of v with one row of parameters, or none.
func (v *sealed) statement(row arrow.RecordBatch) session.Statement {
	return session.Statement{SQL: v.SQL, Scope: session.Scope{Schema: v.Schema}, Params: row}
}

// flightInfo describes one endpoint without a location: the same connection.
func (s *Server) flightInfo(v sealed, schema *arrow.Schema, desc *flight.FlightDescriptor, rows, bytes int64) (*flight.FlightInfo, error) {
	ticket, err := flightsql.CreateStatementQueryTicket(s.seals.seal(v))
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "encode ticket", err)
	}
	return &flight.FlightInfo{
		Schema:           flight.SerializeSchema(schema, s.mem),
		FlightDescriptor: desc,
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: ticket}}},
		TotalRecords:     rows,
		TotalBytes:       bytes,
		Ordered:          true,
	}, nil
}

func (s *Server) schemaResult(d session.Description) *flight.SchemaResult {
	schema := countSchema()
	if !d.Update {
		schema = describeColumns(d.Result)
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(schema, s.mem)}
}

// countSchema is the result of an update fetched as a query, as DuckDB names it.
func countSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "Count", Type: arrow.PrimitiveTypes.Int64}}, nil)
}

// redeem streams what a statement ticket stands for.
//
// Errors: KindInvalid for a ticket that is not of this server.
func (s *Server) redeem(handle []byte, stream dataStream) error {
	v, err := s.seals.open(handle, purposeQuery, purposeUpdate)
	if err != nil {
		return err
	}
	ctx := stream.Context()
	if v.Purpose == purposeUpdate {
		announceSnapshot(ctx, v.Snapshot)
		return s.sendCount(stream, v.Rows)
	}
	rows, err := s.openQuery(ctx, v)
	if err != nil {
		return err
	}
	defer rows.Release()
	announceSnapshot(ctx, v.Snapshot)
	return sendRows(stream, describeColumns(rows.Schema()), rows, s.mem)
}

func (s *Server) sendCount(stream dataStream, count int64) error {
	b := array.NewInt64Builder(s.mem)
	defer b.Release()
	b.Append(count)
	col := b.NewArray()
	defer col.Release()
	rd, err := oneBatch(array.NewRecordBatch(countSchema(), []arrow.Array{col}, 1))
	if err != nil {
		return lake.Wrap(lake.KindInternal, "build count", err)
	}
	defer rd.Release()
	return sendRows(stream, countSchema(), rd, s.mem)
}

// openQuery runs the query of a ticket at its snapshot. The caller releases the
// reader.
func (s *Server) openQuery(ctx context.Context, v sealed) (array.RecordReader, error) {
	params, err := decodeParams(v.Params, s.mem)
	if err != nil {
		return nil, err
	}
	if params == nil {
		return s.runQuery(ctx, v, nil)
	}
	defer params.Release()
	switch params.NumRows() {
	case 0:
		d, err := s.backend.Describe(ctx, v.statement(nil))
		if err != nil {
			return nil, err
		}
		rd, err := array.NewRecordReader(d.Result, nil)
		return rd, lake.Wrap(lake.KindInternal, "build empty result", err)
	case 1:
		return s.runQuery(ctx, v, params)
	}
	return newRowsReader(ctx, params, func(row arrow.RecordBatch) (array.RecordReader, error) {
		return s.runQuery(ctx, v, row)
	})
}

func (s *Server) runQuery(ctx context.Context, v sealed, row arrow.RecordBatch) (array.RecordReader, error) {
	rows, err := s.backend.Run(ctx, session.Query{
		Statement: v.statement(row), Snapshot: v.Snapshot, Rows: lake.Unknown, Bytes: lake.Unknown,
	})
	if err != nil {
		return nil, err
	}
	return rows.Reader, nil
}

// GetFlightInfoSubstraitPlan is refused.
func (s *Server) GetFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return nil, errSubstrait()
}

// GetSchemaSubstraitPlan is refused.
func (s *Server) GetSchemaSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	return nil, errSubstrait()
}

// PollFlightInfoSubstraitPlan is refused.
func (s *Server) PollFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errSubstrait()
}

// DoPutCommandSubstraitPlan is refused.
func (s *Server) DoPutCommandSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan) (int64, error) {
	return 0, errSubstrait()
}

// CreatePreparedSubstraitPlan is refused.
func (s *Server) CreatePreparedSubstraitPlan(context.Context, flightsql.ActionCreatePreparedSubstraitPlanRequest) (flightsql.ActionCreatePreparedStatementResult, error) {
	return flightsql.ActionCreatePreparedStatementResult{}, errSubstrait()
}

func errSubstrait() error {
	return lake.Errorf(lake.KindUnsupported, "Substrait plans are not supported; send SQL")
}

// errSchemaChanged says that the executions of one statement disagree.
func errSchemaChanged() error {
	return lake.Wrap(lake.KindInvalid, "run with each row of parameters",
		errors.New("the results of two rows have different types"))
}

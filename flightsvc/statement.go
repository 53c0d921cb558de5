package flightsvc

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// statementServer answers the commands that run statements, prepared or not, and ingests.
type statementServer struct {
	statements     Statements
	leases         *leases
	seals          sealer
	clock          clock.Clock
	ticketLifetime time.Duration
	mem            memory.Allocator
}

// GetFlightInfoStatement plans a query, or runs an update once: drivers send
// DDL and DML this way too and may never fetch the result.
func (s *statementServer) GetFlightInfoStatement(ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return nil, err
	}
	return s.statementInfo(ctx, st, desc)
}

func (s *statementServer) statementInfo(ctx context.Context, st statement.Statement, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	q, err := s.statements.Plan(ctx, st)
	if err != nil {
		return nil, err
	}
	if q.Update {
		return s.updateInfo(ctx, q.Statement, desc)
	}
	return s.plannedInfo(ctx, sealed{ID: st.ID, SQL: st.SQL, Schema: st.Scope.Schema}, q, desc)
}

// GetSchemaStatement plans a statement and never runs it.
func (s *statementServer) GetSchemaStatement(ctx context.Context, q flightsql.StatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return nil, err
	}
	d, err := s.statements.Describe(ctx, st)
	if err != nil {
		return nil, err
	}
	return s.schemaResult(ctx, d), nil
}

// DoPutCommandStatementUpdate runs a statement once.
func (s *statementServer) DoPutCommandStatementUpdate(ctx context.Context, q flightsql.StatementUpdate) (int64, error) {
	st, err := s.statement(ctx, q.GetQuery(), q.GetTransactionId())
	if err != nil {
		return 0, err
	}
	up, err := s.execute(ctx, st)
	return up.Rows, err
}

// statement returns what every statement command carries.
//
// Errors: KindInvalid for no SQL; KindNotFound for a catalog that does not exist.
func (s *statementServer) statement(ctx context.Context, sql string, transaction []byte) (statement.Statement, error) {
	if sql == "" {
		return statement.Statement{}, lake.Errorf(lake.KindInvalid, "the statement is empty")
	}
	c := callOf(ctx)
	if err := c.checkCatalog(); err != nil {
		return statement.Statement{}, err
	}
	st := statement.Statement{SQL: sql, Scope: c.scope(), Caller: c.caller(), ID: newStatementID()}
	st.Caller.Transaction = session.TransactionID(transaction)
	return st, nil
}

func newStatementID() statement.ID { return statement.ID(uuid.NewString()) }

// execute runs an update, with the append token of the call, and announces its
// snapshot.
func (s *statementServer) execute(ctx context.Context, st statement.Statement) (up statement.Update, err error) {
	if st.Token, err = callOf(ctx).appendToken(); err != nil {
		return statement.Update{}, err
	}
	up, err = s.statements.Execute(ctx, st)
	if err == nil {
		announceSnapshot(ctx, up.Snapshot)
	}
	return up, err
}

// updateInfo runs an update; the ticket holds the outcome.
func (s *statementServer) updateInfo(ctx context.Context, st statement.Statement, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	up, err := s.execute(ctx, st)
	if err != nil {
		return nil, err
	}
	t := sealed{Purpose: purposeUpdate, ID: st.ID, Snapshot: up.Snapshot, Rows: up.Rows}
	return s.flightInfo(t, statement.Query{Schema: countSchema(), Rows: up.Rows, Bytes: lake.Unknown}, desc)
}

// queryInfo plans a query with parameters. With several rows of them the plan of the
// first stands for all.
func (s *statementServer) queryInfo(ctx context.Context, v sealed, caller session.Caller, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	params, err := decodeParams(v.Params, s.mem)
	if err != nil {
		return nil, err
	}
	var row arrow.RecordBatch
	if params != nil {
		defer params.Release()
		if params.NumRows() == 0 {
			return s.emptyInfo(ctx, v, caller, desc)
		}
		row = params.NewSlice(0, 1)
		defer row.Release()
	}
	q, err := s.statements.Plan(ctx, v.statement(caller, row))
	if err != nil {
		return nil, err
	}
	if params != nil && params.NumRows() > 1 {
		q.Rows, q.Bytes, q.Parts = lake.Unknown, lake.Unknown, nil
	}
	return s.plannedInfo(ctx, v, q, desc)
}

// plannedInfo describes the result of a planned query.
func (s *statementServer) plannedInfo(ctx context.Context, v sealed, q statement.Query, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	announceSnapshot(ctx, q.Snapshot)
	v.Purpose, v.Rows, v.Naive = purposeQuery, lake.Unknown, callOf(ctx).option(zoneOption) == zoneNaive
	v.Snapshot, v.Oldest, v.View, v.Time = q.Snapshot, q.Oldest, q.View, q.Time
	if callOf(ctx).readsOneEndpoint() {
		q.Parts = nil
	}
	q.Schema = resultSchema(q.Schema, v.Naive)
	return s.flightInfo(v, q, desc)
}

// emptyInfo answers a query bound to zero rows: it has a schema and no rows.
func (s *statementServer) emptyInfo(ctx context.Context, v sealed, caller session.Caller, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	d, err := s.statements.Describe(ctx, v.statement(caller, nil))
	if err != nil {
		return nil, err
	}
	return s.plannedInfo(ctx, v, statement.Query{Schema: d.Result}, desc)
}

// statement returns the statement of v with one row of parameters, or none.
func (v *sealed) statement(caller session.Caller, row arrow.RecordBatch) statement.Statement {
	return statement.Statement{SQL: v.SQL, Scope: session.Scope{Schema: v.Schema}, Caller: caller, ID: v.ID, Params: row}
}

// infoMetadata is the app_metadata of a FlightInfo, as JSON.
type infoMetadata struct {
	Statement statement.ID    `json:"statement_id"`
	Snapshot  lake.SnapshotID `json:"snapshot_id,omitempty"`
}

// flightInfo describes the result of v, with an endpoint for each part of q. None
// has a location: the same connection.
func (s *statementServer) flightInfo(v sealed, q statement.Query, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	meta, err := json.Marshal(infoMetadata{Statement: v.ID, Snapshot: v.Snapshot})
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "encode app_metadata", err)
	}
	info := &flight.FlightInfo{
		Schema:           flight.SerializeSchema(q.Schema, s.mem),
		FlightDescriptor: desc,
		TotalRecords:     q.Rows,
		TotalBytes:       q.Bytes,
		Ordered:          q.Ordered,
		AppMetadata:      meta,
	}
	parts := q.Parts
	if len(parts) == 0 {
		parts = []lake.Part{{}}
	}
	for _, v.Part = range parts {
		e, err := s.endpoint(v)
		if err != nil {
			return nil, err
		}
		info.Endpoint = append(info.Endpoint, e)
	}
	return info, nil
}

// endpoint returns the endpoint of a ticket that is good for Options.TicketLifetime
// from now.
func (s *statementServer) endpoint(v sealed) (*flight.FlightEndpoint, error) {
	v.Expires = s.clock.Now().Add(s.ticketLifetime).Truncate(time.Second)
	ticket, err := flightsql.CreateStatementQueryTicket(s.seals.seal(v))
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "encode ticket", err)
	}
	return &flight.FlightEndpoint{Ticket: &flight.Ticket{Ticket: ticket}, ExpirationTime: timestamppb.New(v.Expires)}, nil
}

func (s *statementServer) schemaResult(ctx context.Context, d statement.Description) *flight.SchemaResult {
	schema := countSchema()
	if !d.Update {
		schema = resultSchema(d.Result, callOf(ctx).option(zoneOption) == zoneNaive)
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(schema, s.mem)}
}

// countSchema is the result of an update fetched as a query, as DuckDB names it.
func countSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "Count", Type: arrow.PrimitiveTypes.Int64}}, nil)
}

// redeem streams what a statement ticket stands for.
//
// Errors: KindInvalid for a ticket that is not of this server; KindNotFound for
// one that has expired.
func (s *statementServer) redeem(handle []byte, stream dataStream) error {
	v, err := s.openTicket(handle)
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
	defer func() { rows.Release() }()
	announceSnapshot(ctx, v.Snapshot)
	if v.Naive {
		rows = newNaiveReader(rows)
	}
	return sendRows(stream, describeColumns(rows.Schema()), rows, s.mem)
}

// openTicket opens the ticket of a query or an update.
func (s *statementServer) openTicket(handle []byte) (sealed, error) {
	v, err := s.seals.open(handle, purposeQuery, purposeUpdate)
	if err == nil && v.expired(s.clock.Now()) {
		err = lake.Errorf(lake.KindNotFound, "the ticket expired at %s; run the statement again", v.Expires.Format(time.RFC3339))
	}
	return v, err
}

func (s *statementServer) sendCount(stream dataStream, count int64) error {
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
func (s *statementServer) openQuery(ctx context.Context, v sealed) (array.RecordReader, error) {
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
		d, err := s.statements.Describe(ctx, v.statement(callOf(ctx).caller(), nil))
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

func (s *statementServer) runQuery(ctx context.Context, v sealed, row arrow.RecordBatch) (array.RecordReader, error) {
	rows, err := s.statements.Run(ctx, statement.Query{
		Statement: v.statement(callOf(ctx).caller(), row), Snapshot: v.Snapshot, View: v.View, Time: v.Time, Part: v.Part,
		Rows: lake.Unknown, Bytes: lake.Unknown,
	})
	if err != nil {
		return nil, err
	}
	return rows.Reader, nil
}

// errSchemaChanged says that the executions of one statement disagree.
func errSchemaChanged() error {
	return lake.Wrap(lake.KindInvalid, "run with each row of parameters",
		errors.New("the results of two rows have different types"))
}

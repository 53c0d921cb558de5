package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// CreatePreparedStatement describes a statement of any kind. The handle holds
// the statement itself: nothing is kept, so nothing expires.
func (s *statementServer) CreatePreparedStatement(ctx context.Context, req flightsql.ActionCreatePreparedStatementRequest) (flightsql.ActionCreatePreparedStatementResult, error) {
	var res flightsql.ActionCreatePreparedStatementResult
	st, err := s.statement(ctx, req.GetQuery(), req.GetTransactionId())
	if err != nil {
		return res, err
	}
	d, err := s.statements.Describe(ctx, st)
	if err != nil {
		return res, err
	}
	params := d.Params
	if params == nil {
		params = arrow.NewSchema(nil, nil)
	}
	res.Handle = s.seals.seal(sealed{
		Purpose: purposePrepared, SQL: st.SQL, Schema: st.Scope.Schema,
		Update: d.Update, ParamCount: int64(params.NumFields()),
		Transaction: st.Caller.Transaction, Session: sessionID(st.Caller.Session),
	})
	res.IsUpdate = &d.Update
	res.ParameterSchema = params
	if callOf(ctx).java() {
		res.ParameterSchema = javaParams(params)
	}
	if !d.Update {
		res.DatasetSchema = resultSchema(d.Result, callOf(ctx).option(zoneOption) == zoneNaive)
	}
	return res, nil
}

// ClosePreparedStatement has nothing to release.
func (s *statementServer) ClosePreparedStatement(context.Context, flightsql.ActionClosePreparedStatementRequest) error {
	return nil
}

// GetFlightInfoPreparedStatement plans a prepared query with the bound rows, or
// runs a prepared update once for each of them.
func (s *statementServer) GetFlightInfoPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	v, err := s.seals.open(q.GetPreparedStatementHandle(), purposePrepared)
	if err != nil {
		return nil, err
	}
	return s.preparedInfo(ctx, v, desc)
}

func (s *statementServer) preparedInfo(ctx context.Context, v sealed, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	if err := v.checkBound(len(v.Params) > 0); err != nil {
		return nil, err
	}
	if v.ID == "" {
		v.ID = newStatementID()
	}
	caller := s.preparedCaller(ctx, &v)
	if !v.Update {
		return s.queryInfo(ctx, v, caller, desc)
	}
	params, err := decodeParams(v.Params, s.mem)
	if err != nil {
		return nil, err
	}
	if params != nil {
		defer params.Release()
	}
	if params != nil && params.NumRows() == 0 {
		t := sealed{Purpose: purposeUpdate, ID: v.ID}
		return s.flightInfo(t, statement.Query{Schema: countSchema(), Bytes: lake.Unknown}, desc)
	}
	return s.updateInfo(ctx, v.statement(caller, params), desc)
}

// preparedCaller returns the caller in the transaction of a prepared statement:
// the one in which it was prepared. Drivers begin another behind every commit and
// go on with their statements, so that once the client has ended the first its
// next one takes the place.
func (s *statementServer) preparedCaller(ctx context.Context, v *sealed) session.Caller {
	caller := callOf(ctx).caller()
	caller.Transaction = v.Transaction
	if v.Transaction != "" && v.Session != "" && v.Session == sessionID(caller.Session) {
		caller.Transaction = s.leases.successor(v.Session, v.Transaction)
	}
	return caller
}

func sessionID(x *session.Session) session.ID {
	if x == nil {
		return ""
	}
	return x.ID()
}

// GetSchemaPreparedStatement plans a prepared statement and never runs it.
func (s *statementServer) GetSchemaPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	v, err := s.seals.open(q.GetPreparedStatementHandle(), purposePrepared)
	if err != nil {
		return nil, err
	}
	d, err := s.statements.Describe(ctx, v.statement(s.preparedCaller(ctx, &v), nil))
	if err != nil {
		return nil, err
	}
	return s.schemaResult(ctx, d), nil
}

// bind returns a handle of the statement with the rows that src holds, instead
// of what was bound before.
//
// Errors: KindInvalid for malformed rows or a wrong number of columns;
// KindExhausted for rows that are too large for a handle.
func (s *statementServer) bind(ctx context.Context, handle []byte, src *putSource) ([]byte, error) {
	v, err := s.seals.open(handle, purposePrepared)
	if err != nil {
		return nil, err
	}
	params, err := readParams(ctx, src, s.mem, 2*boundBytesMax)
	if err != nil {
		return nil, err
	}
	if params != nil {
		defer params.Release()
	}
	if params, err = v.accept(params); err != nil {
		return nil, err
	}
	if v.Params, err = encodeParams(params, s.mem); err != nil {
		return nil, err
	}
	return s.seals.seal(v), nil
}

// updatePrepared runs a prepared update once for each row that src holds. With
// no rows sent it runs with what is bound to the handle, or once if the
// statement has no parameters.
func (s *statementServer) updatePrepared(ctx context.Context, handle []byte, src *putSource) (int64, error) {
	v, err := s.seals.open(handle, purposePrepared)
	if err != nil {
		return 0, err
	}
	params, err := readParams(ctx, src, s.mem, updateParamsBytesMax)
	if err != nil {
		return 0, err
	}
	if params == nil {
		if params, err = decodeParams(v.Params, s.mem); err != nil {
			return 0, err
		}
	}
	if params != nil {
		defer params.Release()
	}
	accepted, err := v.accept(params)
	if err != nil {
		return 0, err
	}
	if err := v.checkBound(accepted != nil); err != nil {
		return 0, err
	}
	if accepted != nil && accepted.NumRows() == 0 {
		return 0, nil
	}
	v.ID = newStatementID()
	up, err := s.execute(ctx, v.statement(s.preparedCaller(ctx, &v), accepted))
	return up.Rows, err
}

// accept returns params if they fit the statement, and nil for a statement
// without parameters: some drivers always send a batch, be it of no rows.
//
// Errors: KindInvalid for a wrong number of columns.
func (v *sealed) accept(params arrow.RecordBatch) (arrow.RecordBatch, error) {
	switch {
	case params == nil:
		return nil, nil // no parameters
	case v.ParamCount == 0 && params.NumRows() == 0:
		return nil, nil // no parameters
	case params.NumCols() != v.ParamCount:
		return nil, lake.Errorf(lake.KindInvalid, "the statement has %d parameters, %d were bound", v.ParamCount, params.NumCols())
	}
	return params, nil
}

// checkBound refuses to run a statement whose parameters were not bound.
func (v *sealed) checkBound(bound bool) error {
	if v.ParamCount > 0 && !bound {
		return lake.Errorf(lake.KindInvalid, "the statement has %d parameters, none were bound", v.ParamCount)
	}
	return nil
}

// javaParams returns params with types that the JDBC driver can bind: text where
// it has no converter, which it refuses, and milliseconds for times, which it
// sends whatever unit was announced. Values are cast to what the statement needs.
func javaParams(params *arrow.Schema) *arrow.Schema {
	fields := params.Fields()
	for i := range fields {
		fields[i].Type = javaParam(fields[i].Type)
	}
	return arrow.NewSchema(fields, nil)
}

func javaParam(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.Time32Type, *arrow.Time64Type:
		return arrow.FixedWidthTypes.Time32ms
	case *arrow.TimestampType:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: t.TimeZone}
	case arrow.ExtensionType, *arrow.NullType, *arrow.Float16Type, *arrow.MonthDayNanoIntervalType:
		return arrow.BinaryTypes.String
	}
	return t
}

package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
)

// CreatePreparedStatement describes a statement of any kind. The handle holds
// the statement itself: nothing is kept, so nothing expires.
func (s *Server) CreatePreparedStatement(ctx context.Context, req flightsql.ActionCreatePreparedStatementRequest) (flightsql.ActionCreatePreparedStatementResult, error) {
	var res flightsql.ActionCreatePreparedStatementResult
	st, err := s.statement(ctx, req.GetQuery(), req.GetTransactionId())
	if err != nil {
		return res, err
	}
	d, err := s.backend.Describe(ctx, st)
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
	})
	res.IsUpdate = &d.Update
	res.ParameterSchema = params
	if callOf(ctx).java() {
		res.ParameterSchema = untypedAsText(params)
	}
	if !d.Update {
		res.DatasetSchema = describeColumns(d.Result)
	}
	return res, nil
}

// ClosePreparedStatement has nothing to release.
func (s *Server) ClosePreparedStatement(context.Context, flightsql.ActionClosePreparedStatementRequest) error {
	return nil
}

// GetFlightInfoPreparedStatement plans a prepared query with the bound rows, or
// runs a prepared update once for each of them.
func (s *Server) GetFlightInfoPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	v, err := s.seals.open(q.GetPreparedStatementHandle(), purposePrepared)
	if err != nil {
		return nil, err
	}
	if err := v.checkBound(len(v.Params) > 0); err != nil {
		return nil, err
	}
	if !v.Update {
		return s.queryInfo(ctx, v, desc)
	}
	params, err := decodeParams(v.Params, s.mem)
	if err != nil {
		return nil, err
	}
	if params != nil {
		defer params.Release()
	}
	if params != nil && params.NumRows() == 0 {
		return s.flightInfo(sealed{Purpose: purposeUpdate}, countSchema(), desc, 0, lake.Unknown)
	}
	return s.updateInfo(ctx, v.statement(params), desc)
}

// GetSchemaPreparedStatement plans a prepared statement and never runs it.
func (s *Server) GetSchemaPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	v, err := s.seals.open(q.GetPreparedStatementHandle(), purposePrepared)
	if err != nil {
		return nil, err
	}
	d, err := s.backend.Describe(ctx, v.statement(nil))
	if err != nil {
		return nil, err
	}
	return s.schemaResult(d), nil
}

// bind returns a handle of the statement with the rows that src holds, instead
// of what was bound before.
//
// Errors: KindInvalid for malformed rows or a wrong number of columns;
// KindExhausted for rows that are too large for a handle.
func (s *Server) bind(ctx context.Context, handle []byte, src *putSource) ([]byte, error) {
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
func (s *Server) updatePrepared(ctx context.Context, handle []byte, src *putSource) (int64, error) {
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
	up, err := s.execute(ctx, v.statement(accepted))
	return up.Rows, err
}

// accept returns params if they fit the statement, and nil for a statement
// without parameters: some drivers always send a batch, be it of no rows.
//
// Errors: KindInvalid for a wrong number of columns.
func (v *sealed) accept(params arrow.RecordBatch) (arrow.RecordBatch, error) {
	switch {
	case params == nil:
		return nil, nil //nolint:nilnil // no parameters
	case v.ParamCount == 0 && params.NumRows() == 0:
		return nil, nil //nolint:nilnil // no parameters
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

// untypedAsText returns params with text in the place of parameters whose type
// is not known. The JDBC driver cannot set a parameter of type null.
func untypedAsText(params *arrow.Schema) *arrow.Schema {
	fields := params.Fields()
	for i := range fields {
		if fields[i].Type.ID() == arrow.NULL {
			fields[i].Type = arrow.BinaryTypes.String
		}
	}
	return arrow.NewSchema(fields, nil)
}

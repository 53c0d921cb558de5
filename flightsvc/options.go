package flightsvc

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/flightlake/flightlake/lake"
)

// The session options that drivers ask for.
const (
	catalogOption = "catalog"
	schemaOption  = "schema"
)

// GetSessionOptions returns the current catalog and schema.
func (s *Server) GetSessionOptions(ctx context.Context, _ *flight.GetSessionOptionsRequest) (*flight.GetSessionOptionsResult, error) {
	options, err := flight.NewSessionOptionValues(map[string]any{
		catalogOption: catalogName,
		schemaOption:  currentSchema(ctx),
	})
	if err != nil {
		return nil, lake.Wrap(lake.KindInternal, "build session options", err)
	}
	return &flight.GetSessionOptionsResult{SessionOptions: options}, nil
}

// SetSessionOptions confirms the current catalog and schema and refuses other
// values, option by option: there is no session that could keep them.
func (s *Server) SetSessionOptions(ctx context.Context, req *flight.SetSessionOptionsRequest) (*flight.SetSessionOptionsResult, error) {
	current := map[string]string{catalogOption: catalogName, schemaOption: currentSchema(ctx)}
	res := &flight.SetSessionOptionsResult{Errors: map[string]*flight.SetSessionOptionsResultError{}}
	for name, value := range req.GetSessionOptions() {
		want, known := current[name]
		text, isText := value.GetOptionValue().(*pb.SessionOptionValue_StringValue)
		switch {
		case !known:
			res.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidName}
		case value.GetOptionValue() == nil: // erased: back to the default
		case !isText || !strings.EqualFold(text.StringValue, want):
			res.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidValue}
		}
	}
	return res, nil
}

// CloseSession has nothing to release.
func (s *Server) CloseSession(context.Context, *flight.CloseSessionRequest) (*flight.CloseSessionResult, error) {
	return &flight.CloseSessionResult{Status: flight.CloseSessionResultClosed}, nil
}

func currentSchema(ctx context.Context) string {
	if sc := callOf(ctx).scope(); sc.Schema != "" {
		return sc.Schema
	}
	return defaultSchema
}

// noTransaction refuses a call that belongs to a transaction.
func noTransaction(id []byte) error {
	if len(id) == 0 {
		return nil
	}
	return lake.Errorf(lake.KindState, "the transaction is not known: transactions are not supported yet")
}

func errTransactions(what string) error {
	return lake.Errorf(lake.KindUnsupported, "%s: transactions are not supported yet; each statement commits by itself", what)
}

// BeginTransaction is refused.
func (s *Server) BeginTransaction(context.Context, flightsql.ActionBeginTransactionRequest) ([]byte, error) {
	return nil, errTransactions("BeginTransaction")
}

// EndTransaction is refused.
func (s *Server) EndTransaction(context.Context, flightsql.ActionEndTransactionRequest) error {
	return errTransactions("EndTransaction")
}

// BeginSavepoint is refused.
func (s *Server) BeginSavepoint(context.Context, flightsql.ActionBeginSavepointRequest) ([]byte, error) {
	return nil, errTransactions("BeginSavepoint")
}

// EndSavepoint is refused.
func (s *Server) EndSavepoint(context.Context, flightsql.ActionEndSavepointRequest) error {
	return errTransactions("EndSavepoint")
}

// CancelFlightInfo is refused: there is nothing to cancel between two calls.
// CancelQuery comes here too.
func (s *Server) CancelFlightInfo(context.Context, *flight.CancelFlightInfoRequest) (flight.CancelFlightInfoResult, error) {
	return flight.CancelFlightInfoResult{Status: flight.CancelStatusNotCancellable},
		lake.Errorf(lake.KindUnsupported, "CancelFlightInfo and CancelQuery are not supported; cancel the call itself, which ends the query")
}

// RenewFlightEndpoint is refused: tickets do not expire by time.
func (s *Server) RenewFlightEndpoint(context.Context, *flight.RenewFlightEndpointRequest) (*flight.FlightEndpoint, error) {
	return nil, lake.Errorf(lake.KindUnsupported, "RenewFlightEndpoint is not supported: endpoints do not expire by time")
}

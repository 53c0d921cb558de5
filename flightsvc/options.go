package flightsvc

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/flightlake/flightlake/lake"
)

// The session options that the protocol looks at.
const (
	catalogOption = "catalog"
	schemaOption  = "schema"
	// zoneOption says how timestamps with a time zone are sent: zoneNaive drops the
	// zone, for clients that cannot read it.
	zoneOption = "timestamptz"
	zoneNaive  = "naive"
)

// sessionServer answers the actions on sessions and transactions.
type sessionServer struct {
	sessions     Sessions
	transactions Transactions
	leases       *leases
}

// GetSessionOptions returns the options of the session, or the current catalog
// and schema of a client without one.
func (s *sessionServer) GetSessionOptions(ctx context.Context, _ *flight.GetSessionOptionsRequest) (*flight.GetSessionOptionsResult, error) {
	all := map[string]any{}
	if x := callOf(ctx).currentSession(); x != nil {
		all = x.Options()
	}
	res := &flight.GetSessionOptionsResult{SessionOptions: map[string]*flight.SessionOptionValue{}}
	for name, value := range all {
		v, err := flight.NewSessionOptionValue(value)
		if err != nil {
			return nil, lake.Wrap(lake.KindInternal, "build session option "+name, err)
		}
		res.SessionOptions[name] = &v
	}
	for name, value := range map[string]string{catalogOption: lake.CatalogName, schemaOption: currentSchema(ctx)} {
		res.SessionOptions[name] = &flight.SessionOptionValue{OptionValue: &pb.SessionOptionValue_StringValue{StringValue: value}}
	}
	return res, nil
}

// SetSessionOptions sets each option by itself: what fails is told by name, and
// the others are set. A catalog or schema that does not exist ends the call instead, before
// anything is set: clients that look at no outcome would work elsewhere than they were told.
//
// Errors: KindNotFound.
func (s *sessionServer) SetSessionOptions(ctx context.Context, req *flight.SetSessionOptionsRequest) (*flight.SetSessionOptionsResult, error) {
	caller := callOf(ctx).caller()
	x, err := caller.Open(ctx)
	if err != nil {
		return nil, err
	}
	res := &flight.SetSessionOptionsResult{Errors: map[string]*flight.SetSessionOptionsResultError{}}
	options := req.GetSessionOptions()
	for _, name := range []string{catalogOption, schemaOption} {
		value, ok := options[name]
		if !ok {
			continue
		}
		if err := s.sessions.SetOption(ctx, x, name, optionValue(value)); errors.Is(err, lake.ErrNotFound) {
			return nil, err
		}
	}
	for name, value := range options {
		if err := s.sessions.SetOption(ctx, x, name, optionValue(value)); err != nil {
			_, known := x.Options()[name]
			res.Errors[name] = optionError(err, known)
		}
	}
	return res, ctx.Err()
}

// optionValue returns what Sessions.SetOption takes; nil erases.
func optionValue(v *flight.SessionOptionValue) any {
	switch v := v.GetOptionValue().(type) {
	case *pb.SessionOptionValue_StringValue:
		return v.StringValue
	case *pb.SessionOptionValue_BoolValue:
		return v.BoolValue
	case *pb.SessionOptionValue_Int64Value:
		return v.Int64Value
	case *pb.SessionOptionValue_DoubleValue:
		return v.DoubleValue
	case *pb.SessionOptionValue_StringListValue_:
		return v.StringListValue.GetValues()
	}
	return nil
}

// optionError returns what the protocol has for err. The protocol has no text
// for it. A known option that is not found has a value that is not, such as the
// name of a schema.
func optionError(err error, known bool) *flight.SetSessionOptionsResultError {
	code := flight.SetSessionOptionsResultErrorError
	switch kind := lake.KindOf(err); {
	case kind == lake.KindNotFound && !known:
		code = flight.SetSessionOptionsResultErrorInvalidName
	case kind == lake.KindNotFound, kind == lake.KindInvalid, kind == lake.KindUnsupported:
		code = flight.SetSessionOptionsResultErrorInvalidValue
	}
	return &flight.SetSessionOptionsResultError{Value: code}
}

// CloseSession ends the session of the client, if it has one.
func (s *sessionServer) CloseSession(ctx context.Context, _ *flight.CloseSessionRequest) (*flight.CloseSessionResult, error) {
	c := callOf(ctx)
	if x := c.currentSession(); x != nil {
		s.leases.forget(x.ID())
		s.sessions.Close(ctx, x.ID())
		withdrawCookie(ctx) // the call may have offered it before it came here
	}
	return &flight.CloseSessionResult{Status: flight.CloseSessionResultClosed}, nil
}

// currentSchema returns where the unqualified names of the call resolve.
func currentSchema(ctx context.Context) string {
	if sc := callOf(ctx).scope(); sc.Schema != "" {
		return sc.Schema
	}
	return lake.DefaultSchema
}

package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
)

// noSubstrait refuses Substrait plans, and says what to send instead.
type noSubstrait struct{}

// GetFlightInfoSubstraitPlan is refused.
func (noSubstrait) GetFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return nil, errSubstrait()
}

// GetSchemaSubstraitPlan is refused.
func (noSubstrait) GetSchemaSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	return nil, errSubstrait()
}

// PollFlightInfoSubstraitPlan is refused.
func (noSubstrait) PollFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errSubstrait()
}

// DoPutCommandSubstraitPlan is refused.
func (noSubstrait) DoPutCommandSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan) (int64, error) {
	return 0, errSubstrait()
}

// CreatePreparedSubstraitPlan is refused.
func (noSubstrait) CreatePreparedSubstraitPlan(context.Context, flightsql.ActionCreatePreparedSubstraitPlanRequest) (flightsql.ActionCreatePreparedStatementResult, error) {
	return flightsql.ActionCreatePreparedStatementResult{}, errSubstrait()
}

func errSubstrait() error {
	return lake.Errorf(lake.KindUnsupported, "Substrait plans are not supported; send SQL")
}

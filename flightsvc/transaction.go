package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// BeginTransaction makes a transaction in the client's session, which is opened
// if there is none.
func (s *sessionServer) BeginTransaction(ctx context.Context, _ flightsql.ActionBeginTransactionRequest) ([]byte, error) {
	caller := callOf(ctx).caller()
	x, err := caller.Open(ctx)
	if err != nil {
		return nil, err
	}
	id, err := s.transactions.Begin(ctx, caller)
	if err != nil {
		return nil, err
	}
	s.leases.began(x.ID(), id)
	return []byte(id), nil
}

// EndTransaction commits or rolls back.
//
// Errors: KindInvalid for neither; those of Transactions.End.
func (s *sessionServer) EndTransaction(ctx context.Context, req flightsql.ActionEndTransactionRequest) error {
	action := req.GetAction()
	if action != flightsql.EndTransactionCommit && action != flightsql.EndTransactionRollback {
		return lake.Errorf(lake.KindInvalid, "the request says neither commit nor rollback")
	}
	id := session.TransactionID(req.GetTransactionId())
	if id == "" {
		return lake.Errorf(lake.KindInvalid, "the request names no transaction")
	}
	caller := callOf(ctx).caller()
	caller.Transaction = id
	up, err := s.transactions.End(ctx, caller, id, action == flightsql.EndTransactionCommit)
	if caller.Session != nil {
		s.leases.finished(caller.Session.ID(), id) // it has ended, whatever the result
	}
	if err == nil {
		announceSnapshot(ctx, up.Snapshot)
	}
	return err
}

// BeginSavepoint marks a place in a transaction.
func (s *sessionServer) BeginSavepoint(ctx context.Context, req flightsql.ActionBeginSavepointRequest) ([]byte, error) {
	caller := callOf(ctx).caller()
	if caller.Transaction = session.TransactionID(req.GetTransactionId()); caller.Transaction == "" {
		return nil, lake.Errorf(lake.KindInvalid, "the request names no transaction")
	}
	id, err := s.transactions.Savepoint(ctx, caller, req.GetName())
	return []byte(id), err
}

// EndSavepoint releases a savepoint or rolls back to it.
//
// Errors: KindInvalid for neither; those of Transactions.EndSavepoint.
func (s *sessionServer) EndSavepoint(ctx context.Context, req flightsql.ActionEndSavepointRequest) error {
	action := req.GetAction()
	if action != flightsql.EndSavepointRelease && action != flightsql.EndSavepointRollback {
		return lake.Errorf(lake.KindInvalid, "the request says neither release nor rollback")
	}
	id := statement.SavepointID(req.GetSavepointId())
	return s.transactions.EndSavepoint(ctx, callOf(ctx).caller(), id, action == flightsql.EndSavepointRelease)
}

package flightsvc

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flightlake/flightlake/session"
)

func TestTransactionIsOfTheSessionAndItsStatementsCarryIt(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	h.table("t", 1)
	tx, err := h.BeginTransaction(t.Context(), h.calls()...)
	require.NoError(t, err)
	require.NotNil(t, h.fake.lastCaller().Session)
	require.NotEmpty(t, h.header.Get(setCookieHeader))
	id := session.TransactionID(tx.ID())
	check := func(what string) {
		t.Helper()
		caller := h.fake.lastCaller()
		require.Equal(t, id, caller.Transaction, what)
		require.NotNil(t, caller.Session, what)
	}
	_, err = tx.Execute(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	check("query")
	_, err = tx.ExecuteUpdate(t.Context(), "UPDATE t")
	require.NoError(t, err)
	check("update")
	_, err = tx.GetExecuteSchema(t.Context(), "SELECT * FROM t")
	require.NoError(t, err)
	check("schema")
	p, err := tx.Prepare(t.Context(), "UPDATE t")
	require.NoError(t, err)
	check("prepare")
	_, err = p.ExecuteUpdate(t.Context())
	require.NoError(t, err)
	check("prepared update")
	o := ingestOpts("u", missingCreate, existsFail)
	o.TransactionId = tx.ID()
	_, err = h.send(t, t.Context(), o, h.numbers(1))
	require.NoError(t, err)
	require.Equal(t, id, h.fake.ingested[0].Caller.Transaction)
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, tx.Commit(t.Context(), h.calls()...))
	require.Equal(t, []string{"12"}, h.header.Get(snapshotHeader))
	require.Equal(t, []string{"begin", "end " + string(id) + " commit=true"}, h.fake.noted())
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	tx, err := h.BeginTransaction(t.Context())
	require.NoError(t, err)
	id := string(tx.ID())
	sp, err := tx.BeginSavepoint(t.Context(), "one")
	require.NoError(t, err)
	require.NoError(t, tx.ReleaseSavepoint(t.Context(), sp))
	require.NoError(t, tx.RollbackSavepoint(t.Context(), sp))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, []string{
		"begin", "savepoint one in " + id, "end savepoint sp-one release=true", "end savepoint sp-one release=false",
		"end " + id + " commit=false",
	}, h.fake.noted())
}

func TestMalformedTransactionRequestsAreInvalid(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	s := h.server
	for name, err := range map[string]error{
		"neither commit nor rollback": s.EndTransaction(t.Context(), &pb.ActionEndTransactionRequest{TransactionId: []byte("tx1")}),
		"no transaction": s.EndTransaction(t.Context(), &pb.ActionEndTransactionRequest{
			Action: flightsql.EndTransactionCommit,
		}),
		"neither release nor rollback": s.EndSavepoint(t.Context(), &pb.ActionEndSavepointRequest{SavepointId: []byte("x")}),
		"savepoint of nothing":         second(s.BeginSavepoint(t.Context(), &pb.ActionBeginSavepointRequest{Name: "x"})),
	} {
		st, _ := statusOf(err, "")
		require.Equal(t, codes.InvalidArgument, st.Code(), name)
	}
	require.Empty(t, h.fake.noted())
	err := s.EndTransaction(t.Context(), &pb.ActionEndTransactionRequest{
		TransactionId: []byte("unknown"), Action: flightsql.EndTransactionCommit,
	})
	require.Equal(t, codes.FailedPrecondition, status.Code(s.finish(t.Context(), &call{}, "", err)), "the backend's error comes through")
}

func second[A, B any](_ A, b B) B { return b }

// Python's DB-API prepares once, ends the transaction behind commit(), begins the
// next, and runs the same handle again.
func TestPreparedStatementGoesOnInTheNextTransaction(t *testing.T) {
	t.Parallel()
	h := setup(t, Options{})
	first, err := h.BeginTransaction(t.Context())
	require.NoError(t, err)
	p, err := first.Prepare(t.Context(), "UPDATE t")
	require.NoError(t, err)
	require.NoError(t, first.Commit(t.Context()))
	next, err := h.BeginTransaction(t.Context())
	require.NoError(t, err)
	_, err = p.Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, session.TransactionID(next.ID()), h.fake.lastCaller().Transaction)
	require.NoError(t, next.Rollback(t.Context()))
	_, err = p.ExecuteUpdate(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.fake.lastCaller().Transaction, "autocommit is on again")
	require.NoError(t, p.Close(t.Context()))

	other := h.connect(t)
	p, err = func() (*flightsql.PreparedStatement, error) {
		tx, err := h.BeginTransaction(t.Context())
		require.NoError(t, err)
		return tx.Prepare(t.Context(), "UPDATE t")
	}()
	require.NoError(t, err)
	open := h.fake.lastCaller().Transaction
	_, err = other.Client.GetFlightInfo(t.Context(), descriptor(t, &pb.CommandPreparedStatementQuery{PreparedStatementHandle: p.Handle()}))
	require.NoError(t, err)
	require.Equal(t, open, h.fake.lastCaller().Transaction, "another client must not run it outside")
	require.NoError(t, other.Close())
}

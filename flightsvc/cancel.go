package flightsvc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"github.com/flightlake/flightlake/lake"
)

// CancelFlightInfo ends the statement that a FlightInfo came from, whoever's
// calls work for it. The action CancelQuery comes here too. What cannot be
// cancelled (metadata, an update that has run, another server's statement) is told
// as such and is no error.
//
// Errors: KindInvalid for no FlightInfo; KindForbidden for the statement of another user.
func (s *Server) CancelFlightInfo(ctx context.Context, req *flight.CancelFlightInfoRequest) (flight.CancelFlightInfoResult, error) {
	status, err := s.cancel(ctx, req.GetInfo())
	return flight.CancelFlightInfoResult{Status: status}, err
}

func (s *Server) cancel(ctx context.Context, info *flight.FlightInfo) (flight.CancelStatus, error) {
	status := flight.CancelStatusNotCancellable
	if info == nil {
		return status, lake.Errorf(lake.KindInvalid, "the request has no FlightInfo")
	}
	c := callOf(ctx)
	for _, v := range s.statementsOf(info) {
		if v.Purpose == purposePoll {
			if running, err := s.polls.cancel(v.ID, c.identity); err != nil || !running {
				return status, err
			}
		}
		// What does not run at this moment is kept from it: its tickets are no good any
		// more.
		if _, err := s.statements.Cancel(ctx, c.caller(), v.ID); err != nil {
			return status, err
		}
		status = flight.CancelStatusCancelled
	}
	return status, nil
}

// statementsOf returns the statements, each once, that can run: those of query
// tickets and of a poll that goes on.
func (s *Server) statementsOf(info *flight.FlightInfo) []sealed {
	var out []sealed
	add := func(v sealed, err error) {
		if err == nil && !v.expired(s.clock.Now()) && (len(out) == 0 || out[len(out)-1].ID != v.ID) {
			out = append(out, v)
		}
	}
	for _, e := range info.GetEndpoint() {
		if handle, ok := ticketHandle(e.GetTicket()); ok {
			add(s.seals.open(handle, purposeQuery))
		}
	}
	add(s.seals.open(info.GetFlightDescriptor().GetCmd(), purposePoll))
	return out
}

// ticketHandle returns what is sealed in a statement's ticket.
func ticketHandle(t *flight.Ticket) ([]byte, bool) {
	cmd, err := unpack(t.GetTicket())
	if err != nil {
		return nil, false
	}
	q, ok := cmd.(*pb.TicketStatementQuery)
	return q.GetStatementHandle(), ok
}

// RenewFlightEndpoint returns the endpoint with a ticket that expires later. The
// ticket of metadata does not expire and comes back as it is.
//
// Errors: KindInvalid for a ticket that is not of this server; KindNotFound for
// one that has expired.
func (s *Server) RenewFlightEndpoint(_ context.Context, req *flight.RenewFlightEndpointRequest) (*flight.FlightEndpoint, error) {
	old := req.GetEndpoint()
	cmd, err := unpack(old.GetTicket().GetTicket())
	if err != nil {
		return nil, err
	}
	t, ok := cmd.(*pb.TicketStatementQuery)
	if !ok {
		return old, nil
	}
	v, err := s.openTicket(t.GetStatementHandle())
	if err != nil {
		return nil, err
	}
	next, err := s.endpoint(v)
	if err != nil {
		return nil, err
	}
	if v.Purpose == purposeQuery {
		s.statements.Retain(v.Oldest, next.GetExpirationTime().AsTime())
	}
	next.Location, next.AppMetadata = old.GetLocation(), old.GetAppMetadata()
	return next, nil
}

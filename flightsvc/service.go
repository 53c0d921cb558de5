package flightsvc

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/flightlake/flightlake/internal/ipcverify"
	"github.com/flightlake/flightlake/lake"
)

// service is the gRPC service. arrow-go routes the commands to Server, except
// for what it does not do well enough: DoPut (it dereferences an absent
// descriptor and answers before it knows the outcome), DoGet of statements (it
// copies every batch twice) and the list of actions.
type service struct {
	flight.FlightServer
	s *Server
}

func newService(s *Server) *service {
	return &service{FlightServer: flightsql.NewFlightServerWithAllocator(s, s.mem), s: s}
}

// ListActions lists the actions that work.
func (v *service) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	for _, a := range []*flight.ActionType{
		{Type: flightsql.CreatePreparedStatementActionType, Description: "Prepare a statement."},
		{Type: flightsql.ClosePreparedStatementActionType, Description: "Forget a prepared statement."},
		{Type: flightsql.BeginTransactionActionType, Description: "Begin a transaction."},
		{Type: flightsql.EndTransactionActionType, Description: "Commit a transaction or roll it back."},
		{Type: flightsql.BeginSavepointActionType, Description: "Mark a place in a transaction."},
		{Type: flightsql.EndSavepointActionType, Description: "Release a savepoint or roll back to it."},
		{Type: flight.CancelFlightInfoActionType, Description: "Cancel a statement by its FlightInfo."},
		{Type: flightsql.CancelQueryActionType, Description: "Cancel a statement by its FlightInfo; the old name."},
		{Type: flight.RenewFlightEndpointActionType, Description: "Extend the life of an endpoint's ticket."},
		{Type: flight.GetSessionOptionsActionType, Description: "Read the options of the session."},
		{Type: flight.SetSessionOptionsActionType, Description: "Set options of the session."},
		{Type: flight.CloseSessionActionType, Description: "Close the session."},
	} {
		if err := stream.Send(a); err != nil {
			return err
		}
	}
	return nil
}

// DoGet streams a statement's rows itself and leaves metadata to arrow-go.
func (v *service) DoGet(ticket *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	cmd, err := unpack(ticket.GetTicket())
	if err != nil {
		return err
	}
	if t, ok := cmd.(*pb.TicketStatementQuery); ok {
		return v.s.redeem(t.GetStatementHandle(), stream)
	}
	return v.FlightServer.DoGet(ticket, stream)
}

// DoPut runs the command of the stream's first message and answers with one
// message once its outcome is known; a failure sends none. A client that is
// still sending sees the failure at its next message.
func (v *service) DoPut(stream flight.FlightService_DoPutServer) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) || err == nil && first.GetFlightDescriptor() == nil {
		return lake.Errorf(lake.KindInvalid, "the first message of a DoPut needs a descriptor")
	}
	if err != nil {
		return err
	}
	cmd, err := unpack(first.GetFlightDescriptor().GetCmd())
	if err != nil {
		return err
	}
	src := &putSource{ctx: stream.Context(), stream: stream, verify: ipcverify.New(limitsOf(int64(v.s.opts.MaxRecvBytes))), budget: v.s.received}
	defer src.close()
	if len(first.GetDataHeader()) > 0 {
		src.first = first
	}
	result, err := v.put(stream, cmd, src)
	if err != nil {
		return err
	}
	meta, err := proto.Marshal(result)
	if err != nil {
		return lake.Wrap(lake.KindInternal, "encode result", err)
	}
	return stream.Send(&flight.PutResult{AppMetadata: meta})
}

func (v *service) put(stream flight.FlightService_DoPutServer, cmd proto.Message, src *putSource) (proto.Message, error) {
	ctx := stream.Context()
	var rows int64
	var err error
	switch cmd := cmd.(type) {
	case *pb.CommandPreparedStatementQuery:
		handle, err := v.s.bind(ctx, cmd.GetPreparedStatementHandle(), src)
		return &pb.DoPutPreparedStatementResult{PreparedStatementHandle: handle}, err
	case *pb.CommandStatementUpdate:
		rows, err = v.s.DoPutCommandStatementUpdate(ctx, cmd)
	case *pb.CommandPreparedStatementUpdate:
		rows, err = v.s.updatePrepared(ctx, cmd.GetPreparedStatementHandle(), src)
	case *pb.CommandStatementIngest:
		rows, err = v.s.ingest(ctx, cmd, src)
	case *pb.CommandStatementSubstraitPlan:
		err = errSubstrait()
	default:
		err = lake.Errorf(lake.KindInvalid, "command %s cannot be put", cmd.ProtoReflect().Descriptor().Name())
	}
	return &pb.DoPutUpdateResult{RecordCount: rows}, err
}

// unpack decodes the command within a descriptor or ticket.
//
// Errors: KindInvalid.
func unpack(b []byte) (proto.Message, error) {
	var packed anypb.Any
	if err := proto.Unmarshal(b, &packed); err != nil {
		return nil, lake.Errorf(lake.KindInvalid, "the descriptor or ticket is not a Flight SQL command")
	}
	cmd, err := packed.UnmarshalNew()
	if err != nil {
		return nil, lake.Errorf(lake.KindInvalid, "the descriptor or ticket is not a Flight SQL command this server knows: %q",
			packed.GetTypeUrl())
	}
	return cmd, nil
}

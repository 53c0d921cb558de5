package flightsvc

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/flightlake/flightlake/lake"
)

// The limits of messages from strangers: callers who have not said who they are. gRPC
// reads messages of up to Options.MaxRecvBytes whoever sends them, so that without
// limits a few strangers would have the server hold all the memory there is.
const (
	// strangerMessagesMax is how many messages of strangers are read at a time.
	strangerMessagesMax = 2
	// strangerBytesMax is the longest message of a stranger that is looked at.
	strangerBytesMax = 64 << 10
	// strangerWait is how long a stranger's message may take, turn and transfer. An
	// honest one has a name and a password in it.
	strangerWait = 5 * time.Second
)

// streamed returns the description of a service whose calls of one message are
// streams like the others, which looks the same to clients: gRPC asks the
// interceptor of streams, who finds out who calls, before it reads a message, and
// that of other calls afterwards.
func streamed(d *grpc.ServiceDesc) *grpc.ServiceDesc {
	out := *d
	out.Methods, out.Streams = nil, slices.Clone(d.Streams)
	for _, m := range d.Methods {
		out.Streams = append(out.Streams, grpc.StreamDesc{
			StreamName:    m.MethodName,
			Handler:       oneMessage(m).answer,
			ServerStreams: true, // of what does not stream gRPC asks no interceptor of streams
		})
	}
	return &out
}

// oneMessage is a method that takes one message and answers with one.
type oneMessage grpc.MethodDesc

func (m oneMessage) answer(srv any, stream grpc.ServerStream) error {
	answer, err := m.Handler(srv, stream.Context(), stream.RecvMsg, nil)
	if err != nil {
		return err
	}
	return stream.SendMsg(answer)
}

// strangersMessage is a message into which no long one is decoded.
type strangersMessage struct {
	message any
	long    bool
}

// RecvMsg reads a message of the client, one of a stranger in its turn.
//
// Errors: KindExhausted for a stranger's message that took too long; KindInvalid for
// one that is too long.
func (s *callStream) RecvMsg(m any) error {
	c := callOf(s.ctx)
	if c.server.opts.Auth == nil || c.identity != nil {
		return s.ServerStream.RecvMsg(m)
	}
	ctx, cancel := context.WithTimeout(s.ctx, strangerWait)
	defer cancel()
	late := lake.Errorf(lake.KindExhausted, "the message of a client that has not logged in took more than %s", strangerWait)
	select {
	case c.server.strangers <- struct{}{}:
	case <-ctx.Done():
		return late
	}
	read := make(chan error, 1)
	in := &strangersMessage{message: m}
	c.server.work.Go(func() {
		defer func() { <-c.server.strangers }()
		read <- s.ServerStream.RecvMsg(in)
	})
	select {
	case err := <-read:
		if err == nil && in.long {
			err = lake.Errorf(lake.KindInvalid, "the message of a client that has not logged in has more than %d bytes", strangerBytesMax)
		}
		return err
	case <-ctx.Done():
		return late // the end of the call ends the read
	}
}

package flightsvc

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/lake"
)

// Handshake checks the credentials of a client, opens a session and returns the
// token that names it. Credentials come in the header, or as a BasicAuth message
// in the first payload, whose answer then holds the token too. Without
// authentication every client is welcome.
//
// Errors: KindUnauthenticated; KindExhausted at the limit of sessions.
func (v *service) Handshake(stream flight.FlightService_HandshakeServer) error {
	ctx := stream.Context()
	c := callOf(ctx)
	id, err := v.s.gate.handshakeIdentity(ctx, c)
	c.identity = id
	if err == nil && len(c.header.Get(authorizationHeader)) > 0 {
		text, err := v.s.gate.login(ctx, c, id)
		if err != nil {
			return err
		}
		// The client may wait for it before it ends its side.
		if err := stream.SendHeader(metadata.Pairs(authorizationHeader, "Bearer "+text)); err != nil {
			return lake.Wrap(lake.KindInternal, "send bearer token", err)
		}
		stream.SetTrailer(metadata.Pairs(authorizationHeader, "Bearer "+text))
		return answerHandshake(stream, nil, "")
	}
	if err != nil && !errors.Is(err, errNoCredentials) {
		return err
	}
	first, rerr := stream.Recv()
	if rerr != nil && !errors.Is(rerr, io.EOF) {
		return rerr
	}
	if err != nil {
		if id, err = v.s.gate.payloadIdentity(ctx, first, err); err != nil {
			return err
		}
		c.identity = id
	}
	text, err := v.s.gate.login(ctx, c, id)
	if err != nil {
		return err
	}
	bearer := metadata.Pairs(authorizationHeader, "Bearer "+text)
	if err := stream.SetHeader(bearer); err != nil {
		return lake.Wrap(lake.KindInternal, "send bearer token", err)
	}
	stream.SetTrailer(bearer)
	return answerHandshake(stream, first, text)
}

// handshakeIdentity is authenticate that takes a session token too: its user gets
// another session.
func (g *gate) handshakeIdentity(ctx context.Context, c *call) (*auth.Identity, error) {
	text := c.sessionToken()
	if text == "" || g.auth == nil {
		return g.authenticate(ctx, c)
	}
	t, err := g.seals.openToken(text, g.clock.Now())
	if err != nil {
		return nil, err
	}
	x, err := g.sessions.Use(t.Session, t.identity())
	if err != nil {
		return nil, err
	}
	return g.auth.Refresh(x.Identity())
}

// payloadIdentity checks the BasicAuth message of a handshake's first payload;
// missing is what a handshake without one fails with.
func (g *gate) payloadIdentity(ctx context.Context, first *flight.HandshakeRequest, missing error) (*auth.Identity, error) {
	if len(first.GetPayload()) == 0 {
		return nil, missing
	}
	var basic pb.BasicAuth
	if err := proto.Unmarshal(first.GetPayload(), &basic); err != nil || basic.GetUsername() == "" {
		return nil, lake.Errorf(lake.KindUnauthenticated, "the payload of the handshake is no BasicAuth message")
	}
	return g.auth.Password(ctx, basic.GetUsername(), basic.GetPassword())
}

// login opens a session and returns the text of its token. It offers the cookie
// as well: some drivers lose their token on the way to a prepared statement.
func (g *gate) login(ctx context.Context, c *call, id *auth.Identity) (string, error) {
	x, err := g.sessions.Open(ctx, id)
	if err != nil {
		return "", err
	}
	if !g.leases.adopt(c.conn, x, true) {
		g.sessions.Close(context.WithoutCancel(ctx), x.ID())
		return "", context.Canceled // its connection is gone
	}
	t := g.newToken(x)
	g.offerCookie(ctx, t)
	return g.seals.sealToken(t), nil
}

// answerHandshake answers the client's messages until it ends its side; the
// first, if it was read already, with the token as payload.
func answerHandshake(stream flight.FlightService_HandshakeServer, first *flight.HandshakeRequest, token string) error {
	for req := first; ; {
		if req != nil {
			answer := &flight.HandshakeResponse{ProtocolVersion: req.GetProtocolVersion(), Payload: []byte(token)}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		token = ""
		var err error
		if req, err = stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

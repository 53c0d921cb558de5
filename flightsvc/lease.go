package flightsvc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/session"
)

// connection is a transport connection of a client.
type connection struct {
	opening sync.Mutex // held while a session is opened

	// All below are guarded by leases.mu.
	ended bool
	// sessions are those opened by calls without token or cookie, by user.
	sessions map[string]session.ID
	uses     map[session.ID]struct{}
}

type connectionKey struct{}

// connectionOf returns the connection of a call; outside of one, an own one that
// never ends.
func connectionOf(ctx context.Context) *connection {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c
	}
	return &connection{}
}

// lease is what the protocol knows of an open session.
type lease struct {
	session     *session.Session
	connections map[*connection]struct{}
	// named is set once a token or cookie names the session: it then outlives its
	// connections for a while.
	named bool
	// idleSince is when the last connection ended; zero while there is one.
	idleSince time.Time
	// transactions are those that the protocol began and did not end.
	transactions map[session.TransactionID]struct{}
}

// leases knows which connections use which sessions. Safe for concurrent use.
type leases struct {
	mu   sync.Mutex
	open map[session.ID]*lease // guarded by mu
}

// adopt notes a session that was opened on a connection. It reports false if the
// connection has ended meanwhile and nobody could find the session again.
func (l *leases) adopt(conn *connection, x *session.Session, named bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn.ended {
		return false
	}
	l.attach(conn, x).named = named
	if !named {
		if conn.sessions == nil {
			conn.sessions = map[string]session.ID{}
		}
		conn.sessions[x.Identity().Name()] = x.ID()
	}
	return true
}

// use notes that a call named the session by a token or cookie. It belongs to its
// connection no more: a client that knows its name goes on naming it.
func (l *leases) use(conn *connection, x *session.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	le := l.attach(conn, x)
	if le.named {
		return
	}
	le.named = true
	for c := range le.connections {
		c.disown(x.ID())
	}
}

// attach ties session and connection together. l.mu is held.
func (l *leases) attach(conn *connection, x *session.Session) *lease {
	id := x.ID()
	le := l.open[id]
	if le == nil {
		le = &lease{session: x, connections: map[*connection]struct{}{}}
		l.open[id] = le
	}
	if conn.ended {
		return le
	}
	le.idleSince = time.Time{}
	le.connections[conn] = struct{}{}
	if conn.uses == nil {
		conn.uses = map[session.ID]struct{}{}
	}
	conn.uses[id] = struct{}{}
	return le
}

// disown takes the session from those that belong to the connection. leases.mu is held.
func (c *connection) disown(id session.ID) {
	for user, own := range c.sessions {
		if own == id {
			delete(c.sessions, user)
		}
	}
}

// own returns the session that the user opened on the connection without token
// or cookie.
func (l *leases) own(conn *connection, of *auth.Identity) (session.ID, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, ok := conn.sessions[of.Name()]
	return id, ok
}

// forget drops a session that has ended.
func (l *leases) forget(id session.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(id)
}

func (l *leases) drop(id session.ID) {
	le := l.open[id]
	if le == nil {
		return
	}
	for c := range le.connections {
		c.disown(id)
		delete(c.uses, id)
	}
	delete(l.open, id)
}

// end notes that a connection has ended and returns the sessions that end with it.
func (l *leases) end(conn *connection, now time.Time) []session.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn.ended = true
	var out []session.ID
	for id := range conn.uses {
		le := l.open[id]
		delete(le.connections, conn)
		switch {
		case len(le.connections) > 0:
		case le.named:
			le.idleSince = now
		default:
			l.drop(id)
			out = append(out, id)
		}
	}
	return out
}

// idle drops and returns the sessions without a connection since before a time. It
// drops those that have ended, too, if their clients name them: behind a proxy one
// connection can see any number. Of the others the next call is told first.
func (l *leases) idle(before time.Time) []session.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []session.ID
	for id, le := range l.open {
		switch {
		case le.named && le.session.Ended():
			l.drop(id)
		case !le.idleSince.IsZero() && le.idleSince.Before(before):
			l.drop(id)
			out = append(out, id)
		}
	}
	return out
}

// began notes a transaction of a session.
func (l *leases) began(id session.ID, t session.TransactionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if le := l.open[id]; le != nil {
		if le.transactions == nil {
			le.transactions = map[session.TransactionID]struct{}{}
		}
		le.transactions[t] = struct{}{}
	}
}

// finished notes that a client ended its transaction.
func (l *leases) finished(id session.ID, t session.TransactionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if le := l.open[id]; le != nil {
		delete(le.transactions, t)
	}
}

// successor returns t if the session's client has not ended it; else the one
// transaction that it has open, or none.
func (l *leases) successor(id session.ID, t session.TransactionID) session.TransactionID {
	l.mu.Lock()
	defer l.mu.Unlock()
	le := l.open[id]
	if le == nil {
		return t
	}
	if _, open := le.transactions[t]; open {
		return t
	}
	if len(le.transactions) == 1 {
		for other := range le.transactions {
			return other
		}
	}
	return ""
}

// connections tells the server when connections begin and end.
type connections struct {
	s *Server
}

var _ stats.Handler = connections{}

// TagConn gives a new connection its object.
func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// HandleConn ends the sessions of a connection that ended. That may take a while,
// so that it happens beside; Serve waits for it.
func (h connections) HandleConn(ctx context.Context, event stats.ConnStats) {
	if _, end := event.(*stats.ConnEnd); !end {
		return
	}
	ids := h.s.leases.end(connectionOf(ctx), h.s.clock.Now())
	if len(ids) == 0 {
		return
	}
	h.s.work.Go(func() { h.s.closeSessions(context.WithoutCancel(ctx), ids) })
}

// TagRPC leaves the context as it is.
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC does nothing.
func (connections) HandleRPC(context.Context, stats.RPCStats) {}

func (s *sessionServer) closeSessions(ctx context.Context, ids []session.ID) {
	for _, id := range ids {
		s.sessions.Close(ctx, id)
	}
}

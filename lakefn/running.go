package lakefn

import (
	"context"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/session"
)

// mayWatch reports whether a caller may see what a user does.
func (s *Functions) mayWatch(c session.Caller, user string) bool {
	return user == c.Identity.Name() || s.Policy.Admin(c.Identity)
}

// statements answers lake.statements().
func (s *Functions) statements(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	caller := c.View.Caller
	return &query.Rowset{Columns: []lake.Column{
		query.Column("id", lake.TypeVarchar), query.Column("session", lake.TypeVarchar), query.Column("user", lake.TypeVarchar),
		query.Column("kind", lake.TypeVarchar), query.Column("sql", lake.TypeVarchar), query.Column("state", lake.TypeVarchar),
		query.Column("started", lake.TypeTimestampTZ), query.Column("elapsed_ms", lake.TypeInt64), query.Column("progress", lake.TypeFloat64),
		query.Column("rows", lake.TypeInt64), query.Column("bytes", lake.TypeInt64), query.Column("memory_bytes", lake.TypeInt64),
	}, Rows: rows(func(_ context.Context, yield func(...any) bool) error {
		for _, st := range s.Statements.List() {
			if !s.mayWatch(caller, st.User) {
				continue
			}
			state := "running"
			if st.Queued {
				state = "queued"
			}
			var progress, name any
			if st.Progress >= 0 {
				progress = st.Progress
			}
			if x, ok := s.Sessions.Get(session.ID(st.Session)); ok {
				name = x.ShortID()
			}
			if !yield(st.ID, name, st.User, st.Kind, st.SQL, state, st.Began, st.Elapsed.Milliseconds(), progress, st.Rows, st.Bytes, st.Memory) {
				break
			}
		}
		return nil
	})}, nil
}

// sessions answers lake.sessions().
func (s *Functions) sessions(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	caller := c.View.Caller
	return &query.Rowset{Columns: []lake.Column{
		query.Column("id", lake.TypeVarchar), query.Column("user", lake.TypeVarchar), query.Column("application_name", lake.TypeVarchar),
		query.Column("schema", lake.TypeVarchar), query.Column("started", lake.TypeTimestampTZ), query.Column("last_used", lake.TypeTimestampTZ),
		query.Column("statements", lake.TypeInt64), query.Column("temporary_bytes", lake.TypeInt64), query.Column("current", lake.TypeBoolean),
	}, Rows: rows(func(_ context.Context, yield func(...any) bool) error {
		for _, x := range s.Sessions.List() {
			info := x.Info()
			if !s.mayWatch(caller, info.User) {
				continue
			}
			schema := session.Scope{Schema: info.Settings.Schema}.In("")
			if !yield(info.ShortID, info.User, orNull(info.Settings.Application), schema, info.Began, info.Used,
				info.Statements, info.TemporaryBytes, x == caller.Session) {
				break
			}
		}
		return nil
	})}, nil
}

// settings answers lake.settings().
func (s *Functions) settings(_ context.Context, c query.Call) (*query.Rowset, error) {
	if err := none(c); err != nil {
		return nil, err
	}
	var values session.Settings
	if x := c.View.Caller.Session; x != nil {
		values = x.Settings()
	}
	values.Schema = c.View.Scope.Schema
	return &query.Rowset{Columns: []lake.Column{
		query.Column("name", lake.TypeVarchar), query.Column("value", lake.TypeVarchar), query.Column("description", lake.TypeVarchar),
	}, Rows: rows(func(_ context.Context, yield func(...any) bool) error {
		for _, d := range s.Sessions.Describe(values) {
			if !yield(d.Name, d.Value, d.Description) {
				break
			}
		}
		return nil
	})}, nil
}

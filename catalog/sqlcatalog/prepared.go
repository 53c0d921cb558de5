package sqlcatalog

import (
	"context"
	"database/sql"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
)

// preparedMax is how many statements a connection keeps. A commit runs ten,
// and lists of parameters have some lengths each.
const preparedMax = 64

// prepared keeps the statements of one connection, by their text: parsing and
// planning one costs a database in this process as much as running it. It is
// used by one goroutine, and ends with its connection.
type prepared struct {
	conn       *sql.Conn
	statements *lru.Cache[string, *sql.Stmt]
}

func newPrepared(conn *sql.Conn) (*prepared, error) {
	closing := func(_ string, st *sql.Stmt) { _ = st.Close() }
	statements, err := lru.NewWithEvict(preparedMax, closing)
	return &prepared{conn, statements}, err
}

// exec runs a statement without rows.
func (p *prepared) exec(ctx context.Context, query string, args ...any) error {
	st, err := p.get(ctx, query) //nolint:sqlclosecheck // the cache closes it
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, args...)
	return err
}

// query runs a statement. Its rows are closed before it runs again.
func (p *prepared) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := p.get(ctx, query) //nolint:sqlclosecheck // the cache closes it
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (p *prepared) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := p.statements.Get(query); ok {
		return st, nil
	}
	st, err := p.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	p.statements.Add(query, st)
	return st, nil
}

// close forgets all statements.
func (p *prepared) close() { p.statements.Purge() }

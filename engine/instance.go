package engine

import (
	"errors"
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// instance is one in-memory DuckDB.
type instance struct {
	db duckdb.Database
}

// openInstance opens an in-memory DuckDB with the given settings on top of the
// ones that close it in: no extension is installed or loaded on demand.
func openInstance(settings map[string]string) (*instance, error) {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) == duckdb.StateError {
		return nil, lake.Errorf(lake.KindInternal, "create DuckDB configuration")
	}
	defer duckdb.DestroyConfig(&config)
	fixed := map[string]string{
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		"allow_community_extensions":   "false",
		"allow_unsigned_extensions":    "false",
	}
	for _, values := range []map[string]string{fixed, settings} {
		for name, value := range values {
			if duckdb.SetConfig(config, name, value) == duckdb.StateError {
				return nil, lake.Errorf(lake.KindInvalid, "DuckDB refuses the setting %s = %q", name, value)
			}
		}
	}
	var db duckdb.Database
	var message string
	if duckdb.OpenExt(":memory:", &db, config, &message) == duckdb.StateError {
		return nil, lake.Wrap(lake.KindInternal, "open DuckDB", errors.New(message))
	}
	return &instance{db: db}, nil
}

func (i *instance) close() { duckdb.Close(&i.db) }

// connection is one DuckDB connection. It is used by one goroutine at a time;
// only interrupt may be called beside.
type connection struct {
	conn duckdb.Connection
	// schema is the default schema that the connection was last given.
	schema string
	// reports is set if queries on it tell their progress.
	reports bool
	// temporary are the names of the empty temporary tables of an Overlay.
	temporary []string
	// prepared are statements of the front-end, by their text: preparing one costs as
	// much as running it.
	prepared map[string]*duckdb.PreparedStatement
}

func (i *instance) connect() (*connection, error) {
	c := &connection{}
	if duckdb.Connect(i.db, &c.conn) == duckdb.StateError {
		return nil, lake.Errorf(lake.KindInternal, "connect to DuckDB")
	}
	return c, nil
}

func (c *connection) close() {
	for _, st := range c.prepared {
		duckdb.DestroyPrepare(st)
	}
	duckdb.Disconnect(&c.conn)
}

func (c *connection) interrupt() { duckdb.Interrupt(c.conn) }

// exec runs statements that return nothing of interest.
func (c *connection) exec(format string, args ...any) error {
	sql := fmt.Sprintf(format, args...)
	if err := checkText(sql); err != nil {
		return err
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.Query(c.conn, sql, &res) == duckdb.StateError {
		return newError(duckdb.ResultError(&res))
	}
	return nil
}

// textOf runs a query of one parameter, which is text, and returns the text that is its
// result. The query is kept prepared.
func (c *connection) textOf(query, argument string) (string, error) {
	st := c.prepared[query]
	if st == nil {
		st = &duckdb.PreparedStatement{}
		if duckdb.Prepare(c.conn, query, st) == duckdb.StateError {
			defer duckdb.DestroyPrepare(st)
			return "", newError(duckdb.PrepareError(*st))
		}
		if c.prepared == nil {
			c.prepared = map[string]*duckdb.PreparedStatement{}
		}
		c.prepared[query] = st
	}
	if duckdb.BindVarchar(*st, 1, argument) == duckdb.StateError {
		return "", newError(duckdb.PrepareError(*st))
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePrepared(*st, &res) == duckdb.StateError {
		return "", newError(duckdb.ResultError(&res))
	}
	rows := textRows(res, 1)
	if len(rows) != 1 {
		return "", lake.Errorf(lake.KindInternal, "DuckDB returned %d rows for one statement", len(rows))
	}
	return rows[0][0], nil
}

// texts runs a query and returns its rows; every column must be of type
// VARCHAR, and NULL comes back as "".
func (c *connection) texts(sql string) ([][]string, error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.Query(c.conn, sql, &res) == duckdb.StateError {
		return nil, newError(duckdb.ResultError(&res))
	}
	columns := int(duckdb.ColumnCount(&res))
	for i := range columns {
		if duckdb.ColumnType(&res, duckdb.IdxT(i)) != duckdb.TypeVarchar {
			return nil, lake.Errorf(lake.KindInternal, "column %d of an internal query is not text", i)
		}
	}
	return textRows(res, columns), nil
}

// textRows returns the rows of a result of columns of text.
func textRows(res duckdb.Result, columns int) [][]string {
	var rows [][]string
	for {
		chunk := duckdb.FetchChunk(res)
		if chunk.Ptr == nil {
			return rows
		}
		rows = appendTexts(rows, chunk, columns)
		duckdb.DestroyDataChunk(&chunk)
	}
}

func appendTexts(rows [][]string, chunk duckdb.DataChunk, columns int) [][]string {
	first, n := len(rows), int(duckdb.DataChunkGetSize(chunk))
	for range n {
		rows = append(rows, make([]string, columns))
	}
	for i := range columns {
		v := newVector(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)))
		for row := range n {
			if v.valid(row) {
				rows[first+row][i] = strings.Clone(vectorText(v, row))
			}
		}
	}
	return rows
}

// checkText refuses text that C would cut short: the rest would be run as if
// it were the whole.
func checkText(sql string) error {
	if at := strings.IndexByte(sql, 0); at >= 0 {
		return lake.Errorf(lake.KindInvalid, "the statement contains a NUL character at byte %d", at)
	}
	return nil
}

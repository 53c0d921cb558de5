package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"
	duckdbgo "github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/catalog/sqlcatalog"
	"github.com/flightlake/flightlake/lake"
)

func dialect() sqlcatalog.Dialect {
	return sqlcatalog.Dialect{
		Name: "DuckDB", Exclusive: true,
		BeginWrite: "BEGIN TRANSACTION", BeginRead: "BEGIN TRANSACTION READ ONLY",
		BlobType: "BLOB", TimestampType: "TIMESTAMPTZ", UUIDType: "UUID",
		EpochMicros: "epoch_us(%s)", UUIDText: "CAST(%s AS VARCHAR)",
		TablesQuery:  "SELECT table_name FROM duckdb_tables() WHERE database_name = '" + attachedName + "' AND schema_name = 'main'",
		ClassifyFunc: classify, QueryFunc: query, InsertFunc: insert, CheckSelectFunc: checkSelect,
		TransientFunc: transient, InlinedFunc: inlined,
	}
}

// classify returns the Kind of an error of DuckDB by its type.
func classify(err error) lake.Kind {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return lake.KindUnavailable
	}
	e, ok := errors.AsType[*duckdbgo.Error](err)
	if !ok {
		return lake.KindInternal
	}
	switch e.Type {
	case duckdbgo.ErrorTypeIO, duckdbgo.ErrorTypeConnection, duckdbgo.ErrorTypeInterrupt, duckdbgo.ErrorTypeFatal,
		duckdbgo.ErrorTypeTransaction:
		return lake.KindUnavailable
	case duckdbgo.ErrorTypeOutOfMemory:
		return lake.KindExhausted
	case duckdbgo.ErrorTypeSerialization:
		return lake.KindCorrupt
	default: // a fault of this program
		return lake.KindInternal
	}
}

// transient reports whether another transaction was in the way. No other process
// has the file, but checkpoints and readers of this one are transactions too.
func transient(err error) bool {
	e, ok := errors.AsType[*duckdbgo.Error](err)
	return ok && e.Type == duckdbgo.ErrorTypeTransaction
}

// query runs a query; DuckDB hands its vectors over as Arrow.
func query(ctx context.Context, conn *sql.Conn, text string, args ...any) (array.RecordReader, error) {
	var reader array.RecordReader
	err := conn.Raw(func(raw any) error {
		connection, ok := raw.(driver.Conn)
		if !ok {
			return fmt.Errorf("connection is a %T", raw)
		}
		arrow, err := duckdbgo.NewArrowFromConn(connection)
		if err != nil {
			return err
		}
		reader, err = arrow.QueryContext(ctx, text, args...)
		return err
	})
	return reader, err
}

// insert appends rows. A single row is cheaper as a statement.
func insert(ctx context.Context, conn *sql.Conn, rows sqlcatalog.Rows) error {
	return conn.Raw(func(raw any) (err error) {
		connection, ok := raw.(driver.Conn)
		if !ok {
			return fmt.Errorf("connection is a %T", raw)
		}
		appender, err := duckdbgo.NewAppenderWithColumns(connection, attachedName, "main", rows.Table, rows.Columns)
		if err != nil {
			return fmt.Errorf("append to %s: %w", rows.Table, err)
		}
		defer func() {
			if closeErr := appender.CloseWithCancel(ctx); err == nil && closeErr != nil {
				err = fmt.Errorf("append to %s: %w", rows.Table, closeErr)
			}
		}()
		values := make([]driver.Value, 0, 16)
		for _, row := range rows.Values {
			values = values[:0]
			for _, v := range row {
				if id, ok := v.(uuid.UUID); ok {
					v = duckdbgo.UUID(id)
				}
				values = append(values, v)
			}
			if err := appender.AppendRow(values...); err != nil {
				return fmt.Errorf("append to %s: %w", rows.Table, err)
			}
		}
		return nil
	})
}

// checkSelect lets DuckDB parse the query: only SELECTs can be serialised.
func checkSelect(ctx context.Context, conn *sql.Conn, text string) error {
	var serialized string
	if err := conn.QueryRowContext(ctx, "SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS VARCHAR)", text).Scan(&serialized); err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	var parsed struct {
		Error      bool              `json:"error"`
		Message    string            `json:"error_message"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := json.Unmarshal([]byte(serialized), &parsed); err != nil {
		return lake.Errorf(lake.KindInternal, "parse: %w", err)
	}
	if parsed.Error {
		return lake.Errorf(lake.KindInvalid, "the catalog's tables are read with one SELECT: %s", parsed.Message)
	}
	if len(parsed.Statements) != 1 {
		return lake.Errorf(lake.KindInvalid, "the catalog's tables are read with one SELECT, not with %d", len(parsed.Statements))
	}
	return nil
}

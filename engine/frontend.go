package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/flightlake/flightlake/lake"
)

// FrontendOptions are the settings of a Frontend. The zero value is usable.
type FrontendOptions struct {
	// MemoryLimitBytes bounds the memory of binding and planning; 0 means 512 MiB.
	MemoryLimitBytes int64
	// TwinsMax bounds the empty tables that are kept; 0 means 2,048.
	TwinsMax int
	// ConnectionsMax bounds the statements planned at the same time; 0 means 8.
	ConnectionsMax int
}

// Defaults of FrontendOptions.
const (
	frontendMemoryBytes    = 512 << 20
	frontendTwinsMax       = 2048
	frontendConnectionsMax = 8
)

// Frontend parses, binds and optimises statements. Safe for concurrent use.
type Frontend struct {
	instance *instance
	pool     *pool

	// making has a place for the one who makes and drops twins. Statements that find
	// theirs do not wait for it.
	making chan struct{}
	bound  int
	mu     sync.Mutex                       // held for look-ups only
	twins  *simplelru.LRU[string, *twinPin] // by name; guarded by mu

	// wide plans without unusedColumns; nil in wide itself.
	wide *Frontend
}

// twinPin counts the statements that are being planned over a twin, which must not be
// dropped meanwhile. Frontend.mu guards it.
type twinPin struct{ uses int }

// unusedColumns is the optimizer that narrows a GET to the columns needed.
// Together with cte_inlining, and without those that are disabled, it makes
// some plans that DuckDB's own checks refuse: those are made without it.
const unusedColumns = "unused_columns"

// keptOptimizers are the optimizers that leave a LOGICAL_GET per table
// reference with its filters and columns. The others fold empty tables away or
// make plans that cannot be serialised.
func keptOptimizers() []string {
	return []string{
		"expression_rewriter", "filter_pullup", "filter_pushdown", "regex_range", "in_clause", "cte_inlining", unusedColumns,
	}
}

// NewFrontend opens the front-end's DuckDB.
func NewFrontend(opts FrontendOptions) (*Frontend, error) {
	f, err := newFrontend(opts, keptOptimizers())
	if err != nil {
		return nil, err
	}
	wide := slices.DeleteFunc(keptOptimizers(), func(name string) bool { return name == unusedColumns })
	if f.wide, err = newFrontend(opts, wide); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func newFrontend(opts FrontendOptions, kept []string) (*Frontend, error) {
	if opts.MemoryLimitBytes == 0 {
		opts.MemoryLimitBytes = frontendMemoryBytes
	}
	if opts.TwinsMax == 0 {
		opts.TwinsMax = frontendTwinsMax
	}
	if opts.ConnectionsMax == 0 {
		opts.ConnectionsMax = frontendConnectionsMax
	}
	in, err := openInstance(map[string]string{
		"threads":      "1",
		"memory_limit": strconv.FormatInt(opts.MemoryLimitBytes, 10) + "B",
	})
	if err != nil {
		return nil, err
	}
	f := &Frontend{instance: in, making: make(chan struct{}, 1), bound: opts.TwinsMax}
	// Eviction is done by hand, because it runs SQL that can fail.
	f.twins, err = simplelru.NewLRU[string, *twinPin](1<<30, nil)
	if err != nil {
		in.close()
		return nil, lake.Wrap(lake.KindInternal, "make the cache of twins", err)
	}
	if err := f.configure(kept); err != nil {
		in.close()
		return nil, lake.Wrap(lake.KindInternal, "set up the front-end", err)
	}
	f.pool = newPool(in, opts.ConnectionsMax)
	return f, nil
}

func (f *Frontend) configure(kept []string) error {
	c, err := f.instance.connect()
	if err != nil {
		return err
	}
	defer c.close()
	rows, err := c.texts("SELECT name FROM duckdb_optimizers() WHERE name NOT IN ('" + strings.Join(kept, "', '") + "')")
	if err != nil {
		return err
	}
	disabled := make([]string, len(rows))
	for i, row := range rows {
		disabled[i] = row[0]
	}
	return c.exec(`SET GLOBAL TimeZone = 'UTC'; SET GLOBAL disabled_optimizers = %s;
		SET GLOBAL enable_external_access = false; SET GLOBAL lock_configuration = true`,
		lake.QuoteLiteral(strings.Join(disabled, ",")))
}

// Close frees the front-end. No call may be running. What calls abandoned it waits for,
// for a while; an instance in which such work goes on even then ends with the process.
func (f *Frontend) Close() {
	if f.wide != nil {
		f.wide.Close()
	}
	if f.pool.close() {
		f.instance.close()
	}
}

// Parse returns the syntax tree of a SELECT statement as json_serialize_sql
// writes it. Several statements, or none, are all in the tree.
//
// Errors: ErrNotSelect; KindInvalid with position, excerpt and hint for a
// syntax error.
func (f *Frontend) Parse(ctx context.Context, sql string) ([]byte, error) {
	return f.serialise(ctx, sql, serialisation{
		query: "SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR", unable: ErrNotSelect, afterFunc: func() {},
	})
}

// Optimize returns the optimised plan of a statement that reads from twins
// (and from table functions and tables of DuckDB's own), as json_serialize_plan
// writes it.
//
// Errors: ErrNotPlannable; KindInvalid and KindNotFound with position, excerpt
// and hint if the statement does not bind.
func (f *Frontend) Optimize(ctx context.Context, sql string, twins []lake.Twin) ([]byte, error) {
	tree, err := f.optimize(ctx, sql, twins)
	if err != nil && f.wide != nil && lake.KindOf(err) == lake.KindInternal && ctx.Err() == nil {
		return f.wide.optimize(ctx, sql, twins)
	}
	return tree, err
}

func (f *Frontend) optimize(ctx context.Context, sql string, twins []lake.Twin) ([]byte, error) {
	for !f.pin(twins) {
		if err := f.makeTwins(ctx, twins); err != nil {
			return nil, err
		} // others may have dropped a twin meanwhile
	}
	return f.serialise(ctx, sql, serialisation{
		query: "SELECT json_serialize_plan(CAST(? AS VARCHAR), optimize := true)::VARCHAR", unable: ErrNotPlannable,
		afterFunc: func() { f.unpin(twins) },
	})
}

// serialisation is a call of one of DuckDB's functions that serialise a statement.
type serialisation struct {
	query     string // with a parameter for the statement
	unable    error  // that it cannot be serialised
	afterFunc func() // runs when the call has ended
}

func (f *Frontend) serialise(ctx context.Context, sql string, s serialisation) ([]byte, error) {
	if err := checkText(sql); err != nil {
		s.afterFunc()
		return nil, err
	}
	text, err := with(ctx, f.pool, func(c *connection) (string, error) { return c.textOf(s.query, sql) }, s.afterFunc)
	if err != nil {
		var e *SQLError
		if errors.As(err, &e) && (e.Type == "Serialization Error" || e.Type == "Not implemented Error") {
			return nil, &lake.Error{Kind: lake.KindUnsupported, Err: errors.Join(s.unable, e)}
		}
		return nil, contextError(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err // it came too late
	}
	return checkSerialised([]byte(text), sql, s.unable)
}

// checkSerialised turns the error that a json_serialize function returned as
// its value into an error.
func checkSerialised(tree []byte, sql string, unable error) ([]byte, error) {
	if bytes.HasPrefix(tree, []byte(`{"error":false`)) {
		return tree, nil // which need not be JSON: DuckDB writes NaN and Infinity bare
	}
	var head struct {
		Type    string `json:"error_type"`
		Message string `json:"error_message"`
		// Position is a number written as text.
		Position string `json:"position"`
	}
	if err := json.Unmarshal(tree, &head); err != nil {
		return nil, lake.Errorf(lake.KindInternal, "decode what DuckDB serialised: %w", err)
	}
	if head.Type == "not implemented" || head.Type == "serialization" {
		return nil, &lake.Error{Kind: lake.KindUnsupported, Err: &unableError{condition: unable, detail: head.Message}}
	}
	offset, err := strconv.Atoi(head.Position)
	if err != nil {
		offset = -1
	}
	return nil, newPositionError(head.Type, head.Message, sql, offset)
}

// unableError is a condition together with what DuckDB said.
type unableError struct {
	condition error
	detail    string
}

func (e *unableError) Error() string { return e.condition.Error() + ": " + e.detail }
func (e *unableError) Unwrap() error { return e.condition }

// pin keeps the twins of a statement while it is planned. It reports false, and keeps
// none, if one does not exist.
func (f *Frontend) pin(twins []lake.Twin) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range twins {
		if !f.twins.Contains(t.Name) {
			return false
		}
	}
	for _, t := range twins {
		pin, _ := f.twins.Get(t.Name)
		pin.uses++
	}
	return true
}

// unpin ends what pin began.
func (f *Frontend) unpin(twins []lake.Twin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range twins {
		if pin, ok := f.twins.Peek(t.Name); ok {
			pin.uses--
		}
	}
}

// makeTwins makes the tables that do not exist yet, then drops the ones least
// recently used above the bound that no statement is planned over.
func (f *Frontend) makeTwins(ctx context.Context, twins []lake.Twin) error {
	select {
	case f.making <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.making }()
	c, err := f.pool.take(ctx)
	if err != nil {
		return err
	}
	defer f.pool.put(c)
	for _, t := range twins {
		f.mu.Lock()
		known := f.twins.Contains(t.Name)
		f.mu.Unlock()
		if known {
			continue
		}
		if err := c.exec("%s", createTable(lake.QuoteIdent(t.Name), t.Columns)); err != nil {
			return lake.Wrap(lake.KindInternal, "make an empty table for planning", err)
		}
		f.mu.Lock()
		f.twins.Add(t.Name, &twinPin{})
		f.mu.Unlock()
	}
	for _, name := range f.surplus(twins) {
		if err := c.exec("DROP TABLE IF EXISTS %s", lake.QuoteIdent(name)); err != nil {
			return lake.Wrap(lake.KindInternal, "drop an empty table of planning", err)
		}
	}
	return nil
}

// surplus forgets the twins least recently used above the bound, but for those of a
// statement that is about to be planned and those that are in use. It returns their names.
func (f *Frontend) surplus(wanted []lake.Twin) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, name := range f.twins.Keys() { // from the oldest on
		if f.twins.Len() <= max(f.bound, len(wanted)) {
			break
		}
		pin, _ := f.twins.Peek(name)
		if pin.uses == 0 && !slices.ContainsFunc(wanted, func(t lake.Twin) bool { return t.Name == name }) {
			f.twins.Remove(name)
			out = append(out, name)
		}
	}
	return out
}

// createTable returns the DDL of an empty table with the types of columns.
func createTable(name string, columns []lake.Column) string {
	var b strings.Builder
	// A twin that could not be dropped is forgotten all the same.
	b.WriteString("CREATE OR REPLACE TABLE " + name + " (")
	for i := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(lake.QuoteIdent(columns[i].Name) + " " + columns[i].SQLType())
	}
	b.WriteByte(')')
	return b.String()
}

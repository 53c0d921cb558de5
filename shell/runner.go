package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// errPipe says that nobody reads the output any more.
var errPipe = errors.New("the reader of the output is gone")

// IsBrokenPipe reports whether err says that nobody reads the output any more,
// as after `| head`. It is no fault.
func IsBrokenPipe(err error) bool { return errors.Is(err, errPipe) || errors.Is(err, syscall.EPIPE) }

// Settings say how results are written. The shell's commands change them.
type Settings struct {
	Format Format
	Style  Style
	// Timing writes how long each statement took.
	Timing bool
	// SchemaOnly writes the columns of a statement's result instead of running it.
	SchemaOnly bool
	// Continue goes on after a statement that failed.
	Continue bool
}

// Runner runs statements and writes their results. It is not safe for concurrent
// use.
type Runner struct {
	Client *Client
	Clock  clock.Clock
	// Out takes results, Err failures, times and progress.
	Out, Err io.Writer
	Settings Settings
	// Progress shows that a long statement is at work; nil shows nothing.
	Progress *Progress
	// Chatty says after each statement how many rows there were.
	Chatty bool

	results  int      // written so far
	redirect *os.File // takes results instead of Out; nil means Out
}

// Run runs one statement and writes its result.
//
// Errors: a *Failure, or one for which IsBrokenPipe holds.
func (r *Runner) Run(ctx context.Context, sql string) error {
	began := r.Clock.Now()
	if r.Settings.SchemaOnly {
		return r.describe(ctx, sql)
	}
	stop := r.Progress.Start(ctx, began, func(ctx context.Context, elapsed time.Duration) string {
		return r.Client.Told(ctx, sql, elapsed)
	})
	defer stop()
	result, err := r.Client.Start(ctx, sql)
	if err != nil {
		return err
	}
	defer result.Close()
	if result.Schema == nil {
		stop()
		return r.affected(sql, result.Affected, began)
	}
	return r.write(sql, result, began, stop)
}

// affected says what an update did, where people read it.
func (r *Runner) affected(sql string, rows int64, began time.Time) error {
	if !r.Chatty {
		return r.timing(began)
	}
	what := "ok"
	if rows > 0 || rows == 0 && changesRows(sql) {
		what = rowText(rows) + " affected"
	}
	_, _ = fmt.Fprintln(r.Err, what+r.took(began))
	return nil
}

// changesRows tells a statement that may affect no row from one to which rows
// mean nothing.
func changesRows(sql string) bool {
	tokens, err := sqltext.Lex(sql)
	if err != nil || len(tokens) == 0 {
		return false
	}
	switch strings.ToUpper(sql[tokens[0].Start:tokens[0].End]) {
	case "INSERT", "UPDATE", "DELETE", "MERGE", "WITH":
		return true
	}
	return false
}

// write writes rows as they come. What was written before a failure stays.
func (r *Runner) write(sql string, result *Result, began time.Time, stop func()) error {
	out := r.Out
	if r.redirect != nil {
		out = r.redirect
	}
	if r.Settings.Format == FormatParquet && r.results > 0 {
		return usagef("a Parquet file holds one result: write the second into a file of its own")
	}
	r.results++
	printer := r.printer(sql, out)
	if err := printer.Begin(result.Schema); err != nil {
		return outputFailure(err)
	}
	rows, more, err := r.copyRows(printer, result)
	stop()
	if err != nil && rows == 0 {
		return err // not even the names of columns are written
	}
	if endErr := printer.End(); err == nil && endErr != nil {
		err = outputFailure(endErr)
	}
	if err != nil {
		return err
	}
	if more {
		r.truncated(rows, result.Total)
	}
	if more || !r.Chatty {
		return r.timing(began)
	}
	_, _ = fmt.Fprintln(r.Err, rowText(rows)+r.took(began))
	return nil
}

func (r *Runner) printer(sql string, out io.Writer) Printer {
	if r.Settings.Format == FormatTable && explains(sql) {
		return &plainPrinter{w: out}
	}
	style := r.Settings.Style
	if r.redirect != nil {
		style.Width = 0
	}
	return NewPrinter(r.Settings.Format, out, style)
}

// copyRows returns how many rows were written, and whether there are more.
func (r *Runner) copyRows(printer Printer, result *Result) (rows int64, more bool, err error) {
	for {
		batch, err := result.Next()
		if errors.Is(err, io.EOF) {
			return rows, false, nil
		}
		if err != nil {
			return rows, false, err
		}
		if err := printer.Write(batch); err != nil {
			return rows, false, outputFailure(err)
		}
		rows += batch.NumRows()
		r.Progress.Add(batch.NumRows(), bytesOf(batch))
		if limit := int64(r.Settings.Style.MaxRows); printer.Full() && rows > limit {
			return limit, true, nil
		}
	}
}

// truncated says that a table does not hold all rows.
func (r *Runner) truncated(shown, total int64) {
	of := "more rows follow"
	if total >= 0 {
		of = "of " + rowText(total)
	}
	_, _ = fmt.Fprintf(r.Err, "the first %s, %s; --max-rows or \\maxrows shows more, CSV, JSON and Parquet hold all\n",
		rowText(shown), of)
}

// timing writes how long a statement took, if that was asked for.
func (r *Runner) timing(began time.Time) error {
	if r.Settings.Timing {
		_, _ = fmt.Fprintln(r.Err, "time:"+r.took(began))
	}
	return nil
}

// took returns how long a statement took, if that is to be said.
func (r *Runner) took(began time.Time) string {
	if !r.Settings.Timing {
		return ""
	}
	return fmt.Sprintf(" in %.3f s", r.Clock.Now().Sub(began).Seconds())
}

// describe writes the columns of a statement's result.
func (r *Runner) describe(ctx context.Context, sql string) error {
	schema, err := r.Client.Describe(ctx, sql)
	if err != nil {
		return err
	}
	if schema == nil {
		_, _ = fmt.Fprintln(r.Err, "the statement returns no rows")
		return nil
	}
	return r.columns(schema)
}

// columns writes a table of a schema's columns.
func (r *Runner) columns(schema *arrow.Schema) error {
	rows := make([][]string, 0, schema.NumFields())
	remarks := false
	for _, f := range schema.Fields() {
		null := "YES"
		if !f.Nullable {
			null = "NO"
		}
		remark, _ := f.Metadata.GetValue("ARROW:FLIGHT:SQL:REMARKS")
		remarks = remarks || remark != ""
		rows = append(rows, []string{f.Name, typeName(f), null, remark})
	}
	names := []string{"column", "type", "null", "comment"}
	if !remarks {
		names = names[:3]
		for i := range rows {
			rows[i] = rows[i][:3]
		}
	}
	return r.list(names, rows)
}

// typeName is what the server calls a column's type, else what Arrow does.
func typeName(f arrow.Field) string {
	if name, ok := f.Metadata.GetValue("ARROW:FLIGHT:SQL:TYPE_NAME"); ok && name != "" {
		return name
	}
	return f.Type.String()
}

func rowText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func bytesOf(batch arrow.RecordBatch) int64 {
	var n int64
	for _, column := range batch.Columns() {
		n += int64(column.Data().SizeInBytes())
	}
	return n
}

// outputFailure tells a reader that is gone from an output that failed.
func outputFailure(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return errPipe
	}
	return &Failure{Exit: ExitStatement, Message: "write the result: " + err.Error()}
}

// explains reports whether a statement asks for a plan, which is text.
func explains(sql string) bool {
	tokens, err := sqltext.Lex(sql)
	return err == nil && len(tokens) > 0 && strings.EqualFold(sql[tokens[0].Start:tokens[0].End], "EXPLAIN")
}

// plainPrinter writes the last column of each row as it is.
type plainPrinter struct{ w io.Writer }

func (p *plainPrinter) Begin(*arrow.Schema) error { return nil }

func (p *plainPrinter) Write(batch arrow.RecordBatch) error {
	column := batch.Column(int(batch.NumCols()) - 1)
	for i := range int(batch.NumRows()) {
		if isNull(column, i) {
			continue
		}
		if _, err := fmt.Fprintln(p.w, strings.TrimRight(Text(column, i), "\n")); err != nil {
			return err
		}
	}
	return nil
}

func (p *plainPrinter) End() error { return nil }

func (p *plainPrinter) Full() bool { return false }

// Script runs the items of a script in turn and returns the first failure, having
// reported every one. name is the script's, for messages; empty for none.
func (r *Runner) Script(ctx context.Context, items []Item, name string) error {
	var first error
	for _, item := range items {
		err := r.Item(ctx, item)
		switch {
		case err == nil:
			continue
		case errors.Is(err, errQuit) || IsBrokenPipe(err):
			return err
		case first == nil:
			first = err
		}
		if name != "" {
			_, _ = fmt.Fprintf(r.Err, "%s:%d: ", name, item.Line)
		}
		Report(r.Err, err, item.Text)
		if !r.Settings.Continue || ctx.Err() != nil {
			return first
		}
	}
	return first
}

// Item runs a statement or a command.
func (r *Runner) Item(ctx context.Context, item Item) error {
	if item.Command {
		return r.Command(ctx, item.Text)
	}
	return r.Run(ctx, item.Text)
}

package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// errQuit asks the shell to end.
var errQuit = errors.New("quit")

// scriptBytesMax bounds a script, which is held in memory.
const scriptBytesMax = 256 << 20

const help = `statements end with ; and may span lines
  \d [NAME]         tables; the columns of one
  \dt [PATTERN]     tables, with % and _ as in LIKE
  \dn               schemas
  \format NAME      table, markdown, csv, json or parquet
  \maxrows N        rows that a table shows; 0 for all
  \null TEXT        what stands for NULL
  \timing [on|off]  time of each statement
  \o [FILE]         write results to a file; without a name, here again
  \i FILE           run a script
  \q                quit
  \?                this list
Tab completes names, Ctrl-C cancels a statement, Ctrl-D quits.
`

// Command runs one backslash command.
//
// Errors: a *Failure.
func (r *Runner) Command(ctx context.Context, line string) error {
	name, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	argument = strings.TrimSuffix(strings.TrimSpace(argument), ";")
	switch strings.TrimSuffix(name, ";") {
	case `\q`, `\quit`, `\exit`:
		return errQuit
	case `\?`, `\h`, `\help`:
		_, err := io.WriteString(r.Err, help)
		return err
	case `\d`:
		if argument == "" {
			return r.tables(ctx, "")
		}
		return r.table(ctx, argument)
	case `\dt`:
		return r.tables(ctx, argument)
	case `\dn`:
		return r.schemas(ctx)
	case `\i`:
		return r.include(ctx, argument)
	case `\o`:
		return r.output(argument)
	}
	return r.set(strings.TrimSuffix(name, ";"), argument)
}

// set runs the commands that change settings.
func (r *Runner) set(name, argument string) error {
	switch name {
	case `\timing`:
		on, err := toggle(r.Settings.Timing, argument)
		if err != nil {
			return err
		}
		r.Settings.Timing = on
		r.note("timing is " + map[bool]string{true: "on", false: "off"}[on])
	case `\format`:
		if argument == "" {
			r.note("format is " + string(r.Settings.Format))
			return nil
		}
		format, err := ParseFormat(argument)
		if err != nil {
			return err
		}
		if format == FormatParquet && r.redirect == nil {
			return usagef(`parquet needs a file: \o FILE first`)
		}
		r.Settings.Format = format
		r.note("format is " + string(format))
	case `\maxrows`:
		n, err := strconv.Atoi(argument)
		if err != nil || n < 0 {
			return usagef(`\maxrows takes a number of rows, 0 for all`)
		}
		r.Settings.Style.MaxRows = n
	case `\null`:
		r.Settings.Style.Null = &argument
	default:
		return usagef(`command %s is not known; \? lists commands`, name)
	}
	return nil
}

// note says something that only a person wants to read.
func (r *Runner) note(text string) {
	if r.Chatty {
		_, _ = fmt.Fprintln(r.Err, text)
	}
}

func toggle(now bool, argument string) (bool, error) {
	switch strings.ToLower(argument) {
	case "":
		return !now, nil
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return now, usagef("expected on or off and got %q", argument)
}

// output sends results to a file, or to Out again.
func (r *Runner) output(path string) error {
	if err := r.Close(); err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return &Failure{Exit: ExitStatement, Message: err.Error()}
	}
	r.redirect, r.results = f, 0
	return nil
}

// Close closes the file to which results are redirected, if any.
func (r *Runner) Close() error {
	if r.redirect == nil {
		return nil
	}
	f := r.redirect
	r.redirect = nil
	if r.Settings.Format == FormatParquet {
		r.Settings.Format = FormatTable
	}
	if err := f.Close(); err != nil {
		return outputFailure(err)
	}
	return nil
}

// include runs a script. Its first failure is returned, after all are reported.
func (r *Runner) include(ctx context.Context, path string) error {
	if path == "" {
		return usagef(`\i takes the name of a file`)
	}
	text, err := ReadScript(path)
	if err != nil {
		return err
	}
	return r.Script(ctx, SplitScript(text), path)
}

// ReadScript reads a script of at most 256 MiB.
//
// Errors: a *Failure.
func ReadScript(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", usagef("%s", err)
	}
	defer func() { _ = f.Close() }()
	return ReadAll(f)
}

// ReadAll reads a script of at most 256 MiB.
//
// Errors: a *Failure.
func ReadAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, scriptBytesMax+1))
	if err != nil {
		return "", usagef("read the script: %s", err)
	}
	if len(data) > scriptBytesMax {
		return "", usagef("the script is larger than %s", byteText(scriptBytesMax))
	}
	return string(data), nil
}

// schemas lists schemas.
func (r *Runner) schemas(ctx context.Context) error {
	names, err := r.Client.Schemas(ctx)
	if err != nil {
		return err
	}
	rows := make([][]string, len(names))
	for i, n := range names {
		rows[i] = []string{n.Catalog, n.Schema}
	}
	return r.list([]string{"catalog", "schema"}, rows)
}

// tables lists tables.
func (r *Runner) tables(ctx context.Context, pattern string) error {
	tables, err := r.Client.Tables(ctx, pattern, false)
	if err != nil {
		return err
	}
	rows := make([][]string, len(tables))
	for i, t := range tables {
		rows[i] = []string{t.Schema, t.Name, t.Kind}
	}
	return r.list([]string{"schema", "table", "type"}, rows)
}

// table lists the columns of a table, [SCHEMA.]NAME.
func (r *Runner) table(ctx context.Context, name string) error {
	schema, table := splitName(name)
	tables, err := r.Client.Tables(ctx, "", true)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if strings.EqualFold(t.Name, table) && (schema == "" || strings.EqualFold(t.Schema, schema)) {
			return r.columns(t.Columns)
		}
	}
	return &Failure{Exit: ExitStatement, Kind: "not_found", Message: fmt.Sprintf(`table %q does not exist; \d lists tables`, name)}
}

// list writes rows of text as a result of the shell's own.
func (r *Runner) list(names []string, rows [][]string) error {
	fields := make([]arrow.Field, len(names))
	for i, n := range names {
		fields[i] = arrow.Field{Name: n, Type: arrow.BinaryTypes.String}
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range rows {
		for i, text := range row {
			b.Field(i).(*array.StringBuilder).Append(text)
		}
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	out := r.Out
	if r.redirect != nil {
		out = r.redirect
	}
	format := r.Settings.Format
	if format == FormatParquet {
		format = FormatTable
	}
	style := r.Settings.Style
	style.MaxRows = 0
	p := NewPrinter(format, out, style)
	if err := p.Begin(schema); err != nil {
		return outputFailure(err)
	}
	if err := p.Write(batch); err != nil {
		return outputFailure(err)
	}
	if err := p.End(); err != nil {
		return outputFailure(err)
	}
	return nil
}

// IsQuit reports whether err only says that a script asked to end.
func IsQuit(err error) bool { return errors.Is(err, errQuit) }

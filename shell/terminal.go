package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

const (
	prompt     = "sql> "
	promptMore = "  -> "
	// namesTimeout bounds how long the Tab key waits for names.
	namesTimeout = 3 * time.Second
)

// Terminal is the interactive shell.
type Terminal struct {
	Runner *Runner
	// History keeps what is typed.
	History *History
	// Interrupts brings Ctrl-C while a statement runs.
	Interrupts <-chan os.Signal
	// Greeting is written first.
	Greeting string

	names *Names // nil: to be asked for
}

// Run reads and runs statements until the user quits, and returns an error only
// if the terminal fails.
func (t *Terminal) Run(ctx context.Context) error {
	editor := t.editor(ctx)
	_, _ = fmt.Fprintln(t.Runner.Err, t.Greeting)
	interrupted := false
	for ctx.Err() == nil {
		text, err := editor.Readline()
		switch {
		case errors.Is(err, io.EOF):
			_, _ = fmt.Fprintln(t.Runner.Err)
			return t.Runner.Close()
		case errors.Is(err, readline.ErrInterrupt):
			if interrupted {
				return t.Runner.Close()
			}
			interrupted = true
			_, _ = fmt.Fprintln(t.Runner.Err, `Ctrl-C again or \q quits`)
			continue
		case err != nil:
			return errors.Join(fmt.Errorf("read the terminal: %w", err), t.Runner.Close())
		}
		interrupted = false
		if err := t.run(ctx, text); errors.Is(err, errQuit) {
			return t.Runner.Close()
		}
	}
	return t.Runner.Close()
}

// run runs what was typed; Ctrl-C cancels it, and pressed again quits.
func (t *Terminal) run(ctx context.Context, text string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.forgetInterrupts()
	done := make(chan error, 1)
	go func() { done <- t.Runner.Script(ctx, SplitScript(text), "") }()
	if changesNames(text) {
		defer func() { t.names = nil }()
	}
	for presses := 0; ; {
		select {
		case err := <-done:
			return err
		case <-t.Interrupts:
			cancel()
			if presses++; presses > 1 {
				return errQuit // the server stops the statement when the connection ends
			}
		}
	}
}

// forgetInterrupts drops presses of Ctrl-C from when no statement ran.
func (t *Terminal) forgetInterrupts() {
	for {
		select {
		case <-t.Interrupts:
		default:
			return
		}
	}
}

// changesNames reports whether statements may change what there is to complete.
func changesNames(text string) bool {
	for _, item := range SplitScript(text) {
		tokens, err := sqltext.Lex(item.Text)
		if item.Command || err != nil || len(tokens) == 0 {
			return true
		}
		switch strings.ToUpper(item.Text[tokens[0].Start:tokens[0].End]) {
		case "SELECT", "WITH", "VALUES", "INSERT", "DELETE", "UPDATE", "EXPLAIN", "SHOW", "DESCRIBE":
		default:
			return true
		}
	}
	return false
}

// editor returns the line editor: several lines until a semicolon, history,
// completion.
func (t *Terminal) editor(ctx context.Context) *readline.Shell {
	e := readline.NewShell()
	// The prompt's width is known, and not every terminal answers the question.
	_ = e.Config.Set("cursor-position-probe", false)
	_ = e.Config.Set("menu-complete-display-prefix", true)
	_ = e.Config.Set("multiline-column", false)
	_ = e.Config.Set("completion-ignore-case", true)
	_ = e.Config.Bind("emacs", inputrc.Unescape(`\C-i`), "menu-complete", false)
	e.Prompt.Primary(func() string { return prompt })
	e.Prompt.Secondary(func() string { return promptMore })
	e.AcceptMultiline = func(line []rune) bool { return completeInput(string(line)) }
	e.History.Add("statements", t.History)
	e.Completer = func(line []rune, cursor int) readline.Completions {
		prefix, found := Complete(string(line), len(string(line[:min(cursor, len(line))])), t.known(ctx))
		values := make([]readline.Completion, len(found))
		for i, c := range found {
			values[i] = readline.Completion{Value: c.Text, Display: c.Text, Tag: c.Kind + "s"}
		}
		completions := readline.CompleteRaw(values)
		completions.PREFIX = prefix
		return completions
	}
	return e
}

// known returns the names to complete, which are asked for once until a statement
// may have changed them. Without an answer in time there are none.
func (t *Terminal) known(ctx context.Context) Names {
	if t.names != nil {
		return *t.names
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	names, err := t.Runner.Client.Names(ctx)
	if err == nil {
		t.names = &names
	}
	return names
}

// Names asks for everything that can be completed.
//
// Errors: a *Failure.
func (c *Client) Names(ctx context.Context) (Names, error) {
	names := Names{Schema: lake.DefaultSchema}
	schemas, err := c.Schemas(ctx)
	if err != nil {
		return names, err
	}
	for _, s := range schemas {
		names.Schemas = append(names.Schemas, s.Schema)
	}
	names.Tables, err = c.Tables(ctx, "", true)
	if err != nil {
		return names, err
	}
	if schema := c.currentSchema(ctx); schema != "" {
		names.Schema = schema
	}
	return names, nil
}

// currentSchema is empty if the server does not tell.
func (c *Client) currentSchema(ctx context.Context) string {
	result, err := c.Start(ctx, "SELECT current_schema()")
	if err != nil {
		return ""
	}
	defer result.Close()
	var batch arrow.RecordBatch
	if batch, err = result.Next(); err != nil || batch.NumRows() == 0 {
		return ""
	}
	return textAt(batch, 0, 0)
}

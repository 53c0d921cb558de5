package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/shell"
)

const (
	defaultURI = "grpc://127.0.0.1:32010"
	// maxRowsDefault is how many rows a table shows.
	maxRowsDefault = 1000
)

const sqlHelp = `Run SQL on a Flight SQL server: the statements given, those of a file (-f), those
on standard input, or those typed at a terminal.

Results are a table on a terminal and CSV elsewhere. CSV, JSON and Parquet are written as
rows arrive; a table holds at most --max-rows of them.

Exit codes: 0 all statements succeeded; 1 a statement failed; 2 wrong flags;
3 cannot connect, cannot log in, or not permitted; 130 interrupted.

Environment: FLIGHTLAKE_URI, FLIGHTLAKE_USER, FLIGHTLAKE_PASSWORD, FLIGHTLAKE_TOKEN, FLIGHTLAKE_TLS_CA.`

// sqlFlags are the flags of `flightlake sql`.
type sqlFlags struct {
	uri, user, password, token string
	ca, cert, key              string
	skipVerify                 bool
	headers                    map[string]string
	file, format, output, null string
	noHeader, timing, schema   bool
	goOn                       bool
	maxRows                    int
}

// sqlCommand is the SQL shell.
func sqlCommand() *cobra.Command {
	var s sqlFlags
	cmd := &cobra.Command{
		Use:   "sql [SQL]",
		Short: "Run SQL on a Flight SQL server, or open a shell",
		Long:  sqlHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give all statements in one argument, in quotes")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.uri, "uri", defaultURI, "server: grpc://HOST:PORT or grpc+tls://HOST:PORT")
	f.StringVarP(&s.user, "user", "u", "", "user to log in as")
	f.StringVar(&s.password, "password", "", "password; better in FLIGHTLAKE_PASSWORD, or typed when asked")
	f.StringVar(&s.token, "token", "", "bearer token instead of user and password")
	f.StringVar(&s.ca, "tls-ca", "", "PEM file with the authority of the server's certificate (default: the system's)")
	f.StringVar(&s.cert, "tls-cert", "", "PEM file with the certificate to log in with")
	f.StringVar(&s.key, "tls-key", "", "PEM file with that certificate's key")
	f.BoolVar(&s.skipVerify, "tls-skip-verify", false, "take any certificate; for trying only")
	f.StringToStringVar(&s.headers, "header", nil, "NAME=VALUE to send with every call, such as schema=sales")
	f.StringVarP(&s.file, "file", "f", "", "run the statements of this file")
	f.StringVar(&s.format, "format", "", "table, markdown, csv, json (one object a line) or parquet")
	f.StringVarP(&s.output, "output", "o", "", "write results to this file; it appears when all statements have succeeded")
	f.StringVar(&s.null, "null", "", "what stands for NULL (default: NULL in tables, nothing in CSV)")
	f.BoolVar(&s.noHeader, "no-header", false, "leave out the column names of CSV and tables")
	f.BoolVar(&s.timing, "timing", false, "say how long each statement took")
	f.BoolVar(&s.schema, "schema", false, "show the columns of the results instead of running the statements")
	f.BoolVar(&s.goOn, "continue", false, "go on after a statement that failed")
	f.IntVar(&s.maxRows, "max-rows", maxRowsDefault, "rows that a table shows; 0 for all")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &shell.Failure{Exit: shell.ExitUsage, Message: err.Error()}
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.fromEnvironment(cmd)
		return s.run(cmd, args)
	}
	return cmd
}

// fromEnvironment fills in what no flag says.
func (s *sqlFlags) fromEnvironment(cmd *cobra.Command) {
	for name, target := range map[string]*string{
		"uri": &s.uri, "user": &s.user, "password": &s.password, "token": &s.token, "tls-ca": &s.ca,
	} {
		env := "FLIGHTLAKE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if value, ok := os.LookupEnv(env); ok && !cmd.Flags().Changed(name) {
			*target = value
		}
	}
}

// run connects and runs. Signals are the shell's own: an interrupt ends a
// statement and not always the process.
func (s *sqlFlags) run(cmd *cobra.Command, args []string) error {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	// With a handler, writing to a pipe that nobody reads returns an error.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
	defer stop()
	items, interactive, err := s.items(args)
	if err != nil {
		return err
	}
	settings, err := s.settings(cmd, interactive)
	if err != nil {
		return err
	}
	target, err := s.target()
	if err != nil {
		return err
	}
	client, err := shell.Dial(ctx, target, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	runner := &shell.Runner{
		Client: client, Clock: clock.System{}, Out: os.Stdout, Err: os.Stderr, Settings: settings,
		Chatty: interactive || settings.Format == shell.FormatTable && isTerminal(os.Stderr),
	}
	if isTerminal(os.Stderr) {
		runner.Progress = shell.NewProgress(os.Stderr, clock.System{})
	}
	if interactive {
		err = s.interact(ctx, runner, interrupts)
	} else {
		err = s.script(ctx, runner, items, interrupts)
	}
	_ = client.Close(ctx) // the server ends the session of a closed connection by itself
	return err
}

// items returns the statements to run, or that they are typed.
func (s *sqlFlags) items(args []string) (items []shell.Item, interactive bool, err error) {
	var text string
	switch {
	case len(args) > 0 && s.file != "":
		return nil, false, usage("give statements or -f FILE, not both")
	case len(args) > 0:
		text = args[0]
	case s.file != "" && s.file != "-":
		text, err = shell.ReadScript(s.file)
	case s.file == "" && isTerminal(os.Stdin) && isTerminal(os.Stdout) && s.output == "":
		return nil, true, nil
	default:
		text, err = shell.ReadAll(os.Stdin)
	}
	return shell.SplitScript(text), false, err
}

func (s *sqlFlags) settings(cmd *cobra.Command, interactive bool) (shell.Settings, error) {
	out := shell.Settings{
		Style:  shell.Style{NoHeader: s.noHeader, MaxRows: s.maxRows},
		Timing: s.timing || interactive, SchemaOnly: s.schema, Continue: s.goOn,
	}
	terminal := isTerminal(os.Stdout) && s.output == ""
	format := s.format
	if format == "" {
		format = string(shell.FormatCSV)
		switch extension := strings.TrimPrefix(strings.ToLower(filepath.Ext(s.output)), "."); {
		case terminal:
			format = string(shell.FormatTable)
		case s.output != "" && knownFormat(extension):
			format = extension
		}
	}
	var err error
	if out.Format, err = shell.ParseFormat(format); err != nil {
		return out, err
	}
	if out.Format == shell.FormatParquet && terminal {
		return out, usage("a Parquet file is not for a terminal: give --output FILE or redirect the output")
	}
	if s.maxRows < 0 {
		return out, usage("--max-rows must not be negative")
	}
	if cmd.Flags().Changed("null") {
		out.Style.Null = &s.null
	}
	if terminal {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			out.Style.Width = width
		}
	}
	return out, nil
}

func knownFormat(name string) bool {
	_, err := shell.ParseFormat(name)
	return err == nil
}

func usage(message string) error {
	return &shell.Failure{Exit: shell.ExitUsage, Message: message}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// target says where to connect, and asks for a password that is missing.
func (s *sqlFlags) target() (shell.Target, error) {
	t := shell.Target{URI: s.uri, User: s.user, Password: s.password, Token: s.token, Headers: s.headers}
	if s.user != "" && s.token != "" {
		return t, usage("give a user or a token, not both")
	}
	if s.user != "" && s.password == "" && isTerminal(os.Stdin) {
		_, _ = fmt.Fprintf(os.Stderr, "password of %s: ", s.user)
		password, err := term.ReadPassword(int(os.Stdin.Fd()))
		_, _ = fmt.Fprintln(os.Stderr)
		if err != nil {
			return t, usage("read the password: " + err.Error())
		}
		t.Password = string(password)
	}
	if (s.cert == "") != (s.key == "") {
		return t, usage("--tls-cert and --tls-key must be given together")
	}
	t.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.skipVerify}
	if s.ca != "" {
		pool, err := readAuthorities(s.ca)
		if err != nil {
			return t, usage(err.Error())
		}
		t.TLS.RootCAs = pool
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return t, usage("load the certificate: " + err.Error())
		}
		t.TLS.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// readAuthorities reads a PEM file of certificates.
func readAuthorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("load authorities: %s holds no PEM certificate", path)
	}
	return pool, nil
}

// interact opens the shell at a terminal.
func (s *sqlFlags) interact(ctx context.Context, runner *shell.Runner, interrupts <-chan os.Signal) error {
	name, err := runner.Client.ServerName(ctx)
	if err != nil {
		return err
	}
	history, err := shell.OpenHistory(historyPath())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		history, _ = shell.OpenHistory("") // in memory, which cannot fail
	}
	terminal := &shell.Terminal{
		Runner: runner, History: history, Interrupts: interrupts,
		Greeting: strings.TrimSpace("connected to "+s.uri+" "+name) + `; \? for help`,
	}
	return terminal.Run(ctx)
}

// historyPath is where the user's state is kept; empty if there is no such place.
func historyPath() string {
	folder := os.Getenv("XDG_STATE_HOME")
	if folder == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		folder = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(folder, "flightlake", "sql_history")
}

// script runs statements that nobody types.
func (s *sqlFlags) script(ctx context.Context, runner *shell.Runner, items []shell.Item, interrupts <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	var out *outputFile
	if s.output != "" {
		var err error
		if out, err = createOutput(s.output); err != nil {
			return &shell.Failure{Exit: shell.ExitStatement, Message: err.Error()}
		}
		runner.Out = out
	}
	name := s.file
	err := runner.Script(ctx, items, name)
	if closeErr := runner.Close(); err == nil {
		err = closeErr
	}
	if shell.IsBrokenPipe(err) || shell.IsQuit(err) {
		err = nil
	}
	if out != nil {
		if closeErr := out.finish(err == nil || s.goOn); err == nil && closeErr != nil {
			return &shell.Failure{Exit: shell.ExitStatement, Message: closeErr.Error()}
		}
	}
	if err != nil {
		return &reported{err}
	}
	return nil
}

// reported is a failure that the user has been told of.
type reported struct{ error }

// Unwrap returns the failure.
func (r *reported) Unwrap() error { return r.error }

// outputFile is a file that takes its name when it is complete, so that a failure
// leaves what was there. What is no regular file, such as a pipe, is written to as it is.
type outputFile struct {
	*os.File
	path string // empty if the file has its name already
}

func createOutput(path string) (*outputFile, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &outputFile{File: f}, err
	}
	const mode = 0o666 // less the umask, as for any file that a command writes
	f, err := os.OpenFile(fmt.Sprintf("%s.%d.tmp", path, os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	return &outputFile{File: f, path: path}, err
}

// finish gives the file its name, or removes it.
func (o *outputFile) finish(keep bool) error {
	err := o.Close()
	switch {
	case o.path == "":
		return err
	case keep && err == nil:
		return os.Rename(o.Name(), o.path)
	}
	return errors.Join(err, os.Remove(o.Name()))
}

var _ io.Writer = (*outputFile)(nil)

// Command flightlake serves a folder as a transactional lakehouse over Arrow
// Flight SQL. It reads settings, builds the parts from them and runs the two
// services until it is told to stop.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flightlake/flightlake/shell"
)

// version is set when a release is linked.
var version = "dev" // the linker's -X needs a variable

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "flightlake",
		Short:         "An Arrow Flight SQL server that turns a folder into a transactional lakehouse",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), sqlCommand(), certCommand(), passwdCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		var done *reported
		if !errors.As(err, &done) {
			fmt.Fprintln(os.Stderr, "flightlake:", err)
		}
		stop()
		os.Exit(shell.ExitCode(err))
	}
}

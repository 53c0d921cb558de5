package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/flightlake/flightlake/auth"
	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/internal/certs"
	"github.com/flightlake/flightlake/internal/clock"
)

// certCommand makes certificates.
func certCommand() *cobra.Command {
	var req certs.Request
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Make an authority, a server's certificate and clients' certificates for TLS",
		Long: `Make an authority (kept if there is one), a certificate for the server and, with
--client, one for a user, and print how to use them.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&req.Folder, "out", "certs", "folder for the files")
	f.StringSliceVar(&req.Hosts, "host", nil, "names and addresses of the server besides localhost and this machine's name")
	f.StringVar(&req.Client, "client", "", "user to make a certificate for")
	f.BoolVar(&req.Force, "force", false, "replace certificates that exist; the authority is always kept")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		folder, err := filepath.Abs(req.Folder)
		if err != nil {
			return err
		}
		req.Folder = folder
		files, err := certs.Make(req, clock.System{})
		if err != nil {
			return err
		}
		_, err = io.WriteString(cmd.OutOrStdout(), certHelp(files, req.Client))
		return err
	}
	return cmd
}

// certHelp says what was made and how to use it.
func certHelp(files certs.Files, user string) string {
	var b strings.Builder
	state := "kept"
	if files.MadeAuthority {
		state = "made"
	}
	fmt.Fprintf(&b, "authority   %s (%s)\n", files.Authority, state)
	if len(files.Hosts) > 0 {
		fmt.Fprintf(&b, "server      %s for %s\n", files.ServerCert, strings.Join(files.Hosts, ", "))
	} else {
		fmt.Fprintf(&b, "server      %s (kept)\n", files.ServerCert)
	}
	if user != "" {
		fmt.Fprintf(&b, "client      %s for user %s\n", files.ClientCert, user)
	}
	fmt.Fprintf(&b, "\nserve with\n  flightlake serve --tls-cert %s --tls-key %s", files.ServerCert, files.ServerKey)
	if user != "" {
		fmt.Fprintf(&b, " --tls-client-ca %s", files.Authority)
	}
	b.WriteString("\n\nconnect with\n")
	c := connection{address: config.Default().Listen, tls: true, authority: files.Authority}
	if user != "" {
		c.clientCert, c.clientKey = files.ClientCert, files.ClientKey
	}
	b.WriteString(c.strings())
	return b.String()
}

// passwdCommand hashes a password for the auth file.
func passwdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passwd [USER]",
		Short: "Print the hash of a password for the auth file",
		Long: `Read a password, from the terminal without showing it or from the first line of
standard input, and print its argon2id hash; with USER as an entry of the auth file.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := readPassword(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := auth.Hash(password)
			if err != nil {
				return err
			}
			text := hash + "\n"
			if len(args) > 0 {
				text = fmt.Sprintf("[users.%q]\npassword = %q\nroles = [\"reader\"]\n", args[0], hash)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// readPassword asks twice at a terminal, and reads one line elsewhere.
func readPassword(prompts io.Writer) (string, error) {
	if !isTerminal(os.Stdin) {
		// The limit is above what Hash takes, so that a longer one is refused and not cut.
		data, err := io.ReadAll(io.LimitReader(os.Stdin, 2*auth.PasswordBytesMax))
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), err
	}
	var typed [2]string
	for i, question := range []string{"password: ", "again: "} {
		_, _ = io.WriteString(prompts, question)
		data, err := term.ReadPassword(int(os.Stdin.Fd()))
		_, _ = io.WriteString(prompts, "\n")
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(data)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}

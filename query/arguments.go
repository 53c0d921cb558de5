package query

import (
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// Arguments are the arguments of a call of one of the lake's functions, which
// must be constants.
type Arguments struct {
	Name       string // of the function, for errors
	Positional []sqltext.Arg
	Named      map[string]sqltext.Arg
}

// Constants sorts arguments into positional and named ones.
func Constants(name string, args []sqltext.Arg) Arguments {
	a := Arguments{Name: name, Named: map[string]sqltext.Arg{}}
	for _, arg := range args {
		if arg.Name == "" {
			a.Positional = append(a.Positional, arg)
		} else {
			a.Named[arg.Name] = arg
		}
	}
	return a
}

// Text returns the first positional argument as text.
func (a Arguments) Text() (string, error) {
	if len(a.Positional) == 0 || !a.Positional[0].String {
		return "", lake.Errorf(lake.KindInvalid, "%s: the first argument must be a string constant", a.Name)
	}
	return a.Positional[0].Value, nil
}

// Integer returns the first positional argument as an integer.
func (a Arguments) Integer() (int64, error) {
	if len(a.Positional) > 0 && a.Positional[0].Constant {
		if n, err := strconv.ParseInt(a.Positional[0].Value, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, lake.Errorf(lake.KindInvalid, "%s: the first argument must be an integer constant", a.Name)
}

// AtMost refuses surplus and unknown arguments.
func (a Arguments) AtMost(n int, names ...string) error {
	if len(a.Positional) > n {
		return lake.Errorf(lake.KindInvalid, "%s takes at most %d arguments and got %d", a.Name, n, len(a.Positional))
	}
	for got, arg := range a.Named {
		known := false
		for _, name := range names {
			known = known || strings.EqualFold(got, name)
		}
		if !known {
			return lake.Errorf(lake.KindInvalid, "%s has no parameter %q", a.Name, got)
		}
		if !arg.Constant {
			return lake.Errorf(lake.KindInvalid, "%s: parameter %q must be a constant", a.Name, got)
		}
	}
	return nil
}

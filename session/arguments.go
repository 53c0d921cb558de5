package session

import (
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// arguments are the arguments of a call of one of the lake's functions, which
// must be constants.
type arguments struct {
	name       string // of the function, for errors
	positional []sqltext.Arg
	named      map[string]sqltext.Arg
}

// constants sorts arguments into positional and named ones.
func constants(name string, args []sqltext.Arg) arguments {
	a := arguments{name: name, named: map[string]sqltext.Arg{}}
	for _, arg := range args {
		if arg.Name == "" {
			a.positional = append(a.positional, arg)
		} else {
			a.named[arg.Name] = arg
		}
	}
	return a
}

// text returns the first positional argument as text.
func (a arguments) text() (string, error) {
	if len(a.positional) == 0 || !a.positional[0].String {
		return "", lake.Errorf(lake.KindInvalid, "%s: the first argument must be a string constant", a.name)
	}
	return a.positional[0].Value, nil
}

// integer returns the first positional argument as an integer.
func (a arguments) integer() (int64, error) {
	if len(a.positional) > 0 && a.positional[0].Constant {
		if n, err := strconv.ParseInt(a.positional[0].Value, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, lake.Errorf(lake.KindInvalid, "%s: the first argument must be an integer constant", a.name)
}

// atMost refuses surplus and unknown arguments.
func (a arguments) atMost(n int, names ...string) error {
	if len(a.positional) > n {
		return lake.Errorf(lake.KindInvalid, "%s takes at most %d arguments and got %d", a.name, n, len(a.positional))
	}
	for got, arg := range a.named {
		known := false
		for _, name := range names {
			known = known || strings.EqualFold(got, name)
		}
		if !known {
			return lake.Errorf(lake.KindInvalid, "%s has no parameter %q", a.name, got)
		}
		if !arg.Constant {
			return lake.Errorf(lake.KindInvalid, "%s: parameter %q must be a constant", a.name, got)
		}
	}
	return nil
}

package session

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/flightlake/flightlake/lake"
)

// Limits of settings.
const (
	// timeoutMax is PostgreSQL's largest statement_timeout: 2^31 - 1 ms.
	timeoutMax = (1<<31 - 1) * time.Millisecond
	// applicationBytesMax bounds what every listing shows.
	applicationBytesMax = 256
)

// Values of the setting timestamptz.
const (
	zonesUTC   = "utc"   // timestamps with a zone say UTC
	zonesNaive = "naive" // they are sent without a zone
)

// Settings are the values of a session's options. The zero value holds the
// defaults.
type Settings struct {
	Schema      string         // empty means lake.DefaultSchema
	Timeout     *time.Duration // of statements; nil means the server's
	Naive       bool           // timestamps with a zone are sent without
	Application string         // name of the client's program
}

// Names looks up what the values of options may name.
type Names interface {
	// SchemaName returns the name of a schema that the session sees, as it is written.
	// Errors: KindNotFound, with near names.
	SchemaName(ctx context.Context, x *Session, name string) (string, error)
	// EngineSetting reports whether the server's engine has a setting of that name.
	EngineSetting(name string) bool
}

// change is what a SET does to the settings of a session.
type change func(v *Settings)

// valueOf is the session whose option gets a value, and what that may name.
type valueOf struct {
	session *Session
	names   Names
}

// setting is one option.
type setting struct {
	name        string
	description string
	// getFunc returns the value as a client sees it.
	getFunc func(r *Registry, v Settings) string
	// setFunc reads a value that a client gave, as text.
	setFunc func(ctx context.Context, v valueOf, text string) (change, error)
	reset   change
}

// allSettings returns the options that clients may set, by name.
func allSettings() []setting {
	return []setting{
		{
			"application_name", "name of the program, for lake.sessions()",
			func(_ *Registry, v Settings) string { return v.Application },
			setApplication, func(v *Settings) { v.Application = "" },
		},
		{
			"catalog", "the catalog, which is always " + lake.CatalogName,
			func(*Registry, Settings) string { return lake.CatalogName },
			setCatalog, func(*Settings) {},
		},
		{
			"schema", "the schema of names without one",
			func(_ *Registry, v Settings) string { return Scope{Schema: v.Schema}.In("") },
			setSchema, func(v *Settings) { v.Schema = "" },
		},
		{
			"statement_timeout", "how long a statement may take, waiting included; 0 is for ever",
			func(r *Registry, v Settings) string { return formatTimeout(r.Timeout(v)) },
			setTimeout, func(v *Settings) { v.Timeout = nil },
		},
		{
			"timestamptz", "how timestamps with a zone are sent: utc, or naive, which is without zone",
			func(_ *Registry, v Settings) string {
				if v.Naive {
					return zonesNaive
				}
				return zonesUTC
			},
			setZones, func(v *Settings) { v.Naive = false },
		},
		{
			"timezone", "the time zone, which is always UTC",
			func(*Registry, Settings) string { return "UTC" },
			setTimeZone, func(*Settings) {},
		},
	}
}

// findSetting returns the option of a name, which may be one of its other names.
func findSetting(name string) (setting, bool) {
	name = strings.ToLower(name)
	switch name {
	case "search_path", "database":
		name = "schema"
	}
	for _, d := range allSettings() {
		if d.name == name {
			return d, true
		}
	}
	return setting{}, false
}

// Options returns all session options with their values, which are strings.
// "catalog" and "schema" are always among them.
func (x *Session) Options() map[string]any {
	values := x.Settings()
	options := map[string]any{}
	for _, d := range allSettings() {
		options[d.name] = d.getFunc(x.registry, values)
	}
	return options
}

// Settings returns the settings as they are now.
func (x *Session) Settings() Settings {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.settings
}

// Timeout returns the time-out of the session's statements; 0 means none.
func (x *Session) Timeout() time.Duration { return x.registry.Timeout(x.Settings()) }

// Timeout returns the time-out of statements under some settings; 0 means none.
func (r *Registry) Timeout(v Settings) time.Duration {
	if v.Timeout != nil {
		return *v.Timeout
	}
	return r.options.StatementTimeout
}

// SetOption sets an option, or resets it if value is nil. A schema must exist.
// A transaction that is rolled back does not take it back.
//
// Errors: KindNotFound, naming near ones, for an unknown name or schema;
// KindForbidden for a setting of the server's engine; KindInvalid for a value of
// the wrong type or range; KindUnauthenticated if the session has ended.
func (x *Session) SetOption(ctx context.Context, names Names, name string, value any) error {
	d, ok := findSetting(name)
	if !ok {
		return unknownSetting(names, name)
	}
	set := d.reset
	if value != nil {
		text, err := optionText(d.name, value)
		if err != nil {
			return err
		}
		if strings.EqualFold(name, "database") && strings.EqualFold(text, lake.CatalogName) {
			d.setFunc = setCatalog // what DuckDB calls a database
		}
		if set, err = d.setFunc(ctx, valueOf{session: x, names: names}, text); err != nil {
			return err
		}
	}
	return x.apply(set)
}

// ResetOptions gives all options their defaults.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) ResetOptions() error {
	var resets []change
	for _, d := range allSettings() {
		resets = append(resets, d.reset)
	}
	return x.apply(resets...)
}

// UseSchema sets the default schema to one that the caller has found; empty means
// lake.DefaultSchema.
//
// Errors: KindUnauthenticated if the session has ended.
func (x *Session) UseSchema(name string) error {
	return x.apply(func(v *Settings) { v.Schema = name })
}

// apply changes settings.
func (x *Session) apply(changes ...change) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return errEnded()
	}
	for _, change := range changes {
		change(&x.settings)
	}
	return nil
}

// optionText returns the text of a value that came through the protocol.
func optionText(name string, value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	}
	return "", lake.Errorf(lake.KindInvalid, "option %q takes a string, an integer or a boolean", name)
}

func setApplication(_ context.Context, _ valueOf, text string) (change, error) {
	if len(text) > applicationBytesMax {
		return nil, lake.Errorf(lake.KindInvalid, "application_name has %d bytes; it may have %d", len(text), applicationBytesMax)
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return func(v *Settings) { v.Application = text }, nil
}

func setCatalog(_ context.Context, _ valueOf, text string) (change, error) {
	if !strings.EqualFold(text, lake.CatalogName) {
		return nil, lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the catalog is %q", text, lake.CatalogName)
	}
	return func(*Settings) {}, nil
}

func setSchema(ctx context.Context, of valueOf, text string) (change, error) {
	name, err := of.names.SchemaName(ctx, of.session, text)
	if err != nil {
		return nil, err
	}
	return func(v *Settings) { v.Schema = name }, nil
}

func setTimeout(_ context.Context, _ valueOf, text string) (change, error) {
	timeout, err := parseTimeout(text)
	if err != nil {
		return nil, err
	}
	return func(v *Settings) { v.Timeout = &timeout }, nil
}

func setZones(_ context.Context, _ valueOf, text string) (change, error) {
	naive := strings.EqualFold(text, zonesNaive)
	if !naive && !strings.EqualFold(text, zonesUTC) {
		return nil, lake.Errorf(lake.KindInvalid, "timestamptz is %q or %q, not %q", zonesUTC, zonesNaive, text)
	}
	return func(v *Settings) { v.Naive = naive }, nil
}

func setTimeZone(_ context.Context, _ valueOf, text string) (change, error) {
	switch strings.ToLower(text) {
	case "utc", "etc/utc", "gmt", "zulu", "z", "0", "+00", "+00:00":
		return func(*Settings) {}, nil
	}
	return nil, lake.Errorf(lake.KindInvalid, "time zone %q: the time zone is always UTC; convert with AT TIME ZONE", text)
}

// parseTimeout reads a duration as PostgreSQL does: a number with a unit, or
// milliseconds.
//
// Errors: KindInvalid.
func parseTimeout(text string) (time.Duration, error) {
	invalid := lake.Errorf(lake.KindInvalid, "statement_timeout %q: expected milliseconds, or a number with one of the units us, ms, s, min, h, d, such as '30s'", text)
	number := strings.TrimSpace(text)
	unit := strings.TrimLeft(number, "0123456789.")
	value, err := strconv.ParseFloat(strings.TrimSuffix(number, unit), 64)
	if err != nil {
		return 0, invalid
	}
	var one time.Duration
	switch strings.TrimSpace(unit) {
	case "us":
		one = time.Microsecond
	case "", "ms":
		one = time.Millisecond
	case "s":
		one = time.Second
	case "min":
		one = time.Minute
	case "h":
		one = time.Hour
	case "d":
		one = 24 * time.Hour
	default:
		return 0, invalid
	}
	if value*float64(one) > float64(timeoutMax) {
		return 0, lake.Errorf(lake.KindInvalid, "statement_timeout %q is longer than %s", text, formatTimeout(timeoutMax))
	}
	return time.Duration(value * float64(one)).Round(time.Microsecond), nil
}

// formatTimeout writes a duration so that parseTimeout reads it.
func formatTimeout(d time.Duration) string {
	units := []struct {
		one  time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "us"}}
	for _, u := range units {
		if d > 0 && d%u.one == 0 {
			return strconv.FormatInt(int64(d/u.one), 10) + u.name
		}
	}
	return "0"
}

// unknownSetting is the error for an option that clients do not have.
func unknownSetting(names Names, name string) error {
	if names.EngineSetting(name) {
		return lake.Errorf(lake.KindForbidden, "setting %q is one of the server's engine, which all clients share; the server's configuration sets it", name)
	}
	var near []string
	for _, d := range allSettings() {
		if lake.EditDistance(strings.ToLower(name), d.name) <= max(1, len(name)/3) {
			near = append(near, strconv.Quote(d.name))
		}
	}
	return lake.Errorf(lake.KindNotFound, "setting %q does not exist%s; lake.settings() lists those that do", name, lake.DidYouMean(near))
}

// Setting is an option with its value, as listings show it.
type Setting struct{ Name, Value, Description string }

// Describe returns all options with the given values, sorted by name.
func (r *Registry) Describe(values Settings) []Setting {
	var out []Setting
	for _, d := range allSettings() {
		out = append(out, Setting{d.name, d.getFunc(r, values), d.description})
	}
	return out
}

package session

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
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

// settings are the values of a session's options. The zero value holds the
// defaults.
type settings struct {
	schema      string         // empty means main
	timeout     *time.Duration // nil means the server's
	naive       bool
	application string
}

// change is what a SET does to the settings of a session.
type change func(v *settings)

// setting is one option.
type setting struct {
	name        string
	description string
	// getFunc returns the value as a client sees it.
	getFunc func(s *Service, v settings) string
	// setFunc reads a value that a client gave, as text.
	setFunc func(ctx context.Context, x *Session, text string) (change, error)
	reset   change
}

// allSettings returns the options that clients may set, by name.
func allSettings() []setting {
	return []setting{
		{
			"application_name", "name of the program, for lake.sessions()",
			func(_ *Service, v settings) string { return v.application },
			setApplication, func(v *settings) { v.application = "" },
		},
		{
			"catalog", "the catalog, which is always " + CatalogName,
			func(*Service, settings) string { return CatalogName },
			setCatalog, func(*settings) {},
		},
		{
			"schema", "the schema of names without one",
			func(_ *Service, v settings) string { return Scope{Schema: v.schema}.schema("") },
			setSchema, func(v *settings) { v.schema = "" },
		},
		{
			"statement_timeout", "how long a statement may take, waiting included; 0 is for ever",
			func(s *Service, v settings) string { return formatTimeout(s.timeout(v)) },
			setTimeout, func(v *settings) { v.timeout = nil },
		},
		{
			"timestamptz", "how timestamps with a zone are sent: utc, or naive, which is without zone",
			func(_ *Service, v settings) string {
				if v.naive {
					return zonesNaive
				}
				return zonesUTC
			},
			setZones, func(v *settings) { v.naive = false },
		},
		{
			"timezone", "the time zone, which is always UTC",
			func(*Service, settings) string { return "UTC" },
			setTimeZone, func(*settings) {},
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
	values := x.values()
	options := map[string]any{}
	for _, d := range allSettings() {
		options[d.name] = d.getFunc(x.service, values)
	}
	return options
}

// values returns the settings as they are now.
func (x *Session) values() settings {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.settings
}

// defaultSchema returns the value of the option "schema"; empty means main.
func (x *Session) defaultSchema() string { return x.values().schema }

// SetOption sets an option, or resets it if value is nil. A schema must exist.
// A transaction that is rolled back does not take it back.
//
// Errors: KindNotFound, naming near ones, for an unknown name or schema;
// KindForbidden for a setting of the server's engine; KindInvalid for a value of
// the wrong type or range; KindUnauthenticated if the session has ended.
func (x *Session) SetOption(ctx context.Context, name string, value any) error {
	d, ok := findSetting(name)
	if !ok {
		return x.service.unknownSetting(ctx, name)
	}
	set := d.reset
	if value != nil {
		text, err := optionText(d.name, value)
		if err != nil {
			return err
		}
		if strings.EqualFold(name, "database") && strings.EqualFold(text, CatalogName) {
			d.setFunc = setCatalog // what DuckDB calls a database
		}
		if set, err = d.setFunc(ctx, x, text); err != nil {
			return err
		}
	}
	return x.apply(set)
}

// apply changes settings.
func (x *Session) apply(changes ...change) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return errSessionEnded()
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

func setApplication(_ context.Context, _ *Session, text string) (change, error) {
	if len(text) > applicationBytesMax {
		return nil, lake.Errorf(lake.KindInvalid, "application_name has %d bytes; it may have %d", len(text), applicationBytesMax)
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return func(v *settings) { v.application = text }, nil
}

func setCatalog(_ context.Context, _ *Session, text string) (change, error) {
	if !strings.EqualFold(text, CatalogName) {
		return nil, lake.Errorf(lake.KindNotFound, "catalog %q does not exist; the catalog is %q", text, CatalogName)
	}
	return func(*settings) {}, nil
}

func setSchema(ctx context.Context, x *Session, text string) (change, error) {
	v, err := x.service.view(ctx, Caller{Identity: x.identity, Session: x}, Scope{})
	if err != nil {
		return nil, err
	}
	schema, ok := v.state.Schema(text)
	if !ok {
		if rest, found := strings.CutPrefix(strings.ToLower(text), CatalogName+"."); found {
			schema, ok = v.state.Schema(rest)
		}
	}
	if !ok {
		return nil, lake.SchemaNotFound(v.state, text)
	}
	name := schema.Name
	return func(v *settings) { v.schema = name }, nil
}

func setTimeout(_ context.Context, _ *Session, text string) (change, error) {
	timeout, err := parseTimeout(text)
	if err != nil {
		return nil, err
	}
	return func(v *settings) { v.timeout = &timeout }, nil
}

func setZones(_ context.Context, _ *Session, text string) (change, error) {
	naive := strings.EqualFold(text, zonesNaive)
	if !naive && !strings.EqualFold(text, zonesUTC) {
		return nil, lake.Errorf(lake.KindInvalid, "timestamptz is %q or %q, not %q", zonesUTC, zonesNaive, text)
	}
	return func(v *settings) { v.naive = naive }, nil
}

func setTimeZone(_ context.Context, _ *Session, text string) (change, error) {
	switch strings.ToLower(text) {
	case "utc", "etc/utc", "gmt", "zulu", "z", "0", "+00", "+00:00":
		return func(*settings) {}, nil
	}
	return nil, lake.Errorf(lake.KindInvalid, "time zone %q: the time zone is always UTC; convert with AT TIME ZONE", text)
}

// timeout returns the time-out of a session's statements; 0 means none.
func (s *Service) timeout(v settings) time.Duration {
	if v.timeout != nil {
		return *v.timeout
	}
	return s.statementTimeout
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
func (s *Service) unknownSetting(ctx context.Context, name string) error {
	known, err := s.engineSetting(ctx, name)
	if err != nil {
		return err
	}
	if known {
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

// engineSetting reports whether DuckDB has a setting of that name.
func (s *Service) engineSetting(ctx context.Context, name string) (bool, error) {
	reader, err := s.Executor.Query(ctx, engine.Query{
		SQL:       "SELECT 1 FROM duckdb_settings() WHERE lower(name) = " + lake.QuoteLiteral(strings.ToLower(name)) + " LIMIT 1",
		Rewritten: true,
	})
	if err != nil {
		return false, err
	}
	defer reader.Release()
	return reader.Next(), reader.Err()
}

// setSetting runs SET and RESET.
func (s *Service) setSetting(ctx context.Context, c Caller, set *sqltext.Set) error {
	switch {
	case set.Global:
		return lake.Errorf(lake.KindForbidden, "SET GLOBAL is closed to clients: the server's configuration sets what holds for all")
	case set.Local:
		return lake.Errorf(lake.KindUnsupported, "SET LOCAL is not supported: settings do not end with a transaction; use SET and RESET")
	}
	x, err := c.Open(ctx)
	if err != nil {
		return err
	}
	switch {
	case set.Reset && set.Name == "":
		var resets []change
		for _, d := range allSettings() {
			resets = append(resets, d.reset)
		}
		return x.apply(resets...)
	case set.Reset:
		return x.SetOption(ctx, set.Name, nil)
	}
	return x.SetOption(ctx, set.Name, set.Value)
}

// use runs USE: of a schema, or of the catalog, which goes back to main.
func (s *Service) use(ctx context.Context, c Caller, name *sqltext.ObjectName) error {
	x, err := c.Open(ctx)
	if err != nil {
		return err
	}
	if name.Schema != "" {
		if err := checkCatalog(name.Schema); err != nil {
			return err
		}
	}
	set, err := setSchema(ctx, x, name.Name)
	if errors.Is(err, lake.ErrNotFound) && name.Schema == "" && strings.EqualFold(name.Name, CatalogName) {
		set, err = func(v *settings) { v.schema = "" }, nil
	}
	if err != nil {
		return err
	}
	return x.apply(set)
}

// settingRows answers lake.settings().
func (s *Service) settingRows(_ context.Context, v *view, a arguments) (*rowset, error) {
	if err := a.atMost(0); err != nil {
		return nil, err
	}
	var values settings
	if v.caller.Session != nil {
		values = v.caller.Session.values()
	}
	values.schema = v.scope.Schema
	r := &rowset{columns: []lake.Column{
		column("name", lake.TypeVarchar), column("value", lake.TypeVarchar), column("description", lake.TypeVarchar),
	}}
	for _, d := range allSettings() {
		r.rows = append(r.rows, []any{d.name, d.getFunc(s, values), d.description})
	}
	return r, nil
}

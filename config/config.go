// Package config reads flightlake's settings: a TOML file, then environment
// variables (FLIGHTLAKE_ and the setting's name in capitals), then flags (the
// setting's name with dashes), each overriding the one before. Settings are plain
// values; components are built from them in cmd/flightlake.
//
// It opens nothing but the configuration file.
package config

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// EnvPrefix begins the name of every environment variable that is read.
const EnvPrefix = "FLIGHTLAKE_"

// Bytes is a number of bytes. As text it may have a unit: 512MiB, 1GB.
type Bytes int64

// UnmarshalText reads a number of bytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	at := strings.LastIndexAny(s, "0123456789") + 1
	n, err := strconv.ParseInt(s[:at], 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number of bytes such as 1048576 or 512MiB", s)
	}
	factor, ok := map[string]int64{
		"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}[strings.ToLower(strings.TrimSpace(s[at:]))]
	if !ok {
		return fmt.Errorf("%q: the unit is none of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB", s)
	}
	if n > math.MaxInt64/factor || n < math.MinInt64/factor {
		return fmt.Errorf("%q is too large", s)
	}
	*b = Bytes(n * factor)
	return nil
}

// String writes the number with the largest binary unit that leaves no rest.
func (b Bytes) String() string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := Bytes(1) << (40 - 10*i); b != 0 && b%size == 0 {
			return strconv.FormatInt(int64(b/size), 10) + unit
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Setting describes one setting.
type Setting struct {
	Name    string // as in the file
	Help    string
	Default string // as text; empty for none
}

// Env returns the name of its environment variable.
func (s Setting) Env() string { return EnvPrefix + strings.ToUpper(s.Name) }

// Flag returns the name of its flag.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

// All returns all settings in the order of Settings.
func All() []Setting {
	d := Default()
	v := reflect.ValueOf(d)
	out := make([]Setting, v.NumField())
	for i := range out {
		f := v.Type().Field(i)
		out[i] = Setting{Name: f.Tag.Get("toml"), Help: f.Tag.Get("help")}
		if !v.Field(i).IsZero() {
			out[i].Default = text(v.Field(i))
		}
	}
	return out
}

// text writes a value as Load reads it. Durations leave out units that are zero.
func text(v reflect.Value) string {
	s := fmt.Sprint(v.Interface())
	if _, ok := v.Interface().(time.Duration); ok {
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
	}
	return s
}

// Load returns the defaults overridden by the file (if path is not empty), then by
// the environment, which lookup reads (os.LookupEnv in production), and then by
// flags, by the name of the setting. Errors name the file, variable or flag at fault.
func Load(path string, lookup func(string) (string, bool), flags map[string]string) (Settings, error) {
	s := Default()
	if path != "" {
		meta, err := toml.DecodeFile(path, &s)
		if err != nil {
			return Settings{}, fmt.Errorf("read configuration %s: %w", path, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return Settings{}, fmt.Errorf("read configuration %s: unknown setting %q", path, unknown[0])
		}
	}
	v := reflect.ValueOf(&s).Elem()
	for i, setting := range All() {
		if text, ok := lookup(setting.Env()); ok {
			if err := setField(v.Field(i), text); err != nil {
				return Settings{}, fmt.Errorf("environment variable %s: %w", setting.Env(), err)
			}
		}
		if text, ok := flags[setting.Name]; ok {
			if err := setField(v.Field(i), text); err != nil {
				return Settings{}, fmt.Errorf("flag --%s: %w", setting.Flag(), err)
			}
		}
	}
	return s, nil
}

func setField(f reflect.Value, text string) error {
	switch p := f.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Bytes:
		return p.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 30s, 10m or 24h", text)
		}
		*p = d
	default:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		f.SetInt(int64(n))
	}
	return nil
}

// Environment is os.LookupEnv, named here so that main need not import os for it.
func Environment(name string) (string, bool) { return os.LookupEnv(name) }

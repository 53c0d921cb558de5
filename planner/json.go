package planner

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/flightlake/flightlake/lake"
)

// object is a JSON object of DuckDB's. The accessors return zero values for
// what is absent or of another shape, so that walking a tree of an unknown
// version does not fail.
type object map[string]any

// decodeJSON decodes what DuckDB serialised. DuckDB writes NaN, Infinity and
// -Infinity as bare words, which JSON does not know: they become strings.
func decodeJSON(data []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(quoteBareWords(data)))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, lake.Errorf(lake.KindInternal, "decode what DuckDB serialised: %w", err)
	}
	return out, nil
}

// quoteBareWords returns data with NaN, Infinity and -Infinity outside strings
// put in quotes.
func quoteBareWords(data []byte) []byte {
	if !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("Infinity")) {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	inString := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString && c == '\\' && i+1 < len(data):
			out = append(out, c, data[i+1])
			i++
			continue
		case c == '"':
			inString = !inString
		case !inString && (c == 'N' || c == 'I' || c == '-'):
			if word := bareWord(data[i:]); word != "" {
				out = strconv.AppendQuote(out, word)
				i += len(word) - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

func bareWord(data []byte) string {
	for _, w := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(data, []byte(w)) {
			return w
		}
	}
	return ""
}

func asObject(v any) object {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return m
}

func (o object) object(key string) object { return asObject(o[key]) }

func (o object) list(key string) []any {
	l, ok := o[key].([]any)
	if !ok {
		return nil
	}
	return l
}

func (o object) objects(key string) []object {
	l := o.list(key)
	out := make([]object, len(l))
	for i := range l {
		out[i] = asObject(l[i])
	}
	return out
}

func (o object) text(key string) string {
	s, ok := o[key].(string)
	if !ok {
		return ""
	}
	return s
}

func (o object) flag(key string) bool {
	b, ok := o[key].(bool)
	return ok && b
}

func (o object) texts(key string) []string {
	l := o.list(key)
	out := make([]string, 0, len(l))
	for _, v := range l {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// index returns a small non-negative number; DuckDB writes -1 where there is
// none, in unsigned 64 bits.
func (o object) index(key string) (int, bool) { return asIndex(o[key]) }

func asIndex(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 32)
	return int(i), err == nil && i >= 0
}

// integer returns a number of up to 63 bits.
func (o object) integer(key string) (int64, bool) {
	n, ok := o[key].(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

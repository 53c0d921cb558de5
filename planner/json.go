package planner

import (
	"encoding/json"
	"strconv"
)

// object is a JSON object of DuckDB's. The accessors return zero values for
// what is absent or of another shape, so that walking a tree of an unknown
// version does not fail.
type object map[string]any

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

// Package duckjson decodes the trees that DuckDB serialises: json_serialize_sql's syntax
// trees and json_serialize_plan's plans. It knows nothing of what is in them.
package duckjson

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/flightlake/flightlake/lake"
)

// Decode decodes an object; its numbers become json.Number. DuckDB writes NaN, Infinity and
// -Infinity as bare words, which JSON does not know: they become strings.
//
// Errors: KindInternal.
func Decode(data []byte) (map[string]any, error) {
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

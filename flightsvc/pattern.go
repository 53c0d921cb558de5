package flightsvc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapeChar makes the next character of a pattern stand for itself. SqlInfo
// reports it as SQL_SEARCH_STRING_ESCAPE.
const escapeChar = '\\'

// nameMatches reports whether name matches a metadata pattern: % is any text, _
// any character, \ escapes. A nil pattern matches every name, an empty one none
// (it asks for objects without a name, of which there are none). Case does not
// count, as in DuckDB.
func nameMatches(pattern *string, name string) bool {
	return pattern == nil || *pattern != "" && likeMatches(*pattern, name)
}

// tableMatches is nameMatches for tables: a name is also matched by itself. ADBC's
// GetTableSchema sends the bare name of a table as a pattern, and a \ in it
// would escape what follows.
func tableMatches(pattern *string, name string) bool {
	return nameMatches(pattern, name) || *pattern == name && name != ""
}

// nameIs reports whether name passes a filter that is no pattern: nil lets every
// name pass, the empty text asks for objects without one. Case does not count.
func nameIs(filter *string, name string) bool {
	return filter == nil || strings.EqualFold(*filter, name)
}

// unescaped returns the one name that a pattern without wildcards matches.
func unescaped(pattern string) string {
	var b strings.Builder
	for pattern != "" {
		r, wild, n := nextPattern(pattern)
		if wild != 0 {
			r = wild
		}
		b.WriteRune(r)
		pattern = pattern[n:]
	}
	return b.String()
}

// likeMatches backtracks to the last % only, so its cost is len(pattern) * len(text)
// at most.
func likeMatches(pattern, text string) bool {
	p, t := 0, 0
	starP, starT := -1, 0
	for t < len(text) {
		c, size := utf8.DecodeRuneInString(text[t:])
		want, wild, n := nextPattern(pattern[p:])
		switch {
		case wild == '%':
			p += n
			starP, starT = p, t
		case n > 0 && (wild == '_' || unicode.ToLower(want) == unicode.ToLower(c)):
			p += n
			t += size
		case starP >= 0:
			_, skip := utf8.DecodeRuneInString(text[starT:])
			starT += skip
			p, t = starP, starT
		default:
			return false
		}
	}
	for p < len(pattern) {
		_, wild, n := nextPattern(pattern[p:])
		if wild != '%' {
			return false
		}
		p += n
	}
	return true
}

// nextPattern returns the first element of a pattern, a literal or a wildcard,
// and its length in bytes, which is 0 at the end.
func nextPattern(pattern string) (literal, wild rune, size int) {
	if pattern == "" {
		return 0, 0, 0
	}
	r, n := utf8.DecodeRuneInString(pattern)
	switch {
	case r == '%' || r == '_':
		return 0, r, n
	case r == escapeChar && len(pattern) > n:
		r, m := utf8.DecodeRuneInString(pattern[n:])
		return r, 0, n + m
	}
	return r, 0, n
}

package change

import (
	"strings"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// Limits of one INSERT that stands for several. Each INSERT costs about a
// millisecond, a row of one some ten microseconds.
const (
	mergedRowsMax  = 1000
	mergedBytesMax = 1 << 20 // of text, unless one statement alone is longer
)

// mergeRows returns INSERTs of many rows for INSERTs of VALUES that differ in
// their parameters only; st is their text without values. What could be computed
// otherwise, or be of another type, in the company of other rows is not merged.
func mergeRows(st *sqltext.Statement, bound []*sqltext.Statement) ([]*sqltext.Statement, error) {
	if len(bound) < 2 || !plainRows(st) {
		return bound, nil
	}
	var out []*sqltext.Statement
	for len(bound) > 0 {
		var b strings.Builder
		b.WriteString(bound[0].Text[:rowsOf(bound[0]).End])
		n := 1
		for ; n < min(len(bound), mergedRowsMax) && b.Len() < mergedBytesMax; n++ {
			b.WriteString(",")
			b.WriteString(rowsOf(bound[n]).Of(bound[n].Text))
		}
		merged, err := sqltext.Classify(b.String())
		if err != nil {
			return nil, err
		}
		out = append(out, merged)
		bound = bound[n:]
	}
	return out, nil
}

// rowsOf returns where the rows of an INSERT are, after VALUES and before a comment.
func rowsOf(st *sqltext.Statement) sqltext.Span {
	return sqltext.Span{Start: st.Query.Start + len("VALUES"), End: st.Tokens[len(st.Tokens)-1].End}
}

// plainRows reports whether an INSERT ends with VALUES and rows of nothing but
// parameters and constants.
func plainRows(st *sqltext.Statement) bool {
	if st.Query == nil {
		return false
	}
	depth := 0
	for _, t := range st.Tokens {
		if t.Start < st.Query.Start {
			continue
		}
		text := st.Text[t.Start:t.End]
		switch t.Kind {
		case sqltext.TokenParam, sqltext.TokenString, sqltext.TokenNumber:
		case sqltext.TokenWord:
			if depth == 0 && t.Start > st.Query.Start || depth == 1 && !isConstant(text) {
				return false
			}
		case sqltext.TokenOp:
			switch text {
			case "(":
				depth++
			case ")":
				depth--
			case ",", "-":
			default:
				return false
			}
		case sqltext.TokenQuoted:
			return false
		}
		if depth > 1 {
			return false
		}
	}
	return true
}

func isConstant(word string) bool {
	switch strings.ToUpper(word) {
	case "NULL", "DEFAULT", "TRUE", "FALSE":
		return true
	}
	return false
}

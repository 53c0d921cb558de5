package session

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// bindAll returns the text of a statement with its parameters replaced by
// literals, one text for each row of them, so that planning sees constants.
//
// Errors: KindInvalid if the number of parameters differs from the number of
// columns of values, or a value cannot be written as SQL.
func bindAll(st Statement) ([]string, error) {
	statement, err := sqltext.Classify(st.SQL)
	if err != nil {
		return nil, err
	}
	names, places := parameterPlaces(statement)
	if len(names) == 0 {
		if st.Params != nil && st.Params.NumCols() > 0 {
			return nil, lake.Errorf(lake.KindInvalid, "the statement has no parameters and got %d values", st.Params.NumCols())
		}
		return []string{st.SQL}, nil
	}
	if st.Params == nil || st.Params.NumCols() != int64(len(names)) {
		var got int64
		if st.Params != nil {
			got = st.Params.NumCols()
		}
		return nil, lake.Errorf(lake.KindInvalid, "the statement has %d parameters and got %d values", len(names), got)
	}
	texts := make([]string, st.Params.NumRows())
	for row := range texts {
		if texts[row], err = bindRow(statement, places, st.Params, row); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// place is where a parameter stands in the text, and the column of its value.
type place struct {
	span   sqltext.Span
	column int
}

// parameterPlaces returns the distinct parameters of a statement in the order
// in which values are given (? and $n by number, $name by first occurrence),
// and where each stands.
func parameterPlaces(st *sqltext.Statement) (names []string, places []place) {
	questions := 0
	column := map[string]int{} // by name
	var ofPlace []string       // names, by place
	for _, t := range st.Tokens {
		if t.Kind != sqltext.TokenParam {
			continue
		}
		name := st.Text[t.Start+1 : t.End]
		if name == "" {
			questions++
			name = strconv.Itoa(questions)
		}
		if _, seen := column[name]; !seen {
			column[name] = len(names)
			names = append(names, name)
		}
		ofPlace = append(ofPlace, name)
		places = append(places, place{span: sqltext.Span{Start: t.Start, End: t.End}})
	}
	if numbered(names) {
		slices.SortFunc(names, func(a, b string) int {
			i, _ := strconv.Atoi(a)
			j, _ := strconv.Atoi(b)
			return i - j
		})
	}
	for i, name := range names {
		column[name] = i
	}
	for i, name := range ofPlace {
		places[i].column = column[name]
	}
	return names, places
}

func numbered(names []string) bool {
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			return false
		}
	}
	return true
}

func bindRow(st *sqltext.Statement, places []place, values arrow.RecordBatch, row int) (string, error) {
	var b strings.Builder
	end := 0
	for _, p := range places {
		literal, err := engine.Literal(values.Column(p.column), row)
		if err != nil {
			return "", lake.Wrap(lake.KindInvalid, "bind parameter "+strconv.Itoa(p.column+1), err)
		}
		b.WriteString(st.Text[end:p.span.Start])
		b.WriteString(literal)
		end = p.span.End
	}
	b.WriteString(st.Text[end:])
	return b.String(), nil
}

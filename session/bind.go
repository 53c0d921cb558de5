package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

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
		if texts[row], err = bindRow(statement, places, st.Params, row, nil); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// converter converts the values of parameters to the types that a statement wants.
type converter struct {
	types  []arrow.DataType // by column
	checks []castCheck
}

// castCheck is an SQL condition that is true if a value can be converted.
type castCheck struct {
	column int
	sql    string
}

// castChecksMax bounds the conditions that one query evaluates.
const castChecksMax = 1000

// literal returns a value as SQL text of the type wanted.
func (c *converter) literal(values arrow.RecordBatch, column, row int) (string, error) {
	if c == nil {
		return engine.Literal(values.Column(column), row)
	}
	text, check, err := engine.LiteralAs(values.Column(column), row, c.types[column])
	if check != "" {
		c.checks = append(c.checks, castCheck{column: column, sql: check})
	}
	return text, err
}

// check refuses values that cannot be converted.
//
// Errors: KindInvalid, naming the parameter.
func (c *converter) check(ctx context.Context, s *Service) error {
	for checks := range slices.Chunk(c.checks, castChecksMax) {
		items := make([]string, len(checks))
		for i := range checks {
			items[i] = checks[i].sql
		}
		found, err := s.evaluate(ctx, engine.Query{SQL: "coalesce(list_position([" + strings.Join(items, ", ") + "], false), 0)"}, "BIGINT")
		if err != nil {
			return fmt.Errorf("bind parameters: %w", err)
		}
		if at, ok := found.(*array.Int64); ok && at.Value(0) > 0 {
			column := checks[at.Value(0)-1].column
			return lake.Errorf(lake.KindInvalid, "bind parameter %d: the value cannot be converted to %s", column+1, c.types[column])
		}
	}
	return nil
}

// typesOf returns the types of the fields of a schema.
func typesOf(schema *arrow.Schema) []arrow.DataType {
	types := make([]arrow.DataType, schema.NumFields())
	for i := range types {
		types[i] = schema.Field(i).Type
	}
	return types
}

// hasText reports whether a value is text, which DuckDB would round where a number
// is wanted.
func hasText(values arrow.RecordBatch) bool {
	return values != nil && slices.ContainsFunc(values.Columns(), func(a arrow.Array) bool {
		dt := a.DataType()
		if d, ok := dt.(*arrow.DictionaryType); ok {
			dt = d.ValueType
		}
		return dt.ID() == arrow.STRING || dt.ID() == arrow.LARGE_STRING || dt.ID() == arrow.STRING_VIEW
	})
}

// converted returns the text of a query with its values converted to the types
// that the engine infers for the parameters. If that cannot tell them, it returns
// own, in which they have their own types.
func (s *Service) converted(ctx context.Context, st Statement, v *view, own []string) ([]string, error) {
	statement, err := sqltext.Classify(st.SQL)
	if err != nil {
		return nil, err
	}
	names, places := parameterPlaces(statement)
	if len(names) == 0 {
		return own, nil
	}
	d, err := s.describeOpen(ctx, v, st.SQL)
	if err != nil {
		return own, ctx.Err() // what is wrong is said of the text with its values
	}
	c := &converter{types: typesOf(d.Params)}
	text, err := bindRow(statement, places, st.Params, 0, c)
	if err != nil {
		return nil, err
	}
	return []string{text}, c.check(ctx, s)
}

// convertValues returns the statements of an INSERT of VALUES with the values of
// its parameters converted to the types of their columns; bound are those with
// the values' own types.
func (s *Service) convertValues(ctx context.Context, v *view, st Statement, bound []*sqltext.Statement) ([]*sqltext.Statement, error) {
	statement, err := sqltext.Classify(st.SQL)
	if err != nil || st.Params == nil || !isValues(statement) {
		return bound, err
	}
	names, places := parameterPlaces(statement)
	params, err := updateParams(v, statement, names)
	if err != nil {
		return nil, err
	}
	c := &converter{types: typesOf(params)}
	out := make([]*sqltext.Statement, len(bound))
	for row := range out {
		text, err := bindRow(statement, places, st.Params, row, c)
		if err != nil {
			return nil, err
		}
		if out[row], err = sqltext.Classify(text); err != nil {
			return nil, err
		}
	}
	if err := c.check(ctx, s); err != nil {
		return nil, err
	}
	return mergeRows(statement, out)
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

// bindRow returns the text of a statement with one row of values in it, converted
// unless c is nil.
func bindRow(st *sqltext.Statement, places []place, values arrow.RecordBatch, row int, c *converter) (string, error) {
	var b strings.Builder
	end := 0
	for _, p := range places {
		literal, err := c.literal(values, p.column, row)
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

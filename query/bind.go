package query

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
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/workload"
)

// Parameters are the parameters of a statement.
type Parameters struct {
	// Names are the distinct ones in the order in which values are given: ? and $n by
	// number, $name by first occurrence.
	Names []string
	// Places are where they stand, in the order of the text.
	Places []Place

	st *sqltext.Statement
}

// Place is where a parameter stands in the text, and the column of its value.
type Place struct {
	Span   sqltext.Span
	Column int
}

// ParametersOf returns the parameters of a statement.
func ParametersOf(st *sqltext.Statement) Parameters {
	p := Parameters{st: st}
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
			column[name] = len(p.Names)
			p.Names = append(p.Names, name)
		}
		ofPlace = append(ofPlace, name)
		p.Places = append(p.Places, Place{Span: sqltext.Span{Start: t.Start, End: t.End}})
	}
	if numbered(p.Names) {
		slices.SortFunc(p.Names, func(a, b string) int {
			i, _ := strconv.Atoi(a)
			j, _ := strconv.Atoi(b)
			return i - j
		})
	}
	for i, name := range p.Names {
		column[name] = i
	}
	for i, name := range ofPlace {
		p.Places[i].Column = column[name]
	}
	return p
}

func numbered(names []string) bool {
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			return false
		}
	}
	return true
}

// Check refuses values, of which nil are none, whose number is not that of the parameters.
//
// Errors: KindInvalid.
func (p Parameters) Check(values arrow.RecordBatch) error {
	var got int64
	if values != nil {
		got = values.NumCols()
	}
	switch {
	case len(p.Names) == 0 && got > 0:
		return lake.Errorf(lake.KindInvalid, "the statement has no parameters and got %d values", got)
	case int64(len(p.Names)) != got:
		return lake.Errorf(lake.KindInvalid, "the statement has %d parameters and got %d values", len(p.Names), got)
	}
	return nil
}

// Bind returns the text of a statement with its parameters replaced by literals, one
// text for each row of values, so that planning sees constants.
//
// Errors: KindInvalid if the number of parameters differs from the number of
// columns of values, or a value cannot be written as SQL.
func Bind(st *sqltext.Statement, values arrow.RecordBatch) ([]string, error) {
	p := ParametersOf(st)
	if err := p.Check(values); err != nil {
		return nil, err
	}
	if len(p.Names) == 0 {
		return []string{st.Text}, nil
	}
	texts := make([]string, values.NumRows())
	var err error
	for row := range texts {
		if texts[row], err = p.Row(values, row, nil); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// Row returns the text of the statement with one row of values in it, converted
// unless c is nil.
//
// Errors: KindInvalid for a value that cannot be written as SQL.
func (p Parameters) Row(values arrow.RecordBatch, row int, c *Converter) (string, error) {
	var b strings.Builder
	end := 0
	for _, place := range p.Places {
		literal, err := c.literal(values, place.Column, row)
		if err != nil {
			return "", lake.Wrap(lake.KindInvalid, "bind parameter "+strconv.Itoa(place.Column+1), err)
		}
		b.WriteString(p.st.Text[end:place.Span.Start])
		b.WriteString(literal)
		end = place.Span.End
	}
	b.WriteString(p.st.Text[end:])
	return b.String(), nil
}

// Converter converts the values of parameters to the types that a statement wants.
type Converter struct {
	types  []arrow.DataType // by column
	checks []castCheck
}

// NewConverter returns a Converter to the types of the fields of a schema.
func NewConverter(schema *arrow.Schema) *Converter {
	c := &Converter{types: make([]arrow.DataType, schema.NumFields())}
	for i := range c.types {
		c.types[i] = schema.Field(i).Type
	}
	return c
}

// castCheck is an SQL condition that is true if a value can be converted.
type castCheck struct {
	column int
	value  string // the beginning of it
	sql    string
}

// castChecksMax bounds the conditions that one query evaluates.
const castChecksMax = 1000

// literal returns a value as SQL text of the type wanted.
func (c *Converter) literal(values arrow.RecordBatch, column, row int) (string, error) {
	if c == nil {
		return engine.Literal(values.Column(column), row)
	}
	text, check, err := engine.LiteralAs(values.Column(column), row, c.types[column])
	if check != "" {
		c.checks = append(c.checks, castCheck{column: column, value: engine.Shown(values.Column(column), row), sql: check})
	}
	return text, err
}

// Check refuses values that cannot be converted.
//
// Errors: KindInvalid, naming the parameter.
func (c *Converter) Check(ctx context.Context, e Evaluator) error {
	for checks := range slices.Chunk(c.checks, castChecksMax) {
		items := make([]string, len(checks))
		for i := range checks {
			items[i] = checks[i].sql
		}
		found, err := e.Value(ctx, engine.Query{SQL: "coalesce(list_position([" + strings.Join(items, ", ") + "], false), 0)"}, "BIGINT")
		if err != nil {
			return fmt.Errorf("bind parameters: %w", err)
		}
		if at, ok := found.(*array.Int64); ok && at.Value(0) > 0 {
			failed := &checks[at.Value(0)-1]
			return lake.Errorf(lake.KindInvalid, "bind parameter %d: the value %s cannot be converted to %s", failed.column+1, failed.value, c.types[failed.column])
		}
	}
	return nil
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
// that the engine infers for the parameters; empty if it cannot.
func (s *Planner) converted(ctx context.Context, run *workload.Statement, st *sqltext.Statement, values arrow.RecordBatch, v *view.View) (string, error) {
	p := ParametersOf(st)
	if len(p.Names) == 0 {
		return "", nil
	}
	d, err := s.describeOpen(ctx, run, v, st)
	if err != nil {
		return "", ctx.Err()
	}
	c := NewConverter(d.Params)
	text, err := p.Row(values, 0, c)
	if err != nil {
		return "", err
	}
	return text, c.Check(ctx, s.evaluator)
}

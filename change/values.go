package change

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/internal/stream"
	"github.com/flightlake/flightlake/planner/sqltext"
	"github.com/flightlake/flightlake/query"
	"github.com/flightlake/flightlake/view"
	"github.com/flightlake/flightlake/writer"
)

// isValues reports whether the rows of an INSERT are written out in it.
func isValues(st *sqltext.Statement) bool {
	return st.Query == nil || strings.EqualFold(firstWord(st.Query.Of(st.Text)), "VALUES")
}

func firstWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') })
	if end < 0 {
		return text
	}
	return text[:end]
}

// boundRows returns the rows of INSERT ... VALUES (?, ...), of one row of nothing but
// parameters, as they were bound: such a statement is an ingest. It returns nil for
// another statement, and where the types of values and columns differ so that only SQL's
// casts make the one into the other.
func (s *Executor) boundRows(ctx context.Context, t *target, in insertion) (array.RecordReader, error) {
	positions, ok := parameterRow(in.statement)
	if !ok || in.params == nil {
		return nil, nil // the usual way is another one
	}
	columns, err := t.named(in.statement.Insert.Columns)
	if err != nil || len(columns) != len(positions) {
		return nil, err // the engine says what is wrong with the number of values
	}
	fields, arrays := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	for i, position := range positions {
		arrays[i] = in.params.Column(position)
		fields[i] = arrow.Field{Name: columns[i].Name, Type: arrays[i].DataType(), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	fixed, err := s.fixDefaults(ctx, t.columns, schema)
	if err != nil || writer.CheckFit(fixed, schema) != nil {
		return nil, err
	}
	t.columns = fixed
	return stream.OneBatch(array.NewRecordBatch(schema, arrays, in.params.NumRows())), nil
}

// parameterRow returns, for INSERT ... VALUES of one row of parameters, the columns of
// their values; ok is false for another statement.
func parameterRow(st *sqltext.Statement) (columns []int, ok bool) {
	if st.Query == nil || st.Insert.ByName {
		return nil, false
	}
	places := query.ParametersOf(st).Places
	c := &sqltext.Cursor{Text: st.Text, Tokens: st.Tokens}
	for c.Offset() < st.Query.Start {
		c.Pos++
	}
	if !c.Words("VALUES") || !c.Op("(") {
		return nil, false
	}
	for {
		if c.End() || st.Tokens[c.Pos].Kind != sqltext.TokenParam {
			return nil, false
		}
		i, _ := slices.BinarySearchFunc(places, st.Tokens[c.Pos].Start, func(p query.Place, start int) int { return p.Span.Start - start })
		columns = append(columns, places[i].Column)
		c.Pos++
		if !c.Op(",") {
			return columns, c.Op(")") && c.End()
		}
	}
}

// boundStatements returns the INSERT of VALUES with its parameters replaced by literals
// of the types of their columns.
func (s *Executor) boundStatements(ctx context.Context, v *view.View, in insertion) ([]*sqltext.Statement, error) {
	if in.params == nil {
		return []*sqltext.Statement{in.statement}, nil
	}
	types, err := UpdateParams(v, in.statement)
	if err != nil {
		return nil, err
	}
	parameters, c := query.ParametersOf(in.statement), query.NewConverter(types)
	out := make([]*sqltext.Statement, in.params.NumRows())
	for row := range out {
		text, err := parameters.Row(in.params, row, c)
		if err != nil {
			return nil, err
		}
		if out[row], err = sqltext.Classify(text); err != nil {
			return nil, err
		}
	}
	if err := c.Check(ctx, s.Queries.Evaluator()); err != nil {
		return nil, err
	}
	return mergeRows(in.statement, out)
}

// UpdateParams returns the parameters of an update for a client that prepares it; those
// of INSERT ... VALUES have the types of their columns.
//
// Errors: KindNotFound, KindForbidden for the table of an INSERT.
func UpdateParams(v *view.View, st *sqltext.Statement) (*arrow.Schema, error) {
	names := query.ParametersOf(st).Names
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.Null, Nullable: true}
	}
	if len(names) == 0 || st.Kind != sqltext.KindInsert {
		return arrow.NewSchema(fields, nil), nil
	}
	t, err := insertTarget(v, st)
	if err != nil {
		return nil, err
	}
	columns, err := t.named(st.Insert.Columns)
	if err != nil {
		return nil, err
	}
	positions := valuesPositions(st)
	for i, name := range names {
		if position, ok := positions[name]; ok && position < len(columns) {
			fields[i].Type = columns[position].ArrowType()
			fields[i].Name = strconv.Itoa(i + 1)
		}
	}
	return arrow.NewSchema(fields, nil), nil
}

// valuesPositions returns, by parameter, its position in a row of VALUES, for
// those that stand alone there.
func valuesPositions(st *sqltext.Statement) map[string]int {
	positions := map[string]int{}
	if !isValues(st) {
		return positions
	}
	p := query.ParametersOf(st)
	depth, position := 0, 0
	previous := ""
	for i, t := range st.Tokens {
		text := st.Text[t.Start:t.End]
		switch {
		case st.Query == nil || t.Start < st.Query.Start:
			continue
		case text == "(" || text == "[" || text == "{":
			if depth++; depth == 1 {
				position = 0
			}
		case text == ")" || text == "]" || text == "}":
			depth--
		case text == "," && depth == 1:
			position++
		case t.Kind == sqltext.TokenParam && depth == 1 && (previous == "(" || previous == ",") && endsValue(st, i+1):
			j, _ := slices.BinarySearchFunc(p.Places, t.Start, func(p query.Place, start int) int { return p.Span.Start - start })
			positions[p.Names[p.Places[j].Column]] = position
		}
		previous = text
	}
	return positions
}

func endsValue(st *sqltext.Statement, i int) bool {
	if i >= len(st.Tokens) {
		return false
	}
	text := st.Text[st.Tokens[i].Start:st.Tokens[i].End]
	return text == "," || text == ")"
}

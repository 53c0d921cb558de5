package change

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// fixDefaults returns columns in which the default expressions of those that
// the stream lacks are replaced by their values: now() is one instant for the
// whole append. Expressions that differ from row to row stay, and the writer
// refuses them.
func (s *Executor) fixDefaults(ctx context.Context, columns []lake.Column, stream *arrow.Schema) ([]lake.Column, error) {
	given := make(map[string]bool, stream.NumFields())
	for _, f := range stream.Fields() {
		given[strings.ToLower(f.Name)] = true
	}
	if err := s.Queries.CheckDefaults(ctx, columns); err != nil {
		return nil, err
	}
	fixed := slices.Clone(columns)
	for i := range fixed {
		c := &fixed[i]
		if given[strings.ToLower(c.Name)] || !c.DefaultIsExpression || c.Default == nil || volatile(*c.Default) {
			continue
		}
		text, err := s.Queries.Evaluator().Text(ctx, *c.Default, c.SQLType())
		if err != nil {
			return nil, lake.Wrap(lake.KindInvalid, "default of column "+c.Name, err)
		}
		c.Default, c.DefaultIsExpression = text, false
	}
	return fixed, nil
}

// volatile reports whether an expression calls a function whose value differs
// from row to row.
func volatile(expression string) bool {
	tokens, err := sqltext.Lex(expression)
	if err != nil {
		return true
	}
	for _, t := range tokens {
		switch strings.ToLower(expression[t.Start:t.End]) {
		case "random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "nextval":
			return true
		}
	}
	return false
}

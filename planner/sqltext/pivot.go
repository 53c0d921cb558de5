package sqltext

import (
	"slices"
	"strings"
)

// pivotValues stands where a PIVOT does not list the values of its columns.
const pivotValues = " IN ('')"

// Completed is a text in which every PIVOT lists values of its columns.
type Completed struct {
	Text string
	// at holds the offsets in the original text before which values were put, ascending.
	at []int
}

// Offset returns the offset in the original text of one in the completed text that is not
// within values.
func (c *Completed) Offset(completed int) int {
	offset := completed
	for _, at := range c.at {
		if at > offset-len(pivotValues) {
			break
		}
		offset -= len(pivotValues)
	}
	return offset
}

// CompletePivots gives every PIVOT statement of a text that does not list the values of
// its columns some value: DuckDB, which makes several statements of the text as it is,
// then shows its syntax tree, that is the same but for the values. It reports false if
// there is nothing to complete. Where it does not find the place, or values come from a
// query, the completed text is one that DuckDB refuses, or does not show either.
func CompletePivots(text string, tokens []Token) (*Completed, bool) {
	done := &Completed{}
	for i := range tokens {
		c := &Cursor{Text: text, Tokens: tokens, Pos: i}
		if c.IsWord(0, "PIVOT") || c.IsWord(0, "PIVOT_WIDER") {
			c.Pos++
			done.at = append(done.at, pivotPlaces(c)...)
		}
	}
	if len(done.at) == 0 {
		return nil, false
	}
	slices.Sort(done.at)
	done.at = slices.Compact(done.at)
	var b strings.Builder
	end := 0
	for _, at := range done.at {
		b.WriteString(text[end:at] + pivotValues)
		end = at
	}
	b.WriteString(text[end:])
	done.Text = b.String()
	return done, true
}

// pivotPlaces returns the ends of the columns behind the last ON of a PIVOT that are
// followed by no values.
func pivotPlaces(c *Cursor) []int {
	on := -1
	for !c.End() && !c.closes() && !pivotEnds(c) {
		if c.IsWord(0, "ON") {
			on = c.Pos
		}
		c.skip()
	}
	if on < 0 {
		return nil
	}
	var places []int
	c.Pos = on + 1
	for first := c.Pos; ; c.skip() {
		ends := c.End() || c.closes() || pivotEnds(c) || c.IsWord(0, "USING")
		if !ends && !c.IsOp(0, ",") {
			continue
		}
		if c.Pos > first && !listsValues(c, first) {
			places = append(places, c.PrevEnd())
		}
		if ends {
			return places
		}
		first = c.Pos + 1
	}
}

// pivotEnds reports whether what follows PIVOT ... ON ... USING ... comes next.
func pivotEnds(c *Cursor) bool {
	return slices.ContainsFunc([]string{"GROUP", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT"},
		func(word string) bool { return c.IsWord(0, word) }) || c.IsOp(0, ";")
}

// listsValues reports whether the column from the token first to the cursor ends with
// IN (...) or IN name.
func listsValues(c *Cursor, first int) bool {
	if c.IsWord(-2, "IN") {
		return true
	}
	if !c.IsOp(-1, ")") {
		return false
	}
	depth := 0
	for i := c.Pos - 1; i >= first; i-- {
		switch t := c.Of(c.Tokens[i]); t {
		case ")", "]", "}":
			depth++
		case "(", "[", "{":
			depth--
		}
		if depth == 0 {
			return i > first && strings.EqualFold(c.Of(c.Tokens[i-1]), "IN")
		}
	}
	return false
}

// closes reports whether a closing bracket comes next.
func (c *Cursor) closes() bool { return c.IsOp(0, ")") || c.IsOp(0, "]") || c.IsOp(0, "}") }

// skip moves behind the next token, or behind the brackets that it opens.
func (c *Cursor) skip() {
	depth := 0
	for !c.End() {
		switch {
		case c.IsOp(0, "(") || c.IsOp(0, "[") || c.IsOp(0, "{"):
			depth++
		case c.closes():
			depth--
		}
		c.Pos++
		if depth <= 0 {
			return
		}
	}
}

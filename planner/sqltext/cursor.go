package sqltext

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// Cursor reads the tokens of a text from left to right. The zero Token that it
// returns past the end has no text.
type Cursor struct {
	Text   string
	Tokens []Token
	Pos    int // index of the next token
}

// End reports whether all tokens were read.
func (c *Cursor) End() bool { return c.Pos >= len(c.Tokens) }

// Peek returns the token i places ahead.
func (c *Cursor) Peek(i int) (Token, bool) {
	if c.Pos+i < 0 || c.Pos+i >= len(c.Tokens) {
		return Token{Start: len(c.Text), End: len(c.Text)}, false
	}
	return c.Tokens[c.Pos+i], true
}

// Of returns the text of t.
func (c *Cursor) Of(t Token) string { return c.Text[t.Start:t.End] }

// Offset returns where the next token begins, the length of the text at its end.
func (c *Cursor) Offset() int {
	t, _ := c.Peek(0)
	return t.Start
}

// PrevEnd returns where the token read last ends.
func (c *Cursor) PrevEnd() int {
	if c.Pos == 0 {
		return 0
	}
	return c.Tokens[c.Pos-1].End
}

// IsWord reports whether the token i places ahead is the given unquoted word,
// compared without case.
func (c *Cursor) IsWord(i int, word string) bool {
	t, ok := c.Peek(i)
	return ok && t.Kind == TokenWord && strings.EqualFold(c.Of(t), word)
}

// IsOp reports whether the token i places ahead is the given operator.
func (c *Cursor) IsOp(i int, op string) bool {
	t, ok := c.Peek(i)
	return ok && t.Kind == TokenOp && c.Of(t) == op
}

// Words consumes the given unquoted words if they come next, all of them.
func (c *Cursor) Words(words ...string) bool {
	for i, w := range words {
		if !c.IsWord(i, w) {
			return false
		}
	}
	c.Pos += len(words)
	return true
}

// Op consumes the operator if it comes next.
func (c *Cursor) Op(op string) bool {
	if !c.IsOp(0, op) {
		return false
	}
	c.Pos++
	return true
}

// Expect consumes the operator.
// Errors: KindInvalid if something else comes next.
func (c *Cursor) Expect(op string) error {
	if c.Op(op) {
		return nil
	}
	return c.Unexpected("expected " + strconv.Quote(op))
}

// Unexpected returns a KindInvalid error about the next token.
func (c *Cursor) Unexpected(hint string) error {
	t, ok := c.Peek(0)
	if !ok {
		return SyntaxError(c.Text, len(c.Text), "the statement ends too early; "+hint)
	}
	return SyntaxError(c.Text, t.Start, "unexpected "+strconv.Quote(abbreviate(c.Of(t)))+"; "+hint)
}

// abbreviate keeps error messages short.
func abbreviate(s string) string {
	const runesMax = 32
	if r := []rune(s); len(r) > runesMax {
		return string(r[:runesMax]) + "..."
	}
	return s
}

// Ident consumes an identifier and returns its name without quotes; what says
// in errors what it names.
func (c *Cursor) Ident(what string) (string, error) {
	t, ok := c.Peek(0)
	if !ok || t.Kind != TokenWord && t.Kind != TokenQuoted {
		return "", c.Unexpected("expected the name of a " + what)
	}
	c.Pos++
	return IdentName(c.Of(t)), nil
}

// IdentName returns the name that an identifier token stands for.
func IdentName(token string) string {
	if len(token) >= 2 && token[0] == '"' {
		return strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
	}
	return token
}

// Parens consumes a parenthesised group and returns the indexes of its first
// inner token and of the closing parenthesis.
//
// Errors: KindInvalid if no parenthesis comes next or it is not closed.
func (c *Cursor) Parens() (first, last int, err error) {
	open := c.Pos
	if err := c.Expect("("); err != nil {
		return 0, 0, err
	}
	first = c.Pos
	for depth := 1; !c.End(); c.Pos++ {
		switch {
		case c.IsOp(0, "("):
			depth++
		case c.IsOp(0, ")"):
			depth--
		}
		if depth == 0 {
			last = c.Pos
			c.Pos++
			return first, last, nil
		}
	}
	return 0, 0, SyntaxError(c.Text, c.Tokens[open].Start, "this parenthesis is not closed")
}

// itemEnd returns the index of the comma that ends the item of a list which
// begins with token from, or last.
func (c *Cursor) itemEnd(from, last int) int {
	depth := 0
	for i := from; i < last; i++ {
		in := Cursor{Text: c.Text, Tokens: c.Tokens, Pos: i}
		switch {
		case depth == 0 && in.IsOp(0, ","):
			return i
		case in.IsOp(0, "("), in.IsOp(0, "["), in.IsOp(0, "{"):
			depth++
		case in.IsOp(0, ")"), in.IsOp(0, "]"), in.IsOp(0, "}"):
			depth--
		}
	}
	return last
}

// StringValue returns the text that a string token stands for; ok is false for
// forms that are not plain text (X”, B”, U&”).
func StringValue(token string) (value string, ok bool) {
	switch {
	case strings.HasPrefix(token, "'") && len(token) >= 2:
		return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), true
	case strings.HasPrefix(token, "$"):
		tag := strings.IndexByte(token[1:], '$') + 2
		return token[tag : len(token)-tag], true
	case len(token) >= 3 && (token[0] == 'e' || token[0] == 'E') && token[1] == '\'':
		return unescape(token[2 : len(token)-1])
	case len(token) >= 3 && (token[0] == 'n' || token[0] == 'N') && token[1] == '\'':
		return strings.ReplaceAll(token[2:len(token)-1], "''", "'"), true
	}
	return "", false
}

func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'' && i+1 < len(s):
			i++
			b.WriteByte('\'')
		case s[i] != '\\' || i+1 >= len(s):
			b.WriteByte(s[i])
		default:
			i++
			n, ok := writeEscape(&b, s[i:])
			if !ok {
				return "", false
			}
			i += n - 1
		}
	}
	return b.String(), true
}

// writeEscape writes what the escape s (without its backslash) stands for and
// returns how many bytes of s it took.
func writeEscape(b *strings.Builder, s string) (int, bool) {
	switch s[0] {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'x':
		if len(s) < 3 {
			return 0, false
		}
		raw, err := hex.DecodeString(s[1:3])
		if err != nil {
			return 0, false
		}
		b.Write(raw)
		return 3, true
	case 'u':
		if len(s) < 5 {
			return 0, false
		}
		r, err := strconv.ParseUint(s[1:5], 16, 32)
		if err != nil {
			return 0, false
		}
		b.WriteRune(rune(r))
		return 5, true
	default:
		b.WriteByte(s[0])
	}
	return 1, true
}

package sqltext

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/flightlake/flightlake/internal/invariant"
	"github.com/flightlake/flightlake/lake"
)

// TokenKind names the lexical class of a Token.
type TokenKind uint8

// The lexical classes. Keywords are words: DuckDB decides by position.
const (
	TokenWord   TokenKind = iota // unquoted identifier or keyword
	TokenQuoted                  // "quoted identifier"
	TokenString                  // 'text', E'text', X'hex', $tag$text$tag$
	TokenNumber                  // 1, 1_000, 1.5, .5, 1e-3, 0x1F
	TokenParam                   // ?, ?1, $1, $name
	TokenOp                      // punctuation and operators
)

// Token is one token: text[Start:End].
//
// INVARIANT: 0 <= Start < End <= len(text), and tokens ascend without overlap.
type Token struct {
	Kind       TokenKind
	Start, End int
}

// Lex returns the tokens of text. White space and comments, which nest, are
// dropped.
//
// Errors: KindInvalid, with the position, for text that is not UTF-8 and for
// a string, quoted identifier or comment that does not end.
func Lex(text string) ([]Token, error) {
	if !utf8.ValidString(text) {
		return nil, lake.Errorf(lake.KindInvalid, "the statement is not valid UTF-8")
	}
	l := lexer{text: text}
	tokens := make([]Token, 0, len(text)/4+1)
	for {
		if err := l.skipSpace(); err != nil {
			return nil, err
		}
		if l.pos >= len(text) {
			return tokens, nil
		}
		start := l.pos
		kind, err := l.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, Token{Kind: kind, Start: start, End: l.pos})
		checkLast(tokens, text)
	}
}

// checkLast checks the last token of text, the others being checked already.
func checkLast(tokens []Token, text string) {
	invariant.Check("0 <= Start < End <= len(text), and tokens ascend without overlap.", func() bool {
		last, before := tokens[len(tokens)-1], 0
		if len(tokens) > 1 {
			before = tokens[len(tokens)-2].End
		}
		return before <= last.Start && last.Start < last.End && last.End <= len(text)
	})
}

type lexer struct {
	text string
	pos  int
}

// at returns the byte i places ahead, 0 past the end.
func (l *lexer) at(i int) byte {
	if l.pos+i < len(l.text) {
		return l.text[l.pos+i]
	}
	return 0
}

func (l *lexer) skipSpace() error {
	for l.pos < len(l.text) {
		switch c := l.at(0); {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case c == '-' && l.at(1) == '-':
			end := strings.IndexAny(l.text[l.pos:], "\r\n")
			if end < 0 {
				end = len(l.text) - l.pos
			}
			l.pos += end
		case c == '/' && l.at(1) == '*':
			if err := l.skipComment(); err != nil {
				return err
			}
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(l.text[l.pos:])
			if !unicodeSpace(r) {
				return nil
			}
			l.pos += size
		default:
			return nil
		}
	}
	return nil
}

// unicodeSpace reports whether DuckDB's parser reads r as a blank.
func unicodeSpace(r rune) bool {
	switch {
	case r == 0xA0, r >= 0x2000 && r <= 0x200B, r == 0x202F, r == 0x205F, r == 0x3000, r == 0xFEFF:
		return true
	}
	return false
}

func (l *lexer) skipComment() error {
	start := l.pos
	depth := 0
	for l.pos < len(l.text) {
		switch {
		case l.at(0) == '/' && l.at(1) == '*':
			depth++
			l.pos += 2
		case l.at(0) == '*' && l.at(1) == '/':
			depth--
			l.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			l.pos++
		}
	}
	return SyntaxError(l.text, start, "this comment does not end")
}

func (l *lexer) next() (TokenKind, error) {
	c := l.at(0)
	switch {
	case c == '\'':
		return TokenString, l.quoted('\'', false, "string")
	case c == '"':
		return TokenQuoted, l.quoted('"', false, "quoted identifier")
	case stringPrefix(c) && l.at(1) == '\'':
		l.pos++
		return TokenString, l.quoted('\'', c == 'e' || c == 'E', "string")
	case (c == 'u' || c == 'U') && l.at(1) == '&' && (l.at(2) == '\'' || l.at(2) == '"'):
		l.pos += 2
		if l.at(0) == '"' {
			return TokenQuoted, l.quoted('"', false, "quoted identifier")
		}
		return TokenString, l.quoted('\'', false, "string")
	case wordStart(c):
		for l.pos < len(l.text) && l.wordPart() {
			_, size := utf8.DecodeRuneInString(l.text[l.pos:])
			l.pos += size
		}
		return TokenWord, nil
	case digit(c), c == '.' && digit(l.at(1)):
		l.number()
		return TokenNumber, nil
	case c == '$':
		return l.dollar()
	case c == '?':
		l.pos++
		for digit(l.at(0)) {
			l.pos++
		}
		return TokenParam, nil
	}
	l.operator()
	return TokenOp, nil
}

func stringPrefix(c byte) bool {
	switch c {
	case 'e', 'E', 'x', 'X', 'b', 'B', 'n', 'N':
		return true
	}
	return false
}

func wordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) wordPart() bool {
	c := l.at(0)
	if c >= utf8.RuneSelf {
		r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
		return !unicodeSpace(r)
	}
	return wordStart(c) || digit(c) || c == '$'
}

// quoted consumes text in quotes; a doubled quote stands for itself, and so
// does one after a backslash if escapes is set.
func (l *lexer) quoted(quote byte, escapes bool, what string) error {
	start := l.pos
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch c := l.at(0); {
		case escapes && c == '\\':
			l.pos++
		case c == quote && l.at(1) == quote:
			l.pos++
		case c == quote:
			l.pos++
			return nil
		}
	}
	l.pos = len(l.text)
	return SyntaxError(l.text, start, "this "+what+" does not end")
}

// dollar consumes a parameter or a dollar-quoted string.
func (l *lexer) dollar() (TokenKind, error) {
	start := l.pos
	l.pos++
	if digit(l.at(0)) {
		for digit(l.at(0)) {
			l.pos++
		}
		return TokenParam, nil
	}
	for l.pos < len(l.text) && l.at(0) != '$' && l.wordPart() {
		l.pos++
	}
	if l.at(0) != '$' {
		if l.pos == start+1 {
			return TokenOp, nil
		}
		return TokenParam, nil
	}
	l.pos++
	tag := l.text[start:l.pos]
	end := strings.Index(l.text[l.pos:], tag)
	if end < 0 {
		return TokenString, SyntaxError(l.text, start, "this string does not end with "+tag)
	}
	l.pos += end + len(tag)
	return TokenString, nil
}

func (l *lexer) number() {
	if l.at(0) == '0' && (l.at(1) == 'x' || l.at(1) == 'X') && hexDigit(l.at(2)) {
		for l.pos += 2; hexDigit(l.at(0)) || l.at(0) == '_'; {
			l.pos++
		}
		return
	}
	l.digits()
	if l.at(0) == '.' && l.at(1) != '.' {
		l.pos++
		l.digits()
	}
	if l.at(0) == 'e' || l.at(0) == 'E' {
		sign := 1
		if l.at(1) == '+' || l.at(1) == '-' {
			sign = 2
		}
		if digit(l.at(sign)) {
			l.pos += sign
			l.digits()
		}
	}
}

func (l *lexer) digits() {
	for digit(l.at(0)) || l.at(0) == '_' && digit(l.at(1)) {
		l.pos++
	}
}

func hexDigit(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// operator consumes the longest operator that matters to this package, or one
// character.
func (l *lexer) operator() {
	rest := l.text[l.pos:]
	for _, op := range [...]string{"->>", "::", ":=", "=>", "==", "->", "<=", ">=", "<>", "!=", "||", "**", "//"} {
		if strings.HasPrefix(rest, op) {
			l.pos += len(op)
			return
		}
	}
	_, size := utf8.DecodeRuneInString(rest)
	l.pos += size
}

// SyntaxError returns a KindInvalid error that names the line and the column
// (in characters, from 1) of a byte offset into text.
func SyntaxError(text string, offset int, message string) error {
	return lake.Errorf(lake.KindInvalid, "syntax error at %s: %s", Position(text, offset), message)
}

// Position renders a byte offset into text as "line 1, column 8".
func Position(text string, offset int) string {
	offset = min(max(offset, 0), len(text))
	before := text[:offset]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

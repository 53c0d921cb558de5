package sqltext

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// Kind says what a statement does.
type Kind uint8

// The kinds of statements. KindOther is every statement that is recognised by
// name only; Statement.Name says which.
const (
	KindQuery        Kind = iota // SELECT, FROM, VALUES, WITH, TABLE, DESCRIBE, SHOW, SUMMARIZE, PIVOT, UNPIVOT
	KindExplain                  // EXPLAIN [ANALYZE] of a query
	KindCreateSchema             // Statement.Create
	KindDropSchema               // Statement.Drop
	KindCreateTable              // Statement.Create, with Query for CREATE TABLE AS
	KindDropTable                // Statement.Drop
	KindInsert                   // Statement.Insert
	KindComment                  // Statement.Comment
	KindCall                     // Statement.Call
	KindUse                      // Statement.Use
	KindSet                      // Statement.Set: SET, RESET
	KindTransaction              // Statement.Transaction: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ...
	KindKill                     // Statement.Kill
	KindGrant                    // Statement.Grant: GRANT, REVOKE
	KindOther                    // recognised by name
)

// Statement is one classified statement. Exactly the field that belongs to its
// Kind is set.
type Statement struct {
	Kind Kind
	// Name is what the statement is called in messages, such as "ALTER TABLE".
	Name string
	// Text is the statement without surrounding blanks, comments and semicolons.
	// All offsets below are offsets into Text.
	Text   string
	Tokens []Token

	Query       *Span // of KindQuery (all of it), KindExplain, CREATE TABLE AS, INSERT ... SELECT
	Analyze     bool  // EXPLAIN ANALYZE
	Create      *Create
	Drop        *Drop
	Insert      *Insert
	Comment     *Comment
	Call        *Call
	Use         *ObjectName // one name, or two of which the first is Schema
	Set         *Set
	Transaction *Transaction
	Kill        *Kill
	Grant       *Grant
}

// Span is a range of bytes of Statement.Text.
type Span struct{ Start, End int }

// Of returns the text of the span.
func (s Span) Of(text string) string { return text[s.Start:s.End] }

// ObjectName is a name with up to two qualifiers, which are empty if not given.
type ObjectName struct {
	Catalog, Schema, Name string
	Span                  Span
}

// String returns the name as it was meant, with its qualifiers.
func (n ObjectName) String() string {
	parts := make([]string, 0, 3)
	for _, p := range []string{n.Catalog, n.Schema, n.Name} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ".")
}

// Classify reads text, which must hold one statement, and returns its kind and parts.
//
// Errors: KindInvalid for an empty text, several statements, or a statement of a kind
// that is taken apart here and is malformed; KindUnsupported for a clause that
// is recognised and not implemented.
func Classify(text string) (*Statement, error) {
	tokens, err := Lex(text)
	if err != nil {
		return nil, err
	}
	if rewritten, err := blobLiterals(text, tokens); err != nil {
		return nil, err
	} else if rewritten != text {
		return Classify(rewritten)
	}
	spans := split(text, tokens)
	switch len(spans) {
	case 0:
		return nil, lake.Errorf(lake.KindInvalid, "the statement is empty")
	case 1:
	default:
		return nil, lake.Errorf(lake.KindInvalid,
			"expected one statement and got %d; the second begins at %s", len(spans), Position(text, spans[1].Start))
	}
	st := &Statement{Text: spans[0].Of(text)}
	for _, t := range tokens {
		if t.Start >= spans[0].Start && t.End <= spans[0].End {
			st.Tokens = append(st.Tokens, Token{Kind: t.Kind, Start: t.Start - spans[0].Start, End: t.End - spans[0].Start})
		}
	}
	c := &Cursor{Text: st.Text, Tokens: st.Tokens}
	if err := st.classify(c); err != nil {
		return nil, err
	}
	return st, nil
}

// split returns where the statements of text are, without their semicolons.
func split(text string, tokens []Token) []Span {
	var spans []Span
	open := false
	for _, t := range tokens {
		switch {
		case t.Kind == TokenOp && text[t.Start:t.End] == ";":
			open = false
		case open:
			spans[len(spans)-1].End = t.End
		default:
			spans = append(spans, Span{t.Start, t.End})
			open = true
		}
	}
	return spans
}

// isQueryWord reports whether a query begins with the word, in upper case.
func isQueryWord(word string) bool {
	switch word {
	case "SELECT", "FROM", "VALUES", "TABLE", "DESCRIBE", "DESC", "SHOW", "SUMMARIZE",
		"PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER":
		return true
	}
	return false
}

func (s *Statement) classify(c *Cursor) error {
	for c.IsOp(0, "(") {
		c.Pos++
	}
	first, _ := c.Peek(0)
	word := strings.ToUpper(c.Of(first))
	if first.Kind != TokenWord {
		return c.Unexpected("a statement begins with a word such as SELECT, FROM, INSERT or CREATE")
	}
	if isQueryWord(word) {
		s.query(word)
		return nil
	}
	if c.Pos > 0 && word != "WITH" {
		return c.Unexpected("only a query can stand in parentheses")
	}
	c.Pos++
	switch word {
	case "WITH":
		return s.with(c)
	case "EXPLAIN":
		return s.explain(c)
	case "CREATE":
		return s.create(c)
	case "DROP":
		return s.drop(c)
	case "INSERT":
		return s.insert(c)
	case "COMMENT":
		return s.comment(c)
	case "CALL":
		return s.call(c)
	}
	return s.classifySession(c, word)
}

func (s *Statement) query(name string) {
	s.Kind, s.Name = KindQuery, name
	s.Query = &Span{0, len(s.Text)}
}

// classifySession reads a statement about the session and its rights.
func (s *Statement) classifySession(c *Cursor, word string) error {
	switch word {
	case "USE":
		return s.use(c)
	case "SET":
		return s.set(c)
	case "RESET":
		return s.reset(c)
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		return s.transaction(c, word)
	case "KILL":
		return s.kill(c)
	case "GRANT", "REVOKE":
		return s.grant(c, word)
	}
	return s.byName(c, word)
}

// byName recognises statements that are not taken apart.
func (s *Statement) byName(c *Cursor, word string) error {
	s.Name = word
	switch word {
	case "ALTER":
		s.Kind, s.Name = KindOther, strings.TrimSpace("ALTER "+s.nextWord(c))
	case "MERGE":
		s.Kind, s.Name = KindOther, "MERGE INTO"
	case "DELETE", "UPDATE", "TRUNCATE", "COPY", "ATTACH", "DETACH", "INSTALL", "LOAD", "UNINSTALL", "PRAGMA",
		"EXPORT", "IMPORT", "VACUUM", "ANALYZE", "CHECKPOINT", "FORCE", "PREPARE", "EXECUTE", "DEALLOCATE",
		"REINDEX", "REPLACE", "UPDATE_EXTENSIONS":
		s.Kind = KindOther
	default:
		c.Pos--
		return c.Unexpected("a statement begins with a word such as SELECT, FROM, INSERT or CREATE" + s.hint(word))
	}
	return nil
}

// hint proposes the statement that a misspelt first word may have meant.
func (s *Statement) hint(word string) string {
	best, distance := "", 3
	for _, w := range []string{
		"SELECT", "FROM", "VALUES", "WITH", "TABLE", "DESCRIBE", "SHOW", "SUMMARIZE", "PIVOT", "UNPIVOT",
		"EXPLAIN", "CREATE", "DROP", "INSERT", "COMMENT", "CALL", "ALTER", "DELETE", "UPDATE", "MERGE",
		"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "GRANT", "REVOKE",
	} {
		if d := lake.EditDistance(word, w); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

func (s *Statement) nextWord(c *Cursor) string {
	t, ok := c.Peek(0)
	if !ok || t.Kind != TokenWord {
		return ""
	}
	return strings.ToUpper(c.Of(t))
}

// other marks s as recognised by name only.
func (s *Statement) other(name string) error {
	s.Kind, s.Name = KindOther, name
	return nil
}

// with finds the statement behind the common table expressions.
func (s *Statement) with(c *Cursor) error {
	depth := 0
	for ; !c.End(); c.Pos++ {
		switch {
		case c.IsOp(0, "("):
			depth++
		case c.IsOp(0, ")"):
			depth--
		case depth > 0:
		default:
			t, _ := c.Peek(0)
			if t.Kind != TokenWord || c.IsWord(-1, "WITH") || c.IsWord(-1, "RECURSIVE") || c.IsOp(-1, ",") {
				continue
			}
			switch word := strings.ToUpper(c.Of(t)); word {
			case "INSERT", "UPDATE", "DELETE", "MERGE":
				return s.other("WITH ... " + word)
			default:
				if isQueryWord(word) && c.IsOp(-1, ")") {
					s.query("WITH")
					return nil
				}
			}
		}
	}
	s.query("WITH")
	return nil
}

func (s *Statement) explain(c *Cursor) error {
	s.Kind, s.Name = KindExplain, "EXPLAIN"
	s.Analyze = c.Words("ANALYZE")
	if c.IsOp(0, "(") && !c.IsWord(1, "SELECT") && !c.IsWord(1, "FROM") && !c.IsWord(1, "WITH") && !c.IsOp(1, "(") {
		return lake.Errorf(lake.KindUnsupported, "EXPLAIN with options in parentheses is not supported")
	}
	start := c.Offset()
	inner := &Statement{Text: s.Text}
	rest := &Cursor{Text: s.Text, Tokens: c.Tokens[c.Pos:]}
	if err := inner.classify(rest); err != nil {
		return err
	}
	if inner.Kind != KindQuery {
		return s.other("EXPLAIN " + inner.Name)
	}
	s.Query = &Span{start, len(s.Text)}
	return nil
}

// objectName consumes a name with up to two qualifiers.
func objectName(c *Cursor, what string) (ObjectName, error) {
	start := c.Offset()
	var parts []string
	for {
		part, err := c.Ident(what)
		if err != nil {
			return ObjectName{}, err
		}
		parts = append(parts, part)
		if !c.Op(".") {
			break
		}
	}
	n := ObjectName{Span: Span{start, c.PrevEnd()}}
	switch len(parts) {
	case 1:
		n.Name = parts[0]
	case 2:
		n.Schema, n.Name = parts[0], parts[1]
	case 3:
		n.Catalog, n.Schema, n.Name = parts[0], parts[1], parts[2]
	default:
		return ObjectName{}, SyntaxError(c.Text, start, "a name of a "+what+" has at most three parts")
	}
	return n, nil
}

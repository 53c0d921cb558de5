package shell

import (
	"strings"

	"github.com/flightlake/flightlake/planner/sqltext"
)

// Item is one statement or one backslash command of a script.
type Item struct {
	// Text is the statement without its semicolon, or the command with its backslash.
	Text string
	// Command is set for a backslash command.
	Command bool
	// Line is where it begins, from 1.
	Line int
}

// splitter takes lines of a script or of a terminal and gives the statements and
// commands that they complete. A semicolon ends a statement unless it is within
// quotes or a comment, a line's end ends a command.
type splitter struct {
	pending strings.Builder
	line    int // of the script: lines added so far
	begin   int // line at which pending begins
}

// Add takes the next line, without its end.
func (s *splitter) Add(line string) []Item {
	s.line++
	if s.blank() {
		s.pending.Reset()
		s.begin = s.line
		if text := strings.TrimSpace(line); strings.HasPrefix(text, `\`) {
			return []Item{{Text: text, Command: true, Line: s.line}}
		}
	}
	if s.pending.Len() > 0 {
		s.pending.WriteByte('\n')
	}
	s.pending.WriteString(line)
	if !strings.Contains(line, ";") {
		return nil
	}
	return s.complete()
}

// blank reports whether pending holds no more than comments and blanks.
func (s *splitter) blank() bool {
	tokens, err := sqltext.Lex(s.pending.String())
	return err == nil && len(tokens) == 0
}

// complete takes what ends with a semicolon out of pending.
func (s *splitter) complete() []Item {
	text := s.pending.String()
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return nil // within quotes or a comment, or never to be read: Rest will tell
	}
	var items []Item
	rest, start, end := 0, -1, 0
	for _, t := range tokens {
		switch {
		case t.Kind != sqltext.TokenOp || text[t.Start:t.End] != ";":
			if start < 0 {
				start = t.Start
			}
			end = t.End
		default:
			if start >= 0 {
				items = append(items, Item{Text: text[start:end], Line: s.begin + strings.Count(text[:start], "\n")})
			}
			start, rest = -1, t.End
		}
	}
	s.begin += strings.Count(text[:rest], "\n")
	s.pending.Reset()
	s.pending.WriteString(text[rest:])
	return items
}

// Rest returns the statement that has no semicolon, at the end of a script. It
// may be one that does not end at all, about which the server then says why.
func (s *splitter) Rest() []Item {
	text := s.pending.String()
	if s.blank() {
		return nil
	}
	trimmed := strings.TrimLeft(text, " \t\r\n")
	line := s.begin + strings.Count(text[:len(text)-len(trimmed)], "\n")
	return []Item{{Text: strings.TrimRight(trimmed, " \t\r\n"), Line: line}}
}

// SplitScript returns the statements and commands of a script.
func SplitScript(text string) []Item {
	var s splitter
	var items []Item
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		items = append(items, s.Add(strings.TrimRight(line, "\r\n"))...)
	}
	return append(items, s.Rest()...)
}

// completeInput reports whether what was typed can be run: a command, or
// statements that end with a semicolon.
func completeInput(text string) bool {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || strings.HasPrefix(trimmed, `\`) {
		return true
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return false
	}
	if len(tokens) == 0 {
		return true // only comments
	}
	last := tokens[len(tokens)-1]
	return last.Kind == sqltext.TokenOp && text[last.Start:last.End] == ";"
}

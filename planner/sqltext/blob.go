package sqltext

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// blobLiterals returns the text with every X'0aff' of the SQL standard as DuckDB writes the
// value, ('\x0A\xFF'::BLOB): DuckDB takes it for the text x0aff.
//
// Errors: KindInvalid, with the position, for digits that are no bytes.
func blobLiterals(text string, tokens []Token) (string, error) {
	var b strings.Builder
	end := 0
	for _, t := range tokens {
		literal := text[t.Start:t.End]
		if t.Kind != TokenString || literal[0] != 'x' && literal[0] != 'X' {
			continue
		}
		value, err := hex.DecodeString(literal[2 : len(literal)-1])
		if err != nil {
			return "", SyntaxError(text, t.Start, "a blob literal has two hexadecimal digits for each byte, such as X'0aff'")
		}
		b.WriteString(text[end:t.Start] + "('")
		for _, c := range value {
			fmt.Fprintf(&b, `\x%02X`, c)
		}
		b.WriteString("'::BLOB)")
		end = t.End
	}
	return b.String() + text[end:], nil
}

package shell

import (
	"bufio"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/rivo/uniseg"
)

// cutWidthMin is how wide a column of text stays at least when a table is cut to
// the width of a terminal.
const cutWidthMin = 12

// tablePrinter holds the rows of a result, MaxRows at most, and draws them at
// the end, when the widths are known.
type tablePrinter struct {
	w        *bufio.Writer
	style    Style
	markdown bool
	names    []string
	right    []bool // by column: numbers stand right
	whole    []bool // by column: numbers and times mean nothing when cut
	rows     [][]string
}

func (p *tablePrinter) Begin(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		p.names = append(p.names, p.cell(f.Name))
		p.right = append(p.right, numeric(f.Type))
		p.whole = append(p.whole, numeric(f.Type) || temporal(f.Type))
	}
	return nil
}

func temporal(t arrow.DataType) bool {
	switch t.ID() { //nolint:exhaustive // the others are no times
	case arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return true
	}
	return false
}

func numeric(t arrow.DataType) bool {
	id := t.ID()
	return arrow.IsInteger(id) || arrow.IsFloating(id) || arrow.IsDecimal(id)
}

// cell makes text fit into one line of a table, without control characters,
// which could do anything to a terminal.
func (p *tablePrinter) cell(text string) string {
	text = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if p.markdown {
		text = strings.ReplaceAll(text, "|", `\|`)
	}
	return text
}

func (p *tablePrinter) Write(batch arrow.RecordBatch) error {
	null := nullText
	if p.style.Null != nil {
		null = *p.style.Null
	}
	for row := range int(batch.NumRows()) {
		if p.Full() {
			return nil
		}
		cells := make([]string, batch.NumCols())
		for i, column := range batch.Columns() {
			if isNull(column, row) {
				cells[i] = null
			} else {
				cells[i] = p.cell(Text(column, row))
			}
		}
		p.rows = append(p.rows, cells)
	}
	return nil
}

func (p *tablePrinter) Full() bool {
	return p.style.MaxRows > 0 && len(p.rows) >= p.style.MaxRows
}

func (p *tablePrinter) End() error {
	if len(p.names) == 0 {
		return p.w.Flush()
	}
	widths := p.widths()
	if p.markdown {
		p.line("|", "|", "|", p.names, widths)
		p.rule("|", "|", "|", "-", widths)
	} else {
		p.rule("┌", "┬", "┐", "─", widths)
		if !p.style.NoHeader {
			p.line("│", "│", "│", p.names, widths)
			p.rule("├", "┼", "┤", "─", widths)
		}
	}
	for _, cells := range p.rows {
		if p.markdown {
			p.line("|", "|", "|", cells, widths)
		} else {
			p.line("│", "│", "│", cells, widths)
		}
	}
	if !p.markdown {
		p.rule("└", "┴", "┘", "─", widths)
	}
	return p.w.Flush()
}

// widths returns the width of every column. On a terminal the widest columns of
// text are cut until the table fits, or none is wider than cutWidthMin.
func (p *tablePrinter) widths() []int {
	widths := make([]int, len(p.names))
	total := 1
	for i, name := range p.names {
		if !p.style.NoHeader || p.markdown {
			widths[i] = width(name)
		}
		for _, cells := range p.rows {
			widths[i] = max(widths[i], width(cells[i]))
		}
		total += widths[i] + 3
	}
	if p.style.Width == 0 || p.markdown {
		return widths
	}
	for ; total > p.style.Width; total-- {
		widest := -1
		for i, n := range widths {
			if !p.whole[i] && n > cutWidthMin && (widest < 0 || n > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

func (p *tablePrinter) rule(left, middle, right, dash string, widths []int) {
	_, _ = p.w.WriteString(left)
	for i, n := range widths {
		if i > 0 {
			_, _ = p.w.WriteString(middle)
		}
		end := dash
		if p.markdown && p.right[i] {
			end = ":"
		}
		_, _ = p.w.WriteString(strings.Repeat(dash, n+1) + end)
	}
	_, _ = p.w.WriteString(right + "\n")
}

func (p *tablePrinter) line(left, middle, right string, cells []string, widths []int) {
	_, _ = p.w.WriteString(left)
	for i, text := range cells {
		if i > 0 {
			_, _ = p.w.WriteString(middle)
		}
		text = truncate(text, widths[i])
		pad := strings.Repeat(" ", widths[i]-width(text))
		if p.right[i] {
			text, pad = pad+text, ""
		}
		_, _ = p.w.WriteString(" " + text + pad + " ")
	}
	_, _ = p.w.WriteString(right + "\n")
}

// truncate cuts text to n columns of a terminal, the last of which is then an
// ellipsis.
func truncate(text string, n int) string {
	if width(text) <= n {
		return text
	}
	var b strings.Builder
	used := 0
	g := uniseg.NewGraphemes(text)
	for g.Next() && used+g.Width() <= n-1 {
		used += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

package shell

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Format names how results are written.
type Format string

// The formats.
const (
	FormatTable    Format = "table"    // a table of boxes; holds at most MaxRows rows
	FormatMarkdown Format = "markdown" // a Markdown table; holds at most MaxRows rows
	FormatCSV      Format = "csv"      // RFC 4180
	FormatJSON     Format = "json"     // one object per line
	FormatParquet  Format = "parquet"  // one Parquet file
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{FormatTable, FormatMarkdown, FormatCSV, FormatJSON, FormatParquet}
}

// ParseFormat returns the format of that name; jsonl and ndjson are json.
//
// Errors: a *Failure for an unknown name.
func ParseFormat(name string) (Format, error) {
	name = strings.ToLower(name)
	switch name {
	case "jsonl", "ndjson", "jsonlines":
		return FormatJSON, nil
	case "md":
		return FormatMarkdown, nil
	}
	if slices.Contains(Formats(), Format(name)) {
		return Format(name), nil
	}
	return "", usagef("format %q is none of table, markdown, csv, json, parquet", name)
}

// Style says how a Printer writes.
type Style struct {
	// NoHeader leaves out the line of column names of CSV and tables.
	NoHeader bool
	// Null stands for NULL in CSV and tables; nil means nothing in CSV and NULL in
	// tables.
	Null *string
	// MaxRows is how many rows a table holds; 0 means no limit.
	MaxRows int
	// Width is that of the terminal, to which tables are cut; 0 means no limit.
	Width int
}

// Printer writes one result: Begin, then Write for each batch, then End. A
// batch is borrowed.
type Printer interface {
	Begin(schema *arrow.Schema) error
	Write(batch arrow.RecordBatch) error
	// End writes what is left, even if the result ended with a failure.
	End() error
	// Full reports whether more rows would not be written.
	Full() bool
}

// NewPrinter returns the printer of one result.
func NewPrinter(format Format, w io.Writer, style Style) Printer {
	switch format {
	case FormatCSV:
		return &csvPrinter{w: bufio.NewWriter(w), style: style}
	case FormatJSON:
		return &jsonPrinter{w: bufio.NewWriter(w)}
	case FormatParquet:
		return &parquetPrinter{w: w}
	case FormatMarkdown:
		return &tablePrinter{w: bufio.NewWriter(w), style: style, markdown: true}
	case FormatTable:
	}
	return &tablePrinter{w: bufio.NewWriter(w), style: style}
}

type csvPrinter struct {
	w     *bufio.Writer
	style Style
	null  string
	line  []byte
}

func (p *csvPrinter) Begin(schema *arrow.Schema) error {
	if p.style.Null != nil {
		p.null = *p.style.Null
	}
	if p.style.NoHeader {
		return nil
	}
	p.line = p.line[:0]
	for i, f := range schema.Fields() {
		p.line = p.appendField(p.line, f.Name, i > 0)
	}
	return p.flushLine()
}

// appendField writes text in quotes if it needs them. Text that equals what stands
// for NULL does, so that the two can be told apart.
func (p *csvPrinter) appendField(line []byte, text string, more bool) []byte {
	if more {
		line = append(line, ',')
	}
	if text != p.null && !strings.ContainsAny(text, ",\"\r\n") {
		return append(line, text...)
	}
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(text, `"`, `""`)...)
	return append(line, '"')
}

func (p *csvPrinter) flushLine() error {
	p.line = append(p.line, '\n')
	_, err := p.w.Write(p.line)
	return err
}

func (p *csvPrinter) Write(batch arrow.RecordBatch) error {
	for row := range int(batch.NumRows()) {
		p.line = p.line[:0]
		for i, column := range batch.Columns() {
			if !isNull(column, row) {
				p.line = p.appendField(p.line, Text(column, row), i > 0)
				continue
			}
			if i > 0 {
				p.line = append(p.line, ',')
			}
			p.line = append(p.line, p.null...)
		}
		if err := p.flushLine(); err != nil {
			return err
		}
	}
	return p.w.Flush()
}

func (p *csvPrinter) End() error { return p.w.Flush() }

func (p *csvPrinter) Full() bool { return false }

type jsonPrinter struct {
	w     *bufio.Writer
	names [][]byte
	line  []byte
}

func (p *jsonPrinter) Begin(schema *arrow.Schema) error {
	for i, name := range uniqueNames(schema.Fields()) {
		p.names = append(p.names, appendJSONName(nil, name, i > 0))
	}
	return nil
}

func (p *jsonPrinter) Write(batch arrow.RecordBatch) error {
	for row := range int(batch.NumRows()) {
		p.line = append(p.line[:0], '{')
		for i, column := range batch.Columns() {
			p.line = append(p.line, p.names[i]...)
			p.line = appendJSON(p.line, column, row)
		}
		p.line = append(p.line, "}\n"...)
		if _, err := p.w.Write(p.line); err != nil {
			return err
		}
	}
	return p.w.Flush()
}

func (p *jsonPrinter) End() error { return p.w.Flush() }

func (p *jsonPrinter) Full() bool { return false }

// parquetPrinter writes one file.
type parquetPrinter struct {
	w      io.Writer
	f      *pqarrow.FileWriter
	schema *arrow.Schema
}

// writerOnly hides Close: the file is its owner's to close.
type writerOnly struct{ io.Writer }

func (p *parquetPrinter) Begin(schema *arrow.Schema) (err error) {
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithAllocator(memory.DefaultAllocator))
	arrowProps := pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema(), pqarrow.WithAllocator(memory.DefaultAllocator))
	p.schema = withoutProtocol(schema)
	p.f, err = pqarrow.NewFileWriter(p.schema, writerOnly{p.w}, props, arrowProps)
	if err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

// withoutProtocol leaves out what the protocol says of columns, which means nothing
// in a file.
func withoutProtocol(schema *arrow.Schema) *arrow.Schema {
	fields := schema.Fields()
	for i, f := range fields {
		keep := map[string]string{}
		for k, v := range f.Metadata.ToMap() {
			if !strings.HasPrefix(k, "ARROW:FLIGHT:SQL:") {
				keep[k] = v
			}
		}
		fields[i].Metadata = arrow.MetadataFrom(keep)
	}
	return arrow.NewSchema(fields, nil)
}

// Write puts the rows of many batches into one row group.
func (p *parquetPrinter) Write(batch arrow.RecordBatch) error {
	batch = array.NewRecordBatch(p.schema, batch.Columns(), batch.NumRows())
	defer batch.Release()
	if err := p.f.WriteBuffered(batch); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

func (p *parquetPrinter) End() error {
	if p.f == nil {
		return nil
	}
	if err := p.f.Close(); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

func (p *parquetPrinter) Full() bool { return false }

package engine

import (
	"path"
	"regexp"
	"strings"
)

// cleaner makes DuckDB's texts fit for clients, who can neither set its
// settings nor install its extensions, and whose statements it did not get as
// they were written.
type cleaner struct {
	advice, missing, source, file *regexp.Regexp
}

func newCleaner() cleaner {
	return cleaner{
		// A sentence behind another, up to the end of its line, that advises a statement.
		advice: regexp.MustCompile(`(?m)([.;:!?\n]) *(?:\* |Use |You can |To enable |To set |Or set |Consider |Specify |It is possible |Launch )` +
			`[^\n]*?\b(?:SET|PRAGMA|INSTALL|LOAD) [^\n]*$`),
		missing: regexp.MustCompile(`(?s)^([A-Z]\w*(?: \w+)*) with name "([^"\n]+)" is not in the catalog, but it exists in the \w+ extension\..*`),
		source:  regexp.MustCompile(regexp.QuoteMeta(ScanFunction) + `\((?:'[^']*')?\)`),
		file:    regexp.MustCompile(`(["'])/[^"'\n]+(["'])`),
	}
}

// hideFiles shows the server's files without their directories.
func (e *SQLError) hideFiles() {
	if e.Type != "IO Error" && e.Type != "Permission Error" {
		return
	}
	e.Message = newCleaner().file.ReplaceAllStringFunc(e.Message, func(quoted string) string {
		return quoted[:1] + path.Base(quoted[1:len(quoted)-1]) + quoted[len(quoted)-1:]
	})
}

// clean removes from e what is of no use to a client: advice to change
// settings, the extension that a missing function is part of, calls that stand
// for tables.
func (e *SQLError) clean() {
	c := newCleaner()
	if e.Type == "Out of Memory Error" {
		e.Message, _, _ = strings.Cut(e.Message, "\n")
	}
	if c.missing.MatchString(e.Message) {
		e.Message = c.missing.ReplaceAllString(e.Message, "$1 with name $2 does not exist!")
	}
	e.Message = strings.TrimRight(c.advice.ReplaceAllString(e.Message, "$1"), " \n:")
	e.Message = c.source.ReplaceAllString(e.Message, "(a table of the lake)")
	if ownText(e.Excerpt) {
		e.Excerpt = ""
	}
}

// ownText reports whether a text holds what the server writes in the place of tables. DuckDB
// shortens excerpts, so that one of such a text may not.
func ownText(text string) bool {
	return strings.Contains(text, ScanFunction+"(") || strings.Contains(text, parquetFunction+"([")
}

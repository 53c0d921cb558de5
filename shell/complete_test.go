package shell

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
)

func someNames() Names {
	columns := func(names ...string) *arrow.Schema {
		fields := make([]arrow.Field, len(names))
		for i, n := range names {
			fields[i] = arrow.Field{Name: n, Type: arrow.PrimitiveTypes.Int64}
		}
		return arrow.NewSchema(fields, nil)
	}
	return Names{
		Schema: "main", Schemas: []string{"main", "sales"},
		Tables: []Table{
			{Schema: "main", Name: "orders", Columns: columns("id", "Order Date", "customer")},
			{Schema: "main", Name: "other", Columns: columns("oid")},
			{Schema: "sales", Name: "region", Columns: columns("name")},
		},
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	// The cursor is at the bar.
	for text, want := range map[string]string{
		"SEL|":                                      "SEL: SELECT",
		"sel|":                                      "sel: select",
		"SELECT * FROM o|":                          "o: orders other",
		"SELECT * FROM |":                           ": orders other sales.region main sales",
		"SELECT * FROM sales.|":                     ": region",
		"SELECT * FROM sales.r|":                    "r: region",
		"INSERT INTO sa|":                           "sa: sales.region sales",
		"SELECT cu| FROM orders":                    "cu: customer current_date current_timestamp",
		"SELECT o.| FROM orders AS o":               `: id "Order Date" customer`,
		"SELECT x.o| FROM orders o JOIN other x":    "o: oid",
		"SELECT r.| FROM orders, sales.region r":    ": name",
		"SELECT id FROM orders WHERE cus|":          "cus: customer",
		"SELECT \"Ord| FROM orders":                 "\"Ord: ",
		"UPDATE other SET oi|":                      "oi: oid",
		"SELECT 'it is fr|":                         "fr: ",
		"SELECT 1 -- fr|":                           "fr: ",
		"SELECT id FROM orders;\nSELECT * FROM ot|": "ot: other",
		"USE s|":       "s: sales",
		`\d|`:          `\d: \d \dn \dt`,
		`\d or|`:       "or: orders",
		`\format j|`:   "j: json",
		`\timing |`:    ": on off",
		"SELECT grün|": "grün: ",
		"|":            "",
	} {
		before, after, _ := strings.Cut(text, "|")
		prefix, found := Complete(before+after, len(before), someNames())
		texts := make([]string, len(found))
		for i, c := range found {
			texts[i] = c.Text
		}
		if text == "|" {
			require.Contains(t, texts, "SELECT")
			continue
		}
		require.Equal(t, want, prefix+": "+strings.Join(texts, " "), text)
	}
}

func TestNamesAreQuotedWhereTheyMustBe(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a_1": "a_1", "A": "A", "a b": `"a b"`, `a"b`: `"a""b"`, "select": `"select"`, "1a": `"1a"`, "": `""`} {
		require.Equal(t, want, quoteName(name))
	}
}

func TestCompletingNeverPanics(t *testing.T) {
	t.Parallel()
	text := "SELECT \"a\".b, 'x' FROM main.orders o, sales.region WHERE o.id = 1; \\d t é$$"
	for i := range len(text) + 2 {
		Complete(text, i-1, someNames())
		Complete(text[:min(i, len(text))], i, Names{})
	}
}

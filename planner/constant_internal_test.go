package planner

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/internal/duckjson"
	"github.com/flightlake/flightlake/lake"
)

// floatFilters is what DuckDB 1.5 writes for f > 'nan' OR f > 'inf' OR
// f > '-inf' OR v = 'NaN "Infinity'.
const floatFilters = `{"filter_type":"CONJUNCTION_OR","child_filters":[
{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_GREATERTHAN","constant":{"type":{"id":"DOUBLE","type_info":null},"is_null":false,"value":NaN}},
{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_GREATERTHAN","constant":{"type":{"id":"DOUBLE","type_info":null},"is_null":false,"value":Infinity}},
{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_GREATERTHAN","constant":{"type":{"id":"DOUBLE","type_info":null},"is_null":false,"value":-Infinity}}],
"text":"NaN \"Infinity"}`

func TestBareWordsInJSONAreNumbersOnlyOutsideStrings(t *testing.T) {
	t.Parallel()
	o, err := decoded([]byte(floatFilters))
	require.NoError(t, err)
	require.Equal(t, `NaN "Infinity`, o.text("text"))
	col := &lake.Column{ID: 1, Name: "f", Type: lake.Type{ID: lake.TypeFloat64}}
	or, ok := converter{}.filter(o, col).(expr.Or)
	require.True(t, ok)
	var got []float64
	for _, term := range or.Terms {
		c, ok := term.(expr.Compare)
		require.True(t, ok)
		got = append(got, c.Value.Float)
	}
	require.Len(t, got, 3)
	require.True(t, math.IsNaN(got[0]))
	require.Equal(t, []float64{math.Inf(1), math.Inf(-1)}, got[1:])
}

func TestFilterThatIsNotUnderstoodIsOpaque(t *testing.T) {
	t.Parallel()
	integer := &lake.Column{ID: 1, Name: "i", Type: lake.Type{ID: lake.TypeInt32}}
	for name, text := range map[string]string{
		"a filter of a later version":     `{"filter_type":"ZONE_FILTER"}`,
		"a comparison of a later version": `{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_NEAR","constant":{"type":{"id":"INTEGER"},"is_null":false,"value":1}}`,
		"a constant of another type":      `{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_EQUAL","constant":{"type":{"id":"BIGINT"},"is_null":false,"value":1}}`,
		"a constant of an unknown type":   `{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_EQUAL","constant":{"type":{"id":"MONEY"},"is_null":false,"value":1}}`,
		"a constant that is no number":    `{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_EQUAL","constant":{"type":{"id":"INTEGER"},"is_null":false,"value":"1"}}`,
		"IN with a value of another type": `{"filter_type":"IN_FILTER","values":[{"type":{"id":"INTEGER"},"is_null":false,"value":1},{"type":{"id":"BIGINT"},"is_null":false,"value":1}]}`,
		"a struct filter on a number":     `{"filter_type":"STRUCT_EXTRACT","child_idx":0,"child_name":"a","child_filter":{"filter_type":"IS_NULL"}}`,
		"an expression over no column":    `{"filter_type":"EXPRESSION_FILTER","expr":{"expression_class":"BOUND_COMPARISON","type":"COMPARE_EQUAL","left":{"expression_class":"BOUND_REF","index":7},"right":{"expression_class":"BOUND_CONSTANT","value":{"type":{"id":"INTEGER"},"is_null":false,"value":1}}}}`,
		"nothing":                         `{}`,
	} {
		o, err := decoded([]byte(text))
		require.NoError(t, err, name)
		require.IsType(t, expr.Opaque{}, converter{optional: true}.filter(o, integer), name)
	}
}

func TestOptionalFilterPrunesAndIsNotResidual(t *testing.T) {
	t.Parallel()
	o, err := decoded([]byte(`{"filter_type":"OPTIONAL_FILTER","child_filter":{"filter_type":"IS_NULL"}}`))
	require.NoError(t, err)
	col := &lake.Column{ID: 1, Name: "i", Type: lake.Type{ID: lake.TypeInt32}}
	require.Equal(t, expr.IsNull{Field: 1}, converter{optional: true}.filter(o, col))
	require.Equal(t, expr.Constant{Value: true}, converter{}.filter(o, col))
}

func TestYearIsARangeForPruningOnly(t *testing.T) {
	t.Parallel()
	o, err := decoded([]byte(`{"expression_class":"BOUND_COMPARISON","type":"COMPARE_EQUAL",
		"left":{"expression_class":"BOUND_FUNCTION","name":"year","children":[{"expression_class":"BOUND_REF","alias":"d","index":0}]},
		"right":{"expression_class":"BOUND_CONSTANT","value":{"type":{"id":"BIGINT"},"is_null":false,"value":1969}}}`))
	require.NoError(t, err)
	date := lake.Type{ID: lake.TypeDate}
	columns := []*lake.Column{{ID: 1, Name: "d", Type: date}}
	require.Equal(t, expr.And{Terms: []expr.Predicate{
		expr.Compare{Field: 1, Type: date, Op: expr.OpGreaterEqual, Value: lake.Value{Int: -365}},
		expr.Compare{Field: 1, Type: date, Op: expr.OpLess, Value: lake.Value{Int: 0}},
	}}, converter{columns: columns, optional: true}.expression(o))
	require.Equal(t, expr.Opaque{Text: "year(d) = 1969"}, converter{columns: columns}.expression(o),
		"the year of an infinite date is NULL")
}

func TestSuccessorOfAPrefix(t *testing.T) {
	t.Parallel()
	next, ok := successor("ab")
	require.True(t, ok)
	require.Equal(t, "ac", next)
	next, ok = successor("a\xff\xff")
	require.True(t, ok)
	require.Equal(t, "b", next)
	next, ok = successor("a\xfe")
	require.True(t, ok)
	require.Equal(t, "a\xff", next)
	_, ok = successor("\xff")
	require.False(t, ok)
	_, ok = successor("")
	require.False(t, ok)
}

func FuzzReadShape(f *testing.F) {
	f.Add([]byte(`{"plans":[{"type":"LOGICAL_GET","function_data":{"table":"x"},"column_indexes":[{"index":0,"index_type":"FULL_READ"}],
		"projection_ids":[0],"table_filters":{"filters":[{"key":0,"value":{"filter_type":"IS_NULL"}}]}}]}`))
	f.Add([]byte(`{"plans":[` + floatFilters + `]}`))
	table := &lake.Table{Columns: []lake.Column{{ID: 1, Name: "a", Type: lake.Type{ID: lake.TypeInt32}}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readShape(data, map[string]int{"x": 0}, []*lake.Table{table})
		if err != nil {
			return
		}
		_, _ = s.chain(s.root)
		for _, g := range s.gets {
			_, _ = s.aggregates(g)
			_ = tidy(g.prune)
		}
	})
}

func decoded(data []byte) (object, error) { return duckjson.Decode(data) }

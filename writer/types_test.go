package writer_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// typeCase is two values of one type, which a NULL follows.
type typeCase struct {
	lakeType string
	values   string // JSON array for Arrow's builder of the type
	duckdb   [2]string
}

func typeCases() []typeCase {
	return []typeCase{
		{"boolean", `[true, false]`, [2]string{"true", "false"}},
		{"int8", `[-128, 127]`, [2]string{"-128", "127"}},
		{"int16", `[-32768, 32767]`, [2]string{"-32768", "32767"}},
		{"int32", `[-2147483648, 2147483647]`, [2]string{"-2147483648", "2147483647"}},
		{"int64", `[-9223372036854775808, 9223372036854775807]`, [2]string{"-9223372036854775808", "9223372036854775807"}},
		{"uint8", `[0, 255]`, [2]string{"0", "255"}},
		{"uint16", `[0, 65535]`, [2]string{"0", "65535"}},
		{"uint32", `[0, 4294967295]`, [2]string{"0", "4294967295"}},
		{"uint64", `[0, 18446744073709551615]`, [2]string{"0", "18446744073709551615"}},
		{
			"int128", `["-99999999999999999999999999999999999999", "18446744073709551617"]`,
			[2]string{"-99999999999999999999999999999999999999", "18446744073709551617"},
		},
		{"uint128", `["0", "99999999999999999999999999999999999999"]`, [2]string{"0", "99999999999999999999999999999999999999"}},
		{"float32", `[-0.5, 3.4028235e38]`, [2]string{"-0.5", "3.4028235e+38"}},
		{"float64", `[-0.5, 1.7976931348623157e308]`, [2]string{"-0.5", "1.7976931348623157e+308"}},
		{"decimal(4,1)", `["-999.9", "0.1"]`, [2]string{"-999.9", "0.1"}},
		{"decimal(9,2)", `["-9999999.99", "0.01"]`, [2]string{"-9999999.99", "0.01"}},
		{"decimal(18,3)", `["-999999999999999.999", "0.001"]`, [2]string{"-999999999999999.999", "0.001"}},
		{
			"decimal(38,10)", `["-9999999999999999999999999999.9999999999", "0.0000000001"]`,
			[2]string{"-9999999999999999999999999999.9999999999", "0.0000000001"},
		},
		{"date", `["0001-01-01", "9999-12-31"]`, [2]string{"0001-01-01", "9999-12-31"}},
		{"time", `["00:00:00", "23:59:59.999999"]`, [2]string{"00:00:00", "23:59:59.999999"}},
		{"time_ns", `["00:00:00", "23:59:59.999999999"]`, [2]string{"00:00:00", "23:59:59.999999999"}},
		{"timetz", `["00:00:00", "23:59:59.999999"]`, [2]string{"00:00:00+00", "23:59:59.999999+00"}},
		{"timestamp_s", `["1969-12-31 23:59:59", "9999-12-31 23:59:59"]`, [2]string{"1969-12-31 23:59:59", "9999-12-31 23:59:59"}},
		{"timestamp_ms", `["1969-12-31 23:59:59.999", "9999-12-31 23:59:59"]`, [2]string{"1969-12-31 23:59:59.999", "9999-12-31 23:59:59"}},
		{"timestamp", `["1969-12-31 23:59:59.999999", "9999-12-31 23:59:59"]`, [2]string{"1969-12-31 23:59:59.999999", "9999-12-31 23:59:59"}},
		{"timestamp_ns", `["1969-12-31 23:59:59.999999999", "2200-01-01 00:00:00"]`, [2]string{"1969-12-31 23:59:59.999999999", "2200-01-01 00:00:00"}},
		{"timestamptz", `["1969-12-31 23:59:59.999999Z", "9999-12-31 23:59:59Z"]`, [2]string{"1969-12-31 23:59:59.999999+00", "9999-12-31 23:59:59+00"}},
		{
			"interval", `[{"months": 1, "days": 2, "nanoseconds": 3500000000}, {"months": 2147483647, "days": 0, "nanoseconds": 4294967295000000}]`,
			[2]string{"1 month 2 days 00:00:03.5", "178956970 years 7 months 1193:02:47.295"},
		},
		{"varchar", `["", "é𝄞\u0000x"]`, [2]string{"", "é𝄞\x00x"}},
		{"blob", `["", "AP8="]`, [2]string{"", `\x00\xFF`}},
		{
			"uuid", `["00000000-0000-0000-0000-000000000001", "ffffffff-ffff-4fff-bfff-ffffffffffff"]`,
			[2]string{"00000000-0000-0000-0000-000000000001", "ffffffff-ffff-4fff-bfff-ffffffffffff"},
		},
		{"json", `["{\"a\": [1]}", "null"]`, [2]string{`{"a": [1]}`, "null"}},
	}
}

func list(element lake.Column) lake.Column {
	element.Name = lake.ElementName
	return lake.Column{Name: "c", Type: lake.Type{ID: lake.TypeList}, Nullable: true, Children: []lake.Column{element}}
}

// nestedCases returns columns, the rows in JSON, and DuckDB's texts of them.
func nestedCases(t *testing.T) map[string]struct {
	column lake.Column
	rows   string
	duckdb []string
} {
	t.Helper()
	integer := column(t, "a", "int32")
	key := column(t, lake.KeyName, "varchar")
	key.Nullable = false
	value := list(integer)
	value.Name = lake.ValueName
	texts := list(column(t, "x", "varchar"))
	texts.Name = "b"
	row := lake.Column{Name: "c", Type: lake.Type{ID: lake.TypeStruct}, Nullable: true, Children: []lake.Column{integer, texts}}
	return map[string]struct {
		column lake.Column
		rows   string
		duckdb []string
	}{
		"list": {
			list(integer), `[{"c": [1, null, 3]}, {"c": []}, {"c": null}, {"c": [4]}]`,
			[]string{"[1, NULL, 3]", "[]", "", "[4]"},
		},
		"list of list": {
			list(list(integer)), `[{"c": [[1], [], null, [2, 3]]}, {"c": []}, {"c": null}, {"c": [[null]]}]`,
			[]string{"[[1], [], NULL, [2, 3]]", "[]", "", "[[NULL]]"},
		},
		"struct": {
			row, `[{"c": {"a": 1, "b": ["x", null]}}, {"c": null}, {"c": {"a": null, "b": null}}, {"c": {"a": 2, "b": []}}]`,
			[]string{"{'a': 1, 'b': [x, NULL]}", "", "{'a': NULL, 'b': NULL}", "{'a': 2, 'b': []}"},
		},
		"list of struct": {
			list(row), `[{"c": [{"a": 1, "b": ["x"]}, null]}, {"c": []}, {"c": null}]`,
			[]string{"[{'a': 1, 'b': [x]}, NULL]", "[]", ""},
		},
		"map": {
			lake.Column{Name: "c", Type: lake.Type{ID: lake.TypeMap}, Nullable: true, Children: []lake.Column{key, value}},
			`[{"c": [{"key": "k", "value": [1, 2]}, {"key": "l", "value": null}]}, {"c": []}, {"c": null}]`,
			[]string{"{k=[1, 2], l=NULL}", "{}", ""},
		},
	}
}

func allTypes(t *testing.T) ([]lake.Column, arrow.RecordBatch) {
	t.Helper()
	cases := typeCases()
	columns := make([]lake.Column, len(cases))
	arrays := make([]arrow.Array, len(cases))
	for i, c := range cases {
		columns[i] = column(t, "c"+strconv.Itoa(i), c.lakeType)
		text := strings.TrimSuffix(c.values, "]") + ", null]"
		a, _, err := array.FromJSON(memory.DefaultAllocator, columns[i].ArrowType(), strings.NewReader(text))
		require.NoError(t, err, c.lakeType)
		arrays[i] = a
	}
	columns = number(columns...)
	return columns, array.NewRecordBatch(lake.ArrowSchema(columns), arrays, 3)
}

func TestEveryTypeIsReadBackByDuckLake(t *testing.T) {
	t.Parallel()
	python(t)
	columns, rows := allTypes(t)
	f := setupFolder(t)
	data := f.must(t, columns, rows)
	var definition []string
	for i := range columns {
		definition = append(definition, columns[i].Name+" "+columns[i].SQLType())
	}
	var got [][]*string
	runPython(t, &got, "ducklake_read.py", f.path(data), strconv.FormatInt(data.FooterBytes, 10), strings.Join(definition, ", "))
	require.Len(t, got, 3)
	for i, c := range typeCases() {
		for r := range 2 {
			require.NotNil(t, got[r][i], c.lakeType)
			require.Equal(t, c.duckdb[r], *got[r][i], c.lakeType)
		}
		require.Nil(t, got[2][i], c.lakeType)
	}
}

func TestNestedTypesAreReadBackByDuckLake(t *testing.T) {
	t.Parallel()
	python(t)
	for name, c := range nestedCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupFolder(t)
			columns := number(c.column)
			data := f.must(t, columns, batch(t, lake.ArrowSchema(columns), c.rows))
			var got [][]*string
			runPython(t, &got, "ducklake_read.py", f.path(data), strconv.FormatInt(data.FooterBytes, 10), "c "+columns[0].SQLType())
			require.Len(t, got, len(c.duckdb))
			for i, want := range c.duckdb {
				if want == "" {
					require.Nil(t, got[i][0])
					continue
				}
				require.NotNil(t, got[i][0])
				require.Equal(t, want, *got[i][0])
			}
		})
	}
}

func TestNestedTypesAreReadBackByArrow(t *testing.T) {
	t.Parallel()
	for name, c := range nestedCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			columns := number(c.column)
			rows := batch(t, lake.ArrowSchema(columns), c.rows)
			// Twice in one row group, the second time as a slice of the first.
			data := f.must(t, columns, rows, rows.NewSlice(1, rows.NumRows()))
			table := f.read(t, data)
			require.Len(t, table.Column(0).Data().Chunks(), 1)
			got := table.Column(0).Data().Chunk(0)
			want, err := array.Concatenate([]arrow.Array{rows.Column(0), rows.NewSlice(1, rows.NumRows()).Column(0)}, memory.DefaultAllocator)
			require.NoError(t, err)
			require.Equal(t, want.String(), got.String())
		})
	}
}

func TestFieldIDsAreOnEveryNodeOfDuckLake(t *testing.T) {
	t.Parallel()
	c := nestedCases(t)["map"]
	f := setup(t)
	columns := number(c.column)
	data := f.must(t, columns, batch(t, lake.ArrowSchema(columns), c.rows))
	r := f.open(t, data)
	root := r.MetaData().Schema.Root()
	require.Equal(t, `map 1|key_value -1|key 2|value 3|list -1|element 4`, strings.Join(fieldIDs(root.Field(0), "map"), "|"))
	require.Empty(t, r.MetaData().KeyValueMetadata())
}

func TestExtremesOfTimeKeepTheirBounds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"timestamp_s", "timestamp_ms", "timestamp", "timestamp_ns", "timestamptz"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			columns := number(column(t, "c", name))
			b := array.NewTimestampBuilder(memory.DefaultAllocator, columns[0].ArrowType().(*arrow.TimestampType))
			b.AppendValues([]arrow.Timestamp{math.MaxInt64, -math.MaxInt64, 7}, nil)
			data := setup(t).must(t, columns, array.NewRecordBatch(lake.ArrowSchema(columns), []arrow.Array{b.NewArray()}, 3))
			require.Equal(t, int64(-math.MaxInt64), data.Stats[0].Min.Int)
			require.Equal(t, int64(math.MaxInt64), data.Stats[0].Max.Int)
		})
	}
}

func TestInfiniteTimesAreReadBackByDuckLake(t *testing.T) {
	t.Parallel()
	python(t)
	var columns []lake.Column
	var arrays []arrow.Array
	var definition []string
	for i, kind := range []string{"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamptz"} {
		c := column(t, "c"+strconv.Itoa(i), kind)
		both, err := array.Concatenate([]arrow.Array{instant(t, c, "infinity"), instant(t, c, "-infinity")}, memory.DefaultAllocator)
		require.NoError(t, err)
		columns, arrays, definition = append(columns, c), append(arrays, both), append(definition, c.Name+" "+c.SQLType())
	}
	f := setupFolder(t)
	columns = number(columns...)
	data := f.must(t, columns, array.NewRecordBatch(lake.ArrowSchema(columns), arrays, 2))
	var got [][]string
	runPython(t, &got, "ducklake_read.py", f.path(data), strconv.FormatInt(data.FooterBytes, 10), strings.Join(definition, ", "))
	for i := range columns {
		require.Equal(t, "infinity", got[0][i], definition[i])
		require.Equal(t, "-infinity", got[1][i], definition[i])
	}
}

func TestUUIDOfTextAndBytes(t *testing.T) {
	t.Parallel()
	columns := number(column(t, "c", "uuid"))
	f := setup(t)
	text := arrow.NewSchema([]arrow.Field{{Name: "C", Type: arrow.BinaryTypes.LargeString, Nullable: true}}, nil)
	data := f.must(t, columns, batch(t, text, `[{"C": "00000000-0000-0000-0000-0000000000ff"}]`))
	require.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff", data.Stats[0].Min.Bytes)
	require.IsType(t, &extensions.UUIDType{}, f.read(t, data).Schema().Field(0).Type)
}

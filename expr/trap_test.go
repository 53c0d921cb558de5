package expr_test

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

const field lake.FieldID = 1

func typeOf(id lake.TypeID) lake.Type { return lake.Type{ID: id} }

func integer(n int64) *lake.Value { return &lake.Value{Int: n} }

func number(f float64) *lake.Value { return &lake.Value{Float: f} }

func text(s string) *lake.Value { return &lake.Value{Bytes: s} }

func compare(id lake.TypeID, op expr.Op, v *lake.Value) expr.Predicate {
	return expr.Compare{Field: field, Type: typeOf(id), Op: op, Value: *v}
}

// group is a row group of 10 rows with the statistics of one column.
func group(s lake.ColumnStats) expr.StatsSource {
	s.Field = field
	return expr.RowGroupStats(&lake.RowGroup{Rows: 10, Columns: []lake.ColumnStats{s}})
}

func between(lo, hi *lake.Value) lake.ColumnStats {
	return lake.ColumnStats{Min: lo, Max: hi, MinExact: true, MaxExact: true, ValueCount: 10}
}

// The traps are numbered as in the collection of what goes wrong in pruning.
func TestTraps(t *testing.T) {
	t.Parallel()
	unknownNaN := between(number(1), number(3))
	unknownNaN.NaNCount = lake.Unknown
	unknownNulls := between(integer(1), integer(3))
	unknownNulls.NullCount = lake.Unknown
	noStats := lake.ColumnStats{ValueCount: 10, NullCount: lake.Unknown, NaNCount: lake.Unknown}
	allNull := lake.ColumnStats{ValueCount: 10, NullCount: 10}
	truncated := lake.ColumnStats{Min: text("ab"), Max: text("ab"), ValueCount: 10}
	oneSided := lake.ColumnStats{Min: text("aaa"), MinExact: true, ValueCount: 10}
	list := lake.ColumnStats{Min: integer(1), Max: integer(3), ValueCount: 25}
	nan := number(math.NaN())
	not := func(p expr.Predicate) expr.Predicate { return expr.Not{Term: p} }
	cases := []struct {
		name       string
		stats      lake.ColumnStats
		p          expr.Predicate
		match, all bool
	}{
		{"1 nan in a bound bounds nothing", between(nan, nan), compare(lake.TypeFloat64, expr.OpEqual, number(7)), true, false},
		{"2 nan hidden from bounds: greater", unknownNaN, compare(lake.TypeFloat64, expr.OpGreater, number(5)), true, false},
		{"2 nan hidden from bounds: greater or equal", unknownNaN, compare(lake.TypeFloat64, expr.OpGreaterEqual, number(5)), true, false},
		{"2 nan hidden from bounds: equal to nan", unknownNaN, compare(lake.TypeFloat64, expr.OpEqual, nan), true, false},
		{"2 nan hidden from bounds: not less", unknownNaN, not(compare(lake.TypeFloat64, expr.OpLess, number(10))), true, false},
		{"2 nan hidden from bounds: less proves nothing", unknownNaN, compare(lake.TypeFloat64, expr.OpLess, number(10)), true, false},
		{"2 nan hidden from bounds: less still prunes", unknownNaN, compare(lake.TypeFloat64, expr.OpLess, number(1)), false, false},
		{"2 nan hidden from equal bounds: not equal", func() lake.ColumnStats {
			s := between(number(1), number(1))
			s.NaNCount = lake.Unknown
			return s
		}(), compare(lake.TypeFloat64, expr.OpNotEqual, number(1)), true, false},
		{"2 no nan prunes greater", between(number(1), number(3)), compare(lake.TypeFloat64, expr.OpGreater, number(5)), false, false},
		{"2 no nan prunes equal to nan", between(number(1), number(3)), compare(lake.TypeFloat64, expr.OpEqual, nan), false, false},
		{"2 no nan proves less", between(number(1), number(3)), compare(lake.TypeFloat64, expr.OpLess, number(10)), true, true},
		{"3 minimum +0 hides -0", between(number(0), number(1)), compare(lake.TypeFloat64, expr.OpEqual, number(math.Copysign(0, -1))), true, false},
		{"3 maximum -0 hides +0", between(number(-1), number(math.Copysign(0, -1))), compare(lake.TypeFloat64, expr.OpGreaterEqual, number(0)), true, false},
		{"4 truncated bounds prune", lake.ColumnStats{Min: text("ab"), Max: text("ac"), ValueCount: 10}, compare(lake.TypeVarchar, expr.OpEqual, text("b")), false, false},
		{"4 truncated bounds prove no equality", truncated, compare(lake.TypeVarchar, expr.OpEqual, text("ab")), true, false},
		{"4 truncated bounds disprove no inequality", truncated, compare(lake.TypeVarchar, expr.OpNotEqual, text("ab")), true, false},
		{"4 missing maximum is unbounded", oneSided, compare(lake.TypeVarchar, expr.OpGreaterEqual, text("b")), true, false},
		{"6 unsigned beyond the sign bit", between(&lake.Value{Uint: 1}, &lake.Value{Uint: math.MaxUint64}), compare(lake.TypeUint64, expr.OpGreater, &lake.Value{Uint: 1 << 63}), true, false},
		{"7 negative decimals are signed", between(&lake.Value{Int: -1, Uint: math.MaxUint64}, &lake.Value{Uint: 5}), expr.Compare{
			Field: field, Type: lake.Type{ID: lake.TypeDecimal, Precision: 38}, Op: expr.OpLess, Value: lake.Value{},
		}, true, false},
		{"9 before 1970", between(integer(-5), integer(-1)), compare(lake.TypeTimestamp, expr.OpGreaterEqual, integer(0)), false, false},
		{"10 infinity is the greatest date", between(integer(0), integer(math.MaxInt32)), compare(lake.TypeDate, expr.OpGreater, integer(2932896)), true, false},
		{"11 missing statistics are not all NULL", noStats, compare(lake.TypeInt32, expr.OpEqual, integer(7)), true, false},
		{"11 missing statistics do not prove NULL", noStats, expr.IsNull{Field: field}, true, false},
		{"11 all NULL matches no comparison", allNull, compare(lake.TypeInt32, expr.OpNotEqual, integer(7)), false, false},
		{"11 all NULL matches no negated comparison", allNull, not(compare(lake.TypeInt32, expr.OpEqual, integer(7))), false, false},
		{"11 all NULL is NULL", allNull, expr.IsNull{Field: field}, true, true},
		{"12 unknown null count may be NULL", unknownNulls, expr.IsNull{Field: field}, true, false},
		{"12 unknown null count proves nothing", unknownNulls, compare(lake.TypeInt32, expr.OpLess, integer(9)), true, false},
		{"12 null count of zero proves not NULL", between(integer(1), integer(3)), not(expr.IsNull{Field: field}), true, true},
		{"13 list elements are not rows", list, compare(lake.TypeInt32, expr.OpEqual, integer(9)), true, false},
		{"contradictory bounds bound nothing", between(integer(3), integer(1)), compare(lake.TypeInt32, expr.OpEqual, integer(9)), true, false},
		{"times with a zone are left to DuckDB", between(integer(1), integer(3)), compare(lake.TypeTimeTZ, expr.OpEqual, integer(9)), true, false},
		{"21 intervals have no order", between(integer(1), integer(3)), compare(lake.TypeInterval, expr.OpEqual, integer(9)), true, false},
		{"what is not understood matches", allNull, expr.Opaque{Text: "f(x)"}, true, false},
		{"not of what is not understood matches", allNull, not(expr.Opaque{Text: "f(x)"}), true, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.match, expr.CanMatch(c.p, group(c.stats)), "can match")
			require.Equal(t, c.all, expr.AllMatch(c.p, group(c.stats)), "all match")
		})
	}
}

func TestStructLeafNullCountCoversNullParents(t *testing.T) {
	t.Parallel()
	// 4 of 10 structs are NULL, so that their leaf is.
	s := between(integer(1), integer(1))
	s.NullCount = 4
	require.False(t, expr.AllMatch(compare(lake.TypeInt32, expr.OpEqual, integer(1)), group(s)))
	require.True(t, expr.CanMatch(expr.IsNull{Field: field}, group(s)))
}

func TestDeletesDoNotDisturbProofs(t *testing.T) {
	t.Parallel()
	// The row that holds the maximum may be deleted: the bounds stay bounds.
	s := group(between(integer(1), integer(9)))
	require.True(t, expr.CanMatch(compare(lake.TypeInt32, expr.OpEqual, integer(9)), s))
	require.True(t, expr.AllMatch(compare(lake.TypeInt32, expr.OpLessEqual, integer(9)), s))
}

func TestAddedColumnIsItsInitialDefault(t *testing.T) {
	t.Parallel()
	old := &lake.DataFile{Rows: 10}
	younger := func(v *lake.Value) expr.StatsSource {
		return &expr.Overlay{
			Base:    expr.FileStats(old),
			Columns: []lake.ColumnStats{expr.ConstantStats(field, typeOf(lake.TypeInt32), v, 10)},
		}
	}
	seven := compare(lake.TypeInt32, expr.OpEqual, integer(7))
	require.True(t, expr.AllMatch(seven, younger(integer(7))))
	require.False(t, expr.CanMatch(seven, younger(integer(8))))
	require.False(t, expr.CanMatch(seven, younger(nil)))
	require.True(t, expr.AllMatch(expr.IsNull{Field: field}, younger(nil)))
}

func TestEmptyFileMatchesNothingAndProvesEverything(t *testing.T) {
	t.Parallel()
	empty := expr.FileStats(&lake.DataFile{})
	require.False(t, expr.CanMatch(nil, empty))
	require.False(t, expr.CanMatch(expr.Opaque{}, empty))
	require.True(t, expr.AllMatch(expr.Constant{}, empty))
}

func TestMaskRepeatedHidesElementsOfLists(t *testing.T) {
	t.Parallel()
	columns := []lake.Column{
		{ID: 1, Name: "l", Type: typeOf(lake.TypeList), Children: []lake.Column{{ID: 2, Name: "element", Type: typeOf(lake.TypeInt32)}}},
		{ID: 3, Name: "s", Type: typeOf(lake.TypeStruct), Children: []lake.Column{{ID: 4, Name: "x", Type: typeOf(lake.TypeInt32)}}},
	}
	element := expr.Compare{Field: 2, Type: typeOf(lake.TypeInt32), Op: expr.OpEqual}
	leaf := expr.Compare{Field: 4, Type: typeOf(lake.TypeInt32), Op: expr.OpEqual}
	got := expr.MaskRepeated(expr.And{Terms: []expr.Predicate{element, leaf, expr.IsNull{Field: 1}}}, columns)
	require.Equal(t, expr.And{Terms: []expr.Predicate{expr.Opaque{Text: "#2 = 0"}, leaf, expr.IsNull{Field: 1}}}, got)
}

func partition(typ lake.TypeID, values []*lake.Value, transforms ...lake.Transform) expr.StatsSource {
	spec := &lake.PartitionSpec{}
	for _, tr := range transforms {
		spec.Fields = append(spec.Fields, lake.PartitionField{Column: field, Transform: tr, Buckets: 16})
	}
	return expr.NewPartition(spec, values, 10, func(lake.FieldID) (lake.Type, bool) { return typeOf(typ), true })
}

func day(t *testing.T, s string) *lake.Value {
	t.Helper()
	v, err := expr.ParseValue(typeOf(lake.TypeDate), s)
	require.NoError(t, err)
	return &v
}

func TestPartitionPruning(t *testing.T) {
	t.Parallel()
	year, month, bucket := lake.TransformYear, lake.TransformMonth, lake.TransformBucket
	of := func(id lake.TypeID, tr lake.Transform, v *lake.Value) *lake.Value {
		got, ok := expr.ApplyTransform(lake.PartitionField{Transform: tr, Buckets: 16}, typeOf(id), *v)
		require.True(t, ok)
		return &got
	}
	two := number(math.NaN())
	cases := []struct {
		name       string
		part       expr.StatsSource
		p          expr.Predicate
		match, all bool
	}{
		{"identity proves equality", partition(lake.TypeVarchar, []*lake.Value{text("x")}, lake.TransformIdentity), compare(lake.TypeVarchar, expr.OpEqual, text("x")), true, true},
		{"identity of NULL is all NULL", partition(lake.TypeVarchar, []*lake.Value{nil}, lake.TransformIdentity), compare(lake.TypeVarchar, expr.OpNotEqual, text("x")), false, false},
		{"identity of the empty text is not NULL", partition(lake.TypeVarchar, []*lake.Value{text("")}, lake.TransformIdentity), expr.IsNull{Field: field}, false, false},
		{"identity of nan is greater than numbers", partition(lake.TypeFloat64, []*lake.Value{two}, lake.TransformIdentity), compare(lake.TypeFloat64, expr.OpGreater, number(5)), true, true},
		{"identity of -0 equals +0", partition(lake.TypeFloat64, []*lake.Value{number(math.Copysign(0, -1))}, lake.TransformIdentity), compare(lake.TypeFloat64, expr.OpEqual, number(0)), true, true},
		{"year prunes the next", partition(lake.TypeDate, []*lake.Value{integer(2023)}, year), compare(lake.TypeDate, expr.OpGreaterEqual, day(t, "2024-01-01")), false, false},
		{"year keeps its last day", partition(lake.TypeDate, []*lake.Value{integer(2023)}, year), compare(lake.TypeDate, expr.OpGreaterEqual, day(t, "2023-12-31")), true, false},
		{"year proves its range", partition(lake.TypeDate, []*lake.Value{integer(2023)}, year), compare(lake.TypeDate, expr.OpLess, day(t, "2024-01-01")), true, true},
		{"NULL year may be an infinity", partition(lake.TypeDate, []*lake.Value{nil}, year), compare(lake.TypeDate, expr.OpEqual, integer(math.MaxInt32)), true, false},
		{"month alone prunes no range", partition(lake.TypeDate, []*lake.Value{integer(3)}, month), compare(lake.TypeDate, expr.OpGreaterEqual, day(t, "2024-04-01")), true, false},
		{"month alone prunes equality", partition(lake.TypeDate, []*lake.Value{integer(3)}, month), compare(lake.TypeDate, expr.OpEqual, day(t, "2024-04-01")), false, false},
		{"month refines the year", partition(lake.TypeDate, []*lake.Value{integer(2023), integer(12)}, year, month), compare(lake.TypeDate, expr.OpLess, day(t, "2023-12-01")), false, false},
		{"year of timestamptz may be of another zone", partition(lake.TypeTimestampTZ, []*lake.Value{integer(1970)}, year), compare(lake.TypeTimestampTZ, expr.OpLess, integer(0)), true, false},
		{"year beyond nanoseconds bounds nothing", partition(lake.TypeTimestampNS, []*lake.Value{integer(9999)}, year), compare(lake.TypeTimestampNS, expr.OpEqual, integer(0)), false, false},
		{"year of nanoseconds is cut towards 1970", partition(lake.TypeTimestampNS, []*lake.Value{integer(1970)}, year), compare(lake.TypeTimestampNS, expr.OpLess, integer(0)), true, false},
		{"year of nanoseconds keeps what is cut into it", partition(lake.TypeTimestampNS, []*lake.Value{integer(1970)}, year), compare(lake.TypeTimestampNS, expr.OpEqual, integer(-999)), true, false},
		{"year of nanoseconds prunes a microsecond before", partition(lake.TypeTimestampNS, []*lake.Value{integer(1970)}, year), compare(lake.TypeTimestampNS, expr.OpLessEqual, integer(-1000)), false, false},
		{"year after 1970 is not widened", partition(lake.TypeTimestampNS, []*lake.Value{integer(1971)}, year), compare(lake.TypeTimestampNS, expr.OpLess, integer(365*86400*1e9)), false, false},
		{"hour of a time prunes equality", partition(lake.TypeTime, []*lake.Value{integer(3)}, lake.TransformHour), compare(lake.TypeTime, expr.OpEqual, integer(4*3600*1e6)), false, false},
		{"hour of a time keeps its own", partition(lake.TypeTime, []*lake.Value{integer(24)}, lake.TransformHour), compare(lake.TypeTime, expr.OpEqual, integer(24*3600*1e6)), true, false},
		{"bucket prunes equality", partition(lake.TypeInt32, []*lake.Value{of(lake.TypeInt32, bucket, integer(34))}, bucket), compare(lake.TypeInt32, expr.OpEqual, integer(35)), false, false},
		{"bucket keeps its own", partition(lake.TypeInt32, []*lake.Value{of(lake.TypeInt32, bucket, integer(34))}, bucket), compare(lake.TypeInt32, expr.OpEqual, integer(34)), true, false},
		{"bucket prunes no range", partition(lake.TypeInt32, []*lake.Value{integer(1)}, bucket), compare(lake.TypeInt32, expr.OpGreater, integer(5)), true, false},
		{"bucket of another nan", partition(lake.TypeFloat64, []*lake.Value{integer(1)}, bucket), compare(lake.TypeFloat64, expr.OpEqual, two), true, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.match, expr.CanMatch(c.p, c.part), "can match")
			require.Equal(t, c.all, expr.AllMatch(c.p, c.part), "all match")
		})
	}
}

// The expected hashes are those of murmur3_32 in DuckLake 1.0 (DuckDB 1.5.5),
// which for numbers and text are those of Iceberg's specification, appendix B.
func TestBucketsAreThoseOfDuckLake(t *testing.T) {
	t.Parallel()
	decimal := func(p, s int32) lake.Type { return lake.Type{ID: lake.TypeDecimal, Precision: p, Scale: s} }
	cases := []struct {
		typ  lake.Type
		text string
		want int32
	}{
		{typeOf(lake.TypeInt32), "34", 2017239379},
		{typeOf(lake.TypeInt64), "34", 2017239379},
		{typeOf(lake.TypeBoolean), "true", 1392991556},
		{typeOf(lake.TypeVarchar), "iceberg", 1210000089},
		{typeOf(lake.TypeJSON), `{"a":1}`, -548411867},
		{typeOf(lake.TypeBlob), `\xAA\x00b`, 1183696593},
		{typeOf(lake.TypeFloat32), "1", -142385009},
		{typeOf(lake.TypeFloat64), "-0", 1669671676},
		{decimal(9, 2), "1.5", -1902096817},
		{decimal(18, 2), "1.5", -1902096817},
		{decimal(38, 2), "-1.5", 1752238056},
		{typeOf(lake.TypeUint8), "200", 395818824},
		{typeOf(lake.TypeUint16), "12", -103616747},
		{typeOf(lake.TypeUint32), "34", -427558391},
		{typeOf(lake.TypeUint64), "18446744073709551615", -556781685},
		{typeOf(lake.TypeInt128), "-34", -1979280203},
		{typeOf(lake.TypeUint128), "34", -427558391},
		{typeOf(lake.TypeUUID), "00112233-4455-6677-8899-aabbccddeeff", -194214890},
		{typeOf(lake.TypeDate), "2020-01-02", 544260826},
		{typeOf(lake.TypeTime), "01:02:03", -1798878528},
		{typeOf(lake.TypeTimestampS), "2020-01-02 03:04:05", 931277765},
		{typeOf(lake.TypeTimestamp), "2020-01-02 03:04:05", -462581288},
		{typeOf(lake.TypeTimestampNS), "2020-01-02 03:04:05", -1245583732},
	}
	for _, c := range cases {
		t.Run(c.typ.String(), func(t *testing.T) {
			t.Parallel()
			v, err := expr.ParseValue(c.typ, c.text)
			require.NoError(t, err)
			got, ok := expr.ApplyTransform(lake.PartitionField{Transform: lake.TransformBucket, Buckets: math.MaxInt32}, c.typ, v)
			require.True(t, ok)
			require.Equal(t, int64(c.want&math.MaxInt32), got.Int)
		})
	}
	_, ok := expr.ApplyTransform(lake.PartitionField{Transform: lake.TransformBucket, Buckets: 8}, typeOf(lake.TypeTimeTZ), lake.Value{})
	require.False(t, ok, "the offset that is hashed is not kept")
}

func TestSimplify(t *testing.T) {
	t.Parallel()
	x := compare(lake.TypeInt32, expr.OpLess, integer(5))
	y := expr.IsNull{Field: 2}
	yes, no, null := expr.Constant{Value: true}, expr.Constant{}, expr.Constant{Null: true}
	and := func(p ...expr.Predicate) expr.Predicate { return expr.And{Terms: p} }
	or := func(p ...expr.Predicate) expr.Predicate { return expr.Or{Terms: p} }
	cases := []struct {
		name, want string
		in         expr.Predicate
	}{
		{"flattens", "#1 < 5 AND #2 IS NULL AND #1 < 5", and(x, and(y, x))},
		{"drops true", "#1 < 5", and(x, yes)},
		{"false decides", "false", and(x, no)},
		{"NULL does not", "#1 < 5 AND NULL", and(x, null)},
		{"empty and is true", "true", and()},
		{"empty or is false", "false", or()},
		{"not of a comparison", "#1 >= 5", expr.Not{Term: x}},
		{"not of and", "#1 >= 5 OR #2 IS NOT NULL", expr.Not{Term: and(x, y)}},
		{"or inside and", "(#1 < 5 OR #2 IS NULL) AND #1 < 5", and(or(x, y), x)},
		{"not not", "#2 IS NULL", expr.Not{Term: expr.Not{Term: y}}},
		{"not NULL is NULL", "NULL", expr.Not{Term: null}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, expr.Format(expr.Simplify(c.in), nil))
		})
	}
}

func TestFormatNamesFields(t *testing.T) {
	t.Parallel()
	columns := []lake.Column{{ID: 1, Name: "Order Key", Type: typeOf(lake.TypeStruct), Children: []lake.Column{{ID: 2, Name: "x"}}}}
	p := expr.In{Field: 2, Type: typeOf(lake.TypeDate), Values: []lake.Value{*day(t, "2024-02-29"), {Int: math.MaxInt32}}}
	require.Equal(t, `"Order Key".x IN ('2024-02-29'::DATE, 'infinity'::DATE)`, expr.Format(p, columns))
	require.Equal(t, []lake.FieldID{2}, expr.Fields(p))
	require.True(t, expr.Evaluable(p))
	require.False(t, expr.Evaluable(expr.Not{Term: expr.Opaque{}}))
	require.False(t, expr.Evaluable(compare(lake.TypeTimeTZ, expr.OpEqual, integer(9))))
}

func TestFilterSeesNullParentsOfStructLeaves(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	columns := []lake.Column{{ID: 3, Name: "s", Nullable: true, Type: typeOf(lake.TypeStruct), Children: []lake.Column{
		{ID: field, Name: "x", Nullable: true, Type: typeOf(lake.TypeInt32)},
	}}}
	b := array.NewRecordBuilder(mem, lake.ArrowSchema(columns))
	defer b.Release()
	for _, r := range []string{`{"s":{"x":1}}`, `{"s":null}`, `{"s":{"x":null}}`, `{"s":{"x":2}}`} {
		require.NoError(t, b.UnmarshalJSON([]byte(r)))
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	selected := func(p expr.Predicate) []int32 {
		f, err := expr.NewFilter(p, columns)
		require.NoError(t, err)
		rows, err := f.Select(batch, nil)
		require.NoError(t, err)
		return rows
	}
	one := compare(lake.TypeInt32, expr.OpEqual, integer(1))
	require.Equal(t, []int32{0}, selected(one))
	require.Equal(t, []int32{3}, selected(expr.Not{Term: one}))
	require.Equal(t, []int32{1, 2}, selected(expr.IsNull{Field: field}))
	require.Equal(t, []int32{1}, selected(expr.IsNull{Field: 3}))
}

func TestTakeGathersNestedRows(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	columns := []lake.Column{
		{ID: 1, Name: "l", Nullable: true, Type: typeOf(lake.TypeList), Children: []lake.Column{{ID: 2, Name: "element", Nullable: true, Type: typeOf(lake.TypeVarchar)}}},
		{ID: 3, Name: "s", Nullable: true, Type: typeOf(lake.TypeStruct), Children: []lake.Column{{ID: 4, Name: "x", Nullable: true, Type: typeOf(lake.TypeBoolean)}}},
		{ID: 5, Name: "m", Nullable: true, Type: typeOf(lake.TypeMap), Children: []lake.Column{{ID: 6, Name: "key", Type: typeOf(lake.TypeInt64)}, {ID: 7, Name: "value", Nullable: true, Type: typeOf(lake.TypeVarchar)}}},
	}
	b := array.NewRecordBuilder(mem, lake.ArrowSchema(columns))
	defer b.Release()
	rows := []string{
		`{"l":["a",null],"s":{"x":true},"m":[{"key":1,"value":"p"}]}`,
		`{"l":[],"s":null,"m":null}`,
		`{"l":null,"s":{"x":null},"m":[]}`,
		`{"l":["bc","d","e"],"s":{"x":false},"m":[{"key":2,"value":null},{"key":3,"value":"q"}]}`,
	}
	build := func(which ...int) arrow.RecordBatch {
		for _, i := range which {
			require.NoError(t, b.UnmarshalJSON([]byte(rows[i])))
		}
		return b.NewRecordBatch()
	}
	all := build(0, 1, 2, 3)
	defer all.Release()
	sliced := all.NewSlice(1, 4)
	defer sliced.Release()
	for _, c := range []struct {
		batch arrow.RecordBatch
		take  []int32
		want  []int
	}{{all, []int32{0, 3}, []int{0, 3}}, {sliced, []int32{0, 2}, []int{1, 3}}, {all, []int32{1, 2}, []int{1, 2}}, {all, nil, nil}} {
		got, err := expr.Take(c.batch, c.take, mem)
		require.NoError(t, err)
		want := build(c.want...)
		require.True(t, array.RecordEqual(want, got), "%v: %v", c.take, got)
		got.Release()
		want.Release()
	}
}

func TestFilterRefusesWhatItCannotEvaluate(t *testing.T) {
	t.Parallel()
	_, err := expr.NewFilter(expr.IsNull{Field: 9}, nil)
	require.ErrorIs(t, err, lake.ErrInvalid)
	_, err = expr.NewFilter(expr.Opaque{}, nil)
	require.ErrorIs(t, err, lake.ErrUnsupported)
}

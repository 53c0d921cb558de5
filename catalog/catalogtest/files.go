package catalogtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

// metadata returns the rows of a query; integers, text, booleans and NULL.
func metadata(t testing.TB, c catalog.Catalog, query string) [][]any {
	t.Helper()
	reader, err := c.Metadata(t.Context(), query)
	require.NoError(t, err)
	defer reader.Release()
	var rows [][]any
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			row := make([]any, batch.NumCols())
			for j := range row {
				column := batch.Column(j)
				if column.IsNull(i) {
					continue
				}
				switch a := column.(type) {
				case *array.Int64:
					row[j] = a.Value(i)
				case *array.String:
					row[j] = strings.Clone(a.Value(i))
				case *array.Boolean:
					row[j] = a.Value(i)
				default:
					row[j] = a.ValueStr(i)
				}
			}
			rows = append(rows, row)
		}
	}
	require.NoError(t, reader.Err())
	return rows
}

// checkMetadata compares the rows of a query, if the driver runs any.
func checkMetadata(t testing.TB, c catalog.Catalog, want [][]any, query string) {
	t.Helper()
	if c.Capabilities().Metadata {
		require.Equal(t, want, metadata(t, c, query))
	}
}

func testSnapshotByTime(t *testing.T, l Lake) {
	clk := newClock()
	c := open(t, l, clk)
	var all []lake.Snapshot
	all = append(all, latest(t, c))
	for _, name := range []string{"a", "b", "c"} {
		clk.advance(time.Hour)
		all = append(all, commit(t, c, createTable(name)).Snapshot)
	}
	got, err := c.Snapshots(t.Context())
	require.NoError(t, err)
	require.Equal(t, all, got)
	at := func(when time.Time) (lake.Snapshot, error) {
		return c.Snapshot(t.Context(), catalog.Selector{Time: &when})
	}
	for i, s := range all {
		found, err := at(s.Time)
		require.NoError(t, err)
		require.Equal(t, s, found, "at its time")
		found, err = at(s.Time.Add(time.Hour - time.Microsecond).In(time.FixedZone("elsewhere", 7200)))
		require.NoError(t, err)
		require.Equal(t, s, found, "until just before the next")
		byID, err := c.Snapshot(t.Context(), catalog.Selector{ID: &all[i].ID})
		require.NoError(t, err)
		require.Equal(t, s, byID)
	}
	_, err = at(epoch().Add(-time.Microsecond))
	require.ErrorIs(t, err, lake.ErrNotFound)
}

func testClockSetBack(t *testing.T, l Lake) {
	clk := newClock()
	c := open(t, l, clk)
	clk.advance(time.Hour)
	first := commit(t, c, createTable("a")).Snapshot
	clk.advance(-2 * time.Hour)
	second := commit(t, c, createTable("b")).Snapshot
	require.Equal(t, first.Time, second.Time, "a snapshot is not older than its parent")
	found, err := c.Snapshot(t.Context(), catalog.Selector{Time: &first.Time})
	require.NoError(t, err)
	require.Equal(t, second, found)
}

// bounds returns a minimum and a maximum of a type.
func bounds(typ lake.Type) (low, high *lake.Value) {
	switch typ.ID {
	case lake.TypeBoolean:
		return &lake.Value{}, &lake.Value{Int: 1}
	case lake.TypeInt8:
		return &lake.Value{Int: -128}, &lake.Value{Int: 127}
	case lake.TypeInt16:
		return &lake.Value{Int: math.MinInt16}, &lake.Value{Int: math.MaxInt16}
	case lake.TypeInt32:
		return &lake.Value{Int: math.MinInt32}, &lake.Value{Int: math.MaxInt32}
	case lake.TypeUint8:
		return &lake.Value{}, &lake.Value{Uint: 255}
	case lake.TypeUint16:
		return &lake.Value{}, &lake.Value{Uint: math.MaxUint16}
	case lake.TypeUint32:
		return &lake.Value{}, &lake.Value{Uint: math.MaxUint32}
	case lake.TypeUint64:
		return &lake.Value{}, &lake.Value{Uint: math.MaxUint64}
	case lake.TypeInt128, lake.TypeDecimal:
		return &lake.Value{Int: -1, Uint: 7}, &lake.Value{Int: 1 << 60, Uint: math.MaxUint64}
	case lake.TypeUint128:
		return &lake.Value{Uint: 7}, &lake.Value{Int: -1, Uint: math.MaxUint64}
	case lake.TypeFloat32:
		return &lake.Value{Float: math.Inf(-1)}, &lake.Value{Float: math.MaxFloat32}
	case lake.TypeFloat64:
		return &lake.Value{Float: -math.MaxFloat64}, &lake.Value{Float: math.Inf(1)}
	case lake.TypeDate:
		return &lake.Value{Int: -math.MaxInt32}, &lake.Value{Int: 3789391}
	case lake.TypeTime, lake.TypeTimeTZ, lake.TypeTimeNS:
		return &lake.Value{}, &lake.Value{Int: 86_399_999_999}
	case lake.TypeVarchar, lake.TypeJSON:
		return &lake.Value{}, &lake.Value{Bytes: "é'" + strings.Repeat("z", 300)}
	case lake.TypeBlob:
		return &lake.Value{Bytes: "\x00"}, &lake.Value{Bytes: "\xff\xfe"}
	case lake.TypeUUID:
		return &lake.Value{Bytes: strings.Repeat("\x00", 16)}, &lake.Value{Bytes: strings.Repeat("\xff", 16)}
	case lake.TypeInterval:
		return nil, nil
	default: // int64 and timestamps
		return &lake.Value{Int: -62135647200000000 / 1_000_000}, &lake.Value{Int: math.MaxInt64}
	}
}

// statsOfEveryType returns statistics of all leaves of everyType.
func statsOfEveryType(columns []lake.Column, exact bool) []lake.ColumnStats {
	var stats []lake.ColumnStats
	for i := range columns {
		columns[i].Walk(func(c *lake.Column) {
			if c.Type.Nested() {
				return
			}
			low, high := bounds(c.Type)
			stats = append(stats, lake.ColumnStats{
				Field: c.ID, Min: low, Max: high, MinExact: exact && low != nil, MaxExact: exact && high != nil,
				ValueCount: 100, NullCount: 3, Bytes: 1000,
			})
		})
	}
	return stats
}

func testStatisticsOfEveryType(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Columns = everyType()
	stats := statsOfEveryType(create.Columns, true)
	f := lake.DataFile{
		Path: "main/t/1.parquet", Rows: 100, Bytes: 1, Stats: stats,
		RowGroups: []lake.RowGroup{{Rows: 60, Columns: stats}, {Index: 1, Rows: 40, Columns: stats[:2]}},
	}
	create.Files = []lake.DataFile{f}
	id := commit(t, c, create).Tables[0]
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	got := liveFiles(t, c, id)
	require.Len(t, got, 1)
	require.Equal(t, f.Stats, got[0].Stats)
	require.Equal(t, f.RowGroups, got[0].RowGroups)
}

// testForeignFileStatistics writes files without row groups, whose statistics
// are kept as text only, as those of other programs are.
func testForeignFileStatistics(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Columns = everyType()
	stats := statsOfEveryType(create.Columns, false)
	unknown := lake.ColumnStats{Field: 1, ValueCount: lake.Unknown, NullCount: lake.Unknown}
	create.Files = []lake.DataFile{
		{Path: "main/t/1.parquet", Rows: 100, Bytes: 1, Stats: stats},
		{Path: "main/t/2.parquet", Rows: 100, Bytes: 1, Stats: []lake.ColumnStats{unknown}},
		{Path: "/elsewhere/3.parquet", Absolute: true, Rows: 100, Bytes: 1, Mapping: &lake.NameMapping{ID: 0}},
	}
	id := commit(t, c, create).Tables[0]
	got := liveFiles(t, c, id)
	require.Len(t, got, 3)
	require.Nil(t, got[0].RowGroups)
	require.Len(t, got[0].Stats, len(stats))
	for i, want := range stats {
		leaf, _ := table(t, c, "main", "t").Field(want.Field)
		switch leaf.Type.ID {
		case lake.TypeInt128, lake.TypeUint128, lake.TypeTimeTZ, lake.TypeTimeNS:
			want.Min, want.Max = nil, nil // the format has no text for them
		case lake.TypeFloat32, lake.TypeFloat64:
			want.NaNCount = lake.Unknown // what other programs say of NaN proves nothing
		default:
		}
		require.Equal(t, want, got[0].Stats[i], leaf.Type.String())
	}
	require.Equal(t, []lake.ColumnStats{unknown}, got[1].Stats)
	require.Empty(t, got[2].Stats)
	require.Equal(t, "/elsewhere/3.parquet", got[2].Path)
	require.True(t, got[2].Absolute)
	require.Equal(t, &lake.NameMapping{ID: 0}, got[2].Mapping, "DuckLake counts mappings from 0")
	require.Nil(t, got[0].Mapping)
}

// testPartitionOfNaN adds files whose partition value has no text as a bound.
func testPartitionOfNaN(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "f", Type: lake.Type{ID: lake.TypeFloat32}, Nullable: true},
		{Name: "d", Type: lake.Type{ID: lake.TypeFloat64}, Nullable: true},
	})
	create.Columns = columns
	create.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{
		{Column: 1, Transform: lake.TransformIdentity}, {Column: 2, Transform: lake.TransformIdentity},
	}}
	create.Files = []lake.DataFile{{
		Path: "main/t/1", Rows: 1, Bytes: 1,
		PartitionValues: []*lake.Value{{Float: math.NaN()}, {Float: math.Inf(1)}},
	}}
	id := commit(t, c, create).Tables[0]
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	files := liveFiles(t, c, id)
	require.Len(t, files, 1)
	require.Len(t, files[0].PartitionValues, 2)
	require.NotNil(t, files[0].PartitionValues[0], "NULL")
	require.True(t, math.IsNaN(files[0].PartitionValues[0].Float))
	require.True(t, math.IsInf(files[0].PartitionValues[1].Float, 1))
	checkMetadata(t, c, [][]any{{"nan"}, {"inf"}}, `SELECT partition_value FROM ducklake_file_partition_value ORDER BY partition_key_index`)
}

func testPartitionedFiles(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	create := createTable("t")
	create.Partition = &lake.PartitionSpec{Fields: []lake.PartitionField{
		{Column: 2, Transform: lake.TransformIdentity},
		{Column: 1, Transform: lake.TransformBucket, Buckets: 16},
		{Column: 1, Transform: lake.TransformMonth},
	}}
	file := func(name string, values ...*lake.Value) lake.DataFile {
		f := dataFile("main/t/"+name, 0, 1)
		f.PartitionValues = values
		return f
	}
	create.Files = []lake.DataFile{
		file("1", &lake.Value{Bytes: `r/1 'x' "é"`}, &lake.Value{Int: 15}, &lake.Value{Int: 12}),
		file("2", nil, nil, nil),
		file("3", &lake.Value{}, &lake.Value{}, nil),
		file("4"),
	}
	id := commit(t, c, create).Tables[0]
	spec := *table(t, c, "main", "t").Partition
	require.Equal(t, create.Partition.Fields, spec.Fields)
	require.NotZero(t, spec.ID)
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	got := filesAt(t, c, id, 0, latest(t, c).ID)
	require.Equal(t, []lake.PartitionSpec{spec}, got.Partitions)
	require.Len(t, got.Files, 4)
	for i, f := range got.Files[:3] {
		require.Equal(t, spec.ID, f.PartitionID)
		require.Equal(t, create.Files[i].PartitionValues, f.PartitionValues)
	}
	require.Zero(t, got.Files[3].PartitionID)

	begin := table(t, c, "main", "t").LayoutBegin
	for name, f := range map[string]lake.DataFile{
		"too few":       file("5", nil),
		"not its spec":  func() lake.DataFile { f := file("5", nil, nil, nil); f.PartitionID = spec.ID + 1; return f }(),
		"no such value": file("5", &lake.Value{Bytes: "\xff"}, nil, nil),
	} {
		t.Log(name)
		commitError(t, c, lake.ErrInvalid, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{f}})
	}
}

func testTableStatisticsCoverEveryFile(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "i", Type: lake.Type{ID: lake.TypeInt32}, Nullable: true},
		{Name: "f", Type: lake.Type{ID: lake.TypeFloat64}, Nullable: true},
	})
	create := createTable("t")
	create.Columns = columns
	id := commit(t, c, create).Tables[0]
	begin := table(t, c, "main", "t").LayoutBegin
	add := func(stats ...lake.ColumnStats) {
		f := lake.DataFile{Path: "main/t/" + string(rune('a'+len(liveFiles(t, c, id)))), Rows: 10, Bytes: 5, Stats: stats}
		commit(t, c, catalog.AddFiles{Table: id, Layout: begin, Files: []lake.DataFile{f}})
	}
	check := func(want ...[]any) {
		t.Helper()
		query := "SELECT column_id, contains_null, contains_nan, min_value, max_value FROM ducklake_table_column_stats ORDER BY column_id"
		checkMetadata(t, c, want, query)
	}
	allNull := lake.ColumnStats{Field: 1, ValueCount: 10, NullCount: 10}
	f := lake.ColumnStats{Field: 2, ValueCount: 10, Min: &lake.Value{Float: 9.5}, Max: &lake.Value{Float: 10.5}}
	add(allNull, f)
	check([]any{int64(1), true, nil, nil, nil}, []any{int64(2), false, false, "9.5", "10.5"})
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	f.NaNCount = 1
	i := lake.ColumnStats{Field: 1, ValueCount: 10, Min: &lake.Value{Int: 9}, Max: &lake.Value{Int: 10}}
	add(i, f)
	check([]any{int64(1), true, nil, "9", "10"}, []any{int64(2), false, true, "9.5", "10.5"})
	i.Min, i.Max = &lake.Value{Int: -100}, &lake.Value{Int: 9}
	f.NullCount, f.Min = 1, &lake.Value{Float: -1e100}
	add(i, f)
	check([]any{int64(1), true, nil, "-100", "10"}, []any{int64(2), true, true, "-1e+100", "10.5"})
	i.Max = nil
	add(i, lake.ColumnStats{Field: 2, ValueCount: lake.Unknown, NullCount: lake.Unknown, NaNCount: lake.Unknown})
	check([]any{int64(1), true, nil, "-100", nil}, []any{int64(2), true, true, nil, nil})
	require.NoError(t, c.Close())
	c = open(t, l, newClock())
	i.Max = &lake.Value{Int: 1}
	add(i, f)
	check([]any{int64(1), true, nil, "-100", nil}, []any{int64(2), true, true, nil, nil})
	checkMetadata(t, c, [][]any{{int64(50), int64(50), int64(25)}}, "SELECT record_count, next_row_id, file_size_bytes FROM ducklake_table_stats")
}

func testMetadataReadsOnly(t *testing.T, l Lake) {
	c := open(t, l, newClock())
	if !c.Capabilities().Metadata {
		_, err := c.Metadata(t.Context(), "SELECT snapshot_id FROM ducklake_snapshot")
		require.ErrorIs(t, err, lake.ErrUnsupported)
		return
	}
	require.Equal(t, [][]any{{int64(0)}}, metadata(t, c, "SELECT snapshot_id FROM ducklake_snapshot"))
	for _, query := range []string{
		"", "SELEC", "SELECT nothing FROM ducklake_snapshot", "SELECT 1; SELECT 2",
		"DELETE FROM ducklake_snapshot", "DROP TABLE ducklake_snapshot", "CREATE TABLE x(i INT)",
		"INSERT INTO ducklake_metadata VALUES ('a', 'b', NULL, NULL)",
		"SELECT 1; DROP TABLE ducklake_snapshot", "ATTACH 'x.db'", "COPY ducklake_snapshot TO '/tmp/x.csv'",
		"PRAGMA database_list", "SET threads = 1", "COMMIT",
	} {
		_, err := c.Metadata(t.Context(), query)
		require.ErrorIs(t, err, lake.ErrInvalid, query)
	}
	require.Equal(t, [][]any{{int64(0)}}, metadata(t, c, "SELECT snapshot_id FROM ducklake_snapshot"))
}

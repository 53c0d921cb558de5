package scanner_test

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/scanner"
)

func text(s string) *string { return &s }

func decimal(id lake.FieldID, name string, precision, scale int32) lake.Column {
	c := column(id, name, lake.TypeDecimal)
	c.Type.Precision, c.Type.Scale = precision, scale
	return c
}

func withDefault(c lake.Column, s string) lake.Column {
	c.InitialDefault = text(s)
	return c
}

// TestColumnsOfOlderFiles writes a file with one schema and reads it with another.
func TestColumnsOfOlderFiles(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		old       []lake.Column
		rows      string
		now       []lake.Column
		want      string
		anonymous bool // the file has no field ids
	}{
		{
			"renamed column follows its id",
			[]lake.Column{column(1, "a", lake.TypeInt32)},
			`[{"a":1},{"a":null}]`,
			[]lake.Column{column(1, "b", lake.TypeInt32)},
			`[{"b":1},{"b":null}]`, false,
		}, {
			"column of a dropped one's name is not the dropped one",
			[]lake.Column{column(1, "a", lake.TypeInt32), column(2, "b", lake.TypeInt32)},
			`[{"a":1,"b":5}]`,
			[]lake.Column{column(2, "b", lake.TypeInt32), column(3, "a", lake.TypeInt32)},
			`[{"b":5,"a":null}]`, false,
		}, {
			"added columns hold their initial default",
			[]lake.Column{column(1, "a", lake.TypeInt32)},
			`[{"a":1},{"a":2}]`,
			[]lake.Column{
				column(1, "a", lake.TypeInt32), withDefault(column(2, "s", lake.TypeVarchar), "it's"),
				withDefault(decimal(3, "d", 9, 2), "1.5"), withDefault(column(4, "u", lake.TypeUUID), "00112233-4455-6677-8899-aabbccddeeff"),
				withDefault(column(5, "ts", lake.TypeTimestamp), "1969-12-31 23:59:59"), withDefault(column(6, "j", lake.TypeJSON), `{}`),
				column(7, "l", lake.TypeList, column(8, "element", lake.TypeInt32)),
			},
			`[{"a":1,"s":"it's","d":"1.50","u":"00112233-4455-6677-8899-aabbccddeeff","ts":"1969-12-31 23:59:59","j":"{}","l":null},
			  {"a":2,"s":"it's","d":"1.50","u":"00112233-4455-6677-8899-aabbccddeeff","ts":"1969-12-31 23:59:59","j":"{}","l":null}]`, false,
		}, {
			"promoted integers and floats",
			[]lake.Column{column(1, "a", lake.TypeInt8), column(2, "b", lake.TypeUint32), column(3, "c", lake.TypeFloat32), column(4, "d", lake.TypeInt32)},
			`[{"a":-128,"b":4294967295,"c":0.5,"d":null},{"a":null,"b":0,"c":null,"d":-7}]`,
			[]lake.Column{column(1, "a", lake.TypeInt64), column(2, "b", lake.TypeUint64), column(3, "c", lake.TypeFloat64), column(4, "d", lake.TypeInt64)},
			`[{"a":-128,"b":4294967295,"c":0.5,"d":null},{"a":null,"b":0,"c":null,"d":-7}]`, false,
		}, {
			"widened decimals and integers as decimals",
			[]lake.Column{decimal(1, "a", 9, 2), column(2, "b", lake.TypeInt64), column(3, "c", lake.TypeFloat64), column(4, "d", lake.TypeUint64)},
			`[{"a":"-1.25","b":-3,"c":170000000000000000000,"d":18446744073709551615},{"a":null,"b":null,"c":null,"d":null}]`,
			[]lake.Column{decimal(1, "a", 38, 4), decimal(2, "b", 20, 1), column(3, "c", lake.TypeInt128), column(4, "d", lake.TypeUint128)},
			`[{"a":"-1.2500","b":"-3.0","c":"170000000000000000000","d":"18446744073709551615"},{"a":null,"b":null,"c":null,"d":null}]`, false,
		}, {
			"units of time",
			[]lake.Column{column(1, "a", lake.TypeTimestampMS), column(2, "b", lake.TypeTimestampNS), column(3, "c", lake.TypeDate), column(4, "d", lake.TypeTime)},
			`[{"a":"1969-12-31 23:59:59.001","b":"1969-12-31 23:59:59.999999999","c":"1960-01-02","d":"01:02:03.5"}]`,
			[]lake.Column{column(1, "a", lake.TypeTimestampS), column(2, "b", lake.TypeTimestampTZ), column(3, "c", lake.TypeTimestamp), column(4, "d", lake.TypeTimeNS)},
			`[{"a":"1969-12-31 23:59:59","b":"1969-12-31 23:59:59.999999Z","c":"1960-01-02 00:00:00","d":"01:02:03.5"}]`, false,
		}, {
			"fields of structs come and go, in lists too",
			[]lake.Column{
				column(1, "s", lake.TypeStruct, column(2, "x", lake.TypeInt32), column(3, "y", lake.TypeVarchar)),
				column(4, "l", lake.TypeList, column(5, "element", lake.TypeStruct, column(6, "p", lake.TypeInt8))),
				column(7, "m", lake.TypeMap, required(column(8, "key", lake.TypeInt32)), column(9, "value", lake.TypeInt16)),
			},
			`[{"s":{"x":1,"y":"a"},"l":[{"p":1},null],"m":[{"key":1,"value":2}]},{"s":null,"l":[],"m":[]},{"s":{"x":null,"y":null},"l":null,"m":null}]`,
			[]lake.Column{
				column(1, "s", lake.TypeStruct, column(3, "y2", lake.TypeVarchar), withDefault(column(10, "z", lake.TypeInt32), "9"), column(2, "x", lake.TypeInt64)),
				column(4, "l", lake.TypeList, column(5, "element", lake.TypeStruct, column(11, "q", lake.TypeVarchar), column(6, "p", lake.TypeInt64))),
				column(7, "m", lake.TypeMap, required(column(8, "key", lake.TypeInt64)), column(9, "value", lake.TypeInt32)),
			},
			`[{"s":{"y2":"a","z":9,"x":1},"l":[{"q":null,"p":1},null],"m":[{"key":1,"value":2}]},{"s":null,"l":[],"m":[]},{"s":{"y2":null,"z":9,"x":null},"l":null,"m":null}]`, false,
		}, {
			"struct of which the file has no field is NULL where it was",
			[]lake.Column{column(1, "s", lake.TypeStruct, column(2, "x", lake.TypeInt32))},
			`[{"s":{"x":1}},{"s":null}]`,
			[]lake.Column{column(1, "s", lake.TypeStruct, column(3, "y", lake.TypeInt32))},
			`[{"s":{"y":null}},{"s":null}]`, false,
		}, {
			"file without field ids goes by name, without case",
			[]lake.Column{column(1, "A", lake.TypeInt32), column(2, "b", lake.TypeStruct, column(3, "X", lake.TypeInt32))},
			`[{"A":1,"b":{"X":2}}]`,
			[]lake.Column{column(7, "b", lake.TypeStruct, column(8, "x", lake.TypeInt32)), column(9, "a", lake.TypeInt32)},
			`[{"b":{"x":2},"a":1}]`, true,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer alloc.AssertSize(t, 0)
			old := fromJSON(t, alloc, c.old, c.rows)
			defer old.Release()
			file := old
			if !c.anonymous {
				file = relabeled(old, withIDs(old.Schema(), c.old))
				defer file.Release()
			}
			store := newBucket()
			data := encode(t, file)
			store.put(t, "f.parquet", data)
			want := fromJSON(t, alloc, c.now, c.want)
			defer want.Release()
			got := collect(t, scanner.New(store, alloc, scanner.Options{}), alloc,
				scanOf(c.now, &lake.DataFile{Path: "f.parquet", Rows: old.NumRows(), Bytes: int64(len(data))}))
			defer got.Release()
			requireRows(t, want, got)
		})
	}
}

func TestTypeThatCannotBecomeTheColumnsIsRefusedByName(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	old := fromJSON(t, alloc, []lake.Column{column(1, "a", lake.TypeVarchar)}, `[{"a":"x"}]`)
	defer old.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, old))
	err := scanError(t, store, alloc, scanOf([]lake.Column{column(1, "a", lake.TypeInt32)}, &lake.DataFile{Path: "f.parquet", Rows: 1}))
	require.ErrorIs(t, err, lake.ErrUnsupported)
	require.ErrorContains(t, err, `column "a" of type INTEGER cannot be read from the file's type utf8`)
	require.ErrorContains(t, err, `f.parquet of table "t"`)
}

func TestValueThatDoesNotFitIsCorrupt(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	old := fromJSON(t, alloc, []lake.Column{column(1, "a", lake.TypeInt64)}, `[{"a":300}]`)
	defer old.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, old))
	err := scanError(t, store, alloc, scanOf([]lake.Column{column(1, "a", lake.TypeInt8)}, &lake.DataFile{Path: "f.parquet", Rows: 1}))
	require.ErrorIs(t, err, lake.ErrCorrupt)
}

func TestDeleteFilesHideRowsOfTheirSnapshots(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	columns := []lake.Column{column(1, "a", lake.TypeInt64)}
	rows := fromJSON(t, alloc, columns, `[{"a":0},{"a":1},{"a":2},{"a":3}]`)
	defer rows.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, rows))
	plain := fromJSON(t, alloc, []lake.Column{column(1, "file_path", lake.TypeVarchar), column(2, "pos", lake.TypeInt64)},
		`[{"file_path":"f.parquet","pos":1}]`)
	defer plain.Release()
	// DuckLake gives the columns of delete files the field ids that Iceberg reserves.
	reserved := relabeled(plain, withIDs(plain.Schema(), []lake.Column{{ID: 2147483546}, {ID: 2147483545}}))
	defer reserved.Release()
	store.put(t, "plain.parquet", encode(t, reserved))
	partial := fromJSON(t, alloc, []lake.Column{
		column(1, "file_path", lake.TypeVarchar), column(2, "pos", lake.TypeInt64), column(3, "_ducklake_internal_snapshot_id", lake.TypeInt64),
	}, `[{"file_path":"f","pos":0,"_ducklake_internal_snapshot_id":4},{"file_path":"f","pos":3,"_ducklake_internal_snapshot_id":7}]`)
	defer partial.Release()
	store.put(t, "partial.parquet", encode(t, partial))
	file := &lake.DataFile{Path: "f.parquet", Rows: 4, Deletes: []lake.Delete{
		{Begin: 3, End: 4, Path: "plain.parquet", Format: "parquet"},
		{Begin: 4, Path: "partial.parquet", Format: "parquet"},
	}}
	for snapshot, want := range map[lake.SnapshotID]string{
		2: `[{"a":0},{"a":1},{"a":2},{"a":3}]`,
		3: `[{"a":0},{"a":2},{"a":3}]`,
		4: `[{"a":1},{"a":2},{"a":3}]`,
		7: `[{"a":1},{"a":2}]`,
	} {
		scan := scanOf(columns, file)
		scan.Snapshot = snapshot
		requireScan(t, store, alloc, scan, columns, want)
	}
	file.Deletes = []lake.Delete{{Path: "x.puffin", Format: "puffin"}}
	require.ErrorIs(t, scanError(t, store, alloc, scanOf(columns, file)), lake.ErrUnsupported)
	file.Deletes = []lake.Delete{{Path: "missing.parquet", Format: "parquet"}}
	err := scanError(t, store, alloc, scanOf(columns, file))
	require.ErrorIs(t, err, lake.ErrCorrupt)
	require.ErrorContains(t, err, "missing.parquet")
}

func TestPartialFileHidesYoungerRows(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	stored := []lake.Column{column(1, "a", lake.TypeInt64), column(2147483540, "_ducklake_internal_snapshot_id", lake.TypeInt64)}
	rows := fromJSON(t, alloc, stored, `[{"a":1,"_ducklake_internal_snapshot_id":3},{"a":2,"_ducklake_internal_snapshot_id":5},{"a":3,"_ducklake_internal_snapshot_id":4}]`)
	defer rows.Release()
	labeled := relabeled(rows, withIDs(rows.Schema(), stored))
	defer labeled.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, labeled))
	columns := stored[:1]
	file := &lake.DataFile{Path: "f.parquet", Rows: 3, PartialMax: 5}
	scan := scanOf(columns, file)
	requireScan(t, store, alloc, scan, columns, `[{"a":1},{"a":2},{"a":3}]`)
	scan.Snapshot = 4
	requireScan(t, store, alloc, scan, columns, `[{"a":1},{"a":3}]`)
	scan.Residual = expr.Compare{Field: 1, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpGreater, Value: lake.Value{Int: 1}}
	requireScan(t, store, alloc, scan, columns, `[{"a":3}]`)
	empty := *scan
	empty.Projection = nil
	got := collect(t, scanner.New(store, alloc, scanner.Options{}), alloc, &empty)
	require.Equal(t, int64(1), got.NumRows())
	got.Release()
}

func requireScan(t *testing.T, store bucket, alloc memory.Allocator, scan *expr.Scan, columns []lake.Column, rows string) {
	t.Helper()
	want := fromJSON(t, alloc, columns, rows)
	defer want.Release()
	got := collect(t, scanner.New(store, alloc, scanner.Options{}), alloc, scan)
	defer got.Release()
	requireRows(t, want, got)
}

// TestMappedColumnsAreFoundByTheirNameInTheFile reads a file whose field ids and
// names would mislead.
func TestMappedColumnsAreFoundByTheirNameInTheFile(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	stored := []lake.Column{
		column(2, "a", lake.TypeInt32), column(1, "B", lake.TypeInt32), column(3, "c", lake.TypeInt32),
		column(9, "s", lake.TypeStruct, column(6, "y", lake.TypeInt32), column(5, "z", lake.TypeInt32)),
		column(10, "l", lake.TypeList, column(11, "element", lake.TypeStruct, column(12, "y", lake.TypeInt32))),
	}
	batch := fromJSON(t, alloc, stored, `[{"a":1,"B":2,"c":3,"s":{"y":4,"z":5},"l":[{"y":6}]}]`)
	defer batch.Release()
	labeled := relabeled(batch, withIDs(batch.Schema(), stored))
	defer labeled.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, labeled))

	columns := []lake.Column{
		column(1, "renamed", lake.TypeInt64), column(2, "b", lake.TypeInt32), column(3, "c", lake.TypeInt32),
		column(4, "t", lake.TypeStruct, column(5, "y", lake.TypeInt32), column(6, "new", lake.TypeInt32)),
		column(7, "l", lake.TypeList, column(8, "element", lake.TypeStruct, column(13, "x", lake.TypeInt32))),
	}
	file := &lake.DataFile{Path: "f.parquet", Rows: 1, Mapping: &lake.NameMapping{Fields: map[lake.FieldID]lake.MappedField{
		1: {Name: "a"}, 2: {Name: "b"}, 4: {Name: "s"}, 5: {Name: "y"}, 7: {Name: "l"}, 8: {Name: "list"}, 13: {Name: "y"},
	}}}
	requireScan(t, store, alloc, scanOf(columns, file), columns,
		`[{"renamed":1,"b":2,"c":null,"t":{"y":4,"new":null},"l":[{"x":6}]}]`)
}

// scanError reads a scan to its end and returns its error.
func scanError(t tester, store objstore.Bucket, alloc memory.Allocator, scan *expr.Scan) error {
	t.Helper()
	_, err := rowsOf(t, store, alloc, scan)
	return err
}

// rowsOf reads all rows of a scan.
func rowsOf(t tester, store objstore.Bucket, alloc memory.Allocator, scan *expr.Scan) (rows int64, err error) {
	t.Helper()
	r, err := scanner.New(store, alloc, scanner.Options{}).Scan(context.Background(), scan)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

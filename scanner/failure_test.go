package scanner_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/fault"
	"github.com/flightlake/flightlake/scanner"
)

// sample is a file of n rows in row groups of 100.
func sample(t tester, n int) (bucket, []lake.Column, *lake.DataFile, []byte) {
	t.Helper()
	columns := []lake.Column{column(1, "a", lake.TypeInt64), column(2, "s", lake.TypeVarchar), column(3, "l", lake.TypeList, column(4, "element", lake.TypeInt32))}
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"a":%d,"s":"%s","l":[%d,null]}`, i, strings.Repeat("x", i), i))
	}
	batch := fromJSON(t, memory.DefaultAllocator, columns, "["+strings.Join(rows, ",")+"]")
	defer batch.Release()
	labeled := relabeled(batch, withIDs(batch.Schema(), columns))
	defer labeled.Release()
	batches := make([]arrow.RecordBatch, max(n/100, 1))
	for i := range batches {
		batches[i] = labeled
	}
	data := encode(t, batches...)
	store := newBucket()
	store.put(t, "f.parquet", data)
	return store, columns, &lake.DataFile{Path: "f.parquet", Rows: int64(100 * len(batches)), Bytes: int64(len(data))}, data
}

func TestBadFilesAreNamed(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		kind       error
		change     func(store bucket, f *lake.DataFile, data []byte)
	}{
		{"missing", "the object is missing", lake.ErrCorrupt, func(_ bucket, f *lake.DataFile, _ []byte) { f.Path = "gone.parquet" }},
		{"size differs", "the catalog says", lake.ErrCorrupt, func(_ bucket, f *lake.DataFile, _ []byte) { f.Bytes++ }},
		{"rows differ", "the catalog says 101", lake.ErrCorrupt, func(_ bucket, f *lake.DataFile, _ []byte) { f.Rows++ }},
		{"row group that is not there", "row groups", lake.ErrCorrupt, func(_ bucket, f *lake.DataFile, _ []byte) { f.RowGroups = []lake.RowGroup{{Index: 7}} }},
		{"encrypted", "encrypted", lake.ErrUnsupported, func(_ bucket, f *lake.DataFile, _ []byte) { f.Encrypted = true }},
		{"mapping that is not there", "mapping 3", lake.ErrCorrupt, func(_ bucket, f *lake.DataFile, _ []byte) { f.Mapping = &lake.NameMapping{ID: 3} }},
		{"column in the path", `column "s"`, lake.ErrUnsupported, func(_ bucket, f *lake.DataFile, _ []byte) {
			f.Mapping = &lake.NameMapping{Fields: map[lake.FieldID]lake.MappedField{1: {Name: "a"}, 2: {Name: "s", InPath: true}}}
		}},
		{"outside", `"f.parquet" lies outside`, lake.ErrUnsupported, func(_ bucket, f *lake.DataFile, _ []byte) { f.Absolute = true }},
		{"not Parquet", "does not end", lake.ErrCorrupt, func(store bucket, f *lake.DataFile, _ []byte) {
			store.put(t, "text", []byte("a,b,c\n1,2,3\n"))
			f.Path, f.Bytes = "text", 12
		}},
		{"empty", "0 bytes", lake.ErrCorrupt, func(store bucket, f *lake.DataFile, _ []byte) {
			store.put(t, "empty", nil)
			f.Path, f.Bytes = "empty", 0
		}},
		{"cut off", "", lake.ErrCorrupt, func(store bucket, f *lake.DataFile, data []byte) {
			store.put(t, "cut", data[len(data)/2:])
			f.Path, f.Bytes = "cut", 0
		}},
		{"footer longer than the file", "does not fit", lake.ErrCorrupt, func(store bucket, f *lake.DataFile, _ []byte) {
			store.put(t, "long", []byte("PAR1\xff\xff\xff\x0fPAR1"))
			f.Path, f.Bytes = "long", 0
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer alloc.AssertSize(t, 0)
			store, columns, file, data := sample(t, 100)
			c.change(store, file, data)
			err := scanError(t, store, alloc, scanOf(columns, file))
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, `data file `+file.Path+` of table "t"`)
		})
	}
}

// TestMissingFileIsFoundByItsFirstRead reads from a store that opens objects
// whose length it is given without looking for them.
func TestMissingFileIsFoundByItsFirstRead(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 100)
	missing := fault.New(store, fault.Options{})
	missing.Inject(fault.Fault{Op: fault.OpReadAt, Err: lake.Errorf(lake.KindNotFound, "no such object")})
	err := scanError(t, missing, memory.NewGoAllocator(), scanOf(columns, file))
	require.ErrorIs(t, err, lake.ErrCorrupt)
	require.EqualError(t, err, `read data file f.parquet of table "t": the object is missing`)
}

// opened is a store, or what lies outside of it, that records what was opened.
type opened struct {
	objstore.Bucket
	keys []string
	know []int64
}

func (b *opened) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	b.keys, b.know = append(b.keys, key), append(b.know, o.Bytes)
	return b.Bucket.Open(ctx, strings.TrimPrefix(key, "/"), o)
}

func TestOnlyWhatTheCatalogSaysIsOutsideIsReadThere(t *testing.T) {
	t.Parallel()
	for _, absolute := range []bool{false, true} {
		store, columns, file, data := sample(t, 100)
		deletes := encode(t, fromJSON(t, memory.DefaultAllocator, []lake.Column{column(1, "pos", lake.TypeInt64)}, `[{"pos":3},{"pos":5}]`))
		store.put(t, "d.parquet", deletes)
		inside, outside := &opened{Bucket: store}, &opened{Bucket: store}
		file.Deletes = []lake.Delete{{Path: "d.parquet", Bytes: int64(len(deletes))}}
		reads, other := inside, outside
		if absolute {
			reads, other = outside, inside
			file.Path, file.Absolute = "/f.parquet", true
			file.Deletes[0].Path, file.Deletes[0].Absolute = "/d.parquet", true
		}
		s := scanner.New(inside, nil, scanner.Options{}).WithOutside(outside)
		got := collect(t, s, memory.DefaultAllocator, scanOf(columns, file))
		require.EqualValues(t, 98, got.NumRows())
		got.Release()
		require.Equal(t, []string{file.Path, file.Deletes[0].Path}, reads.keys)
		require.Equal(t, []int64{int64(len(data)), int64(len(deletes))}, reads.know, "the lengths that the catalog knows")
		require.Empty(t, other.keys)
	}
}

// TestDistantRangesAreAskedForAtOnce holds each read of a column chunk back until
// there are two.
func TestDistantRangesAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	columns := []lake.Column{column(1, "a", lake.TypeInt64), column(2, "between", lake.TypeVarchar), column(3, "z", lake.TypeInt64)}
	between := make([]byte, objstore.GapBytesMax+1)
	_, _ = rand.NewChaCha8([32]byte{}).Read(between) // never fails
	batch := fromJSON(t, memory.DefaultAllocator, columns, fmt.Sprintf(`[{"a":1,"between":"%x","z":2}]`, between))
	defer batch.Release()
	store := newBucket()
	store.put(t, "f.parquet", encode(t, batch))
	scan := scanOf(columns, &lake.DataFile{Path: "f.parquet", Rows: 1})
	scan.Projection = []lake.FieldID{1, 3}

	var reads atomic.Int64
	both := make(chan struct{})
	held := fault.New(store, fault.Options{BeforeFunc: func(c fault.Call) error {
		if c.Op != fault.OpReadAt {
			return nil
		}
		switch reads.Add(1) {
		case 1: // of the footer
			return nil
		case 3:
			close(both)
		}
		select {
		case <-both:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("a range was read alone")
		}
	}})
	got := collect(t, scanner.New(held, nil, scanner.Options{Workers: 1}), memory.DefaultAllocator, scan)
	defer got.Release()
	require.EqualValues(t, 1, got.NumRows())
	require.EqualValues(t, 3, reads.Load())
}

// TestFlippedBytesLoseNoRows checks that a file of which some bytes are wrong gives an
// error of the right kind, or as many rows as it has: never a panic or a leak.
func TestFlippedBytesLoseNoRows(t *testing.T) {
	t.Parallel()
	_, columns, file, data := sample(t, 200)
	rapid.Check(t, func(t *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		bad := append([]byte{}, data...)
		for range rapid.IntRange(1, 4).Draw(t, "flips") {
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "mask"))
		}
		store := newBucket()
		store.put(t, file.Path, bad)
		rows, err := rowsOf(t, store, alloc, scanOf(columns, file))
		if err != nil {
			require.Contains(t, []lake.Kind{lake.KindCorrupt, lake.KindUnsupported}, lake.KindOf(err), "%v", err)
			return
		}
		require.Equal(t, file.Rows, rows)
	})
}

// TestFlippedBitsOfAFooterLoseNoRows flips each bit of the footer: a row group that says
// that it has fewer rows than its pages would lose the others.
func TestFlippedBitsOfAFooterLoseNoRows(t *testing.T) {
	t.Parallel()
	_, columns, file, data := sample(t, 200)
	footer := int(binary.LittleEndian.Uint32(data[len(data)-8:])) + 8
	for at := len(data) - footer; at < len(data); at++ {
		for bit := range 8 {
			bad := append([]byte{}, data...)
			bad[at] ^= 1 << bit
			store := newBucket()
			store.put(t, file.Path, bad)
			if rows, err := rowsOf(t, store, memory.DefaultAllocator, scanOf(columns, file)); err == nil {
				require.Equal(t, file.Rows, rows, "bit %d of byte %d", bit, at)
			}
		}
	}
}

func TestFooterIsReadAtOnceOrAgain(t *testing.T) {
	t.Parallel()
	store, columns, file, data := sample(t, 100)
	for _, footer := range []int64{0, 1, 9, int64(len(data)), 1 << 40} {
		file.FooterBytes = footer
		require.NoError(t, scanError(t, store, memory.DefaultAllocator, scanOf(columns, file)))
	}
}

// slowBucket counts reads and blocks them, until the context ends, after some.
type slowBucket struct {
	objstore.Bucket
	left  atomic.Int64
	reads atomic.Int64
}

type slowReader struct {
	objstore.Reader
	bucket *slowBucket
}

func (b *slowBucket) Open(ctx context.Context, key string, o objstore.OpenOptions) (objstore.Reader, error) {
	r, err := b.Bucket.Open(ctx, key, o)
	return slowReader{r, b}, err
}

func (r slowReader) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	r.bucket.reads.Add(1)
	if r.bucket.left.Add(-1) < 0 {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return r.Reader.ReadAt(ctx, p, offset)
}

func TestCancelledScanEnds(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	store, columns, file, _ := sample(t, 1000)
	slow := &slowBucket{Bucket: store}
	slow.left.Store(4)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r, err := scanner.New(slow, alloc, scanner.Options{}).Scan(ctx, scanOf(columns, file))
	require.NoError(t, err)
	defer r.Release()
	for r.Next() {
	}
	require.ErrorIs(t, r.Err(), context.DeadlineExceeded)
}

func TestReleaseEndsAScanThatIsStuck(t *testing.T) {
	t.Parallel()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer alloc.AssertSize(t, 0)
	store, columns, file, _ := sample(t, 1000)
	slow := &slowBucket{Bucket: store}
	slow.left.Store(3)
	// A second worker could use up the reads before the first batch has had its.
	r, err := scanner.New(slow, alloc, scanner.Options{Workers: 1}).Scan(context.Background(), scanOf(columns, file))
	require.NoError(t, err)
	require.True(t, r.Next())
	r.Release()
}

func TestConsumerOfASetStopsWaiting(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 100)
	slow := &slowBucket{Bucket: store}
	set, err := scanner.New(slow, nil, scanner.Options{}).Open(context.Background(), scanOf(columns, file))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = set.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	set.Close()
	set.Close()
	_, err = set.Next(context.Background())
	require.ErrorIs(t, err, io.EOF)
}

// TestLimitReadsLittle has 50 row groups of which one is enough.
func TestLimitReadsLittle(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 5000)
	counting := &slowBucket{Bucket: store}
	counting.left.Store(1 << 40)
	scan := scanOf(columns, file)
	scan.Limit = 10
	r, err := scanner.New(counting, nil, scanner.Options{ReadAheadBytes: 1}).Scan(context.Background(), scan)
	require.NoError(t, err)
	require.True(t, r.Next())
	require.Equal(t, int64(10), r.RecordBatch().NumRows())
	require.False(t, r.Next())
	require.NoError(t, r.Err())
	r.Release()
	require.Less(t, counting.reads.Load(), int64(25))
}

// TestFilterSkipsColumnsOfGroupsWithoutMatch counts the bytes that are read.
func TestFilterSkipsColumnsOfGroupsWithoutMatch(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 1000)
	counting := &slowBucket{Bucket: store}
	counting.left.Store(1 << 40)
	scan := scanOf(columns, file)
	scan.Residual = expr.Compare{Field: 1, Type: lake.Type{ID: lake.TypeInt64}, Op: expr.OpGreater, Value: lake.Value{Int: 1000}}
	r, err := scanner.New(counting, nil, scanner.Options{}).Scan(context.Background(), scan)
	require.NoError(t, err)
	require.False(t, r.Next())
	r.Release()
	require.Equal(t, int64(11), counting.reads.Load(), "the footer, and one column of ten row groups")
}

// peak is an allocator that remembers the most bytes in use.
type peak struct {
	memory.Allocator
	used, most atomic.Int64
}

func (p *peak) add(n int) {
	used := p.used.Add(int64(n))
	for most := p.most.Load(); used > most && !p.most.CompareAndSwap(most, used); most = p.most.Load() {
	}
}

func (p *peak) Allocate(n int) []byte {
	p.add(n)
	return p.Allocator.Allocate(n)
}

func (p *peak) Reallocate(n int, b []byte) []byte {
	p.add(n - len(b))
	return p.Allocator.Reallocate(n, b)
}

func (p *peak) Free(b []byte) {
	p.add(-len(b))
	p.Allocator.Free(b)
}

func TestSlowConsumerBoundsReadAhead(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 20_000)
	const budget = 64 << 10
	alloc := &peak{Allocator: memory.NewGoAllocator()}
	s := scanner.New(store, alloc, scanner.Options{ReadAheadBytes: budget, Workers: 4})
	for _, ordered := range []bool{true, false} {
		set, err := s.Open(context.Background(), scanOf(columns, file))
		require.NoError(t, err)
		next := func() bool {
			b, err := set.Next(context.Background())
			if err == nil {
				b.Release()
			}
			return err == nil
		}
		if ordered {
			r, err := s.Scan(context.Background(), scanOf(columns, file))
			require.NoError(t, err)
			defer r.Release()
			next = r.Next
		}
		for range 3 {
			require.True(t, next())
			time.Sleep(5 * time.Millisecond) // gives the workers time to run ahead too far
		}
		for next() {
		}
		set.Close()
	}
	// What is in hand, plus what four workers are decoding: about 10 KiB a row group.
	require.Less(t, alloc.most.Load(), int64(8*budget))
}

// TestStalledScansShareTheReadAhead has many clients that read one batch and then
// none, and then go on one after the other.
func TestStalledScansShareTheReadAhead(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 20_000)
	for name, c := range map[string]struct {
		total int64
		bound func(most, unbound int64) bool
	}{
		"each has room":   {1 << 30, func(most, unbound int64) bool { return most >= unbound }},
		"together little": {64 << 10, func(most, unbound int64) bool { return most < unbound/2 }},
		"none has room":   {1, func(most, unbound int64) bool { return most < unbound/2 }},
	} {
		const scans = 16
		alloc := &peak{Allocator: memory.NewGoAllocator()}
		s := scanner.New(store, alloc, scanner.Options{ReadAheadTotalBytes: c.total, Workers: 2})
		var readers []array.RecordReader
		var rows int64
		for range scans {
			r, err := s.Scan(t.Context(), scanOf(columns, file))
			require.NoError(t, err)
			require.True(t, r.Next(), name)
			rows += r.RecordBatch().NumRows()
			readers = append(readers, r)
		}
		time.Sleep(100 * time.Millisecond) // gives the workers time to run ahead too far
		held := alloc.used.Load()
		for _, r := range slices.Backward(readers) {
			for r.Next() {
				rows += r.RecordBatch().NumRows()
			}
			require.NoError(t, r.Err(), name)
			r.Release()
		}
		require.EqualValues(t, scans*20_000, rows, name)
		require.True(t, c.bound(held, scans*wholeSize(t, store, columns, file)), "%s: %d bytes are held", name, held)
		require.Zero(t, alloc.used.Load(), name)
	}
}

// wholeSize returns about how many bytes the rows of a file are in memory.
func wholeSize(t *testing.T, store objstore.Bucket, columns []lake.Column, file *lake.DataFile) int64 {
	t.Helper()
	alloc := &peak{Allocator: memory.NewGoAllocator()}
	r, err := scanner.New(store, alloc, scanner.Options{}).Scan(t.Context(), scanOf(columns, file))
	require.NoError(t, err)
	defer r.Release()
	var batches []arrow.RecordBatch
	for r.Next() {
		r.RecordBatch().Retain()
		batches = append(batches, r.RecordBatch())
	}
	require.NoError(t, r.Err())
	size := alloc.used.Load()
	for _, b := range batches {
		b.Release()
	}
	return size / 2
}

func TestScanRefusesWhatTheTableLacks(t *testing.T) {
	t.Parallel()
	store, columns, file, _ := sample(t, 100)
	scan := scanOf(columns, file)
	scan.Projection = []lake.FieldID{99}
	require.ErrorIs(t, scanError(t, store, memory.DefaultAllocator, scan), lake.ErrInvalid)
	scan.Projection = nil
	scan.Residual = expr.IsNull{Field: 99}
	require.ErrorIs(t, scanError(t, store, memory.DefaultAllocator, scan), lake.ErrInvalid)
	scan.Residual = expr.Opaque{Text: "f(a)"}
	require.ErrorIs(t, scanError(t, store, memory.DefaultAllocator, scan), lake.ErrUnsupported)
}

func TestPoolReusesZeroedBuffers(t *testing.T) {
	t.Parallel()
	p := scanner.NewPool()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100_000).Draw(t, "n")
		b := p.Allocate(n)
		require.Len(t, b, n)
		m := rapid.IntRange(0, 200_000).Draw(t, "m")
		for i := range b {
			require.Zero(t, b[i])
			b[i] = 0xFF
		}
		b = p.Reallocate(m, b)
		require.Len(t, b, m)
		for i := n; i < m; i++ {
			require.Zero(t, b[i])
		}
		for i := range min(n, m) {
			require.Equal(t, byte(0xFF), b[i])
		}
		p.Free(b)
	})
}

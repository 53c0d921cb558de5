package ipcverify_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/internal/ipcverify"
)

// message is one message of a stream.
type message struct{ metadata, body []byte }

// messagesOf splits an IPC stream as Flight sends it.
func messagesOf(tb testing.TB, data []byte) []message {
	tb.Helper()
	var out []message
	for len(data) >= 8 {
		size := int(binary.LittleEndian.Uint32(data[4:]))
		if size == 0 {
			break
		}
		metadata := data[8 : 8+size]
		m := flatMessage(metadata)
		out = append(out, message{slices.Clone(metadata), slices.Clone(data[8+size : 8+size+m])})
		data = data[8+size+m:]
	}
	return out
}

// flatMessage returns the bodyLength of a message that arrow-go wrote.
func flatMessage(metadata []byte) int {
	at := int(binary.LittleEndian.Uint32(metadata))
	vtable := at - int(int32(binary.LittleEndian.Uint32(metadata[at:])))
	if int(binary.LittleEndian.Uint16(metadata[vtable:])) < 12 {
		return 0
	}
	offset := int(binary.LittleEndian.Uint16(metadata[vtable+10:]))
	if offset == 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint64(metadata[at+offset:]))
}

func streamOf(tb testing.TB, schema *arrow.Schema, rows int, options ...ipc.Option) []message {
	tb.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range rows {
		for _, f := range b.Fields() {
			if i%3 == 1 {
				f.AppendNull()
			} else {
				f.AppendEmptyValue()
			}
		}
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, append(options, ipc.WithSchema(schema))...)
	require.NoError(tb, w.Write(batch))
	require.NoError(tb, w.Write(batch))
	require.NoError(tb, w.Close())
	return messagesOf(tb, buf.Bytes())
}

func leaves() []arrow.DataType {
	return []arrow.DataType{
		arrow.Null, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Float32,
		arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary, arrow.BinaryTypes.StringView, arrow.BinaryTypes.BinaryView,
		&arrow.Decimal128Type{Precision: 10, Scale: 2}, &arrow.Decimal256Type{Precision: 60, Scale: -2}, &arrow.FixedSizeBinaryType{ByteWidth: 3},
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time64ns, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		arrow.FixedWidthTypes.Duration_ms, arrow.FixedWidthTypes.MonthDayNanoInterval, arrow.FixedWidthTypes.DayTimeInterval, arrow.FixedWidthTypes.Float16,
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
	}
}

func anyType(depth int) *rapid.Generator[arrow.DataType] {
	return rapid.Custom(func(t *rapid.T) arrow.DataType {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 || kind < 3 {
			return rapid.SampledFrom(leaves()).Draw(t, "leaf")
		}
		child := func() arrow.DataType { return anyType(depth-1).Draw(t, "child") }
		switch kind {
		case 3:
			return arrow.ListOf(child())
		case 4:
			return arrow.LargeListOf(child())
		case 5:
			return arrow.FixedSizeListOf(2, child())
		case 6:
			return arrow.StructOf(arrow.Field{Name: "x", Type: child(), Nullable: true}, arrow.Field{Name: "y", Type: child(), Nullable: true})
		case 7:
			return arrow.MapOf(arrow.BinaryTypes.String, child())
		case 8:
			return arrow.ListViewOf(child())
		default:
			return arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, rapid.SampledFrom(leaves()[1:8]).Draw(t, "values"))
		}
	})
}

func limits() ipcverify.Limits {
	return ipcverify.Limits{DepthMax: 64, FieldsMax: 10_000, BytesMax: 1 << 20, DictionaryBytesMax: 1 << 20}
}

func verify(messages []message) error {
	v := ipcverify.New(limits())
	for i, m := range messages {
		if _, err := v.Message(m.metadata, m.body); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

func TestWhatArrowWritesPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var fields []arrow.Field
		for i := range rapid.IntRange(0, 4).Draw(rt, "fields") {
			fields = append(fields, arrow.Field{
				Name: fmt.Sprint(i, rapid.String().Draw(rt, "name")), Type: anyType(3).Draw(rt, "type"), Nullable: true,
				Metadata: arrow.NewMetadata([]string{"k"}, []string{rapid.String().Draw(rt, "value")}),
			})
		}
		var options []ipc.Option
		switch rapid.IntRange(0, 2).Draw(rt, "compression") {
		case 1:
			options = append(options, ipc.WithLZ4())
		case 2:
			options = append(options, ipc.WithZstd())
		}
		messages := streamOf(t, arrow.NewSchema(fields, nil), rapid.IntRange(0, 20).Draw(rt, "rows"), options...)
		require.NoError(rt, verify(messages))
	})
}

// put returns b with 8 bytes replaced.
func put(b []byte, at int, v uint64) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint64(b[at:], v)
	return b
}

func TestLengthsThatNothingBacksAreRefused(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "v", Type: arrow.BinaryTypes.StringView, Nullable: true}}, nil)
	messages := streamOf(t, schema, 1000, ipc.WithZstd())
	require.NoError(t, verify(messages))
	batch := messages[1]
	refused := 0
	for _, huge := range []uint64{1 << 40, 1 << 62, 1 << 63, ^uint64(0), ^uint64(1)} {
		for at := 0; at+8 <= len(batch.metadata); at++ { // every number of the metadata, and what is between
			err := verify([]message{messages[0], {put(batch.metadata, at, huge), batch.body}})
			if err != nil {
				refused++
			}
		}
		for at := 0; at+8 <= len(batch.body); at += 8 {
			if binary.LittleEndian.Uint64(batch.body[at:]) != 8000 { // the length of the compressed values
				continue
			}
			err := verify([]message{messages[0], {batch.metadata, put(batch.body, at, huge)}})
			if huge == ^uint64(0) { // stands for a buffer that is not compressed
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
		}
	}
	require.Greater(t, refused, 100)
	_, err := ipcverify.New(limits()).Message(batch.metadata, batch.body)
	require.ErrorContains(t, err, "before the schema")
	require.ErrorContains(t, verify([]message{messages[0], messages[0]}), "second schema")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	deep := arrow.ListOf(arrow.PrimitiveTypes.Int8)
	for range 62 {
		deep = arrow.ListOf(deep)
	}
	stream := func(t arrow.DataType) []message {
		var buf bytes.Buffer
		w := ipc.NewWriter(&buf, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: "a", Type: t}}, nil)))
		_ = w.Close()
		return messagesOf(nil2{}, buf.Bytes())
	}
	require.NoError(t, verify(stream(deep)))
	require.ErrorIs(t, verify(stream(arrow.ListOf(deep))), ipcverify.ErrLimit)
	for range 20_000 {
		deep = arrow.ListOf(deep)
	}
	require.ErrorIs(t, verify(stream(deep)), ipcverify.ErrLimit)
	fields := make([]arrow.Field, 10_001)
	for i := range fields {
		fields[i] = arrow.Field{Name: strconv.Itoa(i), Type: arrow.PrimitiveTypes.Int8}
	}
	require.ErrorIs(t, verify(stream(arrow.StructOf(fields...))), ipcverify.ErrLimit)
	zeros := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil)
	require.ErrorIs(t, verify(streamOf(t, zeros, 1<<18, ipc.WithZstd())), ipcverify.ErrLimit, "2 MiB of zeros")
	nulls := streamOf(t, arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.Null, Nullable: true}}, nil), 1000)
	many := bytes.ReplaceAll(nulls[1].metadata, binary.LittleEndian.AppendUint64(nil, 1000), binary.LittleEndian.AppendUint64(nil, 1<<30))
	require.ErrorIs(t, verify([]message{nulls[0], {many, nil}}), ipcverify.ErrLimit)
}

// nil2 is a testing.TB for helpers that cannot fail.
type nil2 struct{ testing.TB }

func (nil2) Helper() {}

// reader hands messages to arrow-go as Flight does.
type reader struct {
	messages []message
}

func (r *reader) Recv() (*flight.FlightData, error) {
	if len(r.messages) == 0 {
		return nil, io.EOF
	}
	m := r.messages[0]
	r.messages = r.messages[1:]
	return &flight.FlightData{DataHeader: m.metadata, DataBody: m.body}, nil
}

// read has arrow-go read messages, and returns the bytes that it allocated.
func read(messages []message) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	func() {
		defer func() { _ = recover() }() // which callers do
		rd, err := flight.NewRecordReader(&reader{messages: messages})
		if err != nil {
			return
		}
		defer rd.Release()
		for rd.Next() {
		}
	}()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzVerify has arrow-go read what passes: it must not allocate more than a limit allows,
// whatever the messages say. The numbers of a valid stream are replaced.
func FuzzVerify(f *testing.F) {
	var all []arrow.Field
	for i, t := range leaves() {
		all = append(all, arrow.Field{Name: strconv.Itoa(i), Type: t, Nullable: true}, arrow.Field{Name: "l" + strconv.Itoa(i), Type: arrow.ListOf(t), Nullable: true})
	}
	var streams [][]message
	for _, options := range [][]ipc.Option{nil, {ipc.WithZstd()}, {ipc.WithLZ4()}} {
		streams = append(streams, streamOf(f, arrow.NewSchema(all, nil), 9, options...), streamOf(f, arrow.NewSchema(all[:6], nil), 3, options...))
	}
	f.Add(uint8(0), uint8(1), uint16(40), uint64(1<<40), uint16(48), uint64(1))
	f.Add(uint8(2), uint8(0), uint16(20), uint64(0xffff), uint16(99), uint64(1<<32))
	f.Fuzz(func(t *testing.T, stream, number uint8, at uint16, value uint64, atOther uint16, other uint64) {
		messages := slices.Clone(streams[int(stream)%len(streams)])
		m := &messages[int(number)%len(messages)]
		metadata, body := slices.Clone(m.metadata), slices.Clone(m.body)
		for _, edit := range []struct {
			at    uint16
			value uint64
		}{{at, value}, {atOther, other}} {
			target := metadata
			if edit.at%4 == 0 && len(body) >= 8 {
				target = body
			}
			binary.LittleEndian.PutUint64(target[int(edit.at)%(len(target)-7):], edit.value)
		}
		m.metadata, m.body = metadata, body
		if verify(messages) != nil {
			return
		}
		require.Less(t, read(messages), uint64(64<<20))
	})
}

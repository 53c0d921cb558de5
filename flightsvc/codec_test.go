package flightsvc

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// frames cuts b as the transport may.
func frames(t *rapid.T, b []byte) mem.BufferSlice {
	var out mem.BufferSlice
	for len(b) > 0 {
		n := rapid.IntRange(1, len(b)).Draw(t, "frame")
		out = append(out, mem.SliceBuffer(b[:n]))
		b = b[n:]
	}
	return out
}

func TestIncomingEqualsProtobuf(t *testing.T) {
	t.Parallel()
	c := newCodec()
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOf(rapid.Byte())
		want := &flight.FlightData{DataHeader: some.Draw(t, "header"), AppMetadata: some.Draw(t, "app"), DataBody: some.Draw(t, "body")}
		if rapid.Bool().Draw(t, "descriptor") {
			want.FlightDescriptor = &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: some.Draw(t, "cmd")}
		}
		b, err := proto.Marshal(want)
		require.NoError(t, err)
		var got flight.FlightData
		require.NoError(t, c.Unmarshal(frames(t, b), &got))
		require.True(t, proto.Equal(want, &got))
	})
}

func TestIncomingNeverTrustsLengths(t *testing.T) {
	t.Parallel()
	c := newCodec()
	huge := protowire.AppendVarint(protowire.AppendTag(nil, dataBodyField, protowire.BytesType), 1<<60)
	for name, b := range map[string][]byte{
		"length beyond the message": huge, "cut tag": {0x80}, "cut length": {0x12, 0x80}, "field number 0": {2, 1, 0},
	} {
		var fd flight.FlightData
		require.Error(t, c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &fd), name)
	}
	var fd flight.FlightData
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 5)
	require.NoError(t, c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(unknown)}, &fd), "unknown fields are skipped, as protobuf asks")
}

func FuzzIncoming(f *testing.F) {
	c := newCodec()
	f.Add([]byte{0x12, 1, 7})
	f.Add([]byte{0xc2, 0x3e, 1, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want flight.FlightData
		err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &got)
		if proto.Unmarshal(b, &want) != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want.GetDataBody(), got.GetDataBody())
		require.Equal(t, want.GetDataHeader(), got.GetDataHeader())
	})
}

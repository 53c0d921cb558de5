package flightsvc

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of FlightData (Flight.proto).
const (
	dataHeaderField = 2
	dataBodyField   = 1000
)

// messageBytesLimit is the largest message gRPC can frame here.
const messageBytesLimit = math.MaxInt32

// outgoing is a FlightData whose body is still in the buffers of the record
// batch. The codec copies it straight into the transport's buffer, where
// flight.Writer would copy it twice on its way (measured: see bench/results).
type outgoing struct {
	header []byte
	parts  [][]byte // of the body, in order, padding included
	size   int      // bytes of all parts
}

// Write takes a part of the body without copying it. The parts are borrowed
// from the ipc.Payload and must be sent before that is released.
func (o *outgoing) Write(p []byte) (int, error) {
	o.parts = append(o.parts, p)
	o.size += len(p)
	return len(p), nil
}

// load fills o with payload, whose buffers it borrows.
func (o *outgoing) load(payload *ipc.Payload) error {
	o.parts, o.size = o.parts[:0], 0
	meta := payload.Meta()
	defer meta.Release()
	o.header = meta.Bytes()
	if err := payload.SerializeBody(o); err != nil {
		return fmt.Errorf("lay out record batch: %w", err)
	}
	return nil
}

// marshal returns the protobuf form of o in one buffer of gRPC's pool.
func (o *outgoing) marshal() mem.BufferSlice {
	size := protowire.SizeTag(dataHeaderField) + protowire.SizeBytes(len(o.header)) +
		protowire.SizeTag(dataBodyField) + protowire.SizeBytes(o.size)
	buf := messageBuffers.Get(size)
	b := (*buf)[:0]
	b = protowire.AppendTag(b, dataHeaderField, protowire.BytesType)
	b = protowire.AppendBytes(b, o.header)
	b = protowire.AppendTag(b, dataBodyField, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(o.size))
	for _, p := range o.parts {
		b = append(b, p...)
	}
	*buf = b
	return mem.BufferSlice{mem.NewBuffer(buf, messageBuffers)}
}

// codec is gRPC's protobuf codec, which also takes *outgoing.
type codec struct {
	encoding.CodecV2
}

func newCodec() encoding.CodecV2 {
	return codec{CodecV2: encoding.GetCodecV2(proto.Name)}
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if o, ok := v.(*outgoing); ok {
		return o.marshal(), nil
	}
	return c.CodecV2.Marshal(v)
}

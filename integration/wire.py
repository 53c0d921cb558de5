"""Flight SQL as bytes: streams that no client library would send."""

import struct

import grpc
import pyarrow as pa

DO_PUT = "/arrow.flight.protocol.FlightService/DoPut"
GET_FLIGHT_INFO = "/arrow.flight.protocol.FlightService/GetFlightInfo"
DO_GET = "/arrow.flight.protocol.FlightService/DoGet"
DO_ACTION = "/arrow.flight.protocol.FlightService/DoAction"
STATEMENT_TYPE = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
INGEST_TYPE = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementIngest"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(*fields):
    """A protobuf message of (number, value) with int, str, bytes or a message's bytes."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        value = value.encode() if isinstance(value, str) else value
        out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def any_of(type_url, value):
    """A google.protobuf.Any."""
    return message((1, type_url), (2, value))


def descriptor(command):
    """A FlightDescriptor of type CMD."""
    return message((1, 2), (2, command))


def ingest_command(table, exists=2):
    """CommandStatementIngest: create if missing; exists 1 fails, 2 appends, 3 replaces."""
    options = message((1, 1), (2, exists))
    return any_of(INGEST_TYPE, message((1, options), (2, table)))


def ipc_messages(table, compression=None):
    """The (header, body) pairs of a table's IPC stream, schema first."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data, at, out = sink.getvalue().to_pybytes(), 0, []
    reader = pa.ipc.MessageReader.open_stream(data)
    for item in reader:
        size = struct.unpack_from("<i", data, at + 4)[0]
        header = data[at + 8 : at + 8 + size]
        body = item.body.to_pybytes() if item.body is not None else b""
        at += 8 + size + len(body)
        out.append((header, body))
    return out


def flight_data(header, body=b"", first=None):
    """A FlightData message; first is the descriptor that opens a DoPut."""
    fields = [(1, first)] if first is not None else []
    return message(*fields, (2, header), (1000, body))


class Raw:
    """A gRPC channel that sends and receives bytes as they are."""

    def __init__(self, uri):
        self.channel = grpc.insecure_channel(uri.split("://", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def put(self, messages, timeout=30):
        """Send a DoPut; return the status code and the error kind, both None if it succeeded."""
        call = self.channel.stream_stream(DO_PUT)(iter(messages), timeout=timeout)
        return outcome(call)

    def unary_stream(self, method, request, timeout=30):
        return outcome(self.channel.unary_stream(method)(request, timeout=timeout))

    def unary(self, method, request, timeout=30):
        try:
            self.channel.unary_unary(method)(request, timeout=timeout)
        except grpc.RpcError as error:
            return failure(error)
        return None, None


def outcome(call):
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return failure(error)
    return None, None


def failure(error):
    return error.code().name, dict(error.trailing_metadata() or ()).get("flightlake-error-kind")

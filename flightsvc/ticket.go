package flightsvc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/flightlake/flightlake/lake"
)

// sealVersion is the first byte of every ticket and handle.
const sealVersion = 1

// macBytes is the length of the HMAC-SHA256 that ends every ticket and handle.
const macBytes = sha256.Size

// purpose tells tickets from handles, so that one is never taken for the other.
type purpose byte

// The purposes.
const (
	purposeQuery    purpose = 1 // ticket: run a query at a snapshot
	purposeUpdate   purpose = 2 // ticket: the outcome of an update that has run
	purposePrepared purpose = 3 // handle of a prepared statement
)

// sealed is the content of a ticket or a handle. It is complete in itself:
//
//	purpose       Schema SQL Params   Snapshot  Rows      Update, ParamCount
//	query ticket  yes                 read      unknown   no
//	update ticket no                  written   changed   no
//	handle        yes, if bound       no        no        yes
type sealed struct {
	Purpose    purpose
	Schema     string // default schema of the statement
	SQL        string
	Params     []byte // bound rows as an IPC stream; empty if none are bound
	Snapshot   lake.SnapshotID
	Rows       int64
	Update     bool
	ParamCount int64 // parameters of the statement
}

// sealer makes and opens tickets and handles. Layout:
//
//	version u8, purpose u8, update u8, snapshot varint, rows varint, paramCount varint,
//	schema, sql, params (each: length uvarint, bytes), HMAC-SHA256 of all before
type sealer struct {
	key []byte
}

// seal returns the opaque form of v.
func (s sealer) seal(v sealed) []byte {
	b := make([]byte, 0, 64+len(v.Schema)+len(v.SQL)+len(v.Params)+macBytes)
	update := byte(0)
	if v.Update {
		update = 1
	}
	b = append(b, sealVersion, byte(v.Purpose), update)
	b = binary.AppendVarint(b, int64(v.Snapshot))
	b = binary.AppendVarint(b, v.Rows)
	b = binary.AppendVarint(b, v.ParamCount)
	b = appendBytes(b, []byte(v.Schema))
	b = appendBytes(b, []byte(v.SQL))
	b = appendBytes(b, v.Params)
	return append(b, s.mac(b)...)
}

// open returns the content of an opaque ticket or handle.
//
// Errors: KindInvalid for anything that this server's key did not seal, or that
// was sealed for another purpose.
func (s sealer) open(b []byte, want ...purpose) (sealed, error) {
	if len(b) < 3+macBytes {
		return sealed{}, errForeign("it is too short")
	}
	if b[0] != sealVersion {
		return sealed{}, errForeign("its version is unknown")
	}
	body, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(mac, s.mac(body)) {
		return sealed{}, errForeign("its signature is wrong; another server or an earlier run may have made it")
	}
	v, ok := decodeSealed(body)
	if !ok {
		return sealed{}, errForeign("it is malformed")
	}
	for _, p := range want {
		if v.Purpose == p {
			return v, nil
		}
	}
	return sealed{}, errForeign("it was made for another call")
}

func (s sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(body)
	return h.Sum(nil)
}

func errForeign(why string) error {
	return lake.Errorf(lake.KindInvalid, "the ticket or handle is not of this server: %s", why)
}

// decodeSealed decodes an authenticated body. Params aliases body.
func decodeSealed(body []byte) (sealed, bool) {
	d := decoder{rest: body[1:]}
	v := sealed{Purpose: purpose(d.byte()), Update: d.byte() == 1}
	v.Snapshot = lake.SnapshotID(d.varint())
	v.Rows = d.varint()
	v.ParamCount = d.varint()
	v.Schema = string(d.bytes())
	v.SQL = string(d.bytes())
	v.Params = d.bytes()
	return v, !d.bad && len(d.rest) == 0
}

// decoder reads the fields of a body; bad is set once the body is too short.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	size, n := binary.Uvarint(d.rest)
	if n <= 0 || size > uint64(len(d.rest)-n) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[n : n+int(size)]
	d.rest = d.rest[n+int(size):]
	return b
}

func appendBytes(b, field []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

package flightsvc

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

// sealVersion is the first byte of everything sealed. Version 1 had neither
// statement id nor expiry, and version 2 no oldest snapshot.
const sealVersion = 3

// macBytes is the length of the HMAC-SHA256 that ends everything sealed.
const macBytes = sha256.Size

// purpose tells tickets, handles and tokens apart, so that one is never taken
// for the other.
type purpose byte

// The purposes.
const (
	purposeQuery    purpose = 1 // ticket: run a query at a snapshot
	purposeUpdate   purpose = 2 // ticket: the outcome of an update that has run
	purposePrepared purpose = 3 // handle of a prepared statement
	purposePoll     purpose = 4 // descriptor: ask for a statement that goes on without its call
	purposeSession  purpose = 5 // bearer token or cookie: names a session
)

// sealed is the content of a ticket or a handle. It is complete in itself:
//
//	purpose       SQL Schema Params  ID Snapshot  Time View Part  Rows     Update ParamCount Transaction  Expires
//	query ticket  yes                yes read     yes             unknown  no                no           yes
//	update ticket no                 yes written  no              changed  no                no           yes
//	handle        yes, if bound      no           no              no       yes               if any       no
//	poll handle   no                 yes          no              no       no                no           yes
type sealed struct {
	Purpose     purpose
	Expires     time.Time // to the second; zero means never
	ID          statement.ID
	Snapshot    lake.SnapshotID
	Oldest      lake.SnapshotID // that the query reads; Snapshot or older
	Time        time.Time       // what now() is; zero in all but query tickets
	View        statement.ViewID
	Part        lake.Part
	Rows        int64
	Update      bool
	Naive       bool  // timestamps are sent without their zone
	ParamCount  int64 // parameters of the statement
	Transaction session.TransactionID
	Session     session.ID // whose client began the transaction; empty without one
	Schema      string     // default schema of the statement
	SQL         string
	Params      []byte // bound rows as an IPC stream; empty if none are bound
}

// The bits of a sealed statement's flags.
const (
	updateFlag = 1 << iota
	naiveFlag
)

// sealer makes and opens tickets, handles and tokens. Layout:
//
//	version u8, purpose u8, body, HMAC-SHA256 of all before
//
// The body of a session token is that of token. All others have
//
//	flags u8 (1 update, 2 naive), expires varint (s since 1970; 0 never), id,
//	snapshot varint, oldest varint, time varint (ns since 1970; 0 none), view,
//	part (fileFrom, rowGroupFrom, fileTo, rowGroupTo: varint), rows varint, paramCount varint,
//	transaction, session, schema, sql, params
//
// where text and bytes are: length uvarint, bytes.
type sealer struct {
	key []byte
}

// seal returns the opaque form of v.
func (s sealer) seal(v sealed) []byte {
	b := make([]byte, 0, 160+len(v.Schema)+len(v.SQL)+len(v.Params)+macBytes)
	return s.sign(v.appendTo(append(b, sealVersion, byte(v.Purpose))))
}

// open returns the content of an opaque ticket or handle. Whether it has expired
// is for the caller to see.
//
// Errors: KindInvalid for anything that this server's key did not seal, or that
// was sealed for another purpose.
func (s sealer) open(b []byte, want ...purpose) (sealed, error) {
	p, body, err := s.verify(b)
	if err != nil {
		return sealed{}, err
	}
	v, ok := decodeSealed(p, body)
	for _, w := range want {
		if p == w && ok {
			return v, nil
		}
		if p == w {
			return sealed{}, errForeign("it is malformed")
		}
	}
	return sealed{}, errForeign("it was made for another call")
}

// sign ends a sealed thing.
func (s sealer) sign(b []byte) []byte { return append(b, s.mac(b)...) }

// verify returns the purpose and the body of what this server's key signed.
//
// Errors: KindInvalid.
func (s sealer) verify(b []byte) (purpose, []byte, error) {
	if len(b) < 2+macBytes {
		return 0, nil, errForeign("it is too short")
	}
	if b[0] != sealVersion {
		return 0, nil, errForeign("its version is unknown")
	}
	signed, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(mac, s.mac(signed)) {
		return 0, nil, errForeign("its signature is wrong; another server or an earlier run may have made it")
	}
	return purpose(signed[1]), signed[2:], nil
}

func (s sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(body)
	return h.Sum(nil)
}

func errForeign(why string) error {
	return lake.Errorf(lake.KindInvalid, "the ticket or handle is not of this server: %s", why)
}

// expired reports whether v is no longer good at a time.
func (v *sealed) expired(now time.Time) bool { return !v.Expires.IsZero() && !now.Before(v.Expires) }

func (v *sealed) appendTo(b []byte) []byte {
	var flags byte
	if v.Update {
		flags |= updateFlag
	}
	if v.Naive {
		flags |= naiveFlag
	}
	b = append(b, flags)
	b = appendInts(b, unixOf(v.Expires, time.Second))
	b = appendText(b, string(v.ID))
	b = appendInts(b, int64(v.Snapshot), int64(v.Oldest), unixOf(v.Time, time.Nanosecond))
	b = appendText(b, string(v.View))
	b = appendInts(b, int64(v.Part.From.File), int64(v.Part.From.RowGroup), int64(v.Part.To.File), int64(v.Part.To.RowGroup))
	b = appendInts(b, v.Rows, v.ParamCount)
	b = appendText(b, string(v.Transaction))
	b = appendText(b, string(v.Session))
	b = appendText(b, v.Schema)
	b = appendText(b, v.SQL)
	return appendText(b, v.Params)
}

// decodeSealed decodes an authenticated body. Params aliases body.
func decodeSealed(p purpose, body []byte) (sealed, bool) {
	d := decoder{rest: body}
	flags := d.byte()
	v := sealed{Purpose: p, Update: flags&updateFlag != 0, Naive: flags&naiveFlag != 0}
	v.Expires = timeOf(d.varint(), time.Second)
	v.ID = statement.ID(d.bytes())
	v.Snapshot = lake.SnapshotID(d.varint())
	v.Oldest = lake.SnapshotID(d.varint())
	v.Time = timeOf(d.varint(), time.Nanosecond)
	v.View = statement.ViewID(d.bytes())
	v.Part.From = d.bound()
	v.Part.To = d.bound()
	v.Rows = d.varint()
	v.ParamCount = d.varint()
	v.Transaction = session.TransactionID(d.bytes())
	v.Session = session.ID(d.bytes())
	v.Schema = string(d.bytes())
	v.SQL = string(d.bytes())
	v.Params = d.bytes()
	return v, !d.bad && len(d.rest) == 0
}

// unixOf returns the units since 1970, and 0 for the zero time.
func unixOf(t time.Time, unit time.Duration) int64 {
	switch {
	case t.IsZero():
		return 0
	case unit == time.Second:
		return t.Unix()
	}
	return t.UnixNano()
}

// timeOf reverses unixOf.
func timeOf(n int64, unit time.Duration) time.Time {
	switch {
	case n == 0:
		return time.Time{}
	case unit == time.Second:
		return time.Unix(n, 0).UTC()
	}
	return time.Unix(0, n).UTC()
}

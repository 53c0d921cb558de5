package flightsvc

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/session"
	"github.com/flightlake/flightlake/statement"
)

func anySealed() *rapid.Generator[sealed] {
	return rapid.Custom(func(t *rapid.T) sealed {
		v := sealed{
			Purpose:     purpose(rapid.IntRange(1, 4).Draw(t, "purpose")),
			Expires:     timeOf(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "expires"), time.Second),
			ID:          statement.ID(rapid.String().Draw(t, "id")),
			Time:        timeOf(rapid.Int64().Draw(t, "time"), time.Nanosecond),
			View:        statement.ViewID(rapid.String().Draw(t, "view")),
			Part:        lake.Part{From: anyBound(t), To: anyBound(t)},
			Naive:       rapid.Bool().Draw(t, "naive"),
			Transaction: session.TransactionID(rapid.String().Draw(t, "transaction")),
			Session:     session.ID(rapid.String().Draw(t, "session")),
			Schema:      rapid.String().Draw(t, "schema"),
			SQL:         rapid.String().Draw(t, "sql"),
			Params:      rapid.SliceOf(rapid.Byte()).Draw(t, "params"),
			Snapshot:    lake.SnapshotID(rapid.Int64().Draw(t, "snapshot")),
			Oldest:      lake.SnapshotID(rapid.Int64().Draw(t, "oldest")),
			Rows:        rapid.Int64().Draw(t, "rows"),
			Update:      rapid.Bool().Draw(t, "update"),
			ParamCount:  rapid.Int64().Draw(t, "count"),
		}
		return v
	})
}

func anyBound(t *rapid.T) lake.Bound {
	return lake.Bound{File: lake.FileID(rapid.Int64().Draw(t, "file")), RowGroup: rapid.Int32().Draw(t, "group")}
}

func TestSealedRoundTrip(t *testing.T) {
	t.Parallel()
	s := sealer{key: []byte("key")}
	rapid.Check(t, func(t *rapid.T) {
		v := anySealed().Draw(t, "v")
		got, err := s.open(s.seal(v), v.Purpose)
		require.NoError(t, err)
		require.Equal(t, v, got)
	})
}

func TestChangedSealIsInvalid(t *testing.T) {
	t.Parallel()
	s := sealer{key: []byte("key")}
	b := s.seal(sealed{Purpose: purposeQuery, SQL: "SELECT 1", Snapshot: 3})
	for i := range b {
		forged := append([]byte{}, b...)
		forged[i] ^= 1
		_, err := s.open(forged, purposeQuery)
		require.ErrorIs(t, err, lake.ErrInvalid, "byte %d", i)
		_, err = s.open(b[:i], purposeQuery)
		require.ErrorIs(t, err, lake.ErrInvalid, "cut at %d", i)
	}
	_, err := s.open(b, purposePrepared, purposeUpdate)
	require.ErrorIs(t, err, lake.ErrInvalid, "a ticket is not a handle")
	_, err = sealer{key: []byte("other")}.open(b, purposeQuery)
	require.ErrorIs(t, err, lake.ErrInvalid)
}

func FuzzOpen(f *testing.F) {
	s := sealer{key: []byte("key")}
	f.Add([]byte{})
	f.Add([]byte{2, 1, 0, 2, 4, 6})
	f.Add(s.seal(sealed{Purpose: purposePrepared, SQL: "SELECT ?", Schema: "main", Params: []byte{1, 2}, ParamCount: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := s.open(b, purposeQuery, purposeUpdate, purposePrepared, purposePoll)
		if err != nil {
			require.ErrorIs(t, err, lake.ErrInvalid)
		}
		// The decoder behind the signature must not trust its input either.
		signed := append([]byte{sealVersion}, b...)
		signed = append(signed, s.mac(signed)...)
		v, err := s.open(signed, purposeQuery, purposeUpdate, purposePrepared, purposePoll)
		if err != nil {
			require.ErrorIs(t, err, lake.ErrInvalid)
			return
		}
		again, err := s.open(s.seal(v), v.Purpose)
		require.NoError(t, err)
		require.Equal(t, v.SQL, again.SQL)
	})
}

func TestTokenRoundTripAndItsLife(t *testing.T) {
	t.Parallel()
	s := sealer{key: []byte("key")}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	want := token{Session: "s", User: "ann", Issued: now, Expires: now.Add(time.Hour)}
	text := s.sealToken(want)
	got, err := s.openToken(text, now)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.False(t, got.stale(now.Add(30*time.Minute)))
	require.True(t, got.stale(now.Add(31*time.Minute)))
	_, err = s.openToken(text, now.Add(time.Hour))
	require.ErrorIs(t, err, lake.ErrUnauthenticated)
	require.NotContains(t, text, ";", "it must fit into a cookie")
}

func FuzzOpenToken(f *testing.F) {
	s := sealer{key: []byte("key")}
	now := time.Unix(1_800_000_000, 0)
	f.Add("")
	f.Add(tokenPrefix + "AgUA")
	f.Add(s.sealToken(token{Session: "s", User: "u", Issued: now, Expires: now.Add(time.Hour)}))
	f.Fuzz(func(t *testing.T, text string) {
		_, err := s.openToken(text, now)
		if err != nil {
			require.ErrorIs(t, err, lake.ErrUnauthenticated)
		}
		body := s.sign(append([]byte{sealVersion, byte(purposeSession)}, text...))
		if _, err = s.openToken(tokenPrefix+base64.RawURLEncoding.EncodeToString(body), now); err != nil {
			require.ErrorIs(t, err, lake.ErrUnauthenticated)
		}
	})
}

package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func TestBlobLiterals(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT X'0aFF', x''":                   `SELECT ('\x0A\xFF'::BLOB), (''::BLOB)`,
		"INSERT INTO t VALUES (X'00')":          `INSERT INTO t VALUES (('\x00'::BLOB))`,
		"SELECT 'X''00''', \"X'00'\" -- X'00'":  "SELECT 'X''00''', \"X'00'\"",
		"SELECT E'X\\'00', $$X'00'$$, xX'a' ":   "",
		"CREATE TABLE t (b BLOB DEFAULT x'41')": `CREATE TABLE t (b BLOB DEFAULT ('\x41'::BLOB))`,
	} {
		st, err := sqltext.Classify(sql)
		require.NoError(t, err, sql)
		if want != "" {
			require.Equal(t, want, st.Text)
		}
	}
	for _, sql := range []string{"SELECT X'0'", "SELECT X'0g'", "SELECT X'0 0'", "SELECT x'é'"} {
		_, err := sqltext.Classify(sql)
		require.ErrorIs(t, err, lake.ErrInvalid, sql)
		require.ErrorContains(t, err, "column 8")
	}
}

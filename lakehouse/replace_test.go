package lakehouse_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/statement"
)

// busyBucket calls busyFunc while an object of a table is written.
type busyBucket struct {
	objstore.Bucket
	table    string
	busyFunc func()
	calls    atomic.Int64
}

// Create implements objstore.Bucket.
func (b *busyBucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if strings.Contains(key, b.table) && b.calls.Add(1) == 1 {
		b.busyFunc()
	}
	return b.Bucket.Create(ctx, key)
}

// TestRowsThatComeWhileTheirTableIsReplacedAreKept appends to a table after
// CREATE OR REPLACE TABLE AS has read it and before it commits.
func TestRowsThatComeWhileTheirTableIsReplacedAreKept(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE OR REPLACE TABLE t AS SELECT i FROM t WHERE i >= 0":                "4",
		"CREATE OR REPLACE TABLE t AS SELECT i FROM other JOIN t USING (i)":        "4",
		"CREATE OR REPLACE TABLE t AS SELECT count(*) AS i FROM t":                 "1",
		"CREATE OR REPLACE TABLE t AS SELECT i FROM other":                         "10",
		"CREATE OR REPLACE TABLE t AS SELECT t.i FROM t AT (VERSION => 2), u":      "3",
		"CREATE OR REPLACE TABLE t AS SELECT u.i FROM u, (SELECT max(i) FROM t) m": "1",
	} {
		bucket := &busyBucket{Bucket: mem.New(mem.Options{}), table: "none"}
		b := setup(t, bucket)
		for _, create := range []string{"t AS SELECT i FROM range(3) r(i)", "other AS SELECT i FROM range(10) r(i)", "u AS SELECT 1 AS i"} {
			b.exec(t, "CREATE TABLE "+create)
		}
		bucket.busyFunc = func() { b.exec(t, "INSERT INTO t VALUES (3)") }
		bucket.table = "main/t/"
		_, err := b.Execute(t.Context(), statement.Statement{SQL: sql})
		require.NoError(t, err, sql)
		require.Equal(t, []string{want}, b.rows(t, "SELECT count(*) FROM t"), sql)
		if strings.Contains(sql, "count(*)") {
			require.Equal(t, []string{"4"}, b.rows(t, "FROM t"), sql)
		}
		staged, err := b.catalog.Staged(t.Context())
		require.NoError(t, err)
		require.Empty(t, staged, "the files of the first attempt are gone")
	}
}

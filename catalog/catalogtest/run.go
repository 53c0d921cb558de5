package catalogtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// Lake is one lake of a driver under test. Opening it again after Close must
// give the same catalog.
type Lake struct {
	// OpenFunc opens the catalog, creating it at first.
	OpenFunc func(t testing.TB, clk clock.Clock) catalog.Catalog
}

// Run checks a driver, part by part of the contract. newLake returns a lake that does not exist yet.
func Run(t *testing.T, newLake func(t testing.TB) Lake) {
	t.Helper()
	for part, tests := range map[string]map[string]func(*testing.T, Lake){
		"read": readTests(), "commit": commitTests(), "stage": stageTests(), "keep": keepTests(),
		"all": {"ClosedCatalogIsUnavailable": testClosedCatalogIsUnavailable, "CancelledContext": testCancelledContext},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, newLake(t))
				})
			}
		})
	}
}

// readTests are those of catalog.Reader.
func readTests() map[string]func(*testing.T, Lake) {
	return map[string]func(*testing.T, Lake){
		"FreshCatalog":                  testFreshCatalog,
		"AppendAndTimeTravel":           testAppendAndTimeTravel,
		"IncrementalFiles":              testIncrementalFiles,
		"SnapshotByTime":                testSnapshotByTime,
		"ClockSetBack":                  testClockSetBack,
		"StatisticsOfEveryType":         testStatisticsOfEveryType,
		"ForeignFileStatistics":         testForeignFileStatistics,
		"PartitionedFiles":              testPartitionedFiles,
		"PartitionOfNaN":                testPartitionOfNaN,
		"StateIsTheSameAfterReopen":     testStateIsTheSameAfterReopen,
		"MetadataReadsOnly":             testMetadataReadsOnly,
		"TableStatisticsCoverEveryFile": testTableStatisticsCoverEveryFile,
		"ColumnsOfEveryType":            testColumnsOfEveryType,
	}
}

// commitTests are those of catalog.Committer.
func commitTests() map[string]func(*testing.T, Lake) {
	return map[string]func(*testing.T, Lake){
		"SchemaLifeCycle":                   testSchemaLifeCycle,
		"TableLifeCycle":                    testTableLifeCycle,
		"RefusedTables":                     testRefusedTables,
		"UnusualNames":                      testUnusualNames,
		"AppendConflictsWithDDL":            testAppendConflictsWithDDL,
		"RefusedFiles":                      testRefusedFiles,
		"FailedCommitLeavesNothing":         testFailedCommitLeavesNothing,
		"ConcurrentAppends":                 testConcurrentAppends,
		"ConcurrentCreates":                 testConcurrentCreates,
		"TokenReplay":                       testTokenReplay,
		"TokenUsedConcurrently":             testTokenUsedConcurrently,
		"Comments":                          testComments,
		"Options":                           testOptions,
		"DropAndCreateAgain":                testDropAndCreateAgain,
		"ReplaceInOneCommit":                testReplaceInOneCommit,
		"CreateTableWithFiles":              testCreateTableWithFiles,
		"TextIsUTF8":                        testTextIsUTF8,
		"CommitOfSeveralTablesIsAtomic":     testCommitOfSeveralTables,
		"ResultsNameTablesPerOperation":     testResultTables,
		"TransactionCreatesSchemaAndTables": testTransactionCreates,
		"TransactionReplacesASchema":        testTransactionReplacesSchema,
		"TransactionAddsFilesEverywhere":    testTransactionAddsFiles,
		"OperationsThatUndoEachOther":       testUndoneOperations,
		"ConflictsSinceTheBase":             testConflictsSinceBase,
		"NoConflictWithTheBaseItself":       testNoConflictWithBase,
		"ConcurrentCreatesOnOneBase":        testConcurrentCreatesOnBase,
		"RowsAreNotDroppedUnseen":           testDropSinceBase,
		"TokensOfSeveralAppends":            testAppendTokens,
		"RefusedAppendTokens":               testRefusedAppendTokens,
		"DeclaredKeys":                      testDeclaredKeys,
		"RefusedKeys":                       testRefusedKeys,
		"FailedPreconditionsAreData":        testFailedPreconditions,
		"RandomCommits":                     testRandomCommits,
	}
}

// stageTests are those of catalog.Stager.
func stageTests() map[string]func(*testing.T, Lake) {
	return map[string]func(*testing.T, Lake){
		"StagedFiles": testStagedFiles,
	}
}

// keepTests are those of catalog.Keeper.
func keepTests() map[string]func(*testing.T, Lake) {
	return map[string]func(*testing.T, Lake){
		"RenewedLeases": testRenewedLeases,
	}
}

// epoch is the first time that a test's clock tells.
func epoch() time.Time { return time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.UTC) }

// open opens a lake and closes it with the test.
func open(t testing.TB, l Lake, clk clock.Clock) catalog.Catalog {
	t.Helper()
	c := l.OpenFunc(t, clk)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func commit(t testing.TB, c catalog.Catalog, ops ...catalog.Operation) catalog.Result {
	t.Helper()
	result, err := c.Commit(t.Context(), catalog.Commit{Operations: ops})
	require.NoError(t, err)
	return result
}

func commitError(t testing.TB, c catalog.Catalog, want error, ops ...catalog.Operation) {
	t.Helper()
	before := latest(t, c)
	_, err := c.Commit(t.Context(), catalog.Commit{Operations: ops})
	require.ErrorIs(t, err, want)
	require.Equal(t, before, latest(t, c), "a refused commit publishes no snapshot")
}

func latest(t testing.TB, c catalog.Catalog) lake.Snapshot {
	t.Helper()
	s, err := c.Snapshot(t.Context(), catalog.Selector{})
	require.NoError(t, err)
	return s
}

func state(t testing.TB, c catalog.Catalog) *lake.State {
	t.Helper()
	return stateAt(t, c, latest(t, c).ID)
}

func stateAt(t testing.TB, c catalog.Catalog, id lake.SnapshotID) *lake.State {
	t.Helper()
	s, err := c.State(t.Context(), id)
	require.NoError(t, err)
	return s
}

func table(t testing.TB, c catalog.Catalog, schema, name string) *lake.Table {
	t.Helper()
	found, ok := state(t, c).Table(schema, name)
	require.True(t, ok, "table %s.%s", schema, name)
	return found
}

func filesAt(t testing.TB, c catalog.Catalog, id lake.TableID, after, upTo lake.SnapshotID) catalog.Files {
	t.Helper()
	files, err := c.Files(t.Context(), id, after, upTo)
	require.NoError(t, err)
	return files
}

func liveFiles(t testing.TB, c catalog.Catalog, id lake.TableID) []lake.DataFile {
	t.Helper()
	return filesAt(t, c, id, 0, latest(t, c).ID).Files
}

// twoColumns are id BIGINT NOT NULL and name VARCHAR.
func twoColumns() []lake.Column {
	columns, _ := lake.AssignFieldIDs([]lake.Column{
		{Name: "id", Type: lake.Type{ID: lake.TypeInt64}},
		{Name: "name", Type: lake.Type{ID: lake.TypeVarchar}, Nullable: true},
	})
	return columns
}

// createTable is a table main.name with twoColumns.
func createTable(name string) catalog.CreateTable {
	return catalog.CreateTable{Schema: "main", Name: name, Columns: twoColumns(), Path: "main/" + name + "/"}
}

func pointer[T any](v T) *T { return &v }

// dataFile is a file of a table with twoColumns whose ids are from..from+rows-1.
func dataFile(path string, from, rows int64) lake.DataFile {
	stats := []lake.ColumnStats{
		{
			Field: 1, Min: &lake.Value{Int: from}, Max: &lake.Value{Int: from + rows - 1}, MinExact: true, MaxExact: true,
			ValueCount: rows, Bytes: 8 * rows,
		},
		{
			Field: 2, Min: &lake.Value{Bytes: "a"}, Max: &lake.Value{Bytes: "zz"}, MinExact: true,
			ValueCount: rows, NullCount: 1, Bytes: 4 * rows,
		},
	}
	return lake.DataFile{
		Path: path, Rows: rows, Bytes: 100 + 12*rows, FooterBytes: 77, Stats: stats,
		RowGroups: []lake.RowGroup{{Index: 0, Rows: rows, Bytes: 12 * rows, Columns: stats}},
	}
}

// manualClock tells the time that it was set to.
type manualClock struct{ now chan time.Time }

func newClock() *manualClock {
	c := &manualClock{now: make(chan time.Time, 1)}
	c.now <- epoch()
	return c
}

// Now returns the time.
func (c *manualClock) Now() time.Time {
	now := <-c.now
	c.now <- now
	return now
}

func (c *manualClock) advance(d time.Duration) {
	c.now <- (<-c.now).Add(d)
}

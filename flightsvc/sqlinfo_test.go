package flightsvc

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/stretchr/testify/require"
)

// wantType returns the type of a fact, as drivers cast it without looking.
func wantType(code uint32) string {
	switch flightsql.SqlInfo(code) { //nolint:exhaustive // the rest is bool
	case flightsql.SqlInfoFlightSqlServerName, flightsql.SqlInfoFlightSqlServerVersion, flightsql.SqlInfoFlightSqlServerArrowVersion,
		flightsql.SqlInfoFlightSqlServerSubstraitMinVersion, flightsql.SqlInfoFlightSqlServerSubstraitMaxVersion,
		flightsql.SqlInfoIdentifierQuoteChar, flightsql.SqlInfoSearchStringEscape, flightsql.SqlInfoExtraNameChars,
		flightsql.SqlInfoSchemaTerm, flightsql.SqlInfoProcedureTerm, flightsql.SqlInfoCatalogTerm:
		return "string"
	case flightsql.SqlInfoFlightSqlServerTransaction, flightsql.SqlInfoFlightSqlServerStatementTimeout,
		flightsql.SqlInfoFlightSqlServerTransactionTimeout, flightsql.SqlInfoIdentifierCase, flightsql.SqlInfoQuotedIdentifierCase,
		flightsql.SqlInfoNullOrdering, flightsql.SqlInfoSupportedGroupBy, flightsql.SqlInfoSupportedGrammar,
		flightsql.SqlInfoANSI92SupportedLevel, flightsql.SqlInfoOuterJoinsSupportLevel, flightsql.SqlInfoSchemasSupportedActions,
		flightsql.SqlInfoCatalogsSupportedActions, flightsql.SqlInfoSupportedPositionedCommands, flightsql.SqlInfoSupportedSubqueries,
		flightsql.SqlInfoSupportedUnions, flightsql.SqlInfoSupportedTransactionsIsolationlevels, flightsql.SqlInfoSupportedResultSetTypes,
		flightsql.SqlInfoSupportedConcurrenciesForResultSetUnspecified, flightsql.SqlInfoSupportedConcurrenciesForResultSetForwardOnly,
		flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollSensitive,
		flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollInsensitive:
		return "int32"
	case flightsql.SqlInfoKeywords, flightsql.SqlInfoNumericFunctions, flightsql.SqlInfoStringFunctions,
		flightsql.SqlInfoSystemFunctions, flightsql.SqlInfoDateTimeFunctions:
		return "[]string"
	case flightsql.SqlInfoSupportsConvert:
		return "flightsvc.conversions"
	case flightsql.SqlInfoDefaultTransactionIsolation:
		return "int64"
	case flightsql.SqlInfoMaxRowSizeIncludesBlobs:
		return "bool"
	}
	if code >= uint32(flightsql.SqlInfoMaxBinaryLiteralLen) && code <= uint32(flightsql.SqlInfoMaxUsernameLen) {
		return "int64"
	}
	return "bool"
}

func TestSQLInfoHasTheTypesThatDriversCastTo(t *testing.T) {
	t.Parallel()
	for _, info := range sqlInfos(serverFacts{}) {
		require.Equal(t, wantType(info.Code), fmt.Sprintf("%T", info.Value), "code %d", info.Code)
	}
}

func TestSQLInfoSaysWhatTransactionsDo(t *testing.T) {
	t.Parallel()
	s := New(Backend{}, Options{})
	s.info = sqlInfos(serverFacts{transactionTimeout: 90 * time.Second})
	got := map[flightsql.SqlInfo]any{}
	for _, info := range s.info {
		got[flightsql.SqlInfo(info.Code)] = info.Value
	}
	require.Equal(t, int32(flightsql.SqlTransactionSavepoint), got[flightsql.SqlInfoFlightSqlServerTransaction])
	require.Equal(t, int32(90_000), got[flightsql.SqlInfoFlightSqlServerTransactionTimeout])
	require.Equal(t, int32(1<<3), got[flightsql.SqlInfoSupportedTransactionsIsolationlevels], "snapshot isolation is not serializable")
	require.Equal(t, int64(3), got[flightsql.SqlInfoDefaultTransactionIsolation])
	for _, yes := range []flightsql.SqlInfo{
		flightsql.SqlInfoFlightSqlServerCancel, flightsql.SqlInfoFlightSqlServerBulkIngestion,
		flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported, flightsql.SqlInfoTransactionsSupported,
		flightsql.SqlInfoSavePointsSupported,
	} {
		require.Equal(t, true, got[yes], yes)
	}
	require.Equal(t, false, got[flightsql.SqlInfoFlightSqlServerSubstrait])
	require.Equal(t, int32(math.MaxInt32), milliseconds(1000*time.Hour))
}

func TestAskedForTwiceIsAnsweredTwiceAndUnknownNotAtAll(t *testing.T) {
	t.Parallel()
	s := New(Backend{}, Options{Version: "v"})
	got := s.infos([]uint32{1, 99_999, 1, 12})
	require.Equal(t, []sqlInfo{{1, "v"}, {1, "v"}}, got)
}

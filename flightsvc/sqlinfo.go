package flightsvc

import (
	"context"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
)

// The children of the value union, in the order of schema_ref.SqlInfo.
const (
	infoText arrow.UnionTypeCode = iota
	infoBool
	infoInt64
	infoInt32
	infoTexts
	infoConversions
)

// sqlInfo is one fact about the server. Value is a string, bool, int64, int32,
// []string or conversions.
type sqlInfo struct {
	Code  uint32
	Value any
}

// conversion says to which types values of one type can be converted.
type conversion struct {
	From flightsql.SqlSupportsConvert
	To   []flightsql.SqlSupportsConvert
}

// conversions is the value of SQL_SUPPORTS_CONVERT, sorted by From.
type conversions []conversion

// GetFlightInfoSqlInfo describes DoGetSqlInfo.
func (s *metadataServer) GetFlightInfoSqlInfo(_ context.Context, _ flightsql.GetSqlInfo, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.SqlInfo)
}

// DoGetSqlInfo returns the facts asked for, or all in order of their code. A code
// that is not known is left out, which drivers take as "not said"; an error would
// cost them all the others.
func (s *metadataServer) DoGetSqlInfo(_ context.Context, cmd flightsql.GetSqlInfo) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema_ref.SqlInfo)
	defer b.Release()
	codes := b.Field(0).(*array.Uint32Builder)
	values := b.Field(1).(*array.DenseUnionBuilder)
	for _, info := range s.infos(cmd.GetInfo()) {
		codes.Append(info.Code)
		appendInfo(values, info.Value)
	}
	return chunks(b.NewRecordBatch())
}

// infos returns the facts with the given codes, all if there are none.
func (s *metadataServer) infos(codes []uint32) []sqlInfo {
	if len(codes) == 0 {
		return s.info
	}
	var out []sqlInfo
	for _, code := range codes {
		i := sort.Search(len(s.info), func(i int) bool { return s.info[i].Code >= code })
		if i < len(s.info) && s.info[i].Code == code {
			out = append(out, s.info[i])
		}
	}
	return out
}

func appendInfo(b *array.DenseUnionBuilder, value any) {
	switch v := value.(type) {
	case string:
		b.Append(infoText)
		b.Child(int(infoText)).(*array.StringBuilder).Append(v)
	case bool:
		b.Append(infoBool)
		b.Child(int(infoBool)).(*array.BooleanBuilder).Append(v)
	case int64:
		b.Append(infoInt64)
		b.Child(int(infoInt64)).(*array.Int64Builder).Append(v)
	case int32:
		b.Append(infoInt32)
		b.Child(int(infoInt32)).(*array.Int32Builder).Append(v)
	case []string:
		b.Append(infoTexts)
		list := b.Child(int(infoTexts)).(*array.ListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.StringBuilder).AppendValues(v, nil)
	case conversions:
		b.Append(infoConversions)
		appendConversions(b.Child(int(infoConversions)).(*array.MapBuilder), v)
	}
}

func appendConversions(b *array.MapBuilder, v conversions) {
	b.Append(true)
	keys := b.KeyBuilder().(*array.Int32Builder)
	lists := b.ItemBuilder().(*array.ListBuilder)
	targets := lists.ValueBuilder().(*array.Int32Builder)
	for _, c := range v {
		keys.Append(int32(c.From))
		lists.Append(true)
		for _, to := range c.To {
			targets.Append(int32(to))
		}
	}
}

// serverFacts is what SqlInfo says of a server's settings.
type serverFacts struct {
	version string
	// transactionTimeout is how long a transaction may be idle; 0 means forever.
	transactionTimeout time.Duration
}

// sqlInfos returns every standard fact, by code. Codes of our own are never
// added: the JDBC driver fails on one it does not know.
func sqlInfos(facts serverFacts) []sqlInfo {
	all := slices.Concat(serverInfos(facts), syntaxInfos(), transactionInfos())
	for code := flightsql.SqlInfoMaxBinaryLiteralLen; code <= flightsql.SqlInfoMaxUsernameLen; code++ {
		if code != flightsql.SqlInfoMaxRowSizeIncludesBlobs {
			all = append(all, sqlInfo{uint32(code), int64(0)}) // no limit that is known
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Code < all[j].Code })
	return all
}

func serverInfos(facts serverFacts) []sqlInfo {
	return []sqlInfo{
		{uint32(flightsql.SqlInfoFlightSqlServerName), "flightlake"},
		{uint32(flightsql.SqlInfoFlightSqlServerVersion), facts.version},
		{uint32(flightsql.SqlInfoFlightSqlServerArrowVersion), arrow.PkgVersion},
		{uint32(flightsql.SqlInfoFlightSqlServerReadOnly), false},
		{uint32(flightsql.SqlInfoFlightSqlServerSql), true},
		{uint32(flightsql.SqlInfoFlightSqlServerSubstrait), false},
		{uint32(flightsql.SqlInfoFlightSqlServerSubstraitMinVersion), ""},
		{uint32(flightsql.SqlInfoFlightSqlServerSubstraitMaxVersion), ""},
		{uint32(flightsql.SqlInfoFlightSqlServerTransaction), int32(flightsql.SqlTransactionSavepoint)},
		{uint32(flightsql.SqlInfoFlightSqlServerCancel), true},
		{uint32(flightsql.SqlInfoFlightSqlServerBulkIngestion), true},
		{uint32(flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported), true},
		{uint32(flightsql.SqlInfoFlightSqlServerStatementTimeout), int32(0)}, // handles of prepared statements do not expire
		{uint32(flightsql.SqlInfoFlightSqlServerTransactionTimeout), milliseconds(facts.transactionTimeout)},
	}
}

// Bits of the bit masks below, named as in FlightSql.proto.
const (
	groupByUnrelatedAndBeyond = 1<<0 | 1<<1
	grammarMinimumAndCore     = 1<<0 | 1<<1
	ansi92Entry               = 1 << 0
	subqueriesEverywhere      = 1<<0 | 1<<1 | 1<<2 | 1<<3 // comparisons, EXISTS, IN, quantified
	unionAndUnionAll          = 1<<0 | 1<<1
	isolationRepeatableRead   = 1 << 3
	privilegeDefinitions      = 1 << 2
	resultSetForwardOnly      = 1 << 1
	resultSetReadOnly         = 1 << 1
	// The specification asks for an ordinal, but the JDBC driver, the one client
	// that reads it, takes it as a mask: limited and full.
	outerJoinsFull = 1<<1 | 1<<2
)

// milliseconds returns d as SqlInfo wants it, at most the greatest int32.
func milliseconds(d time.Duration) int32 {
	return int32(min(d.Milliseconds(), math.MaxInt32))
}

func syntaxInfos() []sqlInfo {
	insensitive := int32(flightsql.SqlCaseSensitivityCaseInsensitive)
	return []sqlInfo{
		{uint32(flightsql.SqlInfoDDLCatalog), false},
		{uint32(flightsql.SqlInfoDDLSchema), true},
		{uint32(flightsql.SqlInfoDDLTable), true},
		{uint32(flightsql.SqlInfoIdentifierCase), insensitive},
		{uint32(flightsql.SqlInfoIdentifierQuoteChar), `"`},
		{uint32(flightsql.SqlInfoQuotedIdentifierCase), insensitive},
		{uint32(flightsql.SqlInfoAllTablesAreASelectable), true},
		{uint32(flightsql.SqlInfoNullOrdering), int32(flightsql.SqlNullOrderingSortAtEnd)},
		{uint32(flightsql.SqlInfoKeywords), keywords()},
		{uint32(flightsql.SqlInfoNumericFunctions), numericFunctions()},
		{uint32(flightsql.SqlInfoStringFunctions), stringFunctions()},
		{uint32(flightsql.SqlInfoSystemFunctions), systemFunctions()},
		{uint32(flightsql.SqlInfoDateTimeFunctions), datetimeFunctions()},
		{uint32(flightsql.SqlInfoSearchStringEscape), string(escapeChar)},
		{uint32(flightsql.SqlInfoExtraNameChars), ""},
		{uint32(flightsql.SqlInfoSupportsColumnAliasing), true},
		{uint32(flightsql.SqlInfoNullPlusNullIsNull), true},
		{uint32(flightsql.SqlInfoSupportsConvert), supportedConversions()},
		{uint32(flightsql.SqlInfoSupportsTableCorrelationNames), true},
		{uint32(flightsql.SqlInfoSupportsDifferentTableCorrelationNames), false},
		{uint32(flightsql.SqlInfoSupportsExpressionsInOrderBy), true},
		{uint32(flightsql.SqlInfoSupportsOrderByUnrelated), true},
		{uint32(flightsql.SqlInfoSupportedGroupBy), int32(groupByUnrelatedAndBeyond)},
		{uint32(flightsql.SqlInfoSupportsLikeEscapeClause), true},
		{uint32(flightsql.SqlInfoSupportsNonNullableColumns), true},
		{uint32(flightsql.SqlInfoSupportedGrammar), int32(grammarMinimumAndCore)},
		{uint32(flightsql.SqlInfoANSI92SupportedLevel), int32(ansi92Entry)},
		{uint32(flightsql.SqlInfoSupportsIntegrityEnhancementFacility), false},
		{uint32(flightsql.SqlInfoOuterJoinsSupportLevel), int32(outerJoinsFull)},
		{uint32(flightsql.SqlInfoSchemaTerm), "schema"},
		{uint32(flightsql.SqlInfoProcedureTerm), ""},
		{uint32(flightsql.SqlInfoCatalogTerm), "catalog"},
		{uint32(flightsql.SqlInfoCatalogAtStart), true},
		{uint32(flightsql.SqlInfoSchemasSupportedActions), int32(privilegeDefinitions)},
		{uint32(flightsql.SqlInfoCatalogsSupportedActions), int32(0)},
		{uint32(flightsql.SqlInfoSupportedPositionedCommands), int32(0)},
		{uint32(flightsql.SqlInfoSelectForUpdateSupported), false},
		{uint32(flightsql.SqlInfoStoredProceduresSupported), false},
		{uint32(flightsql.SqlInfoSupportedSubqueries), int32(subqueriesEverywhere)},
		{uint32(flightsql.SqlInfoCorrelatedSubqueriesSupported), true},
		{uint32(flightsql.SqlInfoSupportedUnions), int32(unionAndUnionAll)},
		{uint32(flightsql.SqlInfoMaxRowSizeIncludesBlobs), true},
		{uint32(flightsql.SqlInfoSupportedResultSetTypes), int32(resultSetForwardOnly)},
		{uint32(flightsql.SqlInfoSupportedConcurrenciesForResultSetUnspecified), int32(0)},
		{uint32(flightsql.SqlInfoSupportedConcurrenciesForResultSetForwardOnly), int32(resultSetReadOnly)},
		{uint32(flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollSensitive), int32(0)},
		{uint32(flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollInsensitive), int32(0)},
		{uint32(flightsql.SqlInfoBatchUpdatesSupported), true},
		{uint32(flightsql.SqlInfoNamedParametersSupported), false},
		{uint32(flightsql.SqlInfoLocatorsUpdateCopy), false},
		{uint32(flightsql.SqlInfoStoredFunctionsUsingCallSyntaxSupported), false},
	}
}

// transactionInfos describes snapshot isolation, which the list of the
// specification does not have: reads are repeatable and see no phantoms, but two
// transactions can each write what the other has read.
func transactionInfos() []sqlInfo {
	return []sqlInfo{
		// An int32 by the specification; the JDBC driver fails on all but a long.
		{uint32(flightsql.SqlInfoDefaultTransactionIsolation), int64(pb.SqlTransactionIsolationLevel_SQL_TRANSACTION_REPEATABLE_READ)},
		{uint32(flightsql.SqlInfoTransactionsSupported), true},
		{uint32(flightsql.SqlInfoSupportedTransactionsIsolationlevels), int32(isolationRepeatableRead)},
		{uint32(flightsql.SqlInfoDataDefinitionCausesTransactionCommit), false},
		{uint32(flightsql.SqlInfoDataDefinitionsInTransactionsIgnored), false},
		{uint32(flightsql.SqlInfoSavePointsSupported), true},
	}
}

// supportedConversions returns DuckDB's casts between the types of the
// specification's list: numbers, text, dates and blobs.
func supportedConversions() conversions {
	numbers := []flightsql.SqlSupportsConvert{
		flightsql.SqlConvertBigInt, flightsql.SqlConvertDecimal, flightsql.SqlConvertFloat, flightsql.SqlConvertInteger,
		flightsql.SqlConvertNumeric, flightsql.SqlConvertReal, flightsql.SqlConvertSmallInt, flightsql.SqlConvertTinyInt,
	}
	texts := []flightsql.SqlSupportsConvert{flightsql.SqlConvertChar, flightsql.SqlConvertLongVarchar, flightsql.SqlConvertVarchar}
	times := []flightsql.SqlSupportsConvert{flightsql.SqlConvertDate, flightsql.SqlConvertTimestamp}
	blobs := []flightsql.SqlSupportsConvert{flightsql.SqlConvertBinary, flightsql.SqlConvertVarbinary, flightsql.SqlConvertLongVarbinary}
	bits := []flightsql.SqlSupportsConvert{flightsql.SqlConvertBit}
	var out conversions
	group := func(from []flightsql.SqlSupportsConvert, to ...[]flightsql.SqlSupportsConvert) {
		targets := append([]flightsql.SqlSupportsConvert{}, from...)
		for _, t := range to {
			targets = append(targets, t...)
		}
		for _, f := range from {
			out = append(out, conversion{From: f, To: targets})
		}
	}
	group(numbers, texts, bits)
	group(texts, numbers, times, blobs, bits, []flightsql.SqlSupportsConvert{flightsql.SqlConvertTime})
	group(times, texts)
	group([]flightsql.SqlSupportsConvert{flightsql.SqlConvertTime}, texts)
	group(blobs, texts)
	group(bits, numbers, texts)
	sort.Slice(out, func(i, j int) bool { return out[i].From < out[j].From })
	return out
}

package flightsvc

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
)

// xdbcType is one row of GetXdbcTypeInfo. The zero value of an optional field
// means null.
type xdbcType struct {
	Name     string
	Type     pb.XdbcDataType
	Size     int32
	Quoted   string   // prefix of a literal, which ends with a single quote
	Params   []string // of CREATE, such as precision
	Number   numberKind
	MinScale int32
	MaxScale int32 // -1: no scale
	Subcode  pb.XdbcDatetimeSubcode
	Text     bool // case sensitive, LIKE works
}

// numberKind tells how a type counts.
type numberKind uint8

const (
	notNumber      numberKind = iota
	signedNumber              // exact
	unsignedNumber            // exact, has no sign
	floatNumber               // approximate
)

// The columns of schema_ref.XdbcTypeInfo.
const (
	xdbcName = iota
	xdbcDataType
	xdbcColumnSize
	xdbcLiteralPrefix
	xdbcLiteralSuffix
	xdbcCreateParams
	xdbcNullable
	xdbcCaseSensitive
	xdbcSearchable
	xdbcUnsigned
	xdbcFixedPrecScale
	xdbcAutoIncrement
	xdbcLocalName
	xdbcMinimumScale
	xdbcMaximumScale
	xdbcSQLDataType
	xdbcDatetimeSubcode
	xdbcNumPrecRadix
	xdbcIntervalPrecision
)

const noScale = -1

// The bases in which column sizes are given: digits of exact numbers, bits of
// approximate ones.
const (
	decimalRadix = 10
	binaryRadix  = 2
)

// xdbcTypes returns the types a table can hold, sorted by data type and name. The
// first of a data type is its closest match; JSON is therefore no XDBC_VARCHAR.
func xdbcTypes() []xdbcType {
	const unlimited = math.MaxInt32
	number := func(name string, t pb.XdbcDataType, size int32, kind numberKind) xdbcType {
		return xdbcType{Name: name, Type: t, Size: size, Number: kind, MaxScale: 0}
	}
	quoted := func(name string, t pb.XdbcDataType, size int32) xdbcType {
		return xdbcType{Name: name, Type: t, Size: size, Quoted: "'", MaxScale: noScale}
	}
	moment := func(name string, t pb.XdbcDataType, size int32, sub pb.XdbcDatetimeSubcode, decimals int32) xdbcType {
		return xdbcType{Name: name, Type: t, Size: size, Quoted: name + " '", Subcode: sub, MinScale: decimals, MaxScale: decimals}
	}
	types := []xdbcType{
		{Name: "BOOLEAN", Type: pb.XdbcDataType_XDBC_BIT, Size: 1, MaxScale: noScale},
		number("TINYINT", pb.XdbcDataType_XDBC_TINYINT, 3, signedNumber),
		number("UTINYINT", pb.XdbcDataType_XDBC_TINYINT, 3, unsignedNumber),
		number("BIGINT", pb.XdbcDataType_XDBC_BIGINT, 19, signedNumber),
		number("UBIGINT", pb.XdbcDataType_XDBC_BIGINT, 20, unsignedNumber),
		quoted("BLOB", pb.XdbcDataType_XDBC_VARBINARY, unlimited),
		number("HUGEINT", pb.XdbcDataType_XDBC_NUMERIC, 38, signedNumber),
		number("UHUGEINT", pb.XdbcDataType_XDBC_NUMERIC, 38, unsignedNumber),
		{Name: "DECIMAL", Type: pb.XdbcDataType_XDBC_DECIMAL, Size: 38, Params: []string{"precision", "scale"}, Number: signedNumber, MaxScale: 38},
		number("INTEGER", pb.XdbcDataType_XDBC_INTEGER, 10, signedNumber),
		number("UINTEGER", pb.XdbcDataType_XDBC_INTEGER, 10, unsignedNumber),
		number("SMALLINT", pb.XdbcDataType_XDBC_SMALLINT, 5, signedNumber),
		number("USMALLINT", pb.XdbcDataType_XDBC_SMALLINT, 5, unsignedNumber),
		{Name: "FLOAT", Type: pb.XdbcDataType_XDBC_REAL, Size: 24, Number: floatNumber, MaxScale: noScale},
		{Name: "DOUBLE", Type: pb.XdbcDataType_XDBC_DOUBLE, Size: 53, Number: floatNumber, MaxScale: noScale},
		{Name: "INTERVAL", Type: pb.XdbcDataType_XDBC_INTERVAL, Quoted: "INTERVAL '", MaxScale: noScale},
		{Name: "VARCHAR", Type: pb.XdbcDataType_XDBC_VARCHAR, Size: unlimited, Quoted: "'", Params: []string{"length"}, MaxScale: noScale, Text: true},
		{Name: "JSON", Type: pb.XdbcDataType_XDBC_LONGVARCHAR, Size: unlimited, Quoted: "'", MaxScale: noScale, Text: true},
		quoted("UUID", pb.XdbcDataType_XDBC_CHAR, 36),
		moment("DATE", pb.XdbcDataType_XDBC_DATE, 10, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_DATE, 0),
		moment("TIME", pb.XdbcDataType_XDBC_TIME, 15, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIME, 6),
		moment("TIME_NS", pb.XdbcDataType_XDBC_TIME, 18, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIME, 9),
		moment("TIME WITH TIME ZONE", pb.XdbcDataType_XDBC_TIME, 21, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIME_WITH_TIMEZONE, 6),
		moment("TIMESTAMP", pb.XdbcDataType_XDBC_TIMESTAMP, 26, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIMESTAMP, 6),
		moment("TIMESTAMP_S", pb.XdbcDataType_XDBC_TIMESTAMP, 19, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIMESTAMP, 0),
		moment("TIMESTAMP_MS", pb.XdbcDataType_XDBC_TIMESTAMP, 23, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIMESTAMP, 3),
		moment("TIMESTAMP_NS", pb.XdbcDataType_XDBC_TIMESTAMP, 29, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIMESTAMP, 9),
		moment("TIMESTAMP WITH TIME ZONE", pb.XdbcDataType_XDBC_TIMESTAMP, 32, pb.XdbcDatetimeSubcode_XDBC_SUBCODE_TIMESTAMP_WITH_TIMEZONE, 6),
		{Name: "LIST", Type: pb.XdbcDataType_XDBC_UNKNOWN_TYPE, MaxScale: noScale},
		{Name: "STRUCT", Type: pb.XdbcDataType_XDBC_UNKNOWN_TYPE, MaxScale: noScale},
		{Name: "MAP", Type: pb.XdbcDataType_XDBC_UNKNOWN_TYPE, MaxScale: noScale},
	}
	slices.SortFunc(types, func(a, b xdbcType) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	return types
}

// GetFlightInfoXdbcTypeInfo describes DoGetXdbcTypeInfo.
func (s *metadataServer) GetFlightInfoXdbcTypeInfo(_ context.Context, _ flightsql.GetXdbcTypeInfo, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.XdbcTypeInfo)
}

// DoGetXdbcTypeInfo lists the types, or those of one data type.
func (s *metadataServer) DoGetXdbcTypeInfo(_ context.Context, cmd flightsql.GetXdbcTypeInfo) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.mem, schema_ref.XdbcTypeInfo)
	defer b.Release()
	for _, t := range xdbcTypes() {
		if want := cmd.GetDataType(); want == nil || *want == int32(t.Type) {
			t.append(b)
		}
	}
	return chunks(b.NewRecordBatch())
}

// append adds t as a row of b.
func (t *xdbcType) append(b *array.RecordBuilder) {
	text(b, xdbcName).Append(t.Name)
	number(b, xdbcDataType).Append(int32(t.Type))
	orNull(b, xdbcColumnSize, t.Size, t.Size != 0)
	if t.Quoted != "" {
		text(b, xdbcLiteralPrefix).Append(t.Quoted)
		text(b, xdbcLiteralSuffix).Append("'")
	} else {
		b.Field(xdbcLiteralPrefix).AppendNull()
		b.Field(xdbcLiteralSuffix).AppendNull()
	}
	params := b.Field(xdbcCreateParams).(*array.ListBuilder)
	params.Append(len(t.Params) > 0)
	params.ValueBuilder().(*array.StringBuilder).AppendValues(t.Params, nil)
	number(b, xdbcNullable).Append(int32(pb.Nullable_NULLABILITY_NULLABLE))
	flag(b, xdbcCaseSensitive).Append(t.Text)
	searchable := pb.Searchable_SEARCHABLE_BASIC
	if t.Text {
		searchable = pb.Searchable_SEARCHABLE_FULL
	}
	number(b, xdbcSearchable).Append(int32(searchable))
	if t.Number == notNumber {
		b.Field(xdbcUnsigned).AppendNull()
	} else {
		flag(b, xdbcUnsigned).Append(t.Number == unsignedNumber)
	}
	flag(b, xdbcFixedPrecScale).Append(false)
	if t.Number == notNumber {
		b.Field(xdbcAutoIncrement).AppendNull()
	} else {
		flag(b, xdbcAutoIncrement).Append(false)
	}
	text(b, xdbcLocalName).Append(t.Name)
	orNull(b, xdbcMinimumScale, t.MinScale, t.MaxScale != noScale)
	orNull(b, xdbcMaximumScale, t.MaxScale, t.MaxScale != noScale)
	sqlType := t.Type
	if t.Subcode != 0 {
		sqlType = pb.XdbcDataType_XDBC_DATETIME
	}
	number(b, xdbcSQLDataType).Append(int32(sqlType))
	orNull(b, xdbcDatetimeSubcode, int32(t.Subcode), t.Subcode != 0)
	radix := int32(decimalRadix)
	if t.Number == floatNumber {
		radix = binaryRadix
	}
	orNull(b, xdbcNumPrecRadix, radix, t.Number != notNumber)
	b.Field(xdbcIntervalPrecision).AppendNull()
}

func number(b *array.RecordBuilder, i int) *array.Int32Builder {
	return b.Field(i).(*array.Int32Builder)
}

func flag(b *array.RecordBuilder, i int) *array.BooleanBuilder {
	return b.Field(i).(*array.BooleanBuilder)
}

func orNull(b *array.RecordBuilder, i int, v int32, valid bool) {
	if valid {
		number(b, i).Append(v)
	} else {
		b.Field(i).AppendNull()
	}
}

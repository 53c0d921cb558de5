package flightsvc

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// getTypes is the command as arrow-go hands it over.
type getTypes struct{ dataType *int32 }

func (g getTypes) GetDataType() *int32 { return g.dataType }

func typeRows(t *testing.T, dataType *int32) []string {
	t.Helper()
	s := New(Backend{}, Options{})
	schema, ch, err := s.DoGetXdbcTypeInfo(t.Context(), getTypes{dataType})
	require.True(t, schema_ref.XdbcTypeInfo.Equal(schema))
	return listing(t, schema, ch, err)
}

func TestXdbcTypesAreOrderedByTypeAndName(t *testing.T) {
	t.Parallel()
	types := xdbcTypes()
	require.True(t, slices.IsSortedFunc(types, func(a, b xdbcType) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	}))
	require.Len(t, typeRows(t, nil), len(types))
	first := map[pb.XdbcDataType]string{}
	for _, x := range types {
		if _, seen := first[x.Type]; !seen {
			first[x.Type] = x.Name
		}
	}
	require.Equal(t, "VARCHAR", first[pb.XdbcDataType_XDBC_VARCHAR], "tools create columns of the first type that is listed")
	require.Equal(t, "BIGINT", first[pb.XdbcDataType_XDBC_BIGINT])
	require.Equal(t, "TIMESTAMP", first[pb.XdbcDataType_XDBC_TIMESTAMP])
}

func TestXdbcTypesNameEveryTypeThatAColumnCanHave(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, x := range xdbcTypes() {
		require.False(t, listed[x.Name], x.Name)
		listed[x.Name] = true
	}
	for id := lake.TypeBoolean; id <= lake.TypeMap; id++ {
		switch id {
		case lake.TypeVariant, lake.TypeGeometry: // no table holds them
		case lake.TypeList, lake.TypeStruct, lake.TypeMap: // they have no name of their own
		case lake.TypeDecimal:
			require.True(t, listed["DECIMAL"])
		default:
			require.True(t, listed[(&lake.Column{Type: lake.Type{ID: id}}).SQLType()], "type %d", id)
		}
	}
}

func TestXdbcColumnsOfOneType(t *testing.T) {
	t.Parallel()
	for dataType, want := range map[pb.XdbcDataType][]string{
		pb.XdbcDataType_XDBC_BIGINT: {
			"BIGINT|-5|19|(null)|(null)|(null)|1|false|2|false|false|false|BIGINT|0|0|-5|(null)|10|(null)",
			"UBIGINT|-5|20|(null)|(null)|(null)|1|false|2|true|false|false|UBIGINT|0|0|-5|(null)|10|(null)",
		},
		pb.XdbcDataType_XDBC_DOUBLE: {
			"DOUBLE|8|53|(null)|(null)|(null)|1|false|2|false|false|false|DOUBLE|(null)|(null)|8|(null)|2|(null)",
		},
		pb.XdbcDataType_XDBC_VARCHAR: {
			`VARCHAR|12|2147483647|'|'|["length"]|1|true|3|(null)|false|(null)|VARCHAR|(null)|(null)|12|(null)|(null)|(null)`,
		},
		pb.XdbcDataType_XDBC_DATE: {
			"DATE|91|10|DATE '|'|(null)|1|false|2|(null)|false|(null)|DATE|0|0|9|1|(null)|(null)",
		},
		pb.XdbcDataType_XDBC_DECIMAL: {
			`DECIMAL|3|38|(null)|(null)|["precision","scale"]|1|false|2|false|false|false|DECIMAL|0|38|3|(null)|10|(null)`,
		},
		pb.XdbcDataType_XDBC_WCHAR: {},
	} {
		require.Equal(t, want, typeRows(t, ptr(int32(dataType))), dataType.String())
	}
}

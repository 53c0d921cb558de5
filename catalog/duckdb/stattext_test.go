package duckdb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

// TestStatTextIsWhatDuckDBPrints compares lake.FormatStat with DuckDB on
// random values of each type whose text is DuckDB's.
func TestStatTextIsWhatDuckDBPrints(t *testing.T) {
	t.Parallel()
	db, err := openDatabase(t.Context(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	const seed, values = 42, 400
	for _, typ := range []lake.Type{
		{ID: lake.TypeInt8},
		{ID: lake.TypeInt64},
		{ID: lake.TypeUint64},
		{ID: lake.TypeInt128},
		{ID: lake.TypeUint128},
		{ID: lake.TypeFloat32},
		{ID: lake.TypeFloat64},
		{ID: lake.TypeDate},
		{ID: lake.TypeTime},
		{ID: lake.TypeTimeNS},
		{ID: lake.TypeTimestampS},
		{ID: lake.TypeTimestampMS},
		{ID: lake.TypeTimestamp},
		{ID: lake.TypeTimestampTZ},
		{ID: lake.TypeTimestampNS},
		{ID: lake.TypeUUID},
		{ID: lake.TypeDecimal, Precision: 18, Scale: 3},
		{ID: lake.TypeDecimal, Precision: 38, Scale: 38},
		{ID: lake.TypeDecimal, Precision: 38},
		{ID: lake.TypeDecimal, Precision: 4, Scale: 4},
	} {
		column := lake.Column{Type: typ}
		random := rand.New(rand.NewPCG(seed, uint64(typ.ID)))
		compared := 0
		for range values {
			text, ok := lake.FormatStat(typ, randomValue(random, typ))
			if !ok {
				continue
			}
			var printed string
			query := fmt.Sprintf("SELECT CAST(CAST(%s AS %s) AS VARCHAR)", lake.QuoteLiteral(text), column.SQLType())
			require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&printed), query)
			if typ.ID == lake.TypeFloat32 {
				// DuckDB prints more digits than are needed for some values.
				value, _ := lake.ParseStat(typ, text)
				same, ok := lake.ParseStat(typ, printed)
				require.True(t, ok)
				require.Equal(t, same, value, text)
			} else {
				require.Equal(t, printed, text, typ.String())
			}
			compared++
		}
		require.Positive(t, compared, typ.String())
	}
}

// randomValue draws small and large magnitudes alike.
func randomValue(random *rand.Rand, typ lake.Type) lake.Value {
	bits := int64(random.Uint64()) >> random.IntN(64)
	switch typ.ID {
	case lake.TypeFloat32:
		return lake.Value{Float: float64(math.Float32frombits(random.Uint32()))}
	case lake.TypeFloat64:
		if random.IntN(2) == 0 {
			return lake.Value{Float: float64(bits) / 1000}
		}
		return lake.Value{Float: math.Float64frombits(random.Uint64())}
	case lake.TypeUint64:
		return lake.Value{Uint: random.Uint64() >> random.IntN(64)}
	case lake.TypeInt128, lake.TypeDecimal:
		if random.IntN(2) == 0 {
			return lake.Value{Int: bits, Uint: random.Uint64()}
		}
		return lake.Value{Int: bits >> 63, Uint: uint64(bits)}
	case lake.TypeUint128:
		return lake.Value{Int: bits, Uint: random.Uint64()}
	case lake.TypeUUID:
		var id [16]byte
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		return lake.Value{Bytes: string(id[:])}
	case lake.TypeTime:
		return lake.Value{Int: random.Int64N(86_400_000_001)}
	case lake.TypeTimeNS:
		return lake.Value{Int: random.Int64N(86_400_000_000_001)}
	default:
		return lake.Value{Int: bits}
	}
}

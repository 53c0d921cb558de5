package lake_test

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flightlake/flightlake/lake"
)

func typesOf(types map[lake.FieldID]lake.Type) func(lake.FieldID) (lake.Type, bool) {
	return func(id lake.FieldID) (lake.Type, bool) {
		t, ok := types[id]
		return t, ok
	}
}

// drawRowGroups draws row groups over one leaf of every type; leaves may be
// missing from some of them.
func drawRowGroups(t *rapid.T) ([]lake.RowGroup, map[lake.FieldID]lake.Type) {
	types := map[lake.FieldID]lake.Type{}
	for i, typ := range append(leafTypes(), lake.Type{ID: lake.TypeInterval}) {
		types[lake.FieldID(i+1)] = typ
	}
	groups := make([]lake.RowGroup, rapid.IntRange(0, 5).Draw(t, "groups"))
	for g := range groups {
		groups[g] = lake.RowGroup{
			Index: int32(g), Rows: rapid.Int64Min(0).Draw(t, "rows"), Bytes: rapid.Int64Min(0).Draw(t, "bytes"),
			Columns: []lake.ColumnStats{},
		}
		for id := range lake.FieldID(len(types)) {
			if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
				groups[g].Columns = append(groups[g].Columns, drawStats(t, id+1, types[id+1]))
			}
		}
	}
	return groups, types
}

func drawStats(t *rapid.T, id lake.FieldID, typ lake.Type) lake.ColumnStats {
	s := lake.ColumnStats{
		Field: id, ValueCount: rapid.Int64Min(lake.Unknown).Draw(t, "values"),
		NullCount: rapid.Int64Range(lake.Unknown, 300).Draw(t, "nulls"),
		NaNCount:  rapid.Int64Range(lake.Unknown, 1).Draw(t, "nans"),
		Bytes:     rapid.Int64Min(0).Draw(t, "bytes"),
	}
	if typ.ID == lake.TypeInterval {
		return s
	}
	if rapid.Bool().Draw(t, "has min") {
		v := drawValue(t, typ)
		s.Min, s.MinExact = &v, rapid.Bool().Draw(t, "min exact")
	}
	if rapid.Bool().Draw(t, "has max") {
		v := drawValue(t, typ)
		s.Max, s.MaxExact = &v, rapid.Bool().Draw(t, "max exact")
	}
	return s
}

func TestZoneMapRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		groups, types := drawRowGroups(t)
		data, err := lake.EncodeZoneMap(groups, typesOf(types))
		require.NoError(t, err)
		back, err := lake.DecodeZoneMap(data, nil)
		require.NoError(t, err)
		require.Len(t, back, len(groups))
		for g := range groups {
			require.Equal(t, groups[g].Index, back[g].Index)
			require.Equal(t, groups[g].Rows, back[g].Rows)
			require.Equal(t, groups[g].Bytes, back[g].Bytes)
			require.ElementsMatch(t, groups[g].Columns, back[g].Columns)
		}
		typed, err := lake.DecodeZoneMap(data, typesOf(types))
		require.NoError(t, err)
		require.Equal(t, back, typed)
	})
}

func TestZoneMapDetectsEveryFlippedByte(t *testing.T) {
	t.Parallel()
	data := sampleZoneMap(t)
	for i := range data {
		broken := append([]byte(nil), data...)
		broken[i] ^= 0x10
		_, err := lake.DecodeZoneMap(broken, nil)
		require.ErrorIs(t, err, lake.ErrCorrupt, "byte %d", i)
	}
	for i := range data {
		_, err := lake.DecodeZoneMap(data[:i], nil)
		require.ErrorIs(t, err, lake.ErrCorrupt, "first %d bytes", i)
	}
}

func sampleZoneMap(tb testing.TB) []byte {
	tb.Helper()
	low, high := lake.Value{Int: -5}, lake.Value{Int: 1 << 40}
	text := lake.Value{Bytes: "née"}
	nan, pi := lake.Value{Float: math.NaN()}, lake.Value{Float: math.Pi}
	data, err := lake.EncodeZoneMap([]lake.RowGroup{
		{Index: 0, Rows: 100, Bytes: 4096, Columns: []lake.ColumnStats{
			{Field: 1, Min: &low, Max: &high, MinExact: true, MaxExact: true, ValueCount: 100},
			{Field: 3, Min: &nan, Max: &pi, ValueCount: 100, NaNCount: 3},
		}},
		{Index: 1, Rows: 7, Bytes: 300, Columns: []lake.ColumnStats{
			{Field: 1, Min: &low, Max: &low, ValueCount: 7, NullCount: lake.Unknown},
			{Field: 2, Min: &text, ValueCount: 7},
		}},
	}, typesOf(map[lake.FieldID]lake.Type{
		1: {ID: lake.TypeInt64}, 2: {ID: lake.TypeVarchar}, 3: {ID: lake.TypeFloat64},
	}))
	require.NoError(tb, err)
	return data
}

func TestZoneMapDropsNaNBounds(t *testing.T) {
	t.Parallel()
	groups, err := lake.DecodeZoneMap(sampleZoneMap(t), nil)
	require.NoError(t, err)
	stats, ok := groups[0].ColumnStats(3)
	require.True(t, ok)
	require.Nil(t, stats.Min)
	require.InDelta(t, math.Pi, stats.Max.Float, 0)
}

func TestZoneMapFollowsPromotionsAndForgetsOtherChanges(t *testing.T) {
	t.Parallel()
	data := sampleZoneMap(t)
	groups, err := lake.DecodeZoneMap(data, typesOf(map[lake.FieldID]lake.Type{
		1: {ID: lake.TypeVarchar}, 2: {ID: lake.TypeVarchar},
	}))
	require.NoError(t, err)
	stats, ok := groups[0].ColumnStats(1)
	require.True(t, ok)
	require.Nil(t, stats.Min, "bounds of a number are no bounds of its text")
	require.False(t, stats.MinExact)
	require.EqualValues(t, 100, stats.ValueCount)
	_, ok = groups[0].ColumnStats(3)
	require.False(t, ok, "a dropped column has no statistics")
}

func TestZoneMapRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	types := typesOf(map[lake.FieldID]lake.Type{1: {ID: lake.TypeInt32}, 2: {ID: lake.TypeList}})
	for name, columns := range map[string][]lake.ColumnStats{
		"unknown field": {{Field: 9}},
		"nested field":  {{Field: 2}},
		"twice":         {{Field: 1}, {Field: 1}},
	} {
		_, err := lake.EncodeZoneMap([]lake.RowGroup{{Columns: columns}}, types)
		require.ErrorIs(t, err, lake.ErrInvalid, name)
	}
}

// seal puts a right checksum under a body, so that a decoder's own checks are reached.
func seal(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(append([]byte(nil), body...), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestZoneMapOfNewerVersionIsKindState(t *testing.T) {
	t.Parallel()
	data := sampleZoneMap(t)
	body := data[:len(data)-4]
	body[4] = 2
	_, err := lake.DecodeZoneMap(seal(body), nil)
	require.ErrorIs(t, err, lake.ErrState)
	require.ErrorContains(t, err, "version 2")
}

func TestZoneMapWithHostileSizesIsCorrupt(t *testing.T) {
	t.Parallel()
	sample := sampleZoneMap(t)
	for at, name := range map[int]string{8: "row groups", 12: "columns"} {
		body := append([]byte(nil), sample[:len(sample)-4]...)
		binary.LittleEndian.PutUint32(body[at:], math.MaxUint32)
		_, err := lake.DecodeZoneMap(seal(body), nil)
		require.ErrorIs(t, err, lake.ErrCorrupt, name)
	}
}

func TestZoneMapOfOneSmallFileStaysSmall(t *testing.T) {
	t.Parallel()
	low, high := lake.Value{Int: 1}, lake.Value{Int: 1000}
	columns := make([]lake.ColumnStats, 16)
	for i := range columns {
		columns[i] = lake.ColumnStats{Field: lake.FieldID(i + 1), Min: &low, Max: &high, ValueCount: 1000, Bytes: 5000}
	}
	groups := []lake.RowGroup{{Index: -1, Rows: 1000, Columns: columns}, {Rows: 1000, Columns: columns}}
	data, err := lake.EncodeZoneMap(groups, func(lake.FieldID) (lake.Type, bool) {
		return lake.Type{ID: lake.TypeInt32}, true
	})
	require.NoError(t, err)
	require.Less(t, len(data), 16*24+64)
	back, err := lake.DecodeZoneMap(data, nil)
	require.NoError(t, err)
	require.Equal(t, groups, back)
}

func TestZoneMapStaysSmall(t *testing.T) {
	t.Parallel()
	const groups, columns = 1000, 16
	types := map[lake.FieldID]lake.Type{}
	list := make([]lake.RowGroup, groups)
	for g := range list {
		list[g] = lake.RowGroup{Index: int32(g), Rows: 100_000, Bytes: 3_000_000}
		for c := range lake.FieldID(columns) {
			types[c+1] = lake.Type{ID: lake.TypeInt64}
			low, high := lake.Value{Int: int64(g) * 1000}, lake.Value{Int: int64(g)*1000 + 999}
			list[g].Columns = append(list[g].Columns, lake.ColumnStats{
				Field: c + 1, Min: &low, Max: &high, ValueCount: 100_000, Bytes: 190_000 + int64(g),
			})
		}
	}
	data, err := lake.EncodeZoneMap(list, typesOf(types))
	require.NoError(t, err)
	require.Less(t, len(data), groups*columns*12, "at most 12 bytes for an entry of two bounds and four counts")
}

func FuzzDecodeZoneMap(f *testing.F) {
	sample := sampleZoneMap(f)
	f.Add(sample[:len(sample)-4])
	f.Add([]byte("FLZM\x01\x00\x00\x00" + strings.Repeat("\x00", 30)))
	f.Fuzz(func(t *testing.T, body []byte) {
		groups, err := lake.DecodeZoneMap(seal(body), nil)
		if err != nil {
			return
		}
		types := map[lake.FieldID]lake.Type{}
		for _, g := range groups {
			for _, c := range g.Columns {
				types[c.Field] = lake.Type{ID: lake.TypeInterval}
			}
		}
		_, _ = lake.DecodeZoneMap(seal(body), typesOf(types))
	})
}

package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

func TestResolvePartition(t *testing.T) {
	t.Parallel()
	columns := []lake.Column{
		{ID: 1, Name: "Region", Type: lake.Type{ID: lake.TypeVarchar}},
		{ID: 2, Name: "ts", Type: lake.Type{ID: lake.TypeTimestampTZ}},
		{ID: 3, Name: "d", Type: lake.Type{ID: lake.TypeDate}},
		{ID: 4, Name: "f", Type: lake.Type{ID: lake.TypeFloat64}},
		{ID: 5, Name: "l", Type: lake.Type{ID: lake.TypeList}, Children: []lake.Column{{ID: 6, Name: "element", Type: lake.Type{ID: lake.TypeInt32}}}},
		{ID: 7, Name: "iv", Type: lake.Type{ID: lake.TypeInterval}},
		{ID: 8, Name: "tz", Type: lake.Type{ID: lake.TypeTimeTZ}},
	}
	key := func(column string, t lake.Transform, buckets int32) sqltext.PartitionKey {
		return sqltext.PartitionKey{Column: column, Transform: t, Buckets: buckets}
	}
	got, err := sqltext.ResolvePartition([]sqltext.PartitionKey{
		key("region", lake.TransformIdentity, 0), key("ts", lake.TransformHour, 0), key("TS", lake.TransformBucket, 4), key("f", lake.TransformIdentity, 0),
	}, columns)
	require.NoError(t, err)
	require.Equal(t, []lake.PartitionField{
		{Column: 1, Transform: lake.TransformIdentity},
		{Column: 2, Transform: lake.TransformHour},
		{Column: 2, Transform: lake.TransformBucket, Buckets: 4},
		{Column: 4, Transform: lake.TransformIdentity},
	}, got)

	for name, c := range map[string]struct {
		key  sqltext.PartitionKey
		want error
		text string
	}{
		"no such column":        {key("nope", lake.TransformIdentity, 0), lake.ErrNotFound, `no column "nope"`},
		"a nested column":       {key("l", lake.TransformIdentity, 0), lake.ErrInvalid, `"l" of type INTEGER[]`},
		"an interval":           {key("iv", lake.TransformIdentity, 0), lake.ErrInvalid, "iv"},
		"a time with a zone":    {key("tz", lake.TransformIdentity, 0), lake.ErrInvalid, "tz"},
		"its bucket":            {key("tz", lake.TransformBucket, 4), lake.ErrInvalid, "tz"},
		"the year of a text":    {key("region", lake.TransformYear, 0), lake.ErrInvalid, "year does not fit"},
		"the hour of a date":    {key("d", lake.TransformHour, 0), lake.ErrInvalid, "hour does not fit"},
		"the bucket of a float": {key("f", lake.TransformBucket, 4), lake.ErrInvalid, "bucket does not fit"},
		"an unknown transform":  {key("d", "week", 0), lake.ErrInvalid, "week does not fit"},
	} {
		_, err := sqltext.ResolvePartition([]sqltext.PartitionKey{c.key}, columns)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.text, name)
	}
	_, err = sqltext.ResolvePartition([]sqltext.PartitionKey{key("d", lake.TransformDay, 0), key("D", lake.TransformDay, 0)}, columns)
	require.ErrorIs(t, err, lake.ErrInvalid)
	require.ErrorContains(t, err, "repeated")
}

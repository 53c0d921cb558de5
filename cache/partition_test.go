package cache

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestMergedPartitionsDoNotUseTheSpareRoomOfTheirBase(t *testing.T) {
	t.Parallel()
	spec := func(id lake.PartitionID) lake.PartitionSpec { return lake.PartitionSpec{ID: id} }
	base := append(make([]lake.PartitionSpec, 0, 8), spec(2))
	first := mergePartitions(base, []lake.PartitionSpec{spec(3), spec(1)})
	second := mergePartitions(base, []lake.PartitionSpec{spec(4), spec(2)})
	require.Equal(t, []lake.PartitionSpec{spec(1), spec(2), spec(3)}, first)
	require.Equal(t, []lake.PartitionSpec{spec(2), spec(4)}, second)
	require.Equal(t, []lake.PartitionSpec{spec(2)}, base)
	require.Same(t, &base[0], &mergePartitions(base, []lake.PartitionSpec{spec(2)})[0])
}

package lake_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
)

func TestNestedFieldsOfArrowBecomeNullable(t *testing.T) {
	t.Parallel()
	number := arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32}
	columns, err := lake.ColumnsFromArrow(arrow.NewSchema([]arrow.Field{
		number,
		{Name: "l", Type: arrow.ListOfField(number)},
		{Name: "s", Type: arrow.StructOf(number)},
		{Name: "m", Type: arrow.MapOfFields(number, number)},
	}, nil))
	require.NoError(t, err)
	for _, c := range columns {
		require.False(t, c.Nullable, c.Name)
	}
	require.True(t, columns[1].Children[0].Nullable)
	require.True(t, columns[2].Children[0].Nullable)
	require.False(t, columns[3].Children[0].Nullable, "keys are never NULL")
	require.True(t, columns[3].Children[1].Nullable)
}

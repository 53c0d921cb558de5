package lake

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNotFoundProposesNearNames(t *testing.T) {
	t.Parallel()
	state := &State{Schemas: []Schema{
		{Name: "main", Tables: []Table{{Name: "lineitem"}, {Name: "orders"}}},
		{Name: "other", Tables: []Table{{Name: "orderz"}}},
	}}
	err := TableNotFound(state, "main", "lineitm")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, `table "main.lineitm" does not exist; did you mean "lineitem"?`)
	require.EqualError(t, TableNotFound(state, "main", "order"), `table "main.order" does not exist; did you mean "orders", "other.orderz"?`)
	require.EqualError(t, TableNotFound(state, "main", "zzz"), `table "main.zzz" does not exist`)
	require.EqualError(t, TableNotFound(state, "mian", "x"), `schema "mian" does not exist`)
	require.EqualError(t, SchemaNotFound(state, "othr"), `schema "othr" does not exist; did you mean "other"?`)
}

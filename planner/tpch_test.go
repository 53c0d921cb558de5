//go:build duckdb_arrow

package planner_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner"
)

// tpchState has the eight tables of TPC-H with the types that tpchgen gives them.
func tpchState() *lake.State {
	types := map[string]lake.Type{
		"int": plain(lake.TypeInt32), "bigint": plain(lake.TypeInt64), "text": plain(lake.TypeVarchar),
		"date": plain(lake.TypeDate), "money": decimal(15, 2),
	}
	s := lake.Schema{Name: "main"}
	for i, def := range []string{
		"customer c_custkey:bigint c_name:text c_address:text c_nationkey:bigint c_phone:text c_acctbal:money c_mktsegment:text c_comment:text",
		"lineitem l_orderkey:bigint l_partkey:bigint l_suppkey:bigint l_linenumber:int l_quantity:money l_extendedprice:money " +
			"l_discount:money l_tax:money l_returnflag:text l_linestatus:text l_shipdate:date l_commitdate:date l_receiptdate:date " +
			"l_shipinstruct:text l_shipmode:text l_comment:text",
		"nation n_nationkey:bigint n_name:text n_regionkey:bigint n_comment:text",
		"orders o_orderkey:bigint o_custkey:bigint o_orderstatus:text o_totalprice:money o_orderdate:date o_orderpriority:text " +
			"o_clerk:text o_shippriority:int o_comment:text",
		"part p_partkey:bigint p_name:text p_mfgr:text p_brand:text p_type:text p_size:int p_container:text p_retailprice:money p_comment:text",
		"partsupp ps_partkey:bigint ps_suppkey:bigint ps_availqty:int ps_supplycost:money ps_comment:text",
		"region r_regionkey:bigint r_name:text r_comment:text",
		"supplier s_suppkey:bigint s_name:text s_address:text s_nationkey:bigint s_phone:text s_acctbal:money s_comment:text",
	} {
		words := strings.Fields(def)
		columns := make([]lake.Column, 0, len(words)-1)
		for _, w := range words[1:] {
			name, typ, _ := strings.Cut(w, ":")
			columns = append(columns, column(name, types[typ]))
		}
		s.Tables = append(s.Tables, table(lake.TableID(i+1), "main", words[0], columns...))
	}
	return &lake.State{Schemas: []lake.Schema{s}}
}

// TestTPCHPlans prints columns and predicates of every reference of the 22
// queries. A query that could not be planned would print a note.
func TestTPCHPlans(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	state := tpchState()
	runCommands(t, "tpch", func(t *testing.T, c command) string {
		t.Helper()
		sql, err := os.ReadFile(filepath.Join("..", "integration", "testdata", "tpch", c.input+".sql"))
		require.NoError(t, err)
		a, err := p.Analyze(context.Background(), string(sql))
		require.NoError(t, err)
		require.True(t, a.Exact)
		require.True(t, a.Stable())
		tables := make([]planner.Resolved, len(a.Tables))
		for i, ref := range a.Tables {
			tables[i].Table, err = planner.Resolve(state, "", ref)
			require.NoError(t, err)
			tables[i].Files = &lake.TableVersion{}
		}
		plan, err := p.Plan(context.Background(), planner.Request{Analysis: a, Tables: tables})
		require.NoError(t, err)
		require.Empty(t, plan.Note)
		return describePlan(plan)
	})
}

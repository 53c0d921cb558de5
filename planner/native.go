package planner

import (
	"context"
	"slices"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
)

// chain is a plan that is nothing but projection, filter and limit over one GET.
type chain struct {
	ref           int
	columns       []*lake.Column // outputs
	names         []string       // of the outputs, if a projection named them
	residual      []expr.Predicate
	limited       bool
	limit, offset int64
}

// native makes the plan a scan of one table if it is no more than that.
func (p *Plan) native(ctx context.Context, s *shape, req Request) error {
	if len(s.gets) != 1 {
		return nil
	}
	c, ok := s.chain(s.root)
	if !ok {
		return nil
	}
	residual := tidy(expr.And{Terms: c.residual})
	if t, ok := residual.(expr.Constant); ok && t.Value && !t.Null {
		residual = nil
	}
	if !expr.Evaluable(residual) {
		return nil
	}
	scan := p.Reads[c.ref].Scan()
	scan.Projection = make([]lake.FieldID, len(c.columns))
	for i, col := range c.columns {
		if col == nil || slices.Contains(scan.Projection[:i], col.ID) {
			return nil
		}
		scan.Projection[i] = col.ID
	}
	scan.Residual, scan.Offset = residual, c.offset
	if c.limit >= 0 {
		scan.Limit = c.limit
	}
	names := c.names
	if !p.Analysis.plain || len(names) != len(c.columns) {
		var err error
		if names, err = req.names(ctx); err != nil || len(names) != len(c.columns) {
			return err
		}
	}
	p.Native = &Native{Scan: scan, Names: names}
	return nil
}

// finishNative fills in what pruning found out.
func (p *Plan) finishNative() {
	scan := &p.Native.Scan
	for i := range p.Reads {
		r := &p.Reads[i]
		if r.Table != scan.Table {
			continue
		}
		scan.Tasks, scan.Pruning = r.Tasks, r.Pruning
		if r.Decided && len(r.Inlined) == 0 {
			scan.Residual = nil // true on every row that is left
		}
	}
}

func (s *shape) chain(o object) (chain, bool) {
	if g, ok := s.get(o); ok {
		c := chain{ref: g.ref, columns: g.outputs, residual: []expr.Predicate{g.exact}, limit: lake.Unknown}
		return c, g.plain && len(o.list("projection_ids")) > 0
	}
	children := o.objects("children")
	if len(children) != 1 {
		return chain{}, false
	}
	c, ok := s.chain(children[0])
	if !ok {
		return chain{}, false
	}
	switch o.text("type") {
	case "LOGICAL_FILTER":
		return c.filter(o)
	case "LOGICAL_PROJECTION":
		return c.project(o)
	case "LOGICAL_LIMIT":
		return c.cut(o)
	}
	return chain{}, false
}

func (c chain) filter(o object) (chain, bool) {
	conv := converter{columns: c.columns}
	for _, e := range o.objects("expressions") {
		c.residual = append(c.residual, conv.expression(e))
	}
	c.columns = pick(c.columns, o.list("projection_map"))
	c.names = nil
	return c, !c.limited
}

func (c chain) project(o object) (chain, bool) {
	expressions := o.objects("expressions")
	columns, names := make([]*lake.Column, len(expressions)), make([]string, len(expressions))
	for i, e := range expressions {
		n, ok := e.index("index")
		if e.text("expression_class") != "BOUND_REF" || !ok || n >= len(c.columns) {
			return chain{}, false
		}
		columns[i], names[i] = c.columns[n], e.text("alias")
	}
	c.columns, c.names = columns, names
	return c, true
}

// cut reads LIMIT and OFFSET of constants.
func (c chain) cut(o object) (chain, bool) {
	if c.limited {
		return chain{}, false
	}
	limit, ok1 := limitValue(o.object("limit_val"), lake.Unknown)
	offset, ok2 := limitValue(o.object("offset_val"), 0)
	c.limited, c.limit, c.offset = true, limit, offset
	return c, ok1 && ok2
}

func limitValue(o object, unset int64) (int64, bool) {
	switch o.text("type") {
	case "UNSET":
		return unset, true
	case "CONSTANT_VALUE":
		return o.integer("constant_integer")
	}
	return 0, false
}

package planner

import (
	"slices"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/planner/sqltext"
)

// piece is what a scan cannot be divided further than: a row group, or a file
// of which the catalog knows no row groups.
type piece struct {
	at    lake.Bound
	bytes int64
}

// Parts divides a native scan into at most partsMax contiguous shares of about
// the same number of bytes and of bytesMin at least, in the order of the table;
// together they are the whole scan, however a part of it is pruned when it is run
// (expr.Scan.Within). It returns nil for what cannot be divided, or is too small,
// and under a row filter: their number would reveal hidden rows.
func (p *Plan) Parts(bytesMin int64, partsMax int) []lake.Part {
	if p.Answer != nil || p.Native == nil || p.Analysis.Statement.Kind != sqltext.KindQuery {
		return nil
	}
	if slices.ContainsFunc(p.Reads, func(r Read) bool { return r.RowFilter != "" }) {
		return nil
	}
	s := &p.Native.Scan
	if s.Limit != lake.Unknown || s.Offset != 0 || len(s.InlinedTables) > 0 {
		return nil
	}
	pieces, rest := piecesOf(s.Tasks)
	n := int64(max(partsMax, 1))
	bytesMin = max(bytesMin, 1)
	share := max(bytesMin, (rest+n-1)/n)
	var parts []lake.Part
	var part lake.Part
	var bytes int64 // of the part so far
	for _, piece := range pieces {
		// The zero Bound is none; a part before it would hold all.
		if bytes >= share && rest >= bytesMin && piece.at != (lake.Bound{}) {
			part.To = piece.at
			parts = append(parts, part)
			part, bytes = lake.Part{From: piece.at}, 0
		}
		bytes += piece.bytes
		rest -= piece.bytes
	}
	if len(parts) == 0 {
		return nil
	}
	return append(parts, part)
}

// piecesOf returns the pieces of tasks, none if their files do not ascend by id
// as parts do.
func piecesOf(tasks []lake.ScanTask) (pieces []piece, total int64) {
	for i := range tasks {
		t := &tasks[i]
		if i > 0 && t.File.ID <= tasks[i-1].File.ID {
			return nil, 0
		}
		if len(t.File.RowGroups) == 0 {
			pieces = append(pieces, piece{at: lake.Bound{File: t.File.ID}, bytes: t.Bytes})
			total += t.Bytes
			continue
		}
		t.EachRowGroup(func(g *lake.RowGroup) {
			total += g.Bytes
			pieces = append(pieces, piece{at: lake.Bound{File: t.File.ID, RowGroup: g.Index}, bytes: g.Bytes})
		})
	}
	return pieces, total
}

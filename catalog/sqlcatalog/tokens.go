package sqlcatalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flightlake/flightlake/catalog"
	"github.com/flightlake/flightlake/lake"
)

func (s *session) staged(ctx context.Context) ([]catalog.StagedFile, error) {
	var out []catalog.StagedFile
	epoch := fmt.Sprintf(s.dialect.EpochMicros, "lease_until")
	err := s.each(ctx, `SELECT path, token, holder, `+epoch+` FROM `+tableStaged+` ORDER BY path`, nil,
		func(scan func(...any) error) error {
			var (
				f      catalog.StagedFile
				micros int64
			)
			err := scan(&f.Path, &f.Token, &f.Holder, &micros)
			f.LeaseUntil = time.UnixMicro(micros).UTC()
			out = append(out, f)
			return err
		})
	return out, err
}

// outcome returns what the Commit with a token did. If its snapshot has
// expired, the result holds the id and time only.
func (s *session) outcome(ctx context.Context, token string) (catalog.Result, bool, error) {
	var (
		id, rows, micros int64
		tables           string
	)
	epoch := fmt.Sprintf(s.dialect.EpochMicros, "committed_at")
	found, err := s.one(ctx, `SELECT snapshot_id, row_count, table_ids, `+epoch+` FROM `+tableAppend+` WHERE token = ?`,
		[]any{token}, &id, &rows, &tables, &micros)
	if err != nil || !found {
		return catalog.Result{}, false, err
	}
	result := catalog.Result{Rows: rows, Replayed: true}
	if result.Tables, err = parseTableIDs(tables); err != nil {
		return catalog.Result{}, false, err
	}
	snapshotID := lake.SnapshotID(id)
	result.Snapshot, err = s.selectSnapshot(ctx, catalog.Selector{ID: &snapshotID})
	if errors.Is(err, lake.ErrNotFound) {
		result.Snapshot, err = lake.Snapshot{ID: snapshotID, Time: time.UnixMicro(micros).UTC()}, nil
	}
	return result, true, err
}

func formatTableIDs(ids []lake.TableID) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatInt(int64(id), 10)
	}
	return strings.Join(parts, ",")
}

func parseTableIDs(text string) ([]lake.TableID, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	ids := make([]lake.TableID, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, lake.Errorf(lake.KindCorrupt, "append token names tables %q", text)
		}
		ids[i] = lake.TableID(n)
	}
	return ids, nil
}

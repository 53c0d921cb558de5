package sqlcatalog

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
)

// Keys of ducklake_metadata and flightlake_metadata.
const (
	keyVersion       = "version"
	keyCreatedBy     = "created_by"
	keyDataPath      = "data_path"
	keyEncrypted     = "encrypted"
	keyFormatVersion = "format_version"
	createdBy        = "flightlake"
)

// prepare creates, adopts or checks the tables, in one transaction.
func (c *Catalog) prepare(ctx context.Context, conn *sql.Conn) (err error) {
	const op = "open catalog"
	if !strings.HasSuffix(c.dataPath, "/") {
		c.dataPath += "/"
	}
	s := &session{conn: conn, dialect: &c.dialect}
	if err := s.exec(ctx, c.dialect.BeginWrite); err != nil {
		return c.dialect.wrap(op, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.exec(context.WithoutCancel(ctx), "ROLLBACK"))
		}
	}()
	tables, err := s.tables(ctx)
	if err != nil {
		return c.dialect.wrap(op, err)
	}
	if len(tables) == 0 {
		err = c.create(ctx, s)
	} else {
		err = c.adopt(ctx, s, tables)
	}
	if err != nil {
		return c.dialect.wrap(op, err)
	}
	if err = s.exec(ctx, "COMMIT"); err != nil {
		return c.dialect.wrap(op, err)
	}
	if !c.dialect.Exclusive {
		return nil
	}
	snapshot, err := s.latestSnapshot(ctx)
	if err != nil {
		return c.dialect.wrap(op, err)
	}
	c.latest.Store(&snapshot)
	return nil
}

func (s *session) tables(ctx context.Context) ([]string, error) {
	var names []string
	err := s.each(ctx, s.dialect.TablesQuery, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}

// create writes snapshot 0, which holds the schema main, as the ducklake extension does.
func (c *Catalog) create(ctx context.Context, s *session) error {
	for _, definition := range duckLakeTables() {
		if err := s.exec(ctx, c.dialect.createTable(definition)); err != nil {
			return err
		}
	}
	now := toMicros(c.clock.Now())
	inserts := []rowSet{
		{"ducklake_metadata", [][]any{
			{keyVersion, DuckLakeVersion, nil, nil},
			{keyCreatedBy, createdBy, nil, nil},
			{keyDataPath, c.dataPath, nil, nil},
			{keyEncrypted, "false", nil, nil},
		}},
		{"ducklake_snapshot", [][]any{{int64(0), now, int64(0), int64(1), int64(0)}}},
		{"ducklake_snapshot_changes", [][]any{{int64(0), "created_schema:" + quoteName(lake.DefaultSchema), nil, nil, nil}}},
		{"ducklake_schema", [][]any{
			{int64(0), uuid.New(), int64(0), nil, lake.DefaultSchema, lake.DefaultSchema + "/", true},
		}},
	}
	for _, r := range inserts {
		if err := c.dialect.InsertFunc(ctx, s.conn, r.table, r.rows); err != nil {
			return err
		}
	}
	return c.createOwn(ctx, s, c.dataPath)
}

// createOwn adds the tables of flightlake's own. ownDataPath is the data path
// if flightlake wrote it, else empty.
func (c *Catalog) createOwn(ctx context.Context, s *session, ownDataPath string) error {
	for _, definition := range flightlakeTables() {
		if err := s.exec(ctx, c.dialect.createTable(definition)); err != nil {
			return err
		}
	}
	return c.dialect.InsertFunc(ctx, s.conn, tableMetadata, [][]any{
		{keyFormatVersion, FormatVersion}, {keyDataPath, ownDataPath},
	})
}

// adopt checks an existing catalog and brings it up to date.
func (c *Catalog) adopt(ctx context.Context, s *session, tables []string) error {
	if !slices.Contains(tables, "ducklake_metadata") {
		return lake.Errorf(lake.KindState, "the database holds other tables and no DuckLake catalog")
	}
	var version string
	if _, err := s.one(ctx, `SELECT "value" FROM ducklake_metadata WHERE "key" = ? AND "scope" IS NULL`,
		[]any{keyVersion}, &version); err != nil {
		return err
	}
	if version != DuckLakeVersion {
		return lake.Errorf(lake.KindState, "the catalog has DuckLake version %q, this server reads and writes %q",
			version, DuckLakeVersion)
	}
	if !slices.Contains(tables, tableMetadata) {
		c.log.InfoContext(ctx, "adding flightlake's tables to a DuckLake catalog")
		if err := c.createOwn(ctx, s, ""); err != nil {
			return err
		}
	} else if err := checkFormatVersion(ctx, s); err != nil {
		return err
	}
	if err := c.moveData(ctx, s); err != nil {
		return err
	}
	return s.removeLostZoneMaps(ctx)
}

func checkFormatVersion(ctx context.Context, s *session) error {
	var version string
	if _, err := s.one(ctx, `SELECT "value" FROM flightlake_metadata WHERE "key" = ?`,
		[]any{keyFormatVersion}, &version); err != nil {
		return err
	}
	if version != FormatVersion {
		return lake.Errorf(lake.KindState, "the catalog has flightlake format version %q, this server reads and writes %q",
			version, FormatVersion)
	}
	return nil
}

// moveData updates the stored data path of a lake that was moved, if flightlake
// wrote it. A path that another program wrote stays: if it is the same place
// nothing needs to change, and if it is another one the files are not here.
func (c *Catalog) moveData(ctx context.Context, s *session) error {
	var stored, own string
	if _, err := s.one(ctx, `SELECT "value" FROM ducklake_metadata WHERE "key" = ? AND "scope" IS NULL`,
		[]any{keyDataPath}, &stored); err != nil {
		return err
	}
	if _, err := s.one(ctx, `SELECT "value" FROM flightlake_metadata WHERE "key" = ?`, []any{keyDataPath}, &own); err != nil {
		return err
	}
	switch {
	case stored == c.dataPath:
		return nil
	case stored != own && isElsewhere(stored, c.dataPath):
		return lake.Errorf(lake.KindState, "the catalog's files are in %s, not in %s", stored, c.dataPath)
	case stored != own:
		return nil
	}
	c.log.InfoContext(ctx, "the lake was moved", "from", stored, "to", c.dataPath)
	if err := s.exec(ctx, `UPDATE ducklake_metadata SET "value" = ? WHERE "key" = ? AND "scope" IS NULL`,
		c.dataPath, keyDataPath); err != nil {
		return err
	}
	return s.exec(ctx, `UPDATE flightlake_metadata SET "value" = ? WHERE "key" = ?`, c.dataPath, keyDataPath)
}

// isElsewhere reports whether a stored path surely names another place than
// path. A relative path depends on where its writer ran: only its last
// elements can be compared.
func isElsewhere(stored, path string) bool {
	clean := func(p string) string { return strings.TrimSuffix(filepath.ToSlash(filepath.Clean(p)), "/") }
	if filepath.IsAbs(stored) || strings.Contains(stored, "://") {
		return clean(stored) != clean(path)
	}
	return false
}

// removeLostZoneMaps removes the zone maps of files that another program
// removed from the catalog.
func (s *session) removeLostZoneMaps(ctx context.Context) error {
	return s.exec(ctx, `DELETE FROM flightlake_zone_map WHERE data_file_id NOT IN (SELECT data_file_id FROM ducklake_data_file)`)
}

package writer

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/writer/internal/pqenc"
)

const (
	keySuffix = ".parquet"
	// maxReserve is the most keys that are staged at once. The number doubles
	// with every call, so that a Write of one file stages one key, and one of
	// a thousand files does not wait for a thousand commits.
	maxReserve = 64
	// cleanupTimeout bounds the removal of files after an error, which goes on
	// when the context of the Write is done.
	cleanupTimeout = 30 * time.Second
)

// keyring hands out staged keys.
type keyring struct {
	prefix string
	newID  func() (uuid.UUID, error)
	stage  StageFunc
	free   []string // staged, not used
	used   []string
	batch  int
}

// next returns a staged key that no object has.
func (k *keyring) next(ctx context.Context) (string, error) {
	if len(k.free) == 0 {
		k.batch = min(max(1, 2*k.batch), maxReserve)
		keys := make([]string, k.batch)
		for i := range keys {
			id, err := k.newID()
			if err != nil {
				return "", lake.Wrap(lake.KindInternal, "new file name", err)
			}
			keys[i] = k.prefix + id.String() + keySuffix
		}
		if err := k.stage(ctx, keys); err != nil {
			// Whether the keys were recorded is not known; no object has them.
			k.free = append(k.free, keys...)
			return "", lake.Wrap(lake.KindUnavailable, "stage files", err)
		}
		k.free = keys
	}
	key := k.free[0]
	k.free = k.free[1:]
	k.used = append(k.used, key)
	return key, nil
}

// openFile is a file being written.
type openFile struct {
	key     string
	object  objstore.Writer
	parquet *pqenc.File
	rows    int64
	groups  []lake.RowGroup
}

// openFile opens a file for p, and closes another if too many are open.
func (j *job) openFile(ctx context.Context, p *part) error {
	if j.open >= j.w.limits.OpenFiles {
		var largest *part
		for _, o := range j.parts {
			if o.file != nil && (largest == nil || o.file.parquet.Size() > largest.file.parquet.Size()) {
				largest = o
			}
		}
		if err := j.closeFile(ctx, largest); err != nil {
			return err
		}
	}
	key, err := j.keys.next(ctx)
	if err != nil {
		return err
	}
	object, err := j.w.bucket.Create(ctx, key)
	if err != nil {
		return lake.Wrap(lake.KindUnavailable, "create "+key, err)
	}
	p.file = &openFile{key: key, object: object}
	j.open++
	p.file.parquet, err = pqenc.NewFile(ctx, object, j.schema, j.w.createdBy)
	return lake.Wrap(lake.KindUnavailable, "write "+key, err)
}

// add writes a row group and keeps its statistics.
func (f *openFile) add(ctx context.Context, rows int64, chunks []*pqenc.Chunk) error {
	g := lake.RowGroup{Index: int32(len(f.groups)), Rows: rows, Columns: make([]lake.ColumnStats, len(chunks))}
	for i, c := range chunks {
		g.Columns[i] = c.Stats
		g.Bytes += c.Stats.Bytes
	}
	if err := f.parquet.WriteRowGroup(ctx, rows, chunks); err != nil {
		return err
	}
	f.groups = append(f.groups, g)
	f.rows += rows
	return nil
}

// closeFile writes the footer of p's file and makes it durable.
func (j *job) closeFile(ctx context.Context, p *part) error {
	f := p.file
	footer, err := f.parquet.Close(ctx)
	if err != nil {
		return lake.Wrap(lake.KindUnavailable, "write "+f.key, err)
	}
	if err := f.object.Commit(ctx); err != nil {
		return lake.Wrap(lake.KindUnavailable, "commit "+f.key, err)
	}
	for i := range f.groups {
		j.inUnits(f.groups[i].Columns)
	}
	file := lake.DataFile{
		Path: f.key, Rows: f.rows, Bytes: f.parquet.Size(), FooterBytes: footer,
		RowGroups: f.groups, Stats: mergeStats(j.schema, f.groups),
	}
	if j.router != nil {
		file.PartitionID = j.spec.Partition.ID
		file.PartitionValues = j.router.partitionValues(p.id)
	}
	file.CheckInvariants()
	j.files = append(j.files, file)
	j.rows += f.rows
	j.open--
	p.file = nil
	return nil
}

// inUnits converts bounds from the unit of storage to that of the type: only
// timestamp_s is stored in another.
func (j *job) inUnits(stats []lake.ColumnStats) {
	for i := range stats {
		if j.schema.Leaves[i].Type.ID != lake.TypeTimestampS {
			continue
		}
		for _, bound := range []*lake.Value{stats[i].Min, stats[i].Max} {
			if bound != nil {
				bound.Int = seconds(bound.Int)
			}
		}
	}
}

func (j *job) result() Result {
	return Result{Files: j.files, Rows: j.rows, Gone: j.keys.free}
}

// cleanUp removes everything that was written.
func (j *job) cleanUp(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	result := Result{Gone: j.keys.free}
	for _, p := range j.parts {
		if p.file != nil {
			// A failed Abort leaves nothing visible; the Delete below tells.
			_ = p.file.object.Abort(ctx)
		}
	}
	left := map[string]bool{}
	for _, f := range objstore.DeleteAll(ctx, j.w.bucket, j.keys.used) {
		left[f.Key] = true
	}
	for _, key := range j.keys.used {
		if left[key] {
			result.Left = append(result.Left, key)
		} else {
			result.Gone = append(result.Gone, key)
		}
	}
	return result
}

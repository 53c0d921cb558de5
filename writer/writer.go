package writer

import (
	"context"
	"errors"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// StageFunc records, durably, that the objects with the given keys are about
// to be written. It is called before the upload of any of them begins.
type StageFunc func(ctx context.Context, keys []string) error

// Spec says what is written and how.
type Spec struct {
	Columns   []lake.Column // with field ids
	Partition *lake.PartitionSpec
	KeyPrefix string // of the objects, ends with "/"
	Options   Options
	// Memory counts the buffered rows; nil means that only Limits bound them.
	Memory Memory
}

// Memory counts what a Write holds, and says how much that may be now. Safe for
// concurrent use.
type Memory interface {
	// Hold is told by how many bytes the buffered rows grew, or shrank.
	Hold(delta int64)
	// Share returns how many bytes the Write should not exceed, so that others have room:
	// it then makes smaller row groups.
	Share() int64
}

// Result is what a Write made, or left behind.
type Result struct {
	// Files are committed to the Bucket and belong to no snapshot yet. Path is
	// the full key; ID, Table, Begin and RowIDStart are not set. Empty on error.
	Files []lake.DataFile
	Rows  int64 // rows in Files
	// Gone lists staged keys that surely hold no object: those that were not
	// needed, and on error those that were removed. They may be unstaged.
	Gone []string
	// Left lists, on error, staged keys that may still hold an object.
	Left []string
}

// Limits bound the memory of one Write. Beside them it needs, for each leaf,
// the encoded chunk and scratch of one row group.
type Limits struct {
	// RowGroupBytes ends a row group early. Rows are buffered as dense values.
	RowGroupBytes int64
	// BufferedBytes bounds the rows buffered for all partitions; beyond it the
	// largest buffers become row groups.
	BufferedBytes int64
	// OpenFiles bounds the files open at once; beyond it the largest is closed.
	OpenFiles int
}

// The default Limits: 64 MiB hold 122,880 rows of 500 bytes; a file that is open
// costs a descriptor and whatever the Bucket buffers.
const (
	DefaultRowGroupBytes int64 = 64 << 20
	DefaultBufferedBytes int64 = 128 << 20
	DefaultOpenFiles           = 256
)

func (l Limits) withDefaults() Limits {
	if l.RowGroupBytes <= 0 {
		l.RowGroupBytes = DefaultRowGroupBytes
	}
	if l.BufferedBytes <= 0 {
		l.BufferedBytes = DefaultBufferedBytes
	}
	if l.OpenFiles <= 0 {
		l.OpenFiles = DefaultOpenFiles
	}
	return l
}

// Writer writes streams of rows. It is safe for concurrent use.
type Writer struct {
	bucket      objstore.Bucket
	stage       StageFunc
	newID       func() (uuid.UUID, error)
	parallelism int // columns that are encoded at once: the number of processors
	limits      Limits
	createdBy   string
}

// Settings configure a Writer. The zero value is usable.
type Settings struct {
	// Limits bound the memory of a Write; each field that is 0 has its default.
	Limits Limits
	// NewIDFunc makes the UUIDs in file names; nil means UUIDv7. Safe for concurrent use.
	NewIDFunc func() (uuid.UUID, error)
}

// createdBy goes into footers, for those who ask who wrote a file.
const createdBy = "flightlake"

// New returns a Writer to bucket that calls stage before every upload.
func New(bucket objstore.Bucket, stage StageFunc, settings Settings) *Writer {
	w := &Writer{
		bucket: bucket, stage: stage, newID: settings.NewIDFunc, parallelism: runtime.GOMAXPROCS(0), createdBy: createdBy,
		limits: settings.Limits.withDefaults(),
	}
	if w.newID == nil {
		w.newID = uuid.NewV7
	}
	return w
}

// Write writes all rows of reader to new files and commits those to the
// Bucket. No rows make no files. The reader stays the caller's.
//
// On error nothing of the Write is kept: files are aborted or deleted, and
// Result says which keys may still exist.
//
// Errors: those of CheckFit, the Bucket, the StageFunc and reader; KindInvalid for
// a Partition by a column that does not exist or a transform that its type does not
// have, KindUnsupported by an unknown one; KindInvalid, naming the column, for a
// value that its column cannot hold and for malformed Arrow data; those of ctx.
func (w *Writer) Write(ctx context.Context, spec Spec, reader array.RecordReader) (Result, error) {
	j, err := newJob(w, spec, reader.Schema())
	if err != nil {
		return Result{}, err
	}
	defer func() { j.hold(-j.buffered) }()
	if err = j.run(ctx, reader); err != nil {
		return j.cleanUp(ctx), err
	}
	return j.result(), nil
}

// run writes all of reader.
func (j *job) run(ctx context.Context, reader array.RecordReader) error {
	for reader.Next() {
		if err := j.add(ctx, reader.RecordBatch()); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return errors.Join(ctxErr, err)
		}
		return lake.Wrap(lake.KindInvalid, "read stream", err)
	}
	return j.finish(ctx)
}

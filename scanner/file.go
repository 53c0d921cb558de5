package scanner

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/flightlake/flightlake/expr"
	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

const (
	// footerGuess is read from the end of a file whose footer's length is not
	// known; most footers are shorter.
	footerGuess = 64 << 10
	// footerTail is the length of the footer and the magic number (Parquet
	// README.md, File format).
	footerTail = 8
	// footerBytesMax refuses a length that only a corrupt file has.
	footerBytesMax = 512 << 20

	magic          = "PAR1"
	magicEncrypted = "PARE"
)

// file is the DataFile of one task. It is opened by the first worker that
// needs it and shared by those that read its row groups.
type file struct {
	scanner   *Scanner
	scan      *expr.Scan
	task      *lake.ScanTask
	unitsLeft atomic.Int64 // closes at 0

	once    sync.Once
	err     error
	reader  objstore.Reader
	bytes   int64 // of the object
	meta    *metadata.FileMetaData
	layout  *layout
	starts  []int64 // position in the file of the first row of each row group
	deleted []int64 // sorted positions of deleted rows
}

func newFile(s *Scanner, scan *expr.Scan, task *lake.ScanTask) *file {
	return &file{scanner: s, scan: scan, task: task}
}

// units returns what is known to read before the file is opened.
func (f *file) units() []*unit {
	groups := f.task.RowGroups
	known := f.task.File.RowGroups
	if groups == nil {
		if known == nil {
			f.unitsLeft.Store(1)
			return []*unit{{file: f, rowGroup: wholeFile, bytes: f.task.Bytes}}
		}
		for i := range known {
			groups = append(groups, known[i].Index)
		}
	}
	units := make([]*unit, len(groups))
	for i, g := range groups {
		units[i] = &unit{file: f, rowGroup: int(g), bytes: f.task.Bytes / int64(len(groups))}
	}
	f.unitsLeft.Store(int64(len(units)))
	return units
}

// parts returns the units of a file whose row groups were not known.
func (f *file) parts() []*unit {
	units := make([]*unit, f.meta.NumRowGroups())
	for i := range units {
		units[i] = &unit{file: f, rowGroup: i, bytes: f.meta.RowGroup(i).TotalByteSize()}
	}
	return units
}

// name says in errors which file of which table it is.
func (f *file) name() string {
	return fmt.Sprintf("data file %s of table %q", f.task.File.Path, f.scan.Table.Name)
}

// open reads the footer and the deletes, once. Its errors do not name the file.
func (f *file) open(ctx context.Context, sh *shape) error {
	f.once.Do(func() { f.err = f.load(ctx, sh) })
	return f.err
}

func (f *file) load(ctx context.Context, sh *shape) error {
	df := f.task.File
	if df.Encrypted {
		return lake.Errorf(lake.KindUnsupported, "the file is encrypted")
	}
	if df.Mapping != nil && df.Mapping.Fields == nil {
		return lake.Errorf(lake.KindCorrupt, "the catalog lacks mapping %d, which names the file's columns", df.Mapping.ID)
	}
	var err error
	if f.reader, f.meta, err = f.scanner.openParquet(ctx, df); err != nil {
		return err
	}
	f.bytes = f.reader.Size()
	if df.Rows != lake.Unknown && df.Rows != f.meta.NumRows {
		return lake.Errorf(lake.KindCorrupt, "the file has %d rows, the catalog says %d", f.meta.NumRows, df.Rows)
	}
	next := int64(0)
	for _, g := range f.meta.RowGroups {
		f.starts = append(f.starts, next)
		next += g.NumRows
	}
	if next != f.meta.NumRows {
		return lake.Errorf(lake.KindCorrupt, "the file has %d rows, its row groups %d", f.meta.NumRows, next)
	}
	if f.layout, err = newLayout(f.meta, sh, matching{byName: f.scanner.byName, mapping: df.Mapping}, df.PartialMax > f.scan.Snapshot); err != nil {
		return err
	}
	f.deleted, err = f.loadDeletes(ctx)
	return err
}

func (f *file) close() {
	f.once.Do(func() { f.err = io.ErrClosedPipe }) // it never was opened
	if f.reader != nil {
		_ = f.reader.Close() // it was only read from
		f.reader = nil
	}
}

// openParquet opens an object and reads its footer, in one range read if its
// length is known, or in none if the footer is kept.
func (s *Scanner) openParquet(ctx context.Context, df *lake.DataFile) (objstore.Reader, *metadata.FileMetaData, error) {
	open := s.bucket.Open
	if df.Absolute {
		open = s.outside.Open
	}
	r, err := open(ctx, df.Path, objstore.OpenOptions{Bytes: df.Bytes})
	if err != nil {
		return nil, nil, err
	}
	if df.Bytes > 0 && r.Size() != df.Bytes {
		err := lake.Errorf(lake.KindCorrupt, "the object has %d bytes, the catalog says %d", r.Size(), df.Bytes)
		return nil, nil, errors.Join(err, r.Close())
	}
	key := FooterKey{Path: df.Path, Bytes: r.Size()}
	footer, err := s.footers.Get(ctx, key, func(ctx context.Context) (*Footer, error) {
		meta, err := readFooter(ctx, r, df.FooterBytes)
		return &Footer{meta}, err
	})
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	return r, footer.meta, nil
}

func readFooter(ctx context.Context, r objstore.Reader, footer int64) (*metadata.FileMetaData, error) {
	size := r.Size()
	if size < footerTail {
		return nil, lake.Errorf(lake.KindCorrupt, "%d bytes are not a Parquet file", size)
	}
	if footer <= 0 || footer > size {
		footer = footerGuess
	}
	tail := make([]byte, min(footer+footerTail, size))
	if err := readFull(ctx, r, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	end := tail[len(tail)-footerTail:]
	switch string(end[4:]) {
	case magic:
	case magicEncrypted:
		return nil, lake.Errorf(lake.KindUnsupported, "the file is encrypted")
	default:
		return nil, lake.Errorf(lake.KindCorrupt, "the object does not end as a Parquet file does")
	}
	length := int64(binary.LittleEndian.Uint32(end))
	if length > size-footerTail || length > footerBytesMax {
		return nil, lake.Errorf(lake.KindCorrupt, "a footer of %d bytes does not fit a file of %d", length, size)
	}
	if length+footerTail > int64(len(tail)) {
		tail = make([]byte, length+footerTail)
		if err := readFull(ctx, r, tail, size-int64(len(tail))); err != nil {
			return nil, err
		}
	}
	return parseFooter(tail[int64(len(tail))-footerTail-length:len(tail)-footerTail], size)
}

// parseFooter decodes a footer. The decoder panics on some corrupt ones.
func parseFooter(footer []byte, size int64) (meta *metadata.FileMetaData, err error) {
	defer recoverCorrupt(&err)
	meta, err = metadata.NewFileMetaData(footer, nil)
	if err != nil {
		return nil, lake.Errorf(lake.KindCorrupt, "read footer: %w", err)
	}
	meta.SetSourceFileSize(size)
	// Arrow's schema in the metadata would change the types that are read; the
	// table has types of its own.
	meta.FileMetaData.KeyValueMetadata = nil
	return meta, nil
}

// recoverCorrupt turns a panic of a decoder into an error.
func recoverCorrupt(err *error) {
	if p := recover(); p != nil {
		*err = lake.Errorf(lake.KindCorrupt, "decode: %v", p)
	}
}

// readFull fills p from an offset.
func readFull(ctx context.Context, r objstore.Reader, p []byte, offset int64) error {
	n, err := r.ReadAt(ctx, p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return lake.Errorf(lake.KindCorrupt, "the object ends at byte %d, %d bytes short", offset+int64(n), len(p)-n)
	}
	return err
}

// keep removes from rows, ascending positions in a batch that begins at
// position first of the file, those that are deleted.
func (f *file) keep(rows []int32, first int64) []int32 {
	if len(f.deleted) == 0 || len(rows) == 0 {
		return rows
	}
	i, _ := slices.BinarySearch(f.deleted, first+int64(rows[0]))
	out := rows[:0]
	for _, r := range rows {
		pos := first + int64(r)
		for i < len(f.deleted) && f.deleted[i] < pos {
			i++
		}
		if i == len(f.deleted) || f.deleted[i] != pos {
			out = append(out, r)
		}
	}
	return out
}

// Package catalog declares the contract of the lake's catalog: the SQL database
// that holds snapshots, schemas, tables, data files and their statistics in the
// DuckLake 1.0 format, plus the tables of flightlake's own, whose names begin
// with flightlake_ (docs/format.md specifies both).
//
// The drivers live in subpackages; catalogtest is the suite that specifies
// them. A catalog stores paths and never opens them.
package catalog

import (
	"context"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/lake"
)

// Catalog is a transactional store of the lake's metadata: the union of what its
// users take in parts. Implementations are safe for concurrent use. Every method is
// one round trip or a few.
//
// Errors common to all methods: KindUnavailable if the database cannot be
// reached, KindCorrupt if its contents contradict the format, and those of ctx.
type Catalog interface {
	Reader
	Committer
	Stager
	Keeper

	// Capabilities tells in what drivers differ. It does not change.
	Capabilities() Capabilities

	// Close releases the database and its lock.
	Close() error
}

// Capabilities says what a driver does that others do not.
type Capabilities struct {
	// Exclusive says that no other process has the catalog open. A holder of staged
	// files that is not this process has therefore ended.
	Exclusive bool
	// Metadata says that Metadata runs queries.
	Metadata bool
}

// Reader reads the snapshots of a lake and what is in them.
type Reader interface {
	// Snapshot returns the snapshot that sel selects.
	// Errors: KindNotFound if there is none.
	Snapshot(ctx context.Context, sel Selector) (lake.Snapshot, error)

	// Snapshots returns all snapshots, ascending by ID.
	Snapshots(ctx context.Context) ([]lake.Snapshot, error)

	// State returns the schemas and tables of a snapshot. The caller must not
	// modify it; drivers may return the same State again. Its options may be newer
	// than the snapshot: they have no history.
	// Errors: KindNotFound for a snapshot that does not exist.
	State(ctx context.Context, id lake.SnapshotID) (*lake.State, error)

	// Files returns the data files of a table with statistics, zone maps and
	// deletes that changed after snapshot `after` and up to snapshot `upTo`:
	// files begun in (after, upTo], and files ended, or whose deletes begun or
	// ended, in (after, upTo]. With after = 0 it returns every file live at upTo.
	// Files come ascending by ID. End is set only if the file ended at or before upTo.
	// Errors: KindNotFound, naming the table, if it is not in upTo.
	Files(ctx context.Context, table lake.TableID, after, upTo lake.SnapshotID) (Files, error)

	// InlinedRows returns the rows of one table of inlined data (an entry of
	// Files.Inlined) that are live at snapshot id, ascending by row id. The
	// reader's schema is lake.ArrowSchema of table.Columns; columns that the
	// inlined table does not have hold their initial default. The caller
	// releases the reader.
	// Errors: KindNotFound for what is no inlined data of the table; KindUnsupported,
	// naming the column, for variant and geometry.
	InlinedRows(ctx context.Context, table *lake.Table, inlined string, id lake.SnapshotID) (array.RecordReader, error)

	// Metadata runs one read-only SELECT over the catalog's own tables, whose
	// names are those of the specification without a schema. The caller
	// releases the reader.
	// Errors: KindInvalid for anything but a SELECT that binds; KindUnsupported
	// without Capabilities.Metadata.
	Metadata(ctx context.Context, query string) (array.RecordReader, error)
}

// Committer publishes snapshots.
type Committer interface {
	// Commit publishes one Snapshot that holds all operations of c, or nothing.
	// Concurrent calls are committed in groups, each with a snapshot of its own.
	// If c.Token names an earlier Commit, nothing is written and the first
	// result is returned with Replayed set.
	//
	// It waits no longer than ctx and a limit of the driver. An error says whether
	// the Snapshot may be there: it may not, but for KindIndeterminate.
	//
	// Errors: the Kind documented at the operation that fails, with a
	// *transition.Failed in its chain where a precondition did; KindConflict, naming
	// the table or schema and the other snapshot, if a precondition was broken, or
	// if one of c.Appends was committed before; KindInvalid for operations that undo
	// each other, tokens that repeat and text that is no UTF-8; KindUnavailable if it
	// took too long; KindIndeterminate if the database did not answer: the staged
	// files must be kept, and the outcome asked with Outcome.
	Commit(ctx context.Context, c Commit) (Result, error)

	// Outcome returns the result of the Commit with the given token; for a token
	// of Commit.Appends, the rows and tables are those of that append.
	// Errors: KindNotFound if no such Commit was published.
	Outcome(ctx context.Context, token string) (Result, error)
}

// Stager keeps note of objects that may exist and are in no Snapshot yet.
type Stager interface {
	// Stage records, durably, that the objects are about to be written. A path
	// is staged before its upload begins; one that is staged already gets the new
	// token, holder and lease. Commit removes the entries of the files that it adds.
	Stage(ctx context.Context, files []StagedFile) error

	// Unstage forgets staged objects, after they were deleted.
	Unstage(ctx context.Context, paths []string) error
}

// Keeper is what upkeep needs.
type Keeper interface {
	// Staged returns all staged objects that no Commit has added, by path.
	Staged(ctx context.Context) ([]StagedFile, error)

	// Renew sets the lease of all that a holder has staged to end at until.
	Renew(ctx context.Context, holder string, until time.Time) error
}

// Selector selects a snapshot: the latest if it is zero.
type Selector struct {
	ID   *lake.SnapshotID // exactly this one
	Time *time.Time       // the latest at or before this time
}

// Files is the answer of Catalog.Files.
type Files struct {
	Files []lake.DataFile
	// Inlined names the tables of inlined rows, with their live row count, of
	// the table at upTo; complete whatever `after` was.
	Inlined []lake.Inlined
	// Partitions holds every PartitionSpec that a file in Files names.
	Partitions []lake.PartitionSpec
}

// StagedFile is an object that may exist and is in no Snapshot yet.
type StagedFile struct {
	Path  string // key in the Bucket
	Token string // of the append it belongs to; may be empty
	// Holder identifies the process that writes it, and no other process ever; empty
	// if nobody does any more.
	Holder string
	// LeaseUntil is when the object may be presumed abandoned, unless Holder renews
	// it. Where the catalog is Exclusive, what others hold may be presumed so at once.
	LeaseUntil time.Time
}

// Commit is what one Snapshot changes. Its operations apply in order: a name is
// free after its table or schema is dropped, and can be used by operations that
// follow its creation. No table or schema is both changed or created and dropped.
type Commit struct {
	Token string // append token of at most 256 bytes; empty means none
	// Appends are the tokens of appends that became one Commit, different from
	// each other and from Token.
	Appends []AppendToken
	// Base is the snapshot on which the operations were planned; nil means that
	// they hold for whatever is there. With it, a name that later snapshots took,
	// freed or gave to another table or schema is KindConflict where it would be
	// KindExists, KindNotFound, KindState or no error; and so is to drop a table to
	// which a later snapshot added files.
	Base       *lake.SnapshotID
	Operations []Operation
	Author     string
	Message    string
}

// AppendToken is the token of an append that is part of a Commit.
type AppendToken struct {
	Token string // 1 to 256 bytes
	Rows  int64  // that this append added
	// Operations are the positions, in Commit.Operations, of those that hold its
	// rows; none if the rows did not last until the Commit.
	Operations []int
}

// Result is what a Commit did.
type Result struct {
	Snapshot lake.Snapshot
	// Tables holds the id of the table of each operation, 0 where there is none.
	Tables   []lake.TableID
	Rows     int64 // rows added
	Replayed bool  // the token had been committed before
}

// Operation is one change. The concrete types follow; there are no others.
type Operation interface{ operation() }

// CreateSchema creates a schema. Errors: KindExists.
type CreateSchema struct {
	Name string
	// Path is the key prefix of its tables' files in the Bucket, ending with "/";
	// empty means SchemaPath.
	Path string
}

// SchemaPath returns the folder of a new schema: its name if that is plain,
// else id, which is a UUID.
func SchemaPath(name, id string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	const lengthMax = 100 // a file system's limit is 255 bytes
	if name == "" || len(name) > lengthMax || strings.Trim(name, plain) != "" {
		return id + "/"
	}
	return name + "/"
}

// DropSchema drops an empty schema. Errors: KindNotFound; KindState if it still
// has tables or views.
type DropSchema struct{ Name string }

// CreateTable creates a table and, if Files is set, adds them (CREATE TABLE AS,
// ingest in create mode). Column ids are those of lake.AssignFieldIDs.
// Errors: KindExists; KindNotFound for the schema, and for a column of a key.
type CreateTable struct {
	Schema  string
	Name    string
	Columns []lake.Column
	// Path is the key prefix of the table's files in the Bucket, ending with
	// "/". It begins with the path of the schema.
	Path      string
	Partition *lake.PartitionSpec // ID is assigned
	Options   map[string]string
	Comment   string
	// PrimaryKey and ForeignKeys are declared keys, as lake.Table.ResolveKeys leaves
	// them. Whether there is what a foreign key refers to is not checked: it may be
	// dropped at any time.
	PrimaryKey  []string
	ForeignKeys []lake.ForeignKey
	Files       []lake.DataFile
}

// DropTable drops a table. Errors: KindConflict if another commit dropped or
// replaced the table, or if Layout is not 0 and the table's LayoutBegin differs;
// KindNotFound if no table ever had the ID.
type DropTable struct {
	ID     lake.TableID
	Layout lake.SnapshotID
}

// AddFiles adds data files to a table: an Append. ID, Table, Begin and
// RowIDStart of the files are assigned. Precondition: the table is live and
// its LayoutBegin is the given Layout, so that its columns and partitioning are
// what the writer wrote. Errors: KindConflict if it is not; KindNotFound if no
// table ever had the id.
type AddFiles struct {
	Table  lake.TableID
	Layout lake.SnapshotID
	Files  []lake.DataFile
}

// SetComment sets the comment of a schema, table or column; empty removes it.
// Errors: KindNotFound.
type SetComment struct {
	Schema string
	Table  string       // empty for the schema's own comment
	Column lake.FieldID // 0 for the table's own comment
	Text   string
}

// SetOption sets an option in ducklake_metadata; lake-wide if Schema and Table
// are empty. Errors: KindNotFound for the table; KindUnsupported for a schema;
// those of CheckOption.
type SetOption struct {
	Schema string
	Table  string
	Name   string
	Value  string
}

func (CreateSchema) operation() {}
func (DropSchema) operation()   {}
func (CreateTable) operation()  {}
func (DropTable) operation()    {}
func (AddFiles) operation()     {}
func (SetComment) operation()   {}
func (SetOption) operation()    {}

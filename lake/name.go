package lake

// Names that every client sees.
const (
	// CatalogName is the one catalog of a server.
	CatalogName = "lake"
	// DefaultSchema is where names without a schema resolve unless the caller says
	// otherwise. Every lake has it.
	DefaultSchema = "main"
	// TemporarySchema is the schema that shows the temporary tables of a session. It is
	// also the name of a catalog whose one schema, DefaultSchema, holds them.
	TemporarySchema = "temp"
)

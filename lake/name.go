package lake

// Names that every client sees.
const (
	// CatalogName is the one catalog of a server.
	CatalogName = "lake"
	// DefaultSchema is where names without a schema resolve unless the caller says
	// otherwise. Every lake has it.
	DefaultSchema = "main"
	// TemporarySchema shows the temporary tables of a session.
	TemporarySchema = "temp"
)

package engine

// Abandoned returns how many calls go on that nobody waits for.
func (x *Executor) Abandoned() int64 { return x.pool.abandoned.count.Load() }

// Texts runs a query of texts that is not a client's.
func (x *Executor) Texts(sql string) ([][]string, error) { return x.syncing.texts(sql) }

// Abandoned returns how many calls go on that nobody waits for.
func (f *Frontend) Abandoned() int64 { return f.pool.abandoned.count.Load() }

package engine

// Abandoned returns how many calls go on that nobody waits for.
func (x *Executor) Abandoned() int64 { return x.pool.abandoned.count.Load() }

// Abandoned returns how many calls go on that nobody waits for.
func (f *Frontend) Abandoned() int64 { return f.pool.abandoned.count.Load() }

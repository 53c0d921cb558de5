//go:build !invariants

package invariant

// Enabled reports whether checks are on. It is a constant, so that code which
// serves checks alone is left out of other builds.
const Enabled = false

// Check panics with the text of an invariant unless holds returns true. The
// text is a literal, the same as that of the comment which states the invariant
// in the package that calls. holds must change nothing; with checks off it is
// not called.
func Check(_ string, _ func() bool) {}

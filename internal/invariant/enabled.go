//go:build invariants

package invariant

// Enabled reports that checks are on.
const Enabled = true

// Check panics with the text of an invariant unless holds returns true.
func Check(text string, holds func() bool) {
	if !holds() {
		panic("broken invariant: " + text)
	}
}

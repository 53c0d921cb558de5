// Package invariant checks in test builds what the code relies on everywhere:
// what a comment states in a line that begins with INVARIANT and a colon.
//
// The build tag invariants turns the checks on; `make invariants` runs the
// tests with it. Without the tag the package costs nothing: Check is empty and
// inlined, and the function that it is given is never made.
//
// A comment and its check belong together by the text: a package that states
// an invariant calls Check with the very words of the comment. The test of this
// package refuses an invariant without a check, and a check without a comment.
//
// Checks find faults of the code. What a caller, a file or a catalog may get
// wrong is an error with a kind, in every build.
package invariant

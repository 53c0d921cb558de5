// Package catalogtest is the specification of catalog.Catalog as a test suite
// that every driver runs.
package catalogtest

package objstore

import (
	"strings"
	"unicode/utf8"

	"github.com/flightlake/flightlake/lake"
)

// Limits of keys, in bytes. They are the smallest of the stores that the
// drivers serve, so that a lake can move from one to another.
const (
	KeyBytesMax  = 1024 // of S3 and GCS
	NameBytesMax = 255  // of one "/"-separated name, in the file systems of Linux, macOS and Windows
)

// quotedBytesMax bounds how much of a refused key an error text repeats.
const quotedBytesMax = 64

// ValidateKey returns an error unless key can name an object: UTF-8, relative,
// clean (no empty name, "." or ".."), without NUL and backslash, and within
// KeyBytesMax and NameBytesMax. A backslash separates folders on some systems,
// so a key that holds one would not mean the same everywhere.
//
// Errors: KindInvalid.
func ValidateKey(key string) error {
	if key == "" {
		return lake.Errorf(lake.KindInvalid, "object key is empty")
	}
	if err := validateText("object key", key); err != nil {
		return err
	}
	for name := range strings.SplitSeq(key, "/") {
		if err := validateName("object key", key, name); err != nil {
			return err
		}
	}
	return nil
}

// ValidatePrefix returns an error unless prefix can begin a key. The empty
// prefix is valid, and the last name may be incomplete.
//
// Errors: KindInvalid.
func ValidatePrefix(prefix string) error {
	if err := validateText("key prefix", prefix); err != nil {
		return err
	}
	folder, _ := SplitPrefix(prefix)
	if folder == "" {
		if strings.HasPrefix(prefix, "/") {
			return lake.Errorf(lake.KindInvalid, "key prefix %q is absolute", quoted(prefix))
		}
		return nil
	}
	for name := range strings.SplitSeq(folder, "/") {
		if err := validateName("key prefix", prefix, name); err != nil {
			return err
		}
	}
	return nil
}

// SplitPrefix splits a listing prefix after its last "/" into the folder,
// without the "/", and the beginning of a name in it.
func SplitPrefix(prefix string) (folder, name string) {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return "", prefix
	}
	return prefix[:i], prefix[i+1:]
}

// validateText checks what concerns a key or prefix as a whole.
func validateText(what, s string) error {
	switch {
	case len(s) > KeyBytesMax:
		return lake.Errorf(lake.KindInvalid, "%s %q has %d bytes, more than %d", what, quoted(s), len(s), KeyBytesMax)
	case !utf8.ValidString(s):
		return lake.Errorf(lake.KindInvalid, "%s %q is not UTF-8", what, quoted(s))
	case strings.ContainsAny(s, "\x00\\"):
		return lake.Errorf(lake.KindInvalid, "%s %q holds a NUL or a backslash", what, quoted(s))
	}
	return nil
}

// validateName checks one "/"-separated name of a key or prefix.
func validateName(what, s, name string) error {
	switch {
	case name == "" && strings.HasPrefix(s, "/"):
		return lake.Errorf(lake.KindInvalid, "%s %q is absolute", what, quoted(s))
	case name == "":
		return lake.Errorf(lake.KindInvalid, "%s %q holds an empty name", what, quoted(s))
	case name == "." || name == "..":
		return lake.Errorf(lake.KindInvalid, "%s %q is not clean: it holds %q", what, quoted(s), name)
	case len(name) > NameBytesMax:
		return lake.Errorf(lake.KindInvalid, "%s %q holds a name of %d bytes, more than %d",
			what, quoted(s), len(name), NameBytesMax)
	}
	return nil
}

// quoted shortens s for an error text.
func quoted(s string) string {
	if len(s) <= quotedBytesMax {
		return s
	}
	return s[:quotedBytesMax] + "..."
}

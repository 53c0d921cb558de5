package auth

import (
	"bytes"
	"log/slog"
	"os"

	"github.com/flightlake/flightlake/lake"
)

// redacted is what a secret prints as.
const redacted = "REDACTED"

// secret is text that must reach neither logs nor errors: however it is
// printed, it says REDACTED.
type secret string

func (secret) String() string               { return redacted }
func (secret) GoString() string             { return redacted }
func (secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// hmacSecretBytesMin is the least length of the key of HS256: as long as its
// hash, which RFC 7518, section 3.2 asks for.
const hmacSecretBytesMin = 32

// fileBytesMax bounds each file that is read: far beyond a thousand users.
const fileBytesMax = 16 << 20

// readHMACSecret returns the content of a secret's file without the line break
// that editors put at the end.
func readHMACSecret(path string) (secret, error) {
	data, err := readBounded(path)
	if err != nil {
		return "", err
	}
	data = bytes.TrimRight(data, "\r\n")
	if len(data) < hmacSecretBytesMin {
		return "", lake.Errorf(lake.KindInvalid, "%s holds %d bytes: a secret of HS256 has at least %d",
			path, len(data), hmacSecretBytesMin)
	}
	return secret(data), nil
}

// readBounded reads a file of at most fileBytesMax. Errors name the path.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, lake.Wrap(lake.KindNotFound, "", err)
	}
	if info.Size() > fileBytesMax {
		return nil, lake.Errorf(lake.KindInvalid, "%s has %d bytes: at most %d are read", path, info.Size(), fileBytesMax)
	}
	data, err := os.ReadFile(path)
	return data, lake.Wrap(lake.KindInvalid, "", err)
}

// readableByAll reports whether anybody on the machine may read the file.
func readableByAll(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}

package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/flightlake/flightlake/lake"
)

// The parameters of new argon2id hashes: the second choice of RFC 9106, section
// 4, for machines that have less than 2 GiB to spare for a login.
const (
	argonMemoryKiB   = 64 << 10
	argonPasses      = 3
	argonLanes       = 4
	argonSaltBytes   = 16
	argonKeyBytes    = 32
	argonKeyBytesMin = 16
)

// The bounds of hashes that are accepted: beyond them one login would take
// minutes, or more memory than all logins together may have.
const (
	argonPassesMax = 64
	argonLanesMax  = 64
	bcryptCostMax  = 16
)

// PasswordBytesMax is the longest password that is looked at.
const PasswordBytesMax = 1 << 10

// Hash returns the argon2id hash of a password as the auth file holds it: a PHC
// string. It takes about a tenth of a second and 64 MiB.
//
// Errors: KindInvalid for an empty password or one over PasswordBytesMax.
func Hash(password string) (string, error) {
	if password == "" || len(password) > PasswordBytesMax {
		return "", lake.Errorf(lake.KindInvalid, "a password has 1 to %d bytes", PasswordBytesMax)
	}
	h := passwordHash{memoryKiB: argonMemoryKiB, passes: argonPasses, lanes: argonLanes, salt: make([]byte, argonSaltBytes)}
	if _, err := rand.Read(h.salt); err != nil {
		return "", lake.Wrap(lake.KindInternal, "make salt", err)
	}
	h.key = argon2.IDKey([]byte(password), h.salt, h.passes, h.memoryKiB, h.lanes, argonKeyBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memoryKiB, h.passes, h.lanes,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key)), nil
}

// passwordHash is a parsed hash: of bcrypt if that is set, else of argon2id.
type passwordHash struct {
	text      secret // as the file has it
	bcrypt    []byte
	memoryKiB uint32
	passes    uint32
	lanes     uint8
	salt, key []byte
}

var errNotHash = errors.New("is not a hash of argon2id ($argon2id$...) or bcrypt ($2b$...): make one with flightlake passwd")

// parseHash reads a hash. Errors say what is wrong with it, without quoting it.
func parseHash(text secret) (*passwordHash, error) {
	switch s := string(text); {
	case strings.HasPrefix(s, "$argon2id$"):
		return parseArgon(text)
	case strings.HasPrefix(s, "$2a$"), strings.HasPrefix(s, "$2b$"), strings.HasPrefix(s, "$2y$"):
		cost, err := bcrypt.Cost([]byte(s))
		if err != nil || len(s) != 60 {
			return nil, errors.New("is not a well-formed hash of bcrypt")
		}
		if cost > bcryptCostMax {
			return nil, fmt.Errorf("has a cost of %d: at most %d is accepted", cost, bcryptCostMax)
		}
		return &passwordHash{text: text, bcrypt: []byte(s)}, nil
	}
	return nil, errNotHash
}

// parseArgon reads $argon2id$v=19$m=65536,t=3,p=4$salt$key.
func parseArgon(text secret) (*passwordHash, error) {
	malformed := errors.New("is not a well-formed hash of argon2id: $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$KEY")
	parts := strings.Split(string(text), "$")
	if len(parts) != 6 || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, malformed
	}
	h := &passwordHash{text: text}
	var numbers [3]uint64
	fields := strings.Split(parts[3], ",")
	if len(fields) != len(numbers) {
		return nil, malformed
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return nil, malformed
		}
		numbers[i] = n
	}
	memory, passes, lanes := numbers[0], numbers[1], numbers[2]
	if passes < 1 || passes > argonPassesMax || lanes < 1 || lanes > argonLanesMax ||
		memory < 8*lanes || memory<<10 > VerifyBytesMax {
		return nil, fmt.Errorf("has parameters out of range: m is 8 p to %d, t is 1 to %d, p is 1 to %d",
			VerifyBytesMax>>10, argonPassesMax, argonLanesMax)
	}
	h.memoryKiB, h.passes, h.lanes = uint32(memory), uint32(passes), uint8(lanes)
	var saltErr, keyErr error
	h.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.key, keyErr = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(h.salt) < 8 || len(h.key) < argonKeyBytesMin {
		return nil, malformed
	}
	return h, nil
}

// bytes is the memory that verifying takes. A bcrypt hash counts as an ordinary
// argon2id one, so that the bound on memory bounds processors too.
func (h *passwordHash) bytes() int64 {
	return max(int64(h.memoryKiB)<<10, argonMemoryKiB<<10)
}

// verify reports whether the password is the hash's, in a time that does not
// depend on how near it is.
func (h *passwordHash) verify(password string) bool {
	if h.bcrypt != nil {
		return bcrypt.CompareHashAndPassword(h.bcrypt, []byte(password)) == nil
	}
	key := argon2.IDKey([]byte(password), h.salt, h.passes, h.memoryKiB, h.lanes, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

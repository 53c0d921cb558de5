package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/flightlake/flightlake/lake"
)

func TestHashIsVerified(t *testing.T) {
	t.Parallel()
	text, err := Hash("correct horse")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text, "$argon2id$v=19$m=65536,t=3,p=4$"), text)
	h, err := parseHash(secret(text))
	require.NoError(t, err)
	require.True(t, h.verify("correct horse"))
	require.False(t, h.verify("correct horsf"))
	again, err := Hash("correct horse")
	require.NoError(t, err)
	require.NotEqual(t, text, again, "the salt is random")
}

func TestHashRefusesWhatNoLoginAccepts(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", strings.Repeat("x", PasswordBytesMax+1)} {
		_, err := Hash(password)
		require.ErrorIs(t, err, lake.ErrInvalid)
	}
}

func TestBcryptHashIsVerified(t *testing.T) {
	t.Parallel()
	text, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	require.NoError(t, err)
	for _, version := range []string{"$2a$", "$2b$", "$2y$"} {
		h, err := parseHash(secret(version + string(text[4:])))
		require.NoError(t, err, version)
		require.True(t, h.verify("pw"), version)
		require.False(t, h.verify("pW"), version)
	}
}

func TestBadHashesAreRefusedWithoutBeingQuoted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain text":           "hunter2-hunter2",
		"argon2i":              strings.Replace(cheap("x"), "argon2id", "argon2i", 1),
		"other version":        strings.Replace(cheap("x"), "v=19", "v=16", 1),
		"no salt":              "$argon2id$v=19$m=8,t=1,p=1$$" + strings.Repeat("A", 43),
		"short key":            "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
		"not base64":           "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$!!!!",
		"memory beyond bounds": strings.Replace(cheap("x"), "m=8", "m=4294967295", 1),
		"memory overflows":     strings.Replace(cheap("x"), "m=8", "m=99999999999999999999", 1),
		"too little memory":    strings.Replace(cheap("x"), "m=8", "m=7", 1),
		"zero passes":          strings.Replace(cheap("x"), "t=1", "t=0", 1),
		"zero lanes":           strings.Replace(cheap("x"), "p=1", "p=0", 1),
		"lanes wrap a byte":    strings.Replace(cheap("x"), "p=1", "p=257", 1),
		"missing parameter":    strings.Replace(cheap("x"), ",p=1", "", 1),
		"bcrypt cut off":       "$2b$10$N9qo8uLOickgx2ZMRZoMye",
		"bcrypt for ever":      "$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	} {
		_, err := parseHash(secret(text))
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), text, name)
	}
}

func TestSecretsPrintAsRedacted(t *testing.T) {
	t.Parallel()
	s := secret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "entry", userEntry{Password: s})
	text, err := json.Marshal(map[string]any{"s": s})
	require.NoError(t, err)
	all := fmt.Sprintf("%v %s %q %+v %#v", s, s, s, userEntry{Password: s}, userEntry{Password: s}) + log.String() + string(text)
	require.NotContains(t, all, "hunter2")
	require.Contains(t, all, "REDACTED")
}

package local

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flightlake/flightlake/lake"
	"github.com/flightlake/flightlake/objstore"
)

// nobody is the user id of the traditional unprivileged user.
const nobody = 65534

// asNobody runs fn on a thread whose file accesses are those of a user without
// rights: root ignores permission bits, and tests may run as root.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if syscall.Setfsuid(nobody) != nil {
			return
		}
		fn()
	}()
	<-done
}

func TestNewRefusesAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o555))
	var existing, missing error
	asNobody(t, func() {
		_, existing = New(root)
		_, missing = New(root + "/new")
	})
	for _, err := range []error{existing, missing} {
		require.ErrorIs(t, err, lake.ErrState)
		require.ErrorContains(t, err, "cannot write there: permission denied")
	}
}

func TestFolderThatBecameReadOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, objstore.WriteAll(t.Context(), b, "k", []byte("content")))
	require.NoError(t, os.Chmod(b.root, 0o555))
	var createErr, deleteErr error
	asNobody(t, func() {
		_, createErr = b.Create(t.Context(), "new")
		deleteErr = b.Delete(t.Context(), "k")
	})
	require.ErrorIs(t, createErr, lake.ErrState)
	require.ErrorIs(t, deleteErr, lake.ErrState)
	require.Equal(t, []string{"k"}, list(t, b))
}

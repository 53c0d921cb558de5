package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistoryIsKeptForItsUserOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "history")
	h, err := OpenHistory(path)
	require.NoError(t, err)
	for _, text := range []string{"SELECT\n 1;", " ", "SELECT 2;\n", "SELECT 2;"} {
		_, err := h.Write(text)
		require.NoError(t, err)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := OpenHistory(path)
	require.NoError(t, err)
	require.Equal(t, []string{"SELECT\n 1;", "SELECT 2;"}, again.Dump())
	line, err := again.GetLine(1)
	require.NoError(t, err)
	require.Equal(t, "SELECT 2;", line)
	_, err = again.GetLine(2)
	require.Error(t, err)
	_, err = again.GetLine(-1)
	require.Error(t, err)
}

func TestADamagedLineOfHistoryIsLeftOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	require.NoError(t, os.WriteFile(path, []byte("\"a\"\nnot json\n\"b\"\n\"cut o"), 0o600))
	h, err := OpenHistory(path)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, h.Dump())
}

func TestALongHistoryIsCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	var text []byte
	for i := range 2*historyMax + 1 {
		text = append(text, historyLine(fmt.Sprintf("SELECT %d", i))...)
	}
	require.NoError(t, os.WriteFile(path, text, 0o600))
	h, err := OpenHistory(path)
	require.NoError(t, err)
	require.Equal(t, historyMax, h.Len())
	again, err := OpenHistory(path)
	require.NoError(t, err)
	require.Equal(t, h.Dump(), again.Dump())
	last, err := again.GetLine(historyMax - 1)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("SELECT %d", 2*historyMax), last)
}

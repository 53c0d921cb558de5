package shell

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressShowsWhatIsKnown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := NewProgress(&b, nil)
	p.show(2*time.Second, "")
	p.Add(3, 5<<20)
	p.show(65*time.Second, "42%")
	p.clear()
	p.clear()
	require.Equal(t, []string{
		"", "running 2 s (Ctrl-C cancels)", "running 65 s, 42%, 3 rows, 5.0 MiB (Ctrl-C cancels)", "",
	}, strings.Split(b.String(), eraseLine))
}

func TestNoProgressIsShownWithoutATerminal(t *testing.T) {
	t.Parallel()
	var p *Progress
	stop := p.Start(context.Background(), time.Time{}, nil)
	p.Add(1, 1)
	stop()
	stop()
}

func TestByteText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 40: "1.0 TiB", 1<<63 - 1: "8.0 EiB"} {
		require.Equal(t, want, byteText(n))
	}
}

package shell

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
)

const (
	// progressAfter is how long a statement runs before its progress is shown.
	progressAfter = time.Second
	// progressEvery is how often it is shown.
	progressEvery = time.Second
)

// eraseLine goes to the beginning of a terminal's line and clears it.
const eraseLine = "\r\x1b[K"

// Progress shows on a terminal how far a long statement is. A nil Progress shows
// nothing.
type Progress struct {
	w     io.Writer
	clock clock.Clock

	mu          sync.Mutex
	rows, bytes int64 // mu guards what follows
	shown       bool
}

// NewProgress shows progress on a terminal.
func NewProgress(w io.Writer, c clock.Clock) *Progress {
	return &Progress{w: w, clock: c}
}

// Start begins to watch a statement that began at a time. The function that it
// returns ends that, clears the line, and may be called again.
func (p *Progress) Start(began time.Time) (stop func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	p.rows, p.bytes = 0, 0
	p.mu.Unlock()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				p.show(p.clock.Now().Sub(began))
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
		p.clear()
	})
}

// Add counts rows and bytes that came.
func (p *Progress) Add(rows, bytes int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows += rows
	p.bytes += bytes
}

func (p *Progress) show(elapsed time.Duration) {
	if elapsed < progressAfter {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	text := fmt.Sprintf("running %.0f s", elapsed.Seconds())
	if p.rows > 0 {
		text += fmt.Sprintf(", %s, %s", rowText(p.rows), byteText(p.bytes))
	}
	_, _ = io.WriteString(p.w, eraseLine+text+" (Ctrl-C cancels)")
}

func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		_, _ = io.WriteString(p.w, eraseLine)
	}
	p.shown = false
}

// byteText writes a number of bytes with a unit.
func byteText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, names := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for ; value >= unit && i < len(names)-1; i++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %s", value, names[i])
}

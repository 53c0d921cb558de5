package shell

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/flightlake/flightlake/internal/clock"
)

const (
	// progressAfter is how long a statement runs before its progress is shown.
	progressAfter = time.Second
	// progressEvery is how often it is shown.
	progressEvery = time.Second
	// progressTimeout bounds how long the server may take to tell it.
	progressTimeout = 500 * time.Millisecond
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

// Start begins to watch a statement that began at a time; ask returns what the
// server says of it, or nothing. The function that it returns ends that, clears the
// line, and may be called again.
func (p *Progress) Start(ctx context.Context, began time.Time, askFunc func(context.Context, time.Duration) string) (stop func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	p.rows, p.bytes = 0, 0
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if elapsed := p.clock.Now().Sub(began); elapsed >= progressAfter {
				p.show(elapsed, askFunc(ctx, elapsed))
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
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

func (p *Progress) show(elapsed time.Duration, told string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	parts := []string{fmt.Sprintf("running %.0f s", elapsed.Seconds())}
	if told != "" {
		parts = append(parts, told)
	}
	if p.rows > 0 {
		parts = append(parts, rowText(p.rows), byteText(p.bytes))
	}
	_, _ = io.WriteString(p.w, eraseLine+strings.Join(parts, ", ")+" (Ctrl-C cancels)")
}

func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		_, _ = io.WriteString(p.w, eraseLine)
	}
	p.shown = false
}

// Told returns what the server says of a statement that runs for so long, such as
// "42%" or "queued". A server that has no list of statements is asked once.
func (c *Client) Told(ctx context.Context, sql string, elapsed time.Duration) string {
	if c.silent.Load() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	info, err := c.sql.Execute(ctx, fmt.Sprintf(
		"SELECT state, progress FROM lake.statements() WHERE sql = '%s' ORDER BY abs(elapsed_ms - %d) LIMIT 1",
		strings.ReplaceAll(sql, "'", "''"), elapsed.Milliseconds()))
	if err != nil {
		c.silent.Store(ctx.Err() == nil)
		return ""
	}
	r := &Result{client: c}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.Close()
	if err := r.open(info, nil); err != nil {
		return ""
	}
	batch, err := r.Next()
	if err != nil || batch.NumRows() == 0 || batch.NumCols() != 2 {
		return ""
	}
	if state := textAt(batch, 0, 0); state != "running" {
		return state
	}
	share, ok := batch.Column(1).(*array.Float64)
	if !ok || share.IsNull(0) {
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*share.Value(0))
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

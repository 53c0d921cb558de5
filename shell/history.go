package shell

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flightlake/flightlake/internal/durable"
)

// historyMax is how many statements are kept.
const historyMax = 10_000

// historyMode keeps what was typed from other users of the machine.
const historyMode = 0o600

// History keeps the statements that were typed in a file that only its user can
// read: one JSON string per line. It is not safe for concurrent use; several
// shells may append to one file.
type History struct {
	path  string
	lines []string
}

// OpenHistory reads the history in a file, which need not exist. With an empty
// path it is kept in memory only.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(f)
	total := 0
	for {
		line, err := r.ReadBytes('\n')
		var text string
		if json.Unmarshal(line, &text) == nil && text != "" { // a damaged line is left out
			h.add(text)
			total++
		}
		if err != nil {
			break
		}
	}
	if total > 2*historyMax {
		return h, h.rewrite()
	}
	return h, nil
}

func (h *History) add(text string) {
	if n := len(h.lines); n > 0 && h.lines[n-1] == text {
		return
	}
	h.lines = append(h.lines, text)
	if len(h.lines) > historyMax {
		h.lines = h.lines[1:]
	}
}

// rewrite replaces the file by what is kept.
func (h *History) rewrite() error {
	var text []byte
	for _, line := range h.lines {
		text = append(text, historyLine(line)...)
	}
	if err := durable.Replace(h.path, text, historyMode); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

func historyLine(text string) []byte {
	line, _ := json.Marshal(text) // a string can always be encoded
	return append(line, '\n')
}

// Write appends a statement. It implements the line editor's source of history,
// as the methods below do.
func (h *History) Write(text string) (int, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return len(h.lines), nil
	}
	h.add(text)
	if h.path == "" {
		return len(h.lines), nil
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, historyMode)
	if err != nil {
		return len(h.lines), fmt.Errorf("history: %w", err)
	}
	_, err = f.Write(historyLine(text))
	return len(h.lines), errors.Join(err, f.Close())
}

// GetLine returns the statement at a place, 0 being the oldest.
func (h *History) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.lines) {
		return "", fmt.Errorf("history has no entry %d", i)
	}
	return h.lines[i], nil
}

// Len returns how many statements there are.
func (h *History) Len() int { return len(h.lines) }

// Dump returns all statements.
func (h *History) Dump() any { return h.lines }

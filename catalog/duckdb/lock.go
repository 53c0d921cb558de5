//go:build unix

package duckdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flightlake/flightlake/lake"
)

const (
	lockSuffix = ".lock"
	// holderBytesMax bounds what is read of another process's lock file.
	holderBytesMax = 4096
	// magicOffset is where a DuckDB file says DUCK, after a checksum.
	magicOffset = 8
	magic       = "DUCK"
)

// holder is the content of a lock file.
type holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"`
}

// lockFile is the exclusive lock of one server on one catalog. The kernel
// releases it when the process ends, so that a file left behind is no lock.
type lockFile struct{ file *os.File }

// lockCatalog takes the lock beside the catalog's file, and looks at that file
// before DuckDB does. It must not run while this process has the file open:
// closing any descriptor of a file gives up the process's locks on it.
//
// Errors: KindState naming the holder if another process has the lock or the
// file, and for a file that is no DuckDB database.
func lockCatalog(path string, now time.Time) (_ *lockFile, err error) {
	name := path + lockSuffix
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, lake.Errorf(lake.KindState, "lock catalog %s: %w", path, err)
	}
	l := &lockFile{file}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	for attempt := 1; errors.Is(err, unix.EWOULDBLOCK) && attempt <= endingAttempts && empty(file); attempt++ {
		<-time.NewTimer(endingPause).C
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, inUse(path, file)
	} else if err != nil {
		return nil, lake.Errorf(lake.KindState, "lock catalog %s: %w", path, err)
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	if err := l.write(holder{os.Getpid(), host, now.UTC().Truncate(time.Second)}); err != nil {
		return nil, lake.Errorf(lake.KindState, "lock catalog %s: %w", path, err)
	}
	return l, nil
}

// A lock whose file is empty is being given up, or is that of a process which the holder was
// forking at that moment: it is waited for, for half a second.
const (
	endingAttempts = 50
	endingPause    = 10 * time.Millisecond
)

func empty(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Size() == 0
}

func inUse(path string, file *os.File) error {
	var h holder
	data, err := io.ReadAll(io.LimitReader(file, holderBytesMax))
	if err != nil || json.Unmarshal(data, &h) != nil || h.PID == 0 {
		return lake.Errorf(lake.KindState, "lake is in use by another process, which holds %s", path)
	}
	return lake.Errorf(lake.KindState, "lake is in use by process %d on %s since %s (it holds %s)",
		h.PID, h.Host, h.Started.Format(time.RFC3339), path)
}

func (l *lockFile) write(h holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(append(data, '\n'), 0)
	return err
}

// release empties the lock file and gives the lock up. The file stays: a
// process that waits for its removal would race with one that creates it.
func (l *lockFile) release() error {
	if l == nil {
		return nil
	}
	return errors.Join(l.file.Truncate(0), l.file.Close())
}

// checkFile refuses what DuckDB must not open: a folder, another file format,
// or a database that another program has open.
func checkFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return lake.Errorf(lake.KindState, "open catalog %s: %w", path, errors.Unwrap(err))
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return lake.Errorf(lake.KindState, "open catalog %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return lake.Errorf(lake.KindState, "catalog %s is no file", path)
	}
	held := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &held); err == nil && held.Type != unix.F_UNLCK {
		return lake.Errorf(lake.KindState, "lake is in use by process %d%s, which has %s open",
			held.Pid, commandOf(int(held.Pid)), path)
	}
	if info.Size() == 0 {
		return nil // a crash before DuckDB's first write
	}
	head := make([]byte, magicOffset+len(magic))
	if _, err := file.ReadAt(head, 0); err != nil || string(head[magicOffset:]) != magic {
		return lake.Errorf(lake.KindState, "catalog %s is no DuckDB database", path)
	}
	return nil
}

// commandOf returns the name of a process in parentheses, if the system tells it.
func commandOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return " (" + strings.TrimSpace(string(name)) + ")"
}

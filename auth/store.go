package auth

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flightlake/flightlake/internal/clock"
	"github.com/flightlake/flightlake/lake"
)

// checkInterval is how often at most the files are looked at for changes.
const checkInterval = time.Second

// Options of Load. The zero value is usable.
type Options struct {
	Clock  clock.Clock  // nil means the system's
	Logger *slog.Logger // for warnings and reloads; nil means that nothing is logged
	// CheckFilterFunc says what is wrong with a row filter whatever its table; nil
	// means that filters are not looked at before they are used.
	CheckFilterFunc func(filter string) error
}

// store holds the rules of the moment and reads them anew when a file changes.
type store struct {
	path    string
	clock   clock.Clock
	logger  *slog.Logger
	check   func(filter string) error
	current atomic.Pointer[ruleset]
	due     atomic.Int64 // when the files are looked at again, in ns since 1970

	mu      sync.Mutex // guards what follows, and is held to replace current
	base    *ruleset   // of the auth file alone
	changes *changes
	stamps  []fileStamp
}

// Load reads the auth file at path, with the grants file beside it if there is
// one, and returns what checks credentials and what answers for privileges. Both
// follow changes of the files: a changed file is read at the next use, a second after
// the last look at the earliest. A changed file that has faults is logged, and the rules stay.
//
// Errors: KindInvalid with all faults of a file, each naming file and key; no
// secret is quoted. KindNotFound if there is no such file.
func Load(path string, opts Options) (*Authenticator, *Policy, error) {
	if opts.Clock == nil {
		opts.Clock = clock.System{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CheckFilterFunc == nil {
		opts.CheckFilterFunc = func(string) error { return nil }
	}
	s := &store{path: path, clock: opts.Clock, logger: opts.Logger, check: opts.CheckFilterFunc}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due.Store(s.clock.Now().Add(checkInterval).UnixNano())
	if err := s.load(); err != nil {
		return nil, nil, lake.Wrap(lake.KindInvalid, "load users", err)
	}
	a, err := newAuthenticator(s)
	if err != nil {
		return nil, nil, err
	}
	return a, &Policy{store: s}, nil
}

// rules returns the rules of the moment. Whoever comes while another reads the
// files gets the rules from before.
func (s *store) rules() *ruleset {
	now := s.clock.Now()
	if now.UnixNano() >= s.due.Load() && s.mu.TryLock() {
		s.due.Store(now.Add(checkInterval).UnixNano())
		s.reload()
		s.mu.Unlock()
	}
	return s.current.Load()
}

// reload reads the files if one has changed. Requires mu.
func (s *store) reload() {
	if !s.changed() {
		return
	}
	old := s.current.Load().version
	if err := s.load(); err != nil {
		s.logger.Error("the auth file has changed and has faults: the users and grants from before stay", "error", err)
		return
	}
	s.logger.Info("read the auth file anew", "path", s.path, "version", old+1)
}

// load reads the files and publishes their rules. On an error the rules stay; the
// files are looked at again when they change again. Requires mu.
func (s *store) load() error {
	s.stamps = stampFiles([]string{s.path, s.path + grantsSuffix})
	base, files, err := readAuthFile(s.path, s.check)
	s.stamps = append(s.stamps, files...)
	if err != nil {
		return err
	}
	c, err := readChanges(s.path + grantsSuffix)
	if err != nil {
		return err
	}
	if err := s.publish(base, c); err != nil {
		return err
	}
	s.warn(base)
	return nil
}

// publish makes base with the changes the rules of the moment. Requires mu.
func (s *store) publish(base *ruleset, c *changes) error {
	r, unknown, err := c.apply(base)
	if err != nil {
		return lake.Wrap(lake.KindInvalid, s.path+grantsSuffix, err)
	}
	for _, name := range unknown {
		s.logger.Warn("the grants file names who is not in the auth file: the entry has no effect", "path", s.path+grantsSuffix, "name", name)
	}
	r.version = 1
	if old := s.current.Load(); old != nil {
		r.version = old.version + 1
	}
	s.base, s.changes = base, c
	s.current.Store(r)
	return nil
}

// warn logs what is not wrong but should not be.
func (s *store) warn(base *ruleset) {
	var open []string
	if readableByAll(s.path) {
		open = append(open, s.path)
	}
	if t := base.tokens; t != nil {
		open = append(open, t.warnings...)
		if t.keys != nil && t.issuer == "" && t.audience == "" {
			s.logger.Warn("jwt.issuer and jwt.audience are not set: tokens that were issued for other services are accepted", "path", s.path)
		}
	}
	for _, path := range open {
		s.logger.Warn("a file of secrets is readable by everybody on this machine: chmod 600", "path", path)
	}
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	path string
	info os.FileInfo // nil: there is no such file
}

func stampFiles(paths []string) []fileStamp {
	stamps := make([]fileStamp, len(paths))
	for i, path := range paths {
		stamps[i] = stampFile(path)
	}
	return stamps
}

func stampFile(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		info = nil
	}
	return fileStamp{path: path, info: info}
}

// changed reports whether a file is another than when it was read. Requires mu.
func (s *store) changed() bool {
	for _, old := range s.stamps {
		now := stampFile(old.path)
		if (old.info == nil) != (now.info == nil) {
			return true
		}
		if old.info != nil && (!os.SameFile(old.info, now.info) || old.info.Size() != now.info.Size() ||
			!old.info.ModTime().Equal(now.info.ModTime())) {
			return true
		}
	}
	return false
}

// update changes the grants, durably, before it returns. change gets the rules of the
// moment, of the auth file alone, and the changes to edit.
func (s *store) update(change func(now, base *ruleset, c *changes) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reload()
	c := s.changes.clone()
	if err := change(s.current.Load(), s.base, c); err != nil {
		return err
	}
	if _, _, err := c.apply(s.base); err != nil {
		return err
	}
	path := s.path + grantsSuffix
	if err := c.write(path); err != nil {
		return err
	}
	for i := range s.stamps {
		if s.stamps[i].path == path {
			s.stamps[i] = stampFile(path)
		}
	}
	return s.publish(s.base, c)
}

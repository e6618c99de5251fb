package kerberos

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// FileKeytab is a [KeytabSource] that follows a keytab file: when the file has changed it is read again, at most once
// a second and only when somebody asks. A new file that does not parse leaves the old keys in place.
type FileKeytab struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex
	current *Keytab
	mtime   time.Time
	size    int64
	checked time.Time
}

// FileKeytabConfig configures [NewFileKeytab]. Path is required.
type FileKeytabConfig struct {
	Path string

	Now    func() time.Time // nil means the system clock
	Logger *slog.Logger     // nil means no logging
}

// NewFileKeytab reads the file for the first time and fails when it cannot be used.
func NewFileKeytab(cfg FileKeytabConfig) (*FileKeytab, error) {
	f := &FileKeytab{path: cfg.Path, now: clock.Or(cfg.Now), log: loggerOr(cfg.Logger)}
	if err := f.read(); err != nil {
		return nil, err
	}
	f.checked = f.now()
	return f, nil
}

// recheck is how often the file is looked at, at most.
const recheck = time.Second

// Current returns the newest usable keytab.
func (f *FileKeytab) Current() *Keytab {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.checked).Abs() < recheck {
		return f.current
	}
	f.checked = now
	st, err := os.Stat(f.path)
	if err == nil && st.ModTime().Equal(f.mtime) && st.Size() == f.size {
		return f.current
	}
	if err == nil {
		err = f.read()
	}
	if err != nil {
		f.log.LogAttrs(context.Background(), slog.LevelWarn, "keytab not read again", slog.String("error", err.Error()))
	}
	return f.current
}

func (f *FileKeytab) read() error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("kerberos: keytab: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	st, err := file.Stat()
	if err != nil {
		return fmt.Errorf("kerberos: keytab: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(file, maxKeytab+1))
	if err != nil {
		return fmt.Errorf("kerberos: keytab: %w", err)
	}
	defer clear(b)
	k, err := ParseKeytab(b)
	if err != nil {
		return err
	}
	if len(k.entries) == 0 {
		return fmt.Errorf("%w: no usable key", ErrKeytab)
	}
	f.current, f.mtime, f.size = k, st.ModTime(), st.Size()
	return nil
}

func loggerOr(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cacheFile keeps credentials in a file of mode 0600. The zero value keeps nothing.
type cacheFile struct {
	path string
	key  string // of what the credentials depend on
}

// keptCredentials is the content of the file.
type keptCredentials struct {
	For         string       `json:"for"`
	Credentials *credentials `json:"credentials"`
}

// fingerprint names what credentials depend on.
func (o *options) fingerprint() string {
	who := o.user
	if o.kerberos {
		who = "ticket"
		if tickets, err := readTickets(o.ccache); err == nil { // else nothing that is kept fits, and the sign-in says why
			who += " " + tickets.Principal() // the same file may hold somebody else's tickets by now
		}
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{o.idp.String(), o.party, who, o.role, o.provider, o.sts, o.region, o.duration.String()}, "\x00")))
	return hex.EncodeToString(sum[:12])
}

const maxCache = 64 << 10

// load returns what is kept, nil when nothing is that can be used. A file that others can read or write is an error: what is in it
// may be known, or may be somebody else's.
func (c cacheFile) load() (*credentials, error) {
	if c.path == "" {
		return nil, nil //nolint:nilnil // nothing is kept
	}
	f, err := os.Open(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing is kept
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := private(f); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxCache))
	if err != nil {
		return nil, err
	}
	var k keptCredentials
	if json.Unmarshal(raw, &k) != nil || k.For != c.key || k.Credentials == nil || k.Credentials.Version != 1 || k.Credentials.AccessKeyId == "" {
		return nil, nil //nolint:nilnil // of other flags, or damaged: it will be replaced
	}
	return k.Credentials, nil
}

// private reports a file that others than its owner can use, or that is not ours.
func private(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", f.Name())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s can be used by others (mode %04o): remove it, or chmod 600 it if you trust its content", f.Name(), info.Mode().Perm())
	}
	return owned(f.Name(), info)
}

// store replaces the file as a whole, so that a run beside this one reads the old or the new credentials and nothing between.
func (c cacheFile) store(creds *credentials) error {
	if c.path == "" {
		return nil
	}
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(keptCredentials{c.key, creds})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".credentials-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

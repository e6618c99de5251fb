package adsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/dirmap"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// DirectoryConfig configures a [Source] that reads a directory. The fields above the blank line are required.
type DirectoryConfig struct {
	Client  DirectoryReader
	Domains []string // DNS names of all domains that the client is configured for

	Mapping *Mapping         // nil means the default mapping; must be as in the engine's configuration
	Now     func() time.Time // for accounts that expire; nil means the system clock
	// Mode says how changes are told; zero means by update sequence numbers, with the DirSync control for changed members
	// as far as our account may read them: no special right is needed, and a change of a big group comes without its whole
	// list. A server that refuses the control is asked for whole lists. [directory.DirSync] asks for everything in that
	// way, which needs the right to replicate changes. In either way, deletions that our account may not see are noticed by
	// the next full read.
	Mode directory.ChangeMode
}

// DirectoryReader is what a synchronisation asks of a directory; [*directory.Client] satisfies it.
type DirectoryReader interface {
	ReadScope(ctx context.Context, q directory.ScopeQuery) (*directory.Scope, error)
	Exists(ctx context.Context, domain, guid string) (directory.Presence, error)
}

type directorySource struct{ cfg DirectoryConfig }

// NewDirectory returns a source that reads through a directory client; a [ChangeSource] if that is a [ChangeReader].
func NewDirectory(cfg DirectoryConfig) (Source, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("adsync: DirectoryConfig.Client is nil")
	case len(cfg.Domains) == 0:
		return nil, errors.New("adsync: DirectoryConfig.Domains is empty")
	}
	if cfg.Mapping == nil {
		m, err := NewMapping(nil)
		if err != nil {
			return nil, err
		}
		cfg.Mapping = m
	}
	cfg.Now = clock.Or(cfg.Now)
	cfg.Domains = slices.Clone(cfg.Domains)
	s := &directorySource{cfg}
	if client, ok := cfg.Client.(ChangeReader); ok {
		return &changing{s, client}, nil
	}
	return s, nil
}

// extra are the attributes that are read beside the mapped ones.
func (s *directorySource) extra() []string { return []string{"accountExpires", "sIDHistory"} }

// Read reads everything that the scope reaches. An error means that the answer is not complete; nothing of it is used.
func (s *directorySource) Read(ctx context.Context, scope Scope) (*Snapshot, error) {
	return s.ReadProgress(ctx, scope, nil)
}

// ReadProgress is Read; progress is called now and then with how many objects were found so far.
func (s *directorySource) ReadProgress(ctx context.Context, scope Scope, progress func(objects int)) (*Snapshot, error) {
	q := directory.ScopeQuery{Attributes: append(s.cfg.Mapping.LDAPAttributes(), s.extra()...)}
	if progress != nil {
		q.Progress = func(c directory.ScopeCounts) { progress(c.Users + c.Groups) }
	}
	for _, p := range scope.Principals {
		q.Principals = append(q.Principals, directory.Principal{Name: p.Text, Kind: directory.Kind(p.Kind)})
	}
	read, err := s.readScope(ctx, q)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Domains: s.cfg.Domains, Objects: make([]Object, 0, len(read.Users)+len(read.Groups)), Edges: make([]Edge, 0, read.EdgeCount())}
	for _, p := range read.Principals {
		if p.Err != nil {
			reason := SkipPrincipalNotFound
			if errors.Is(p.Err, directory.ErrAmbiguous) {
				reason = SkipPrincipalAmbiguous
			}
			snap.Skipped = append(snap.Skipped, Skipped{p.Name, reason})
			continue
		}
		snap.Principals = append(snap.Principals, ResolvedPrincipal{Kind(p.Kind), p.Name, p.GUID})
	}
	for _, skip := range read.Skipped {
		snap.Skipped = append(snap.Skipped, Skipped{skip.Object, skip.Reason})
	}
	now := s.cfg.Now()
	for _, e := range read.Users {
		snap.Objects = append(snap.Objects, s.user(e, now))
	}
	for _, e := range read.Groups {
		snap.Objects = append(snap.Objects, object(e, KindGroup, e.GroupName()))
	}
	for e := range read.Edges() {
		snap.Edges = append(snap.Edges, Edge{e.Parent, e.Child, via(e.Kind)})
	}
	snap.Watermark, err = watermark(read.Marks)
	return snap, err
}

// maxRestarts is how often a read starts again because the server had forgotten where it was.
const maxRestarts = 2

// readScope reads; from the beginning again if the cookie of a page was refused, as by a controller that was restarted.
func (s *directorySource) readScope(ctx context.Context, q directory.ScopeQuery) (*directory.Scope, error) {
	for try := 0; ; try++ {
		read, err := s.cfg.Client.ReadScope(ctx, q)
		re, ok := errors.AsType[*directory.ResultError](err)
		if !ok || try == maxRestarts || re.Code != codeUnavailableCritical && re.Code != codeUnwilling {
			return read, err
		}
	}
}

// Result codes that refuse a cookie (RFC 4511 section 4.1.9).
const (
	codeUnavailableCritical = 12
	codeUnwilling           = 53
)

func via(k directory.EdgeKind) string {
	if k == directory.EdgeFSP {
		return "foreign"
	}
	return string(k)
}

// mark is one domain's part of the stored watermark.
type mark struct {
	Server string `json:"server"`
	USN    int64  `json:"usn"`
}

func watermark(marks []directory.Watermark) (string, error) {
	out := map[string]mark{}
	for _, m := range marks {
		out[m.Domain] = mark{strings.Trim(m.Server.DSA+"/"+m.Server.Invocation, "/"), m.USN}
	}
	text, err := json.Marshal(out)
	return string(text), err
}

func object(e *directory.Entry, kind Kind, name string) Object {
	return Object{Kind: kind, GUID: e.GUID, SID: e.SID, SIDHistory: sidHistory(e), DN: e.DN, Domain: e.Domain, Name: name}
}

// sidHistory returns the former SIDs of an object; values that are none are left out.
func sidHistory(e *directory.Entry) []string {
	var out []string
	for _, raw := range e.Strings("sIDHistory") {
		if text, err := sid.FromBytes([]byte(raw)); err == nil {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func (s *directorySource) user(e *directory.Entry, now time.Time) Object {
	o := object(e, KindUser, e.UserName())
	expires, limited := e.Time("accountExpires")
	o.Disabled = e.Disabled() || limited && !now.Before(expires)
	if limited && now.Before(expires) {
		o.Expires = expires.UTC()
	}
	o.Attributes = s.cfg.Mapping.attributes(e)
	return o
}

func (m *Mapping) attributes(e *directory.Entry) map[string]string {
	return m.expand(func(src dirmap.Source) (string, bool) { return value(e, src) })
}

// value answers one source of a template. Of several values the smallest under the fold is taken, so that the answer
// does not depend on the server's order.
func value(e *directory.Entry, src dirmap.Source) (string, bool) {
	if src.Space == "dir" {
		switch src.Name {
		case "guid":
			return e.GUID, e.GUID != ""
		case "distinguishedName":
			return e.DN, e.DN != ""
		}
	}
	all := e.Strings(src.Attribute())
	if src.Space == "dir" && src.Name == "proxyAddresses" {
		all = addresses(all, src.Option)
	}
	if len(all) == 0 {
		return "", false
	}
	return slices.MinFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(fold.Key(a), fold.Key(b)), cmp.Compare(a, b)) }), true
}

// addresses keeps the primary ("SMTP:") or the secondary ("smtp:") addresses, without the prefix.
func addresses(all []string, option string) []string {
	if option == "" {
		return all
	}
	var out []string
	for _, a := range all {
		if rest, ok := strings.CutPrefix(a, option+":"); ok {
			out = append(out, rest)
		}
	}
	return out
}

// Exists asks the domain that the object's place names, then all others: an object keeps its objectGUID when it moves
// to another domain of its forest. It is deleted only when every domain says so. An object of a domain that is not
// configured any more cannot be proved deleted.
func (s *directorySource) Exists(ctx context.Context, objects []Object) (map[string]Presence, error) {
	out := make(map[string]Presence, len(objects))
	for _, o := range objects {
		p, err := s.exists(ctx, o)
		if err != nil {
			return nil, err
		}
		out[o.GUID] = p
	}
	return out, nil
}

func (s *directorySource) exists(ctx context.Context, o Object) (Presence, error) {
	home := homeDomain(o.DN)
	domains := slices.Clone(s.cfg.Domains)
	at := slices.IndexFunc(domains, func(d string) bool { return strings.EqualFold(d, home) })
	if at < 0 {
		return Live, nil
	}
	domains[0], domains[at] = domains[at], domains[0]
	for _, d := range domains {
		p, err := s.cfg.Client.Exists(ctx, d, o.GUID)
		if err != nil {
			return "", err
		}
		if p == directory.Live {
			return Live, nil
		}
	}
	return Deleted, nil
}

// homeDomain returns the DNS name that the DC parts of a distinguished name spell.
func homeDomain(dn string) string {
	parsed, err := directory.ParseDN(dn)
	if err != nil {
		return ""
	}
	return parsed.DNS()
}

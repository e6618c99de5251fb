package directorytest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
)

// A TB is what [Run] needs of *testing.T, so that programs that import this package do not link package testing.
type TB[T any] interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
	Context() context.Context
	Run(name string, f func(T)) bool
}

// A Target is a directory server that [Run] examines: one that [Start] made, a Samba domain controller, a Windows one.
// The suite makes its own objects below an organizational unit with the given name and deletes them again.
type Target struct {
	Domain   directory.Domain // how it is reached, with an account that may read everything
	Other    directory.Domain // a domain of another forest that this one trusts; zero for none
	Password string           // for the accounts that the suite makes
	Modify   func(context.Context, Change) error
	// Raw sends one search as it is, without pages, from the base down, with critical controls without value, and returns
	// the number of entries, the attribute names of the first one, and the result code.
	Raw        func(ctx context.Context, base, filter string, attributes []string, controls ...string) (n int, names []string, code int, err error)
	BigGroup   string // sAMAccountName of a group with more than 1,500 members, in a domain of more than 1,000 users
	BigMembers int    // how many it has

	PlainLDAP string      // ldap:// address, for what is refused without TLS; "" leaves those cases out
	CATLS     *tls.Config // trusts the server

	// Deviations says which cases come out differently here, by name, and why. A deviation that does not show fails the
	// run, so that the list stays true.
	Deviations map[string]string
}

// A Change is one writing operation of the suite: the client of this module only reads.
type Change struct {
	Op         string // "add", "delete", "modify-add", "modify-delete", "modify-replace", "rename", "move"
	DN         string
	Attributes map[string][]string // of add and modify
	To         string              // the new RDN, or the new parent
}

// A suite is one run.
type suite struct {
	ctx  context.Context //nolint:containedctx // lives as long as the run
	t    Target
	c    *directory.Client
	ou   string
	base string
}

// A conformanceCase has a name and steps; it says what is wrong by calling want or must.
type conformanceCase struct {
	name string
	run  func(*suite) error
}

// Run examines a target: one table of cases, the same for every server. It needs *testing.T and nothing else of package
// testing.
func Run[T TB[T]](t T, target Target) {
	t.Helper()
	s, err := newSuite(t.Context(), target)
	if err != nil {
		t.Errorf("set-up: %v", err)
		t.FailNow()
	}
	defer s.close()
	for _, c := range conformanceCases() {
		t.Run(c.name, func(t T) {
			t.Helper()
			err := c.run(s)
			why, deviates := target.Deviations[c.name]
			switch {
			case err != nil && !deviates:
				t.Errorf("%v", err)
			case err == nil && deviates:
				t.Errorf("the deviation does not show any more: %s", why)
			}
		})
	}
	known := map[string]bool{}
	for _, c := range conformanceCases() {
		known[c.name] = true
	}
	for name := range target.Deviations {
		if !known[name] {
			t.Errorf("a deviation of a case that does not exist: %s", name)
		}
	}
}

func newSuite(ctx context.Context, target Target) (*suite, error) {
	domains := []directory.Domain{target.Domain}
	if target.Other.DNS != "" {
		domains = append(domains, target.Other)
	}
	c, err := directory.New(directory.Config{Domains: domains})
	if err != nil {
		return nil, err
	}
	s := &suite{ctx: ctx, t: target, c: c, base: "DC=" + strings.ReplaceAll(target.Domain.DNS, ".", ",DC=")}
	s.ou = "OU=conformance," + s.base
	s.clean()
	if err := s.seed(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *suite) close() {
	s.clean()
	_ = s.c.Close()
}

// clean deletes what a run made, leaves first.
func (s *suite) clean() {
	es, err := s.c.SearchAll(s.ctx, directory.Query{Base: s.ou, Filter: directory.Present("objectClass")})
	if err != nil {
		return
	}
	slices.SortFunc(es, func(a, b *directory.Entry) int { return strings.Count(b.DN, ",") - strings.Count(a.DN, ",") })
	for _, e := range es {
		_ = s.t.Modify(s.ctx, Change{Op: "delete", DN: e.DN})
	}
}

// Names of the suite's objects.
const (
	cfUser  = "cf-user"
	cfOther = "cf-other"
	cfTop   = "cf-top"
	cfMid   = "cf-mid"
	cfBig   = "cf-big"
	cfBulk  = 40
)

func (s *suite) dn(cn string) string { return "CN=" + directory.EscapeDNValue(cn) + "," + s.ou }

func (s *suite) seed() error {
	add := func(dn string, attrs map[string][]string) error {
		return s.t.Modify(s.ctx, Change{Op: "add", DN: dn, Attributes: attrs})
	}
	if err := add(s.ou, map[string][]string{"objectClass": {"organizationalUnit"}}); err != nil {
		return err
	}
	var errs []error
	for _, u := range []string{cfUser, cfOther, "cf-gone"} {
		errs = append(errs, add(s.dn(u), map[string][]string{
			"objectClass": {"user"}, "sAMAccountName": {u}, "userPrincipalName": {u + "@" + s.t.Domain.DNS}, "mail": {u + "@example.com"},
			"userAccountControl": {"514"},
		}))
	}
	var members []string
	for i := range cfBulk {
		dn := s.dn(fmt.Sprintf("cf-bulk%02d", i))
		members = append(members, dn)
		errs = append(errs, add(dn, map[string][]string{"objectClass": {"user"}, "sAMAccountName": {fmt.Sprintf("cf-bulk%02d", i)}, "userAccountControl": {"514"}}))
	}
	group := func(name string, members ...string) {
		errs = append(errs, add(s.dn(name), map[string][]string{
			"objectClass": {"group"}, "sAMAccountName": {name}, "groupType": {"-2147483646"}, "member": members,
		}))
	}
	group(cfMid, s.dn(cfUser))
	group(cfTop, s.dn(cfMid))
	group(cfBig, members...)
	errs = append(errs, s.t.Modify(s.ctx, Change{Op: "modify-add", DN: s.dn(cfMid), Attributes: map[string][]string{"member": {s.dn(cfTop)}}})) // a cycle
	return errors.Join(errs...)
}

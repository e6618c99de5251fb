package directorytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
)

// expect says what a case found and what it should have found.
func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (s *suite) find(name string, attrs ...string) (*directory.Entry, error) {
	return s.c.Resolve(s.ctx, name+"@"+s.t.Domain.DNS, attrs...)
}

// conformanceCases is the table.
func conformanceCases() []conformanceCase {
	return slices.Concat(nameCases(), searchCases(), changeCases(), scopeCases(), bindCases())
}

func nameCases() []conformanceCase {
	return []conformanceCase{
		{"every form of a name finds the same object", func(s *suite) error {
			e, err := s.find(cfUser)
			if err != nil {
				return err
			}
			for _, n := range []string{
				s.t.Domain.NetBIOS + `\` + cfUser, strings.ToUpper(cfUser) + "@" + s.t.Domain.DNS, e.SID, e.GUID, "{" + e.GUID + "}", e.DN,
				strings.ToLower(e.DN),
			} {
				x, err := s.c.Resolve(s.ctx, n)
				if err != nil || x.GUID != e.GUID {
					return fmt.Errorf("%s: %w", n, err)
				}
			}
			return nil
		}},
		{"names are data", func(s *suite) error {
			for _, n := range injections() {
				_, err := s.c.Resolve(s.ctx, s.t.Domain.NetBIOS+`\`+n)
				if !errors.Is(err, directory.ErrNotFound) {
					return fmt.Errorf("%q: %w", n, err)
				}
			}
			return nil
		}},
		{"a GUID that nobody has", func(s *suite) error {
			_, err := s.c.Resolve(s.ctx, "11111111-2222-3333-4444-555555555555")
			return expect(errors.Is(err, directory.ErrNotFound), "got %v", err)
		}},
		{"the domain SID is read", func(s *suite) error {
			e, err := s.find(cfUser)
			if err != nil {
				return err
			}
			x, err := s.c.Resolve(s.ctx, e.SID)
			return expect(err == nil && x.GUID == e.GUID, "got %v", err)
		}},
	}
}

// injections are values that would change the meaning of a filter that is put together from text.
func injections() []string {
	return []string{
		"*", "cf-*", "cf-user)(objectClass=*", "*)(|(objectClass=*", `cf-user\2a`, `\2a`, "cf-user)(|(a=b", "(cf-user)", "&", "!(a=b)", "cf-user\x01",
		strings.Repeat("x", 4000), "cf\u2010user", "\uff43f-user\uff0a",
	}
}

func searchCases() []conformanceCase { //nolint:cyclop // a table
	return []conformanceCase{
		{"pages are read to the end", func(s *suite) error {
			c, err := directory.New(directory.Config{Domains: []directory.Domain{s.t.Domain}, Limits: directory.Limits{PageSize: 7}})
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			es, err := c.SearchAll(s.ctx, directory.Query{Base: s.ou, Filter: directory.Eq("objectClass", "user")})
			return expect(err == nil && len(es) == cfBulk+3, "%d objects, %v", len(es), err)
		}},
		{"long attributes come in parts when they are asked so", func(s *suite) error {
			e, err := s.find(cfBig, "member;range=0-9")
			if err != nil {
				return err
			}
			return expect(len(e.Strings("member")) == cfBulk, "%d members", len(e.Strings("member")))
		}},
		{"a base that is not there", func(s *suite) error {
			_, err := s.c.SearchAll(s.ctx, directory.Query{Domain: s.t.Domain.DNS, Base: "OU=none," + s.ou})
			return expect(errors.Is(err, directory.ErrNotFound), "got %v", err)
		}},
		{"a search at the domain's root is whole in spite of references to other partitions", func(s *suite) error {
			_, err := s.c.SearchAll(s.ctx, directory.Query{Domain: s.t.Domain.DNS, Filter: directory.Eq("sAMAccountName", cfUser)})
			return err
		}},
		{"bits of numbers", func(s *suite) error {
			es, err := s.c.SearchAll(s.ctx, directory.Query{Base: s.ou, Filter: directory.And(directory.Bit("userAccountControl", 2), directory.Eq("sAMAccountName", cfUser))})
			return expect(err == nil && len(es) == 1, "%d objects, %v", len(es), err)
		}},
		{"member comes with GUID and SID", func(s *suite) error {
			e, err := s.find(cfTop, "member")
			if err != nil {
				return err
			}
			x, err := directory.ParseExtendedDN(e.String("member"))
			return expect(err == nil && x.GUID != "" && x.SID != "" && x.DN != "", "%q, %v", e.String("member"), err)
		}},
		{"an unpaged search ends at 1,000 entries with result code 4", func(s *suite) error {
			n, _, code, err := s.t.Raw(s.ctx, s.base, "(objectClass=user)", []string{"cn"})
			return expect(err == nil && n == 1000 && code == 4, "%d entries, code %d, %v", n, code, err)
		}},
		{"an attribute of more than 1,500 values comes in parts", func(s *suite) error {
			e, err := s.find(s.t.BigGroup, "member")
			if err != nil {
				return err
			}
			_, attrs, code, err := s.t.Raw(s.ctx, e.DN, "(objectClass=group)", []string{"member"})
			return expect(err == nil && code == 0 && slices.Contains(attrs, "member;range=0-1499"), "%v, code %d, %v", attrs, code, err)
		}},
		{"a reader has all values of a very long attribute", func(s *suite) error {
			e, err := s.find(s.t.BigGroup, "member")
			return expect(err == nil && len(e.Strings("member")) == s.t.BigMembers, "%v", err)
		}},
		{"an unknown critical control is refused", func(s *suite) error {
			_, _, code, err := s.t.Raw(s.ctx, s.base, "(objectClass=domain)", nil, "1.2.3.4.5.6.7.8.9")
			return expect(err == nil && code == 12, "code %d, %v", code, err)
		}},
		{"the server says who it is", func(s *suite) error {
			i, err := s.c.ServerInfo(s.ctx, s.t.Domain.DNS)
			return expect(err == nil && i.ActiveDirectory && !i.ID.IsZero() && i.HighestUSN > 0, "%+v, %v", i, err)
		}},
	}
}

func bindCases() []conformanceCase {
	verify := func(s *suite, name string, want directory.AccountState) error {
		got, err := s.c.VerifyPassword(s.ctx, s.t.Domain.NetBIOS+`\`+name, []byte("not the password"))
		return expect(got == want && errors.Is(err, directory.ErrBindRefused), "got %q, %v", got, err)
	}
	return []conformanceCase{
		{"an unknown name is refused like a wrong password", func(s *suite) error { return verify(s, "cf-nobody", directory.StateBadCredentials) }},
		{"a disabled account with a wrong password is a wrong password", func(s *suite) error { return verify(s, cfUser, directory.StateBadCredentials) }},
		{"a disabled account is seen in the directory", func(s *suite) error {
			st, err := s.c.AccountState(s.ctx, cfUser+"@"+s.t.Domain.DNS)
			return expect(err == nil && st == directory.StateDisabled, "%q, %v", st, err)
		}},
		{"a bare name in a bind is refused", func(s *suite) error {
			d := s.t.Domain
			d.Bind = directory.NewSimpleBind(cfUser, []byte("x"))
			c, err := directory.New(directory.Config{Domains: []directory.Domain{d}})
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.ServerInfo(s.ctx, "")
			return expect(errors.Is(err, directory.ErrBindRefused), "got %v", err)
		}},
		{"a simple bind without TLS is refused", func(s *suite) error {
			d := s.t.Domain
			d.Servers, d.InsecurePlain = []string{s.t.PlainLDAP}, true
			c, err := directory.New(directory.Config{Domains: []directory.Domain{d}})
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.ServerInfo(s.ctx, "")
			be, ok := errors.AsType[*directory.BindError](err)
			return expect(ok && be.Code == 8, "got %v", err)
		}},
		{"StartTLS", func(s *suite) error {
			d := s.t.Domain
			d.Servers, d.TLS = []string{s.t.PlainLDAP}, s.t.CATLS
			c, err := directory.New(directory.Config{Domains: []directory.Domain{d}})
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.ServerInfo(s.ctx, "")
			return err
		}},
	}
}

// delta reads what a change looks like.
func (s *suite) delta(mode directory.ChangeMode, attrs []string, do func() error) (*directory.ChangeSet, error) {
	q := directory.ChangeQuery{Domain: s.t.Domain.DNS, Mode: mode, Attributes: attrs, Filter: directory.Or(directory.Eq("objectClass", "user"), directory.Eq("objectClass", "group"), directory.Eq("objectClass", "organizationalUnit"))}
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	_, cursor, err := s.c.Changes(ctx, q, directory.Cursor{})
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	set, _, err := s.c.Changes(ctx, q, cursor)
	return set, err
}

func (s *suite) modify(op, dn, to string, attrs map[string][]string) func() error {
	return func() error { return s.t.Modify(s.ctx, Change{Op: op, DN: dn, To: to, Attributes: attrs}) }
}

// changed finds the change of one object by the start of its DN.
func changed(set *directory.ChangeSet, cn string) *directory.Change {
	for i := range set.Changed {
		if strings.HasPrefix(strings.ToLower(set.Changed[i].Entry.DN), strings.ToLower(cn)+",") {
			return &set.Changed[i]
		}
	}
	return nil
}

func changeCases() []conformanceCase {
	var out []conformanceCase
	for label, mode := range map[string]directory.ChangeMode{"uSNChanged": directory.ByUSN, "DirSync": directory.DirSync} {
		out = append(out, changeCasesOf(label, mode)...)
	}
	slices.SortFunc(out, func(a, b conformanceCase) int { return strings.Compare(a.name, b.name) })
	return out
}

func changeCasesOf(label string, mode directory.ChangeMode) []conformanceCase { //nolint:cyclop,funlen // a table
	user := func(s *suite) string { return s.dn(cfOther) }
	return []conformanceCase{
		{"4 " + label + ": an attribute that changed", func(s *suite) error {
			set, err := s.delta(mode, []string{"mail"}, s.modify("modify-replace", user(s), "", map[string][]string{"mail": {label + "@example.com"}}))
			if err != nil {
				return err
			}
			c := changed(set, "cn="+cfOther)
			return expect(c != nil && c.Entry.String("mail") == label+"@example.com", "%+v", set)
		}},
		{"5 " + label + ": an attribute that was cleared", func(s *suite) error {
			if err := s.modify("modify-replace", user(s), "", map[string][]string{"mail": {"soon-gone@example.com"}})(); err != nil {
				return err
			}
			set, err := s.delta(mode, []string{"mail"}, s.modify("modify-replace", user(s), "", map[string][]string{"mail": nil}))
			if err != nil {
				return err
			}
			c := changed(set, "cn="+cfOther)
			return expect(c != nil && !c.Entry.Has("mail") && (c.Whole || slices.Contains(c.Cleared, "mail")), "%+v", set)
		}},
		{"6 " + label + ": a member that was added, and removed", func(s *suite) error {
			for _, op := range []string{"modify-add", "modify-delete"} {
				set, err := s.delta(mode, []string{"member"}, s.modify(op, s.dn(cfTop), "", map[string][]string{"member": {user(s)}}))
				if err != nil {
					return err
				}
				if mode == directory.DirSync {
					l := set.Links
					if len(l) != 1 || l[0].Whole || (op == "modify-add") != (len(l[0].Added) == 1) || (op == "modify-delete") != (len(l[0].Removed) == 1) {
						return fmt.Errorf("%s: %+v", op, l)
					}
					continue
				}
				c := changed(set, "cn="+cfTop)
				if c == nil || len(c.Entry.Strings("member")) != map[string]int{"modify-add": 2, "modify-delete": 1}[op] {
					return fmt.Errorf("%s: %+v", op, c)
				}
			}
			return nil
		}},
		{"7 " + label + ": a rename", func(s *suite) error {
			set, err := s.delta(mode, []string{"name", "parentGUID"}, s.modify("rename", user(s), "CN=cf-renamed", nil))
			if err != nil {
				return err
			}
			c := changed(set, "cn=cf-renamed")
			back := s.t.Modify(s.ctx, Change{Op: "rename", DN: s.dn("cf-renamed"), To: "CN=" + cfOther})
			return errors.Join(back, expect(c != nil, "%+v", set))
		}},
		{"8 " + label + ": renaming a container does not show at its objects", func(s *suite) error {
			set, err := s.delta(mode, []string{"name", "parentGUID"}, s.modify("rename", s.ou, "OU=conformance2", nil))
			if err != nil {
				return err
			}
			back := s.t.Modify(s.ctx, Change{Op: "rename", DN: "OU=conformance2," + s.base, To: "OU=conformance"})
			return errors.Join(back, expect(changed(set, "ou=conformance2") != nil && changed(set, "cn="+cfUser) == nil, "%+v", set))
		}},
		{"9 " + label + ": a deletion is a tombstone, and does not show at the groups", func(s *suite) error {
			name := "cf-del-" + strings.ToLower(label)
			dn := s.dn(name)
			add := s.t.Modify(s.ctx, Change{Op: "add", DN: dn, Attributes: map[string][]string{"objectClass": {"user"}, "sAMAccountName": {name}, "userAccountControl": {"514"}}})
			join := s.t.Modify(s.ctx, Change{Op: "modify-add", DN: s.dn(cfMid), Attributes: map[string][]string{"member": {dn}}})
			e, err := s.find(name)
			if err := errors.Join(add, join, err); err != nil {
				return err
			}
			set, err := s.delta(mode, []string{"member", "name"}, s.modify("delete", dn, "", nil))
			if err != nil {
				return err
			}
			i := slices.IndexFunc(set.Deleted, func(d *directory.Entry) bool { return d.GUID == e.GUID })
			if i < 0 || len(set.Links) > 0 || changed(set, "cn="+cfMid) != nil {
				return fmt.Errorf("%+v", set)
			}
			parent, err := directory.ParseExtendedDN(set.Deleted[i].String("lastKnownParent"))
			if err != nil || !strings.EqualFold(parent.DN, s.ou) {
				return fmt.Errorf("lastKnownParent %q: %w", set.Deleted[i].String("lastKnownParent"), err)
			}
			is, err := s.c.Exists(s.ctx, s.t.Domain.DNS, e.GUID)
			return expect(err == nil && is == directory.Tombstone, "%s, %v", is, err)
		}},
	}
}

func scopeCases() []conformanceCase { //nolint:cyclop,funlen // a table
	scope := func(s *suite, name string) (*directory.Scope, error) {
		return s.c.ReadScope(s.ctx, directory.ScopeQuery{Principals: []directory.Principal{{Name: name + "@" + s.t.Domain.DNS}}})
	}
	return []conformanceCase{
		{"a scope follows nested groups over a cycle", func(s *suite) error {
			x, err := scope(s, cfTop)
			return expect(err == nil && len(x.Groups) == 2 && len(x.Users) == 1 && x.EdgeCount() == 3, "%+v, %v", x, err)
		}},
		{"a scope has every member of a long list", func(s *suite) error {
			x, err := scope(s, cfBig)
			return expect(err == nil && len(x.Users) == cfBulk && x.EdgeCount() == cfBulk, "%v", err)
		}},
		{"the primary group is no member, and the scope has its users", func(s *suite) error {
			g, err := s.find(cfTop, "primaryGroupToken")
			if err != nil {
				return err
			}
			token := g.SID[strings.LastIndexByte(g.SID, '-')+1:]
			mod := func(op, dn, attr, v string) error {
				return s.t.Modify(s.ctx, Change{Op: op, DN: dn, Attributes: map[string][]string{attr: {v}}})
			}
			if err := errors.Join(mod("modify-add", s.dn(cfTop), "member", s.dn(cfOther)), mod("modify-replace", s.dn(cfOther), "primaryGroupID", token)); err != nil {
				return err
			}
			g, err = s.find(cfTop, "member")
			if err != nil {
				return err
			}
			for _, m := range g.Strings("member") {
				if strings.Contains(strings.ToLower(m), "cn="+cfOther+",") {
					return fmt.Errorf("the primary member is in member: %s", m)
				}
			}
			x, err := scope(s, cfTop)
			if err != nil {
				return err
			}
			primary := slices.ContainsFunc(slices.Collect(x.Edges()), func(e directory.Edge) bool { return e.Kind == directory.EdgePrimary })
			old, err := s.c.Resolve(s.ctx, s.t.Domain.NetBIOS+`\Domain Users`, "member")
			if err != nil {
				return err
			}
			in := slices.ContainsFunc(old.Strings("member"), func(m string) bool { return strings.Contains(strings.ToLower(m), "cn="+cfOther+",") })
			back := mod("modify-replace", s.dn(cfOther), "primaryGroupID", "513")
			return errors.Join(back, expect(primary, "no primary edge"), expect(in, "the old primary group did not become a membership"))
		}},
		{"token groups hold the nested ones and the primary one", func(s *suite) error {
			u, err := s.find(cfUser)
			if err != nil {
				return err
			}
			top, err := s.find(cfTop)
			if err != nil {
				return err
			}
			sids, err := s.c.TokenGroups(s.ctx, s.t.Domain.DNS, u.GUID)
			return expect(err == nil && slices.Contains(sids, top.SID) && slices.ContainsFunc(sids, func(x string) bool { return strings.HasSuffix(x, "-513") }), "%v, %v", sids, err)
		}},
		{"a member of another forest is found by its SID", func(s *suite) error {
			if s.t.Other.DNS == "" {
				return errors.New("no other forest")
			}
			far, err := s.c.Resolve(s.ctx, s.t.Other.NetBIOS+`\alice`)
			if err != nil {
				return err
			}
			dn := s.dn("cf-foreign")
			err = errors.Join(
				s.t.Modify(s.ctx, Change{Op: "add", DN: dn, Attributes: map[string][]string{"objectClass": {"group"}, "sAMAccountName": {"cf-foreign"}, "groupType": {"-2147483644"}}}),
				s.t.Modify(s.ctx, Change{Op: "modify-add", DN: dn, Attributes: map[string][]string{"member": {"<SID=" + far.SID + ">"}}}))
			if err != nil {
				return err
			}
			x, err := scope(s, "cf-foreign")
			return expect(err == nil && x.EdgeCount() == 1 && slices.Collect(x.Edges())[0].Kind == directory.EdgeFSP && x.Users[0].GUID == far.GUID, "%+v, %v", x, err)
		}},
	}
}

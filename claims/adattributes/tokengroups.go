package adattributes

import (
	"context"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/directory"
)

// form is how the groups of an account are written.
type form uint8

const (
	formNone   form = iota // not tokenGroups
	formPlain              // Engineering
	formDomain             // CORP\Engineering
	formLong               // corp.example.test\Engineering
	formSID                // S-1-5-21-...
)

func tokenForm(name string) form {
	switch strings.ToLower(name) {
	case "tokengroups":
		return formPlain
	case "tokengroups(domainqualifiedname)":
		return formDomain
	case "tokengroups(longdomainqualifiedname)":
		return formLong
	case "tokengroups(sid)":
		return formSID
	}
	return formNone
}

// sidsPerSearch is how many groups are looked up at once: the filter stays short.
const sidsPerSearch = 50

// tokenGroups returns the security groups of an account, nested ones included, in the order of the domain controller. A
// group whose name cannot be found in the configured domains is left out.
func (s *Store) tokenGroups(ctx context.Context, e *directory.Entry, f form) (claims.Cell, error) {
	sids, err := s.cfg.Client.TokenGroups(ctx, e.Domain, e.GUID)
	if err != nil || f == formSID {
		return sids, err
	}
	names, err := s.names(ctx, e.Domain, sids, f)
	if err != nil {
		return nil, err
	}
	var out claims.Cell
	for _, sid := range sids {
		if n := names[sid]; n != "" {
			out = append(out, n)
		}
	}
	return out, nil
}

// names finds the groups in the account's domain first, then in the others.
func (s *Store) names(ctx context.Context, home string, sids []string, f form) (map[string]string, error) {
	names := map[string]string{}
	domains := []string{home}
	for _, d := range s.cfg.Client.DomainNames() {
		if d != home {
			domains = append(domains, d)
		}
	}
	for _, d := range domains {
		var missing []string
		for _, sid := range sids {
			if names[sid] == "" {
				missing = append(missing, sid)
			}
		}
		for len(missing) > 0 {
			n := min(sidsPerSearch, len(missing))
			if err := s.lookup(ctx, d, missing[:n], f, names); err != nil {
				return nil, err
			}
			missing = missing[n:]
		}
	}
	return names, nil
}

func (s *Store) lookup(ctx context.Context, domain string, sids []string, f form, names map[string]string) error {
	filters := make([]directory.Filter, len(sids))
	for i, sid := range sids {
		filters[i] = directory.BySID(sid)
	}
	q := directory.Query{Domain: domain, Filter: directory.Or(filters...), Attributes: []string{"sAMAccountName"}}
	for e, err := range s.cfg.Client.Search(ctx, q) {
		if err != nil {
			return err
		}
		name := e.String("sAMAccountName")
		if name == "" || e.SID == "" {
			continue
		}
		switch f {
		case formDomain:
			if short := s.cfg.NetBIOS[e.Domain]; short != "" {
				name = short + `\` + name
			} else {
				name = e.Domain + `\` + name
			}
		case formLong:
			name = e.Domain + `\` + name
		case formNone, formPlain, formSID:
		}
		names[e.SID] = name
	}
	return nil
}

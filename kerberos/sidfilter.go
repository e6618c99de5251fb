package kerberos

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// learnedDomains remembers which realm has which domain, where nobody has said so: a domain belongs to one realm, and a
// realm has one domain. Who comes first has it, but what a realm's KDC says of accounts for a service of its own counts
// more than what it says of those that it sends elsewhere.
type learnedDomains struct {
	mu     sync.Mutex
	realms map[string]learned // folded realm
	owner  map[string]string  // SID of a domain -> folded realm
}

type learned struct {
	domain string
	home   bool
}

func newLearnedDomains() *learnedDomains {
	return &learnedDomains{realms: map[string]learned{}, owner: map[string]string{}}
}

// take reports whether the realm may have the domain, and remembers it.
func (l *learnedDomains) take(realm, domain string, home bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine, owner := l.realms[realm], l.owner[domain]
	stays := func(x learned) bool { return x.home || !home }
	switch {
	case mine.domain == domain && owner == realm:
		l.realms[realm] = learned{domain, mine.home || home}
		return true
	case mine.domain != "" && mine.domain != domain && stays(mine), owner != "" && owner != realm && stays(l.realms[owner]):
		return false
	}
	if l.owner[mine.domain] == realm {
		delete(l.owner, mine.domain)
	}
	l.realms[realm], l.owner[domain] = learned{domain, home}, realm
	return true
}

// sids fills the SIDs that the account's realm may assert (MS-PAC 4.1.2.2).
func (j pacJudge) sids(id *Identity, l *pac.LogonInfo, issuer string) error {
	groups, extra, asserted := l.SIDs()
	user, primary := l.UserSID(), l.PrimaryGroupSID()
	if primary != "" && !slices.Contains(groups, primary) {
		groups = append(groups, primary)
	}
	home := fold.Equal(id.Realm, issuer)
	if home && j.AllowSIDHistory || j.SIDFilter == SIDFilterOff {
		id.SID, id.PrimaryGroupSID, id.GroupSIDs, id.ExtraSIDs, id.AssertedSIDs = user, primary, groups, extra, asserted
		return nil
	}
	granted := j.granted(id.Realm, l.DomainSID, home)
	keep := func(list []string) []string {
		var out []string
		for _, s := range list {
			if domain, _, _ := sid.Split(s); granted[domain] { // no domain is granted to a SID that has none
				out = append(out, s)
			} else {
				id.FilteredSIDs = append(id.FilteredSIDs, s)
			}
		}
		return out
	}
	if user != "" {
		if u := keep([]string{user}); u != nil {
			id.SID = user
		}
	}
	id.GroupSIDs = keep(groups)
	if slices.Contains(id.GroupSIDs, primary) {
		id.PrimaryGroupSID = primary
	}
	id.ExtraSIDs, id.AssertedSIDs = keep(extra), asserted
	if len(id.FilteredSIDs) > 0 && !home && j.SIDFilter == SIDFilterReject {
		return fmt.Errorf("the ticket has SIDs that its realm may not assert")
	}
	return nil
}

// granted returns the domains whose SIDs accounts of a realm may carry.
func (j pacJudge) granted(realm, logonDomain string, home bool) map[string]bool {
	out := map[string]bool{}
	learn := home // our own KDC may say what its domain is
	if j.realms != nil {
		if r := j.realms.byDNS[foldRealm(realm)]; r != nil {
			for _, d := range r.DomainSIDs {
				out[d] = true
			}
			learn = learn || r.LearnDomainSID && len(r.DomainSIDs) == 0
		}
		for _, r := range j.realms.list {
			if !fold.Equal(r.Name, realm) && slices.Contains(r.DomainSIDs, logonDomain) {
				learn = false
			}
		}
	}
	if learn && strings.HasPrefix(logonDomain, "S-1-5-21-") && j.learned.take(fold.Key(realm), logonDomain, home) {
		out[logonDomain] = true
	}
	return out
}

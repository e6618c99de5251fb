package kerberos

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// target is where a typed name leads.
type target struct {
	realm *Realm
	name  wire.Name
	// second is the enterprise reading of a name whose first reading was sAM@dns.domain; nil when there is none
	second *wire.Name
}

// maxName bounds a typed user name in characters.
const maxName = 256

// manyDomains is the number of domains from which a bare name is never enough.
const manyDomains = 4

func badName(user string) bool {
	if user == "" || !utf8.ValidString(user) || utf8.RuneCountInString(user) > maxName {
		return true
	}
	return strings.ContainsFunc(user, unicode.IsControl)
}

func principal(name string) wire.Name {
	return wire.Name{Type: wire.NTPrincipal, Parts: []string{name}}
}

func enterprise(name string) wire.Name {
	return wire.Name{Type: wire.NTEnterprise, Parts: []string{name}}
}

// route decides from the text alone, and for bare names with the finder's help, which realm is asked and how. It
// never yields more than one realm: a password is not shown around.
func (a *Authenticator) route(ctx context.Context, user string) (target, error) {
	if badName(user) {
		return target{}, refuse(ReasonBadCredentials, "name is empty, too long or has control characters", nil)
	}
	if domain, name, ok := strings.Cut(user, `\`); ok {
		r := a.realms.named(domain)
		switch {
		case r == nil:
			return target{}, refuse(ReasonUnknownDomain, "domain is not configured", nil)
		case name == "" || strings.ContainsAny(name, `\/@`):
			return target{}, refuse(ReasonBadCredentials, "no account name", nil)
		}
		return target{realm: r, name: principal(name)}, nil
	}
	if i := strings.LastIndexByte(user, '@'); i >= 0 {
		return a.routeUPN(user, user[:i], user[i+1:])
	}
	if strings.Contains(user, "/") {
		return target{}, refuse(ReasonBadCredentials, "a service name is no user name", nil)
	}
	return a.routeBare(ctx, user)
}

func (a *Authenticator) routeUPN(user, name, suffix string) (target, error) {
	if len(a.realms.list) >= manyDomains && a.cfg.StrictAWSNames {
		return target{}, refuse(ReasonDomainRequired, "four or more domains take DOMAIN\\user only", nil)
	}
	r, owner := a.realms.byDNS[fold.Key(suffix)], a.realms.bySuffix[fold.Key(suffix)]
	switch {
	case name == "" || suffix == "":
		return target{}, refuse(ReasonBadCredentials, "no account name", nil)
	case r != nil && !strings.ContainsAny(name, "@/"):
		t := target{realm: r, name: principal(name)}
		if owner == nil || owner == r { // the DNS name of a domain is always one of its UPN suffixes, too
			e := enterprise(user)
			t.second = &e
		}
		return t, nil
	case owner != nil:
		return target{realm: owner, name: enterprise(user)}, nil
	case a.cfg.DefaultRealm != "":
		return target{realm: a.realms.named(a.cfg.DefaultRealm), name: enterprise(user)}, nil
	}
	return target{}, refuse(ReasonUnknownDomain, "suffix is not configured", nil)
}

func (a *Authenticator) routeBare(ctx context.Context, user string) (target, error) {
	all := a.realms.list
	switch {
	case len(all) >= manyDomains:
		return target{}, refuse(ReasonDomainRequired, "four or more domains", nil)
	case len(all) == 1:
		return target{realm: all[0], name: principal(user)}, nil
	case a.cfg.Accounts == nil:
		return target{}, refuse(ReasonDomainRequired, "several domains and nobody to ask", nil)
	}
	found, err := a.cfg.Accounts.FindAccount(ctx, user)
	if err != nil {
		if ctx.Err() != nil {
			return target{}, ctx.Err()
		}
		return target{}, outside(ErrUnavailable, "the directory could not say who has this name", err)
	}
	var hit *Realm
	for _, f := range found {
		r := a.realms.named(f)
		if r == nil || r == hit {
			continue
		}
		if hit != nil {
			return target{}, refuse(ReasonDomainRequired, "several domains have this name", nil)
		}
		hit = r
	}
	if hit == nil {
		return target{}, refuse(ReasonBadCredentials, "no domain has this name", nil)
	}
	return target{realm: hit, name: principal(user)}, nil
}

package kerberos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// Realm describes one domain. Name is required; KDCs too unless Discover is set.
type Realm struct {
	Name string // DNS name in any case; the realm is its upper-case form

	NetBIOS     string
	UPNSuffixes []string // suffixes of userPrincipalName that belong to this realm alone
	KDCs        []string // host:port, tried in this order
	Discover    bool     // find KDCs by DNS SRV records when KDCs is empty
	Site        string   // Active Directory site that is asked first when discovering
	KPasswd     []string // host:port of password change servers; empty means the KDCs' hosts with port 464
	PDC         string   // host:port of the PDC emulator, for AuthenticatorConfig.RetryOnPDC

	// Service is the service of this realm with which its KDCs prove themselves; nil means the Authenticator's.
	Service *Service

	// DomainSIDs are the domains whose SIDs a ticket of this realm's accounts may carry when another realm issued the
	// service ticket (a forest: all its domains). Empty means none, or with LearnDomainSID the account's own domain
	// unless another realm lists it or came with it first: each realm then has one domain. A list is better, for what is
	// learned is forgotten with the process.
	DomainSIDs     []string
	LearnDomainSID bool
}

// Service is our own service principal and its keys.
type Service struct {
	SPN    string // service/host
	Realm  string // the realm whose KDC must have issued the ticket; empty means any of which Keytab has a key of SPN
	Keytab KeytabSource
}

// maxRealms bounds the configuration, to keep the tables honest.
const maxRealms = 256

// realmTable finds realms by every name that they have.
type realmTable struct {
	list     []*Realm
	byDNS    map[string]*Realm
	byNB     map[string]*Realm
	bySuffix map[string]*Realm
}

func newRealmTable(realms []Realm) (*realmTable, error) {
	if len(realms) == 0 || len(realms) > maxRealms {
		return nil, errors.New("kerberos: Realms needs 1 to 256 entries")
	}
	t := &realmTable{byDNS: map[string]*Realm{}, byNB: map[string]*Realm{}, bySuffix: map[string]*Realm{}}
	for i := range realms {
		r := realms[i]
		if err := r.normalize(); err != nil {
			return nil, fmt.Errorf("kerberos: Realms[%d]: %w", i, err)
		}
		if t.byDNS[fold.Key(r.Name)] != nil {
			return nil, fmt.Errorf("kerberos: Realms[%d]: Name is there twice", i)
		}
		t.list = append(t.list, &r)
		t.byDNS[fold.Key(r.Name)] = &r
		if r.NetBIOS != "" {
			if t.byNB[fold.Key(r.NetBIOS)] != nil {
				return nil, fmt.Errorf("kerberos: Realms[%d]: NetBIOS is there twice", i)
			}
			t.byNB[fold.Key(r.NetBIOS)] = &r
		}
		for _, s := range r.UPNSuffixes {
			if o := t.bySuffix[fold.Key(s)]; o != nil && o != &r {
				return nil, fmt.Errorf("kerberos: Realms[%d]: a UPN suffix belongs to two realms", i)
			}
			t.bySuffix[fold.Key(s)] = &r
		}
	}
	return t, nil
}

func (r *Realm) normalize() error {
	r.Name = strings.ToUpper(strings.TrimSuffix(r.Name, "."))
	if r.Name == "" || strings.ContainsAny(r.Name, "@/\\ ") {
		return errors.New("field Name is no realm")
	}
	if len(r.KDCs) == 0 && !r.Discover {
		return errors.New("field KDCs is empty and Discover is off")
	}
	for _, list := range [][]string{r.KDCs, r.KPasswd} {
		for _, a := range list {
			if _, _, err := net.SplitHostPort(a); err != nil {
				return errors.New("an address is not host:port")
			}
		}
	}
	sids := make([]string, len(r.DomainSIDs))
	for i, s := range r.DomainSIDs {
		c, err := sid.Canonical(s)
		if err != nil {
			return errors.New("field DomainSIDs has a malformed SID")
		}
		sids[i] = c
	}
	r.DomainSIDs = sids
	if r.Service != nil {
		s := *r.Service
		r.Service = &s
		return r.Service.check()
	}
	return nil
}

func (s *Service) check() error {
	class, host, ok := strings.Cut(s.SPN, "/")
	switch {
	case !ok || class == "" || host == "":
		return errors.New("field Service.SPN is not service/host")
	case s.Keytab == nil:
		return errors.New("field Service.Keytab is nil")
	}
	s.Realm = strings.ToUpper(s.Realm)
	return nil
}

// named finds a realm by its DNS or NetBIOS name in any case.
func (t *realmTable) named(name string) *Realm {
	if r := t.byDNS[fold.Key(name)]; r != nil {
		return r
	}
	return t.byNB[fold.Key(name)]
}

// AccountFinder says which realms have an account with a bare name. It is asked when two or three realms are
// configured and somebody types a name without a domain.
type AccountFinder interface {
	FindAccount(ctx context.Context, name string) (realms []string, err error)
}

// AccountState is what a directory says of an account whose ticket was refused.
type AccountState string

// The account states that an [AccountStater] reports.
const (
	StateUnknown            AccountState = ""                     // cannot be told
	StateActive             AccountState = "active"               // nothing is wrong with the account
	StateBadPassword        AccountState = "bad_password"         // the secret is wrong: nothing may be revealed
	StateDisabled           AccountState = "disabled"             // data 533
	StateLocked             AccountState = "locked"               // data 775
	StateExpired            AccountState = "expired"              // data 701
	StatePasswordExpired    AccountState = "password_expired"     // data 532
	StatePasswordMustChange AccountState = "password_must_change" // data 773
	StateNotAllowed         AccountState = "not_allowed"          // data 530, 531, 534
)

// AccountStater tells the kind of a revocation. principal is the client name without the realm. The secret must not
// be kept. It is called at most once for a sign-in, and only when the KDC did not say everything.
type AccountStater interface {
	AccountState(ctx context.Context, realm, principal string, secret []byte) (AccountState, error)
}

package kerberostest

import (
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/sid"
	"github.com/adfedkit/adfedkit/kerberos"
)

// State is the state of an account.
type State int

// The states and how the KDC answers them, as measured on Samba.
const (
	Active             State = iota
	Disabled                 // 18 with the right password, 24 with a wrong one
	Locked                   // 18 whatever the password
	Expired                  // 18 with the right password, 24 with a wrong one
	PasswordExpired          // 23 with the right password, 24 with a wrong one
	PasswordMustChange       // the same
	NotAllowed               // 12 with the right password, 24 with a wrong one (logon hours)
	PasswordExpiredMIT       // 23 before the password is looked at, as MIT KDCs answer
	LockedMIT                // 18 before the password is looked at
)

// User is an account. Name and Password are required.
type User struct {
	Name     string // sAMAccountName
	UPN      string // "" means none: the PAC then says Name@dns.domain
	FullName string
	Password string
	State    State
	ETypes   []int32 // nil means those of the realm
	Salt     string  // "" means the realm and the name, as AD makes it

	RID            uint32 // 0 means the next free one from 1105
	PrimaryGroup   uint32 // 0 means 513
	Groups         []uint32
	DenyOnly       []uint32 // groups that only count for denying
	ExtraSIDs      []string // SID history, groups of other domains
	ResourceGroups []string // SIDs of domain-local groups of one domain
	NoPreauth      bool
	SmartCard      bool // 24 whatever the password
	MinPassword    int  // shortest new password
	Admin          bool // may set the passwords of other accounts
}

// account is a user or a service with its keys.
type account struct {
	User
	kvno uint32
	iter int
	salt string
	bits map[int32]*etype.Key // given keys; nil: derived from the password

	mu      sync.Mutex
	derived map[int32]*etype.Key
}

// firstRID is the first RID that AddUser gives.
const firstRID = 1105

// AddUser adds an account or replaces the one with the same name.
func (k *KDC) AddUser(u User) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.users[fold.Key(u.Name)]
	if u.RID == 0 {
		u.RID = firstRID + uint32(len(k.users)) //nolint:gosec // a test realm
		if old != nil {
			u.RID = old.RID
		}
	}
	if u.PrimaryGroup == 0 {
		u.PrimaryGroup = 513
	}
	if u.ETypes == nil {
		u.ETypes = k.cfg.ETypes
	}
	a := &account{User: u, kvno: 1, iter: k.cfg.Iterations, salt: u.Salt}
	if a.salt == "" {
		a.salt = k.cfg.Realm + u.Name
	}
	if old != nil {
		a.kvno = old.kvno + 1
	}
	k.users[fold.Key(u.Name)] = a
}

// SetState changes the state of an account.
func (k *KDC) SetState(name string, s State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.users[fold.Key(name)]; a != nil {
		a.State = s
	}
}

func (k *KDC) newService(s Service) *account {
	a := &account{User: User{Name: s.SPN, Password: s.Password, ETypes: s.ETypes}, kvno: max(s.KVNO, 1), iter: k.cfg.Iterations}
	if a.ETypes == nil {
		a.ETypes = k.cfg.ETypes
	}
	a.salt = k.cfg.Realm + strings.ReplaceAll(s.SPN, "/", "")
	if s.Password == "" {
		a.bits = map[int32]*etype.Key{}
		for _, et := range a.ETypes {
			a.bits[et], _ = etype.Random(et)
		}
	}
	return a
}

// key returns the account's key of a type, nil when it has none.
func (a *account) key(et int32) *etype.Key {
	has := false
	for _, e := range a.ETypes {
		has = has || e == et
	}
	if !has {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bits != nil {
		return a.bits[et]
	}
	if k := a.derived[et]; k != nil {
		return k
	}
	n := a.iter
	if n == 0 {
		n = etype.DefaultIterations(et)
	}
	k, err := etype.StringToKey(et, []byte(a.Password), []byte(a.salt), n)
	if err != nil {
		return nil
	}
	if a.derived == nil {
		a.derived = map[int32]*etype.Key{}
	}
	a.derived[et] = k
	return k
}

// best returns the account's strongest key.
func (a *account) best() *etype.Key { return a.key(a.ETypes[0]) }

func (a *account) keytab(to *kerberos.Keytab, spn, realm string) *kerberos.Keytab {
	for _, et := range a.ETypes {
		if kt, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: spn, Realm: realm, KVNO: a.kvno, EType: et}, a.key(et).Reveal()); err == nil {
			to = to.Merge(kt)
		}
	}
	return to
}

// find looks an account up by the name in a request: the account name, or for enterprise names the UPN or the account
// name at the DNS domain.
func (k *KDC) find(n wire.Name) *account {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n.Type != wire.NTEnterprise {
		return k.users[fold.Key(n.String())]
	}
	full := n.String()
	for _, a := range k.users {
		if a.UPN != "" && fold.Equal(a.UPN, full) {
			return a
		}
	}
	if name, domain, ok := strings.Cut(full, "@"); ok && fold.Equal(domain, k.cfg.Realm) {
		return k.users[fold.Key(name)]
	}
	return nil
}

// UserSID returns the SID of an account, "" when there is none of the name.
func (k *KDC) UserSID(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.users[fold.Key(name)]; a != nil {
		return sid.Join(k.cfg.DomainSID, a.RID)
	}
	return ""
}

// ownerOfSuffix returns the trusted realm to which a UPN suffix belongs.
func (k *KDC) ownerOfSuffix(upn string) *KDC {
	_, suffix, _ := strings.Cut(upn, "@")
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.trusts {
		if fold.Equal(suffix, t.peer.cfg.Realm) {
			return t.peer
		}
		for _, s := range t.peer.cfg.UPNSuffixes {
			if fold.Equal(s, suffix) {
				return t.peer
			}
		}
	}
	return nil
}

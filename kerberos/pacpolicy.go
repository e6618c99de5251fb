package kerberos

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// SIDFilter says what happens to SIDs that the realm of an account may not assert.
type SIDFilter int

// The filters. The zero value drops.
const (
	SIDFilterDrop   SIDFilter = iota // removed and listed in Identity.FilteredSIDs
	SIDFilterReject                  // the ticket is refused
	SIDFilterOff                     // every realm may assert every SID: only for forests that are one
)

// PACPolicy says what a ticket's PAC must have. The zero value verifies whatever is there and filters foreign SIDs.
type PACPolicy struct {
	Require               bool      // refuse tickets without a PAC
	RequireLogonInfo      bool      // refuse tickets whose PAC has no logon information
	RequireTicketChecksum bool      // refuse PACs without the ticket signature (MS-PAC 2.8.5)
	SIDFilter             SIDFilter // for tickets of other realms
	AllowSIDHistory       bool      // keep SIDs of earlier domains in tickets of the service's own realm

	// KDCKeys holds krbtgt keys, if the caller is a realm's owner: the KDC's own signatures are verified too.
	KDCKeys *Keytab
}

// pacJudge applies a policy.
type pacJudge struct {
	PACPolicy
	realms  *realmTable
	learned *learnedDomains
}

// findPAC searches every level of AD-IF-RELEVANT (RFC 4120 5.2.6.1).
func findPAC(list []wire.AuthData, depth int) ([]byte, error) {
	if depth > authDataDepth {
		return nil, fmt.Errorf("authorization data is nested too deep")
	}
	for _, a := range list {
		switch a.Type {
		case wire.ADWin2kPAC:
			return a.Data, nil
		case wire.ADIfRelevant:
			inner, err := wire.ParseAuthData(a.Data)
			if err != nil {
				return nil, fmt.Errorf("authorization data: %w", err)
			}
			if b, err := findPAC(inner, depth+1); b != nil || err != nil {
				return b, err
			}
		}
	}
	return nil, nil
}

// judge verifies the PAC of an opened ticket and fills the identity from it. issuer is the realm whose KDC issued the
// ticket.
func (j pacJudge) judge(id *Identity, part wire.TicketPart, key *etype.Key, issuer string) error {
	raw, err := findPAC(part.AuthData, 0)
	if err != nil {
		return err
	}
	if raw == nil {
		if j.Require || j.RequireLogonInfo || j.RequireTicketChecksum {
			return fmt.Errorf("the ticket has no PAC")
		}
		id.fillNames(nil)
		return nil
	}
	p, err := pac.Decode(raw)
	if err != nil {
		return err
	}
	if err := j.signatures(p, part, key, issuer); err != nil {
		return err
	}
	if err := consistent(p, part); err != nil {
		return err
	}
	if p.LogonInfo == nil && j.RequireLogonInfo {
		return fmt.Errorf("the PAC has no logon information")
	}
	id.PAC = p
	id.fillNames(p)
	if p.LogonInfo != nil {
		return j.sids(id, p.LogonInfo, issuer)
	}
	return nil
}

// signatures checks what can be checked: the server's always, the KDC's with its key.
func (j pacJudge) signatures(p *pac.PAC, part wire.TicketPart, key *etype.Key, issuer string) error {
	if err := p.VerifyServer(key); err != nil {
		return err
	}
	kdcSum, ok := p.Signature(pac.TypeKDCChecksum)
	if !ok {
		return fmt.Errorf("%w: no KDC signature", pac.ErrSignature)
	}
	_, hasTicket := p.Signature(pac.TypeTicketChecksum)
	if j.RequireTicketChecksum && !hasTicket {
		return fmt.Errorf("%w: no ticket signature", pac.ErrSignature)
	}
	if j.KDCKeys == nil {
		return nil
	}
	failed := fmt.Errorf("%w: no krbtgt key of the type", pac.ErrSignature)
	for _, e := range j.KDCKeys.entries {
		if e.key.ChecksumType() != kdcSum.Type || !fold.Equal(e.realm, issuer) || !strings.HasPrefix(e.principal, "krbtgt/") {
			continue
		}
		if failed = verifyKDC(p, part, e.key, hasTicket); failed == nil {
			return nil
		}
	}
	return failed
}

func verifyKDC(p *pac.PAC, part wire.TicketPart, key *etype.Key, hasTicket bool) error {
	if err := p.VerifyKDC(key); err != nil {
		return err
	}
	if _, ok := p.Signature(pac.TypeFullChecksum); ok {
		if err := p.VerifyFull(key); err != nil {
			return err
		}
	}
	if !hasTicket {
		return nil
	}
	part.AuthData = blankPAC(part.AuthData)
	return p.VerifyTicket(key, part.Encode())
}

// blankPAC returns the list with the PAC replaced by one zero byte (MS-PAC 2.8.5).
func blankPAC(list []wire.AuthData) []wire.AuthData {
	out := slices.Clone(list)
	for i, a := range out {
		switch a.Type {
		case wire.ADWin2kPAC:
			out[i].Data = []byte{0}
		case wire.ADIfRelevant:
			if inner, err := wire.ParseAuthData(a.Data); err == nil {
				out[i].Data = wire.EncodeAuthData(blankPAC(inner))
			}
		}
	}
	return out
}

// consistent checks that the PAC was made for this ticket and agrees with itself (MS-PAC 2.7, 2.10, 2.15).
func consistent(p *pac.PAC, part wire.TicketPart) error {
	if p.ClientInfo == nil {
		return fmt.Errorf("the PAC does not say whose it is")
	}
	name, want := p.ClientInfo.Name, part.CName.String()
	if part.CName.Type == wire.NTEnterprise {
		want, _, _ = strings.Cut(want, "@")
		name, _, _ = strings.Cut(name, "@")
	}
	if !fold.Equal(name, want) && !fold.Equal(name, want+"@"+part.CRealm) { // across a trust the realm is part of it
		return fmt.Errorf("the PAC is another client's")
	}
	if !p.ClientInfo.AuthTime.Equal(part.AuthTime) {
		return fmt.Errorf("the PAC is of another time")
	}
	if p.LogonInfo == nil {
		return nil
	}
	user := p.LogonInfo.UserSID()
	if p.UPNDNSInfo != nil && p.UPNDNSInfo.SID != "" && user != "" && p.UPNDNSInfo.SID != user {
		return fmt.Errorf("the PAC has two user SIDs")
	}
	if p.Requestor != "" && user != "" && p.Requestor != user {
		return fmt.Errorf("the PAC was requested by another account")
	}
	return nil
}

// fillNames sets principal, UPN and domain names from the ticket's name and the PAC. The DNS domain is the realm's name,
// as always in Active Directory: a realm cannot claim the name of another one.
func (id *Identity) fillNames(p *pac.PAC) {
	id.DNSDomain = strings.ToLower(id.Realm)
	if p != nil && p.UPNDNSInfo != nil {
		u := p.UPNDNSInfo
		if fold.Equal(u.SAMName, id.Name) {
			id.Name = u.SAMName
		}
		id.UPN = u.UPN
	}
	id.Principal = id.Name + "@" + id.Realm
	if id.UPN == "" {
		id.UPN = id.Name + "@" + id.DNSDomain
	}
	if p != nil && p.LogonInfo != nil {
		id.FullName, id.NetBIOS = p.LogonInfo.FullName, p.LogonInfo.LogonDomainNetBIOS
		id.PasswordLastSet, id.PasswordMustChange = p.LogonInfo.PasswordLastSet, p.LogonInfo.PasswordMustChange
	}
}

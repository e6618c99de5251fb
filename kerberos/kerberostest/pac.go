package kerberostest

import (
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/sid"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

const groupOn = pac.GroupMandatory | 2 | pac.GroupEnabled

// newPAC returns the buffers of an account's PAC without signatures.
func (k *KDC) newPAC(a *account, cname string, auth time.Time) []pacenc.Buffer {
	info := pacenc.Info{
		Name: a.Name, FullName: a.FullName, NetBIOS: k.cfg.NetBIOS, Server: "DC1", DomainSID: k.cfg.DomainSID, RID: a.RID,
		PrimaryGroup: a.PrimaryGroup, AuthTime: auth, PasswordLastSet: auth.Add(-24 * time.Hour), AccountControl: 0x10,
		Groups: []pacenc.Group{{RID: a.PrimaryGroup, Attributes: groupOn}},
	}
	for _, g := range a.Groups {
		info.Groups = append(info.Groups, pacenc.Group{RID: g, Attributes: groupOn})
	}
	for _, g := range a.DenyOnly {
		info.Groups = append(info.Groups, pacenc.Group{RID: g, Attributes: pac.GroupDenyOnly})
	}
	info.Extra = []pacenc.SID{{SID: "S-1-18-1", Attributes: groupOn}}
	info.UserFlags = pac.FlagExtraSIDs
	for _, s := range a.ExtraSIDs {
		info.Extra = append(info.Extra, pacenc.SID{SID: s, Attributes: groupOn})
	}
	for _, s := range a.ResourceGroups {
		domain, rid, err := sid.Split(s)
		if err != nil {
			continue
		}
		info.UserFlags |= pac.FlagResourceGroups
		info.ResourceDomain = domain
		info.Resource = append(info.Resource, pacenc.Group{RID: rid, Attributes: groupOn | pac.GroupResource})
	}
	user, dns := sid.Join(k.cfg.DomainSID, a.RID), strings.ToLower(k.cfg.Realm)
	upn, constructed := a.UPN, a.UPN == ""
	if constructed {
		upn = a.Name + "@" + dns
	}
	return []pacenc.Buffer{
		{Type: pac.TypeLogonInfo, Data: pacenc.LogonInfo(info)},
		{Type: pac.TypeClientInfo, Data: pacenc.ClientInfo(cname, auth)},
		{Type: pac.TypeUPNDNSInfo, Data: pacenc.UPNDNSInfo(upn, dns, a.Name, user, constructed)},
		{Type: pac.TypeRequestor, Data: pacenc.Requestor(user)},
	}
}

func wrapPAC(b []byte) []wire.AuthData {
	return []wire.AuthData{{Type: wire.ADIfRelevant, Data: wire.EncodeAuthData([]wire.AuthData{{Type: wire.ADWin2kPAC, Data: b}})}}
}

// buffersOf takes the PAC of a ticket apart, as a KDC does that signs it anew for another service.
func buffersOf(list []wire.AuthData) []pacenc.Buffer {
	for _, a := range list {
		inner, err := wire.ParseAuthData(a.Data)
		if a.Type != wire.ADIfRelevant || err != nil || len(inner) == 0 {
			continue
		}
		p, err := pac.Decode(inner[0].Data)
		if err != nil {
			continue
		}
		var out []pacenc.Buffer
		for _, kind := range []uint32{pac.TypeLogonInfo, pac.TypeClientInfo, pac.TypeUPNDNSInfo, pac.TypeRequestor} {
			if b := p.Buffer(kind); b != nil {
				out = append(out, pacenc.Buffer{Type: kind, Data: append([]byte(nil), b...)})
			}
		}
		return out
	}
	return nil
}

// attachPAC signs the PAC for the ticket: ticket signature (not for TGTs), full, server and KDC signatures.
func (k *KDC) attachPAC(o *issue) {
	o.part.AuthData = nil
	if len(o.pac) == 0 {
		return
	}
	list := append([]pacenc.Buffer(nil), o.pac...)
	krbtgt := k.krbtgt.best()
	list = append(list, pacenc.Signature(pac.TypeServerChecksum, o.tktKey), pacenc.Signature(pac.TypeKDCChecksum, krbtgt))
	if o.sname.Parts[0] != "krbtgt" && !k.has(FaultNoTicketChecksum) {
		o.part.AuthData = wrapPAC([]byte{0})
		sum, err := krbtgt.Checksum(wire.UsagePAC, o.part.Encode())
		if err == nil {
			b := pacenc.Signature(pac.TypeTicketChecksum, krbtgt)
			copy(b.Data[4:], sum)
			list = append(list, b)
		}
	}
	list = append(list, pacenc.Signature(pac.TypeFullChecksum, krbtgt))
	list = k.spoilSignatures(o.kind, list)
	full := krbtgt
	if k.has(FaultPACFullSum) {
		full, _ = etype.Random(krbtgt.Type())
	}
	o.part.AuthData = wrapPAC(k.spoilPAC(o.kind, pacenc.Build(list, o.tktKey, krbtgt, full)))
}

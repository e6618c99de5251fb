package kerberos

import (
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// openTicket decrypts a ticket with the keytab's keys for a principal.
func openTicket(kt *Keytab, spn string, t wire.Ticket) (wire.TicketPart, *etype.Key, error) {
	keys, err := kt.find(spn, t.Realm, t.Enc.KVNO, t.Enc.EType)
	if err != nil {
		return wire.TicketPart{}, nil, err
	}
	for _, k := range keys {
		plain, e := t.Enc.Open(k, wire.UsageTicket)
		if e != nil {
			err = e
			continue
		}
		part, e := wire.ParseTicketPart(plain)
		clear(plain)
		if e != nil {
			return wire.TicketPart{}, nil, fmt.Errorf("ticket content: %w", e)
		}
		return part, k, nil
	}
	return wire.TicketPart{}, nil, err
}

// prove checks the KDC's answer for our own service. Only who knows our service's key can have made the ticket, and
// only the KDC that made it now knows the session key inside.
func (l *login) prove(st *serviceTicket, g *tgt, svc *Service) (*Identity, error) {
	part, key, err := openTicket(svc.Keytab.Current(), svc.SPN, st.ticket)
	if err != nil {
		return nil, distrust("the ticket does not open with our keytab", err)
	}
	defer part.Key.Zero()
	now := l.now()
	switch {
	case svc.Realm != "" && !fold.Equal(svc.Realm, st.ticket.Realm): // a keytab may have keys of several realms
		err = distrust("the ticket was issued by another realm than our service's", nil)
	case !part.Key.Equal(st.session): // a ticket seen on the wire opens too, but its session key is not known
		err = distrust("session key in the ticket is another one than in the reply", nil)
	case part.CRealm != g.crealm || !part.CName.EqualFold(g.cname):
		err = distrust("the ticket is another client's", nil)
	case part.StartTime.After(now.Add(l.skew)):
		err = distrust("ticket for our service begins in the future", nil)
	case !part.EndTime.After(now):
		err = distrust("ticket for our service has ended", nil)
	case !part.AuthTime.Equal(g.part.AuthTime):
		err = distrust("ticket for our service is of another sign-in", nil)
	case part.Flags&wire.FlagInvalid != 0:
		err = distrust("ticket for our service is flagged invalid", nil)
	case !l.transitedOK(part):
		err = distrust("the ticket went through a realm that is not configured", nil)
	}
	if err != nil {
		return nil, err
	}
	id := &Identity{
		Name: part.CName.String(), Realm: part.CRealm, AuthTime: part.AuthTime, EndTime: part.EndTime, Service: svc.SPN,
		KDCVerified: true, PreAuthenticated: part.Flags&wire.FlagPreAuthent != 0,
	}
	judge := pacJudge{l.cfg.PAC, l.realms, l.learned}
	if err := judge.judge(id, part, key, st.ticket.Realm); err != nil {
		return nil, distrust("PAC of the ticket for our service", err)
	}
	return id, nil
}

// transitedOK allows realms on the way that are configured (RFC 4120 2.7, 3.3.3.2). Only the plain form without
// compression is understood; anything else counts as unknown.
func (e *engine) transitedOK(part wire.TicketPart) bool { return transitedOK(e.realms, part) }

func transitedOK(t *realmTable, part wire.TicketPart) bool {
	if len(part.Transited) == 0 {
		return true
	}
	for r := range strings.SplitSeq(string(part.Transited), ",") {
		if t.byDNS[foldRealm(r)] == nil {
			return false
		}
	}
	return true
}

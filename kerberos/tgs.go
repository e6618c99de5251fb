package kerberos

import (
	"context"
	"errors"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// serviceTicket is a ticket for a service with its session key.
type serviceTicket struct {
	ticket  wire.Ticket
	session *etype.Key
	part    wire.KDCRepPart
	crealm  string
	cname   wire.Name
	kdc     string
}

// serviceFor gets a service ticket by referrals, or, from KDCs that do not know the service and make no referrals, over
// the realm to which the host's name belongs.
func (e *engine) serviceFor(ctx context.Context, g *tgt, spn string) (*serviceTicket, error) {
	st, err := e.getService(ctx, g, wire.SPN(spn))
	if !errors.Is(err, ErrServiceUnknown) {
		return st, err
	}
	_, host, _ := strings.Cut(spn, "/")
	other := e.realmOfHost(host)
	if other == nil || other == g.realm {
		return nil, err
	}
	cross, crossErr := e.getService(ctx, g, wire.Krbtgt(other.Name))
	if crossErr != nil {
		return nil, err
	}
	defer cross.session.Zero()
	return e.getService(ctx, &tgt{ticket: cross.ticket, session: cross.session, realm: other, crealm: g.crealm, cname: g.cname, part: cross.part}, wire.SPN(spn))
}

// realmOfHost finds the configured realm whose DNS name is the longest suffix of the host.
func (e *engine) realmOfHost(host string) *Realm {
	var best *Realm
	for _, r := range e.realms.list {
		if strings.HasSuffix(fold.Key(host), "."+fold.Key(r.Name)) && (best == nil || len(r.Name) > len(best.Name)) {
			best = r
		}
	}
	return best
}

// getService walks from a TGT to a service ticket over referrals (RFC 6806 8), to configured realms only.
func (e *engine) getService(ctx context.Context, t *tgt, spn wire.Name) (*serviceTicket, error) {
	seen := map[string]bool{t.realm.Name: true}
	cur, owned := t, false // owned: an intermediate TGT whose key is ours to zero
	for range maxTGS {
		st, next, err := e.tgs(ctx, cur, spn)
		if owned {
			cur.session.Zero()
		}
		if err != nil {
			return nil, err
		}
		if st != nil {
			return st, nil
		}
		if seen[next.realm.Name] {
			next.session.Zero()
			return nil, distrust("service referral in a circle", nil)
		}
		seen[next.realm.Name] = true
		cur, owned = next, true
	}
	if owned {
		cur.session.Zero()
	}
	return nil, distrust("too many service referrals", nil)
}

// tgs makes one TGS exchange. It returns a service ticket, or the TGT of the realm that it was referred to.
func (e *engine) tgs(ctx context.Context, t *tgt, spn wire.Name) (st *serviceTicket, next *tgt, err error) {
	defer e.guard(ctx, ReasonKDCNotTrusted, &err)
	req := wire.KDCReq{
		Type: wire.MsgTGSReq, Options: wire.OptCanonicalize, Realm: t.realm.Name, SName: &spn,
		Till: e.now().Add(ticketLife), Nonce: nonce(), ETypes: e.etypes,
	}
	subkey, err := etype.Random(t.session.Type())
	if err != nil {
		return nil, nil, err
	}
	defer subkey.Zero()
	if err := e.sealTGS(&req, t, subkey); err != nil {
		return nil, nil, err
	}
	prefer := ""
	if t.realm.Name == t.part.SRealm {
		prefer = t.kdc
	}
	rep, addr, err := e.send(ctx, t.realm, req, true, prefer)
	if err != nil {
		return nil, nil, e.tgsError(err)
	}
	part, err := e.openTGSRep(rep, t, subkey)
	if err != nil {
		return nil, nil, err
	}
	if err := e.checkTGSRep(req, rep, part, t); err != nil {
		part.Key.Zero()
		return nil, nil, err
	}
	if part.SName.EqualFold(spn) {
		return &serviceTicket{ticket: rep.Ticket, session: part.Key, part: part, crealm: rep.CRealm, cname: rep.CName, kdc: addr}, nil, nil
	}
	// RFC 6806 8: a referral is a ticket for krbtgt/OTHER
	if len(part.SName.Parts) == 2 && part.SName.Parts[0] == "krbtgt" {
		if r := e.realms.byDNS[foldRealm(part.SName.Parts[1])]; r != nil {
			return nil, &tgt{ticket: rep.Ticket, session: part.Key, realm: r, crealm: t.crealm, cname: t.cname, part: part}, nil
		}
	}
	part.Key.Zero()
	return nil, nil, distrust("ticket for another service, or referral to a realm that is not configured", nil)
}

// sealTGS adds PA-TGS-REQ: the authenticator's realm is always the client's own (RFC 4120 5.5.1).
func (e *engine) sealTGS(req *wire.KDCReq, t *tgt, subkey *etype.Key) error {
	sum, err := t.session.Checksum(wire.UsageTGSReqCksum, req.EncodeBody())
	if err != nil {
		return err
	}
	auth := wire.Authenticator{
		CRealm: t.crealm, CName: t.cname, CTime: e.now(), Subkey: subkey,
		Checksum: &wire.Checksum{Type: t.session.ChecksumType(), Sum: sum},
	}
	sealed, err := wire.Seal(t.session, wire.UsageTGSReqAuth, auth.Encode())
	if err != nil {
		return err
	}
	ap := wire.APReq{Ticket: t.ticket, Auth: sealed}
	req.PAData = []wire.PAData{{Type: wire.PATGSReq, Value: ap.Encode()}}
	return nil
}

func (e *engine) openTGSRep(rep wire.KDCRep, t *tgt, subkey *etype.Key) (wire.KDCRepPart, error) {
	plain, err := rep.Enc.Open(subkey, wire.UsageTGSRepSubkey)
	if err != nil {
		if plain, err = rep.Enc.Open(t.session, wire.UsageTGSRepSession); err != nil {
			return wire.KDCRepPart{}, distrust("the ticket reply does not decrypt", err)
		}
	}
	defer clear(plain)
	part, err := wire.ParseKDCRepPart(plain)
	if err != nil {
		return wire.KDCRepPart{}, distrust("the ticket reply's encrypted part is malformed", err)
	}
	return part, nil
}

func (e *engine) checkTGSRep(req wire.KDCReq, rep wire.KDCRep, part wire.KDCRepPart, t *tgt) error {
	now := e.now()
	switch {
	case part.Tag != wire.EncTGS:
		return distrust("the ticket reply has the wrong tag", nil)
	case part.Nonce != req.Nonce:
		return distrust("nonce of another ticket request", nil)
	case part.SRealm != t.realm.Name || rep.Ticket.Realm != t.realm.Name:
		return distrust("ticket of another realm", nil)
	case !rep.Ticket.SName.EqualFold(part.SName):
		return distrust("the ticket names another service than the reply", nil)
	case rep.CRealm != t.crealm || !rep.CName.EqualFold(t.cname):
		return distrust("ticket for another client", nil)
	case !part.EndTime.After(now):
		return distrust("service ticket has ended", nil)
	case part.StartTime.After(now.Add(e.skew)):
		return distrust("service ticket begins in the future", nil)
	case !part.AuthTime.Equal(t.part.AuthTime):
		return distrust("service ticket has another authentication time", nil)
	case part.Flags&(wire.FlagInvalid|wire.FlagPostdated) != 0:
		return distrust("service ticket flags", nil)
	case !e.allows(part.Key.Type()) || !e.allows(rep.Ticket.Enc.EType):
		return distrust("service ticket of an encryption type that we do not allow", nil)
	}
	return nil
}

// tgsError maps errors of the TGS exchange. None of them speaks of the password any more.
func (e *engine) tgsError(err error) error {
	k, ok := errors.AsType[*kdcError](err)
	if !ok {
		return err
	}
	switch k.Code {
	case wire.ErrServiceUnknown:
		return outside(ErrServiceUnknown, "KDC error 7 for our service", err)
	case wire.ErrEtypeNoSupp:
		return outside(ErrNoCommonEtype, "KDC error 14 for our service", err)
	case wire.ErrSkew, wire.ErrTktNotYet:
		return &OutsideError{Kind: ErrClockSkew, Offset: k.STime.Sub(e.now()), Err: err}
	case wire.ErrPolicy, wire.ErrClientRevoked:
		return refuse(ReasonNotAllowed, "refused at the ticket for our service", err)
	case wire.ErrSvcUnavailable, wire.ErrGeneric:
		return outside(ErrUnavailable, "the KDC failed", err)
	}
	return distrust("unexpected error for the ticket of our service", err)
}

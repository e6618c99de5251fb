package directorytest

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// Trust makes the trustedDomain object of a trust to another domain. Direction: 1 inbound, 2 outbound, 3 both; attributes as
// in MS-ADTS 6.1.6.7.9 (8: between forests).
func (dc *DC) Trust(other *DC, direction, attributes int) *Object {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	raw, _ := sid.Bytes(other.sid)
	attrs := []string{
		"trustPartner", other.cfg.DNS, "flatName", other.cfg.NetBIOS, "securityIdentifier", string(raw),
		"trustDirection", itoa(uint32(direction)), "trustAttributes", itoa(uint32(attributes)), "trustType", "2", //nolint:gosec // small numbers
	}
	if attributes&forestTransitive != 0 {
		attrs = append(attrs, "msDS-TrustForestTrustInfo", string(other.forestTrustInfo()))
	}
	return dc.create(dc.byDN("CN=System,"+dc.baseDN), "CN="+other.cfg.DNS, []string{"top", "leaf", "trustedDomain"}, attrs...)
}

const forestTransitive = 8 // of trustAttributes

// RollBack sets the update sequence number back without a new invocationId: what happens when a domain controller is
// restored from a copy of its disk.
func (dc *DC) RollBack(n int64) {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.usn -= n
}

const maxLDIFLine = 1 << 20

// LoadLDIF makes the objects of an LDIF file of content records (RFC 2849). Containers come before what they hold; member
// values may name objects that come later. objectGUID and objectSid are given by the server.
func (dc *DC) LoadLDIF(r io.Reader) error {
	records, err := parseLDIF(r)
	if err != nil {
		return err
	}
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	members := map[string]ldapwire.Change{}
	for _, rec := range records {
		var links []ldapwire.Attribute
		req := ldapwire.AddRequest{DN: rec.DN}
		for _, a := range rec.Attributes {
			switch strings.ToLower(a.Name) {
			case "member":
				links = append(links, a)
			case "objectguid", "objectsid", "distinguishedname", "name", "cn", "ou", "dc":
			default:
				req.Attributes = append(req.Attributes, a)
			}
		}
		e, err := ldapwire.NewDecoder(req.Encode()).Next()
		if err != nil {
			return err
		}
		if res := dc.opAdd(e); res.code != 0 {
			return fmt.Errorf("directorytest: LDIF: %s: %s", rec.DN, res.text)
		}
		for _, l := range links {
			members[rec.DN] = ldapwire.Change{Op: 0, Attribute: l}
		}
	}
	for _, dn := range sortedKeys(members) {
		if res := dc.change(dc.live(dn), members[dn]); res.code != 0 {
			return fmt.Errorf("directorytest: LDIF: member of %s: %s", dn, res.text)
		}
	}
	return nil
}

// parseLDIF reads content records: folded lines, comments, "name: value" and "name:: base64".
func parseLDIF(r io.Reader) ([]ldapwire.AddRequest, error) {
	var out []ldapwire.AddRequest
	var cur ldapwire.AddRequest
	var line string
	n := 0
	flush := func() error {
		err := ldifLine(&cur, line)
		line = ""
		return err
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLDIFLine)
	for s.Scan() {
		n++
		text := strings.TrimSuffix(s.Text(), "\r")
		if strings.HasPrefix(text, " ") {
			line += text[1:]
			continue
		}
		if err := flush(); err != nil {
			return nil, fmt.Errorf("directorytest: LDIF line %d: %w", n-1, err)
		}
		if text == "" && cur.DN != "" {
			out = append(out, cur)
			cur = ldapwire.AddRequest{}
		}
		line = text
	}
	if err := errors.Join(s.Err(), flush()); err != nil {
		return nil, fmt.Errorf("directorytest: LDIF line %d: %w", n, err)
	}
	if cur.DN != "" {
		out = append(out, cur)
	}
	return out, nil
}

func ldifLine(rec *ldapwire.AddRequest, line string) error { //nolint:cyclop // one list of checks
	if line == "" || strings.HasPrefix(line, "#") || (rec.DN == "" && strings.HasPrefix(line, "version:")) {
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.HasPrefix(value, "<") {
		return errors.New("expected name: value")
	}
	raw := []byte(strings.TrimLeft(value, " "))
	if rest, ok := strings.CutPrefix(value, ":"); ok {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(strings.TrimSpace(rest)); err != nil {
			return err
		}
	}
	switch {
	case strings.EqualFold(name, "changetype"):
		return errors.New("change records are not content")
	case rec.DN == "" && !strings.EqualFold(name, "dn"):
		return errors.New("expected dn")
	case rec.DN == "":
		rec.DN = string(raw)
		return nil
	}
	for i := range rec.Attributes {
		if strings.EqualFold(rec.Attributes[i].Name, name) {
			rec.Attributes[i].Values = append(rec.Attributes[i].Values, raw)
			return nil
		}
	}
	rec.Attributes = append(rec.Attributes, ldapwire.Attribute{Name: name, Values: [][]byte{raw}})
	return nil
}

package kerberos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrKrb5Conf is matched by the errors of [ParseKrb5Conf].
var ErrKrb5Conf = errors.New("kerberos: malformed krb5.conf")

// Krb5Conf is what this package takes from a krb5.conf: where KDCs are. Encryption types, time limits and the rest stay
// with the configurations of this package.
type Krb5Conf struct {
	DefaultRealm string
	Realms       []Realm           // those with at least one kdc line
	DomainRealm  map[string]string // host name or .domain to realm
}

// Limits of a krb5.conf.
const (
	maxKrb5Conf      = 1 << 20
	maxKrb5ConfLines = 20000
	maxKrb5ConfDepth = 8
)

// ParseKrb5Conf reads the sections libdefaults, realms and domain_realm. Unknown sections and keys are passed over;
// include directives are not followed and are an error, so that nothing is missed silently.
func ParseKrb5Conf(b []byte) (*Krb5Conf, error) {
	if len(b) > maxKrb5Conf {
		return nil, ErrKrb5Conf
	}
	p := &confParser{conf: &Krb5Conf{DomainRealm: map[string]string{}}, realms: map[string]*Realm{}}
	sc := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; sc.Scan(); n++ {
		if err := p.line(strings.TrimSpace(sc.Text())); err != nil || n > maxKrb5ConfLines {
			return nil, fmt.Errorf("%w: line %d", ErrKrb5Conf, n)
		}
	}
	if sc.Err() != nil || len(p.path) > 0 {
		return nil, ErrKrb5Conf
	}
	for _, name := range p.order {
		if r := p.realms[name]; len(r.KDCs) > 0 {
			p.conf.Realms = append(p.conf.Realms, *r)
		}
	}
	return p.conf, nil
}

type confParser struct {
	conf    *Krb5Conf
	section string
	path    []string // open braces
	realms  map[string]*Realm
	order   []string
}

func (p *confParser) line(s string) error { //nolint:cyclop // the forms of a line
	switch {
	case s == "" || s[0] == '#' || s[0] == ';':
		return nil
	case strings.HasPrefix(s, "include ") || strings.HasPrefix(s, "includedir ") || strings.HasPrefix(s, "module "):
		return ErrKrb5Conf
	case s[0] == '[':
		end := strings.IndexByte(s, ']')
		if end < 0 || len(p.path) > 0 {
			return ErrKrb5Conf
		}
		p.section = strings.ToLower(s[1:end])
		return nil
	case strings.TrimSuffix(s, "*") == "}":
		if len(p.path) == 0 {
			return ErrKrb5Conf
		}
		p.path = p.path[:len(p.path)-1]
		return nil
	}
	key, value, ok := strings.Cut(s, "=")
	key, value = strings.TrimSuffix(strings.TrimSpace(key), "*"), strings.TrimSpace(value)
	if !ok || key == "" || p.section == "" {
		return ErrKrb5Conf
	}
	if strings.HasPrefix(value, "{") {
		if len(p.path) >= maxKrb5ConfDepth {
			return ErrKrb5Conf
		}
		p.path = append(p.path, key)
		if rest := strings.TrimSpace(value[1:]); rest == "}" {
			p.path = p.path[:len(p.path)-1]
		} else if rest != "" {
			return ErrKrb5Conf
		}
		return nil
	}
	p.value(key, strings.Trim(value, `"`))
	return nil
}

func (p *confParser) value(key, value string) {
	switch {
	case p.section == "libdefaults" && len(p.path) == 0 && key == "default_realm":
		if p.conf.DefaultRealm == "" {
			p.conf.DefaultRealm = value
		}
	case p.section == "domain_realm" && len(p.path) == 0:
		p.conf.DomainRealm[strings.ToLower(key)] = value
	case p.section == "realms" && len(p.path) == 1:
		name := p.path[0]
		r := p.realms[name]
		if r == nil {
			r = &Realm{Name: name}
			p.realms[name] = r
			p.order = append(p.order, name)
		}
		switch key {
		case "kdc":
			r.KDCs = append(r.KDCs, withPort(value, "88"))
		case "kpasswd_server":
			r.KPasswd = append(r.KPasswd, withPort(value, "464"))
		case "primary_kdc", "master_kdc":
			r.PDC = withPort(value, "88")
		}
	}
}

// withPort adds a port to a host that has none.
func withPort(addr, port string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), port)
}

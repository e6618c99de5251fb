package directorytest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// matches evaluates a filter. Undefined is false, and so is its negation, for the few cases that tests need.
func (dc *DC) matches(o *Object, f *ldapwire.Filter) bool {
	switch f.Op {
	case ldapwire.FilterAnd:
		return !slices.ContainsFunc(f.Children, func(c *ldapwire.Filter) bool { return !dc.matches(o, c) })
	case ldapwire.FilterOr:
		return slices.ContainsFunc(f.Children, func(c *ldapwire.Filter) bool { return dc.matches(o, c) })
	case ldapwire.FilterNot:
		return !dc.matches(o, f.Children[0])
	case ldapwire.FilterPresent:
		return len(o.values(f.Attr)) > 0
	case ldapwire.FilterExtensible:
		return dc.extensible(o, f)
	case ldapwire.FilterEqual, ldapwire.FilterApprox:
		if key := strings.ToLower(f.Attr); key == "member" || key == "memberof" {
			return dc.linked(o, key, string(f.Value))
		}
	}
	return slices.ContainsFunc(o.values(f.Attr), func(v []byte) bool { return matchValue(strings.ToLower(f.Attr), v, f) })
}

func (dc *DC) linked(o *Object, key, dn string) bool {
	t := dc.byDN(dn)
	if x, err := directory.ParseExtendedDN(dn); err == nil && strings.HasPrefix(dn, "<") {
		t = nil
		for _, c := range dc.order {
			if (x.GUID != "" && c.GUID() == x.GUID) || (x.SID != "" && c.sid == x.SID) {
				t = c
			}
		}
	}
	if t == nil {
		return false
	}
	if key == "memberof" {
		return slices.Contains(o.memberOf, t)
	}
	return slices.ContainsFunc(o.members, func(l *link) bool { return l.target == t })
}

func (dc *DC) extensible(o *Object, f *ldapwire.Filter) bool {
	if f.Rule == ldapwire.OIDMatchInChain {
		t := dc.byDN(string(f.Value))
		return t != nil && strings.EqualFold(f.Attr, "memberOf") && inChain(o, t, map[*Object]bool{})
	}
	mask, err := strconv.ParseInt(string(f.Value), 10, 64)
	if err != nil {
		return false
	}
	for _, v := range o.values(f.Attr) {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err == nil && ((f.Rule == ldapwire.OIDMatchBitAnd && n&mask == mask) || (f.Rule == ldapwire.OIDMatchBitOr && n&mask != 0)) {
			return true
		}
	}
	return false
}

func inChain(o, group *Object, seen map[*Object]bool) bool {
	for _, g := range o.memberOf {
		if g == group {
			return true
		}
		if !seen[g] {
			seen[g] = true
			if inChain(g, group, seen) {
				return true
			}
		}
	}
	return false
}

func isBinary(key string) bool {
	return key == "objectguid" || key == "objectsid" || key == "invocationid"
}

func matchValue(key string, v []byte, f *ldapwire.Filter) bool {
	if isBinary(key) {
		return f.Op == ldapwire.FilterEqual && bytes.Equal(v, f.Value)
	}
	switch f.Op {
	case ldapwire.FilterGreater, ldapwire.FilterLess:
		a, err1 := strconv.ParseInt(string(v), 10, 64)
		b, err2 := strconv.ParseInt(string(f.Value), 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		return f.Op == ldapwire.FilterGreater && a >= b || f.Op == ldapwire.FilterLess && a <= b
	case ldapwire.FilterSubstrings:
		return substring(fold.Key(string(v)), f)
	}
	if key == "distinguishedname" || key == "objectcategory" || key == "manager" {
		if key == "objectcategory" && !bytes.ContainsRune(f.Value, '=') {
			_, leaf := mustDN(string(v)).Leaf()
			return fold.Equal(leaf, string(f.Value))
		}
		return mustDN(string(v)).Key() == mustDN(string(f.Value)).Key()
	}
	return fold.Equal(string(v), string(f.Value))
}

func substring(v string, f *ldapwire.Filter) bool {
	rest, ok := strings.CutPrefix(v, fold.Key(string(f.Initial)))
	if !ok {
		return false
	}
	for _, a := range f.Any {
		_, after, found := strings.Cut(rest, fold.Key(string(a)))
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, fold.Key(string(f.Final)))
}

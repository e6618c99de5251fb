package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func (p *parser) principals(n *jsonNode, path string) *Principals {
	out := &Principals{}
	switch n.kind {
	case jsonString:
		out.Any = n.text == "*"
		if !out.Any {
			p.add(CodePrincipal, path, n.off, "Invalid principal in policy: "+quote(n.text)+" stands outside a map.")
		}
		return out
	case jsonObject:
	default:
		p.add(CodeType, path, n.off, msgSyntax+` Principal is "*" or a map.`)
		return out
	}
	if len(n.members) == 0 {
		p.add(CodePrincipal, path, n.off, "Invalid principal in policy: empty map.")
	}
	for _, m := range n.members {
		at := pointer(path, m.name)
		switch m.name {
		case "AWS":
			out.AWS = p.list(m.val, at, p.awsPrincipal)
		case "Service":
			out.Service = p.list(m.val, at, p.otherPrincipal)
		case "Federated":
			out.Federated = p.list(m.val, at, p.otherPrincipal)
		case "CanonicalUser":
			out.CanonicalUser = p.list(m.val, at, p.otherPrincipal)
		default:
			p.add(CodePrincipalType, at, m.off, "Invalid principal in policy: unknown type "+quote(m.name)+".")
		}
	}
	return out
}

func (p *parser) awsPrincipal(s, path string, off int) {
	switch {
	case s == "*" || isAccountID(s) || isUniqueID(s):
	case !strings.HasPrefix(s, "arn:") || strings.Count(s, ":") < 5:
		p.add(CodePrincipal, path, off, "Invalid principal in policy: "+quote(s))
	case strings.ContainsAny(s, "*?"):
		p.add(CodePrincipalPartialWildcard, path, off, "A wildcard inside a principal's ARN matches nobody.")
	}
}

func (p *parser) otherPrincipal(s, path string, off int) {
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		p.add(CodePrincipal, path, off, "Invalid principal in policy: "+quote(s))
	}
}

func isAccountID(s string) bool { return len(s) == 12 && onlyDigits(s) }

// isUniqueID recognises the identifier that IAM shows in place of a principal that was deleted.
func isUniqueID(s string) bool {
	return len(s) >= 16 && s[0] == 'A' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

func (p *parser) conditions(n *jsonNode, path string) []Condition {
	if n.kind != jsonObject {
		p.add(CodeType, path, n.off, msgSyntax+" Condition is an object.")
		return nil
	}
	out := []Condition{}
	for _, m := range n.members {
		at := pointer(path, m.name)
		if _, _, ok := parseOperator(m.name); !ok {
			p.add(CodeOperator, at, m.off, "Invalid Condition type : "+clip(m.name)+".")
			continue
		}
		if m.val.kind != jsonObject {
			p.add(CodeType, at, m.val.off, msgSyntax+" A condition operator holds an object.")
			continue
		}
		for _, k := range m.val.members {
			out = append(out, Condition{Operator: m.name, Key: k.name, Values: p.values(k.val, pointer(at, k.name))})
		}
	}
	// Conditions are joined by AND: their order means nothing, and one order makes the canonical form.
	slices.SortStableFunc(out, func(a, b Condition) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Key, b.Key))
	})
	return out
}

func (p *parser) values(n *jsonNode, path string) []string {
	items := n.items
	inArray := n.kind == jsonArray
	if !inArray {
		items = []*jsonNode{n}
	}
	out := make([]string, 0, len(items))
	for i, item := range items {
		at := path
		if inArray {
			at += "/" + strconv.Itoa(i)
		}
		switch item.kind {
		case jsonString, jsonNumber, jsonBool:
			if len(item.text) > maxPattern {
				p.add(CodeLimit, at, item.off, "Longer than "+strconv.Itoa(maxPattern)+" bytes.")
				continue
			}
			out = append(out, item.text)
		case jsonNull, jsonArray, jsonObject:
			p.add(CodeType, at, item.off, msgSyntax+" A condition value is a text, a number or a boolean.")
		}
	}
	return out
}

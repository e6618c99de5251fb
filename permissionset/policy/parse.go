package policy

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	defaultMaxBytes = 1 << 20 // the largest AWS-managed policy known is about 150 kB
	maxDepth        = 32
	maxStatements   = 10_000
	maxPattern      = 4096 // ARNs have at most 2048 characters
)

// ParseOptions says what [Parse] expects. The zero value is the strict reading of an identity policy.
type ParseOptions struct {
	Kind     Kind
	MaxBytes int  // 0 means 1 MiB
	Lenient  bool // faults of Sids and unknown elements are warnings
}

// Parse reads one policy of the kind in opt. The error is an [*InvalidError] that lists every problem.
func Parse(text []byte, opt ParseOptions) (*Document, error) {
	p := &parser{opt: opt, text: string(text)}
	limit := cmp.Or(opt.MaxBytes, defaultMaxBytes)
	if limit < 0 || len(text) > limit {
		p.text = ""
		p.add(CodeLimit, "", 0, "Policy is longer than "+strconv.Itoa(limit)+" bytes.")
		return nil, p.err()
	}
	root, faults := readJSON(p.text, maxDepth)
	for _, f := range faults {
		switch {
		case f.duplicate:
			p.add(CodeDuplicateKey, "", f.off, fmt.Sprintf("Duplicate member %q at %s.", f.msg, p.place(f.off)))
		case f.limit:
			p.add(CodeLimit, "", f.off, "Policy is "+f.msg+".")
		default:
			p.add(CodeSyntax, "", f.off, "Syntax errors in policy. ("+f.msg+" at "+p.place(f.off)+")")
		}
	}
	if root == nil {
		return nil, p.err()
	}
	doc := p.document(root)
	if err := p.err(); err != nil {
		return nil, err
	}
	doc.compile()
	return doc, nil
}

type parser struct {
	opt      ParseOptions
	text     string
	lines    []int // offsets where lines begin, made on first use
	problems []Problem
	warnings []Problem
}

func (p *parser) err() error {
	if len(p.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return &InvalidError{Kind: p.opt.Kind, Problems: p.problems}
}

func (p *parser) lineCol(off int) (line, col int) {
	if p.lines == nil {
		p.lines = []int{0}
		for i := range len(p.text) {
			if p.text[i] == '\n' {
				p.lines = append(p.lines, i+1)
			}
		}
	}
	line = sort.SearchInts(p.lines, off+1)
	return line, off - p.lines[line-1] + 1
}

func (p *parser) place(off int) string {
	line, col := p.lineCol(off)
	return strconv.Itoa(line) + ":" + strconv.Itoa(col)
}

func (p *parser) add(code Code, path string, off int, msg string) {
	line, col := p.lineCol(off)
	pr := Problem{Path: path, Line: line, Col: col, Code: code, Message: msg}
	lenient := code == CodeSid || code == CodeSidDuplicate || code == CodeUnknownElement
	if code == CodePrincipalPartialWildcard || p.opt.Lenient && lenient {
		p.warnings = append(p.warnings, pr)
		return
	}
	p.problems = append(p.problems, pr)
}

const (
	msgSyntax = "Syntax errors in policy."
	msgVendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
)

func (p *parser) document(root *jsonNode) *Document {
	doc := &Document{kind: p.opt.Kind}
	if root.kind != jsonObject {
		p.add(CodeNotObject, "", root.off, msgSyntax)
		return doc
	}
	for _, m := range root.members {
		switch m.name {
		case "Version":
			p.version(doc, m.val)
		case "Id":
			doc.id, _ = p.text1(m.val, "/Id")
		case "Statement":
			p.statements(doc, m.val)
		default:
			p.add(CodeUnknownElement, pointer("", m.name), m.off, msgSyntax+" Unknown element "+quote(m.name)+".")
		}
	}
	if root.member("Statement") == nil {
		p.add(CodeStatementMissing, "/Statement", root.off, msgSyntax+" Statement is missing.")
	}
	doc.warnings = p.warnings
	return doc
}

func (p *parser) version(doc *Document, n *jsonNode) {
	v, ok := p.text1(n, "/Version")
	if !ok {
		return
	}
	doc.version = v
	if v != version2012 && v != version2008 {
		p.add(CodeVersion, "/Version", n.off, msgSyntax+" Version must be 2012-10-17 or 2008-10-17.")
	}
}

const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"
)

// text1 reads a string.
func (p *parser) text1(n *jsonNode, path string) (string, bool) {
	if n.kind != jsonString {
		p.add(CodeType, path, n.off, msgSyntax+" A text is expected.")
		return "", false
	}
	return n.text, true
}

func (p *parser) statements(doc *Document, n *jsonNode) {
	items := n.items
	switch n.kind {
	case jsonObject:
		items = []*jsonNode{n}
	case jsonArray:
	default:
		p.add(CodeType, "/Statement", n.off, msgSyntax+" Statement is an object or an array of objects.")
		return
	}
	if len(items) > maxStatements {
		p.add(CodeLimit, "/Statement", n.off, "Policy has more than "+strconv.Itoa(maxStatements)+" statements.")
		return
	}
	sids := map[string]bool{}
	for i, item := range items {
		path := "/Statement/" + strconv.Itoa(i)
		if item.kind != jsonObject {
			p.add(CodeType, path, item.off, msgSyntax+" A statement is an object.")
			continue
		}
		doc.stmts = append(doc.stmts, p.statement(item, path, sids))
	}
}

func (p *parser) statement(n *jsonNode, path string, sids map[string]bool) Statement {
	var st Statement
	for _, m := range n.members {
		at := pointer(path, m.name)
		switch m.name {
		case "Sid":
			st.Sid = p.sid(m.val, at, sids)
		case "Effect":
			st.Effect = p.effect(m.val, at)
		case "Principal":
			st.Principal = p.principals(m.val, at)
		case "NotPrincipal":
			st.NotPrincipal = p.principals(m.val, at)
		case "Action":
			st.Action = p.list(m.val, at, p.action)
		case "NotAction":
			st.NotAction = p.list(m.val, at, p.action)
		case "Resource":
			st.Resource = p.resources(m.val, at)
		case "NotResource":
			st.NotResource = p.resources(m.val, at)
		case "Condition":
			st.Condition = p.conditions(m.val, at)
		default:
			p.add(CodeUnknownElement, at, m.off, msgSyntax+" Unknown element "+quote(m.name)+".")
		}
	}
	p.required(n, path)
	return st
}

// required checks which elements stand in a statement, and which must not.
func (p *parser) required(n *jsonNode, path string) {
	has := func(name string) bool { return n.member(name) != nil }
	if !has("Effect") {
		p.add(CodeEffectMissing, path+"/Effect", n.off, msgSyntax+" Effect is missing.")
	}
	pair := func(name string, missing, both Code, msg string) {
		switch a, b := has(name), n.member("Not"+name); {
		case a && b != nil:
			p.add(both, path+"/Not"+name, b.off, msgSyntax+" "+name+" and Not"+name+" exclude each other.")
		case !a && b == nil:
			p.add(missing, path+"/"+name, n.off, msg)
		}
	}
	forbid := func(name string, code Code) {
		for _, el := range []string{name, "Not" + name} {
			if v := n.member(el); v != nil {
				p.add(code, path+"/"+el, v.off, "Has prohibited field "+el+".")
			}
		}
	}
	pair("Action", CodeActionMissing, CodeActionBoth, "Policy statement must contain actions.")
	if p.opt.Kind == Trust {
		forbid("Resource", CodeResourceForbidden)
	} else {
		pair("Resource", CodeResourceMissing, CodeResourceBoth, "Policy statement must contain resources.")
	}
	if p.opt.Kind.hasPrincipal() {
		pair("Principal", CodePrincipalMissing, CodePrincipalBoth, "Missing required field Principal")
	} else {
		forbid("Principal", CodePrincipalForbidden)
	}
}

func (p *parser) sid(n *jsonNode, path string, seen map[string]bool) string {
	s, ok := p.text1(n, path)
	if !ok {
		return ""
	}
	if seen[s] && s != "" {
		p.add(CodeSidDuplicate, path, n.off, "Statement IDs (SID) in a single policy must be unique.")
	}
	seen[s] = true
	if !p.opt.Kind.hasPrincipal() && strings.ContainsFunc(s, func(r rune) bool { return !alnum(r) }) {
		p.add(CodeSid, path, n.off, "Statement IDs (SID) must be alpha-numeric.")
	}
	return s
}

func alnum(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' }

func (p *parser) effect(n *jsonNode, path string) Effect {
	s, ok := p.text1(n, path)
	switch {
	case !ok:
	case s == "Allow":
		return Allow
	case s == "Deny":
		return Deny
	default:
		p.add(CodeEffect, path, n.off, msgSyntax+" Effect is Allow or Deny.")
	}
	return 0
}

// list reads a string or an array of strings and checks each.
func (p *parser) list(n *jsonNode, path string, check func(s, path string, off int)) []string {
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
		s, ok := p.text1(item, at)
		if !ok {
			continue
		}
		if len(s) > maxPattern {
			p.add(CodeLimit, at, item.off, "Longer than "+strconv.Itoa(maxPattern)+" bytes.")
			continue
		}
		check(s, at, item.off)
		out = append(out, s)
	}
	if inArray && len(items) == 0 {
		p.emptyList(path, n.off)
	}
	return out
}

func (p *parser) emptyList(path string, off int) {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "Action", "NotAction":
		p.add(CodeActionMissing, path, off, "Policy statement must contain actions.")
	case "Resource", "NotResource":
		p.add(CodeResourceMissing, path, off, "Policy statement must contain resources.")
	default:
		p.add(CodePrincipal, path, off, "Invalid principal in policy: empty list.")
	}
}

func (p *parser) action(s, path string, off int) {
	service, name, ok := strings.Cut(s, ":")
	switch {
	case s == "*" && p.opt.Kind != Trust:
		return
	case s == "*":
	case !ok:
		p.add(CodeAction, path, off, msgVendor)
		return
	case service == "" || name == "" || strings.ContainsFunc(service, func(r rune) bool { return !alnum(r) && r != '-' && r != '*' && r != '?' }):
		p.add(CodeAction, path, off, "Vendor "+quote(service)+" is not valid.")
		return
	}
	if p.opt.Kind == Trust && !strings.EqualFold(service, "sts") {
		p.add(CodeTrustAction, path, off, "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity")
	}
}

func (p *parser) resources(n *jsonNode, path string) []string {
	return p.list(n, path, func(s, at string, off int) {
		if s != "*" && !strings.HasPrefix(s, "arn:") {
			p.add(CodeResource, at, off, "Resource "+clip(s)+" must be in ARN format or \"*\".")
		}
	})
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// clip keeps a text of the policy short enough for a message.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

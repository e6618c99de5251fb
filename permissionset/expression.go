package permissionset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/dirmap"
)

// ErrExpression is what errors.Is finds when an attribute expression is malformed or names a source that does not exist.
var ErrExpression = errors.New("permissionset: malformed attribute expression")

// Expression is the source of an attribute for access control: text with ${dir:name} (Active Directory) and ${path:...}
// (an external identity provider) in it, as the IAM Identity Center console takes it.
type Expression struct {
	text  string
	parts []expressionPart
}

type expressionPart struct {
	literal string
	source  []string // member names from the user down; nil: the literal
	key     string   // of a list: the member that selects the element, and what it must be
	want    string
}

const maxExpression = 256

// ParseExpression reads an expression of at most 256 bytes. Unknown sources and an unclosed brace are errors: they are
// found when a configuration is read, not when somebody signs in.
func ParseExpression(text string) (Expression, error) {
	if len(text) > maxExpression {
		return Expression{}, fmt.Errorf("%w: longer than %d bytes", ErrExpression, maxExpression)
	}
	e := Expression{text: text}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "${")
		if literal != "" {
			e.parts = append(e.parts, expressionPart{literal: literal})
		}
		if !found {
			break
		}
		source, tail, closed := strings.Cut(after, "}")
		if !closed {
			return Expression{}, fmt.Errorf("%w: a brace is not closed", ErrExpression)
		}
		p, err := parseSource(source)
		if err != nil {
			return Expression{}, err
		}
		e.parts, rest = append(e.parts, p), tail
	}
	return e, nil
}

// String returns the text of the expression.
func (e Expression) String() string { return e.text }

func parseSource(source string) (expressionPart, error) {
	if path, ok := strings.CutPrefix(source, "path:"); ok {
		return parsePath(path)
	}
	t, err := dirmap.Parse("${" + source + "}")
	if err != nil || len(t.Sources()) != 1 || t.Sources()[0].Space != "dir" {
		return expressionPart{}, fmt.Errorf("%w: unknown source", ErrExpression)
	}
	return expressionPart{source: []string{strings.TrimPrefix(source, "dir:")}}, nil
}

// parsePath accepts the paths that the console offers, and no other.
func parsePath(path string) (expressionPart, error) {
	simple := []string{
		"userName", "name.familyName", "name.givenName", "displayName", "nickName", "userType", "title", "locale", "timezone",
		"enterprise.employeeNumber", "enterprise.costCenter", "enterprise.organization", "enterprise.division", "enterprise.department",
		"enterprise.manager.value",
	}
	if slices.Contains(simple, path) {
		return expressionPart{source: strings.Split(path, ".")}, nil
	}
	if path == "emails[primary eq true].value" {
		return expressionPart{source: []string{"emails", "value"}, key: "primary", want: "true"}, nil
	}
	if path == `phoneNumbers[type eq "work"].value` {
		return expressionPart{source: []string{"phoneNumbers", "value"}, key: "type", want: `"work"`}, nil
	}
	sub, ok := strings.CutPrefix(path, `addresses[type eq "work"].`)
	if ok && slices.Contains([]string{"streetAddress", "locality", "region", "postalCode", "country", "formatted"}, sub) {
		return expressionPart{source: []string{"addresses", sub}, key: "type", want: `"work"`}, nil
	}
	return expressionPart{}, fmt.Errorf("%w: unknown path", ErrExpression)
}

// Expand gives the value for a user, a JSON object with SCIM's member names (the enterprise extension as "enterprise") or
// the directory's. If any source is absent there is no value, never a part of one. An error says that user is no object.
func (e Expression) Expand(user []byte) (value string, ok bool, err error) {
	if !json.Valid(user) || len(user) == 0 || user[0] != '{' {
		return "", false, errors.New("permissionset: the user is no JSON object")
	}
	var out strings.Builder
	for _, p := range e.parts {
		if p.source == nil {
			out.WriteString(p.literal)
			continue
		}
		v, ok := p.value(user)
		if !ok {
			return "", false, nil
		}
		out.WriteString(v)
	}
	return out.String(), true, nil
}

func (p expressionPart) value(at json.RawMessage) (string, bool) {
	for i, name := range p.source {
		if i == 1 && p.key != "" {
			at = p.element(at)
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(at, &members) != nil {
			return "", false
		}
		at = members[name]
	}
	var text string
	if json.Unmarshal(at, &text) != nil || text == "" {
		return "", false
	}
	return text, true
}

// element returns the first element of a list that the filter selects.
func (p expressionPart) element(list json.RawMessage) json.RawMessage {
	var elements []map[string]json.RawMessage
	if json.Unmarshal(list, &elements) != nil {
		return nil
	}
	for _, e := range elements {
		if string(e[p.key]) == p.want {
			text, err := json.Marshal(e)
			if err != nil {
				return nil
			}
			return text
		}
	}
	return nil
}

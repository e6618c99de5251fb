package identitystore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// AttributeOperation sets one attribute, or removes it when Value is nil or the JSON null.
type AttributeOperation struct {
	// Path is up to three dotted names (userName, name.givenName, emails), or an extension's name, which holds
	// colons, with further names after a dot.
	Path  string
	Value json.RawMessage
}

const maxPathParts = 3

// parsePath splits a path into the steps through the JSON form of a record.
func parsePath(path string) ([]string, error) {
	if strings.Contains(path, ":") {
		i := strings.LastIndexByte(path, ':')
		name, rest, _ := strings.Cut(path[i+1:], ".")
		if name == "" || i == 0 {
			return nil, invalid(path, ReasonPath, "is no attribute path")
		}
		steps := []string{"extensions", path[:i+1] + name}
		if rest != "" {
			steps = append(steps, strings.Split(rest, ".")...)
		}
		if len(steps) > 2+4 || slices.Contains(steps, "") {
			return nil, invalid(path, ReasonPath, "is no attribute path")
		}
		return steps, nil
	}
	steps := strings.Split(path, ".")
	if len(steps) > maxPathParts {
		return nil, invalid(path, ReasonPath, "has more than three parts")
	}
	for _, s := range steps {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
			return nil, invalid(path, ReasonPath, "is no attribute path")
		}
	}
	return steps, nil
}

// verbOnly are the attributes that the AWS verbs cannot write.
func verbOnly(first string) bool {
	return slices.Contains([]string{"id", "externalIds", "userStatus", "link", "createdAt", "createdBy", "updatedAt", "updatedBy", "rev"}, first)
}

// SetAttributes applies operations to the user in order, or returns a [*ValidationError] and changes nothing.
// ExternalIds, userStatus and what the store itself keeps cannot be written this way.
func (u *User) SetAttributes(ops ...AttributeOperation) error {
	next := u.Clone()
	if err := setAttributes(next, ops); err != nil {
		return err
	}
	next.Key, next.Audit, next.Link, next.ID = u.Key, u.Audit, u.Link, u.ID
	*u = *next
	return nil
}

// SetAttributes applies operations to the group in order, or returns a [*ValidationError] and changes nothing.
func (g *Group) SetAttributes(ops ...AttributeOperation) error {
	next := g.Clone()
	if err := setAttributes(next, ops); err != nil {
		return err
	}
	next.Key, next.Audit, next.Link, next.ID = g.Key, g.Audit, g.Link, g.ID
	*g = *next
	return nil
}

// setAttributes goes through the JSON form, so that one table, the struct tags, drives all paths.
func setAttributes(record any, ops []AttributeOperation) error {
	doc, err := toMap(record)
	if err != nil {
		return err
	}
	for _, op := range ops {
		steps, err := parsePath(op.Path)
		if err != nil {
			return err
		}
		if verbOnly(steps[0]) {
			return invalid(op.Path, ReasonPath, "cannot be written")
		}
		if !knownAttribute(record, steps[0]) {
			return invalid(op.Path, ReasonPath, "is no attribute")
		}
		if err := setPath(doc, steps, op); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return invalid("", ReasonForm, "is no JSON value")
	}
	// Decode into an empty record: what is absent from the document was removed.
	fresh := reflect.New(reflect.TypeOf(record).Elem())
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(fresh.Interface()); err != nil {
		path := ""
		if len(ops) > 0 {
			path = ops[len(ops)-1].Path
		}
		return invalid(path, ReasonForm, "has a value of the wrong form")
	}
	reflect.ValueOf(record).Elem().Set(fresh.Elem())
	return nil
}

func setPath(doc map[string]any, steps []string, op AttributeOperation) error {
	var value any
	if op.Value != nil {
		if err := json.Unmarshal(op.Value, &value); err != nil {
			return invalid(op.Path, ReasonForm, "is no JSON value")
		}
	}
	at := doc
	for _, s := range steps[:len(steps)-1] {
		next, ok := at[s].(map[string]any)
		if !ok {
			if at[s] != nil {
				return invalid(op.Path, ReasonPath, "goes through a value that has no parts")
			}
			if value == nil {
				return nil
			}
			next = map[string]any{}
			at[s] = next
		}
		at = next
	}
	last := steps[len(steps)-1]
	if value == nil {
		delete(at, last)
	} else {
		at[last] = value
	}
	return nil
}

func toMap(record any) (map[string]any, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("identitystore: record has no JSON form: %w", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("identitystore: record has no JSON form: %w", err)
	}
	return doc, nil
}

func knownAttribute(record any, name string) bool {
	return slices.Contains(attributeNames(record), name)
}

func attributeNames(record any) []string {
	t := reflect.TypeOf(record).Elem()
	var out []string
	for field := range t.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "" && tag != "-" {
			out = append(out, tag)
		}
	}
	return out
}

// related reports whether two paths are the same, or one is above the other.
func related(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// changedFields returns the names of the attributes in which two records differ, the parts of name apart.
// Of the link only what others can see counts.
func changedFields(old, now any) []string {
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem()
	var out []string
	for i := range a.NumField() {
		tag, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		switch {
		case tag == "-" || tag == "":
		case tag == "link":
			x, y := a.Field(i).Interface().(Link), b.Field(i).Interface().(Link) // by its tag
			out = append(out, changedLink(&x, &y)...)
		case !same(a.Field(i).Interface(), b.Field(i).Interface()):
			out = append(out, tag)
		}
	}
	return out
}

func changedLink(x, y *Link) []string {
	var out []string
	for name, differs := range map[string]bool{
		"link.state": x.state() != y.state(), "link.sid": x.SID != y.SID, "link.guid": x.GUID != y.GUID,
		"link.origin": x.Origin != y.Origin, "link.source": x.Source != y.Source,
	} {
		if differs {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (l *Link) state() State {
	if l.State == "" {
		return StateActive
	}
	return l.State
}

func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	return (x.Kind() == reflect.Slice || x.Kind() == reflect.Map) && x.Len() == 0 && y.Len() == 0
}

// normalize brings a record into the form in which it is stored, so that equal content compares equal.
func (u *User) normalize() error {
	u.Link.clean()
	if u.Status == "" {
		u.Status = StatusEnabled
	}
	if u.Link.State == "" {
		u.Link.State = StateActive
	}
	for k, v := range u.Extensions {
		var b bytes.Buffer
		if err := json.Compact(&b, v); err != nil {
			return invalid(k, ReasonForm, "is no JSON value")
		}
		u.Extensions[k] = b.Bytes()
	}
	return nil
}

// clean makes sure that what a source says of an object can be stored: a name with bytes that are no text must not stop
// the others.
func (l *Link) clean() {
	for _, s := range []*string{&l.DN, &l.Reason} {
		*s = strings.ReplaceAll(strings.ToValidUTF8(*s, "\ufffd"), "\x00", "\ufffd")
	}
}

func (g *Group) normalize() {
	g.Link.clean()
	if g.Link.State == "" {
		g.Link.State = StateActive
	}
}

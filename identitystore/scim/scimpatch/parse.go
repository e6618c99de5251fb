package scimpatch

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// Mode says how forgiving the engine is.
type Mode uint8

// The modes.
const (
	Tolerant Mode = iota
	Strict
)

// Error is an answer of the protocol.
type Error = scimfilter.Error

// URN is the schema of a PATCH request.
const URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

func refuse(kind, detail string) error {
	return &Error{Status: http.StatusBadRequest, Type: kind, Detail: detail}
}

// The values of scimType that a PATCH can have.
const (
	invalidSyntax = "invalidSyntax"
	invalidValue  = "invalidValue"
	invalidPath   = "invalidPath"
	noTarget      = "noTarget"
	mutability    = "mutability"
)

// Operation is one operation of a request.
type Operation struct {
	Op    string          // add, remove, replace; in any case
	Path  string          // "" means none
	Value json.RawMessage // nil means none
}

// Options varies how a request is read.
type Options struct {
	Mode Mode
	// IgnoreUnknownPaths leaves out operations on attributes that the schema does not have, in place of refusing them.
	IgnoreUnknownPaths bool
}

// Parse reads the body of a PATCH request, which is one JSON object.
func Parse(body []byte, mode Mode) ([]Operation, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil || doc == nil {
		return nil, refuse(invalidSyntax, "the request is no JSON object")
	}
	if err := distinctNames(doc); err != nil {
		return nil, err
	}
	list, named, err := message(doc)
	switch {
	case err != nil:
		return nil, err
	case mode == Strict && !named:
		return nil, refuse(invalidSyntax, "schemas does not name the PatchOp message")
	case len(list) == 0:
		return nil, refuse(invalidSyntax, "Operations is missing or empty")
	}
	out := make([]Operation, len(list))
	for i, raw := range list {
		op, err := parseOperation(raw)
		if err != nil {
			return nil, err
		}
		out[i] = op
	}
	return out, nil
}

// message returns the operations, and whether schemas names the message.
func message(doc map[string]json.RawMessage) (list []json.RawMessage, named bool, err error) {
	for k, v := range doc {
		switch {
		case strings.EqualFold(k, "Operations"):
			if json.Unmarshal(v, &list) != nil {
				return nil, false, refuse(invalidSyntax, "Operations is no list")
			}
		case strings.EqualFold(k, "schemas"):
			var urns []string
			if json.Unmarshal(v, &urns) != nil {
				return nil, false, refuse(invalidSyntax, "schemas is no list of text")
			}
			for _, u := range urns {
				named = named || strings.EqualFold(u, URN)
			}
		}
	}
	return list, named, nil
}

func parseOperation(raw json.RawMessage) (Operation, error) {
	var doc map[string]json.RawMessage
	if json.Unmarshal(raw, &doc) != nil || doc == nil {
		return Operation{}, refuse(invalidSyntax, "an operation is no object")
	}
	if err := distinctNames(doc); err != nil {
		return Operation{}, err
	}
	var op Operation
	for k, v := range doc {
		var err error
		switch strings.ToLower(k) {
		case "op":
			err = json.Unmarshal(v, &op.Op)
		case "path":
			err = json.Unmarshal(v, &op.Path)
		case "value":
			op.Value = v
		}
		if err != nil {
			return Operation{}, refuse(invalidSyntax, "op and path must be text")
		}
	}
	return op, nil
}

// Step is an operation on one attribute, with its path resolved.
type Step struct {
	Op       string // add, remove, replace
	Path     scimfilter.Path
	Value    any // decoded JSON; nil for null
	HasValue bool
	Pathless bool // it stood as a key of a value without a path

	attr, sub *scimfilter.Attribute
	extension string // the whole extension with that URN
}

// Steps resolves operations: each key of a value without a path becomes a step of its own, in document order. The
// second result names the paths that Options.IgnoreUnknownPaths left out.
func Steps(s *scimfilter.Schema, ops []Operation, opt Options) (steps []Step, ignored []string, err error) {
	r := &resolver{schema: s, opt: opt}
	for _, op := range ops {
		kind := strings.ToLower(op.Op)
		if kind != "add" && kind != "remove" && kind != "replace" {
			return nil, nil, refuse(invalidSyntax, "op is none of add, remove, replace")
		}
		if op.Path != "" {
			err = r.path(kind, op.Path, op.Value, false)
		} else if kind == "remove" {
			err = refuse(noTarget, "remove needs a path")
		} else {
			err = r.object(kind, "", op.Value)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return r.steps, r.ignored, nil
}

type resolver struct {
	schema  *scimfilter.Schema
	opt     Options
	steps   []Step
	ignored []string
}

// object takes a value without a path apart; prefix is the URN in front of the names, or "".
func (r *resolver) object(kind, prefix string, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return refuse(invalidValue, "a value without a path must be an object")
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return refuse(invalidSyntax, "the value is no JSON object")
		}
		key, _ := t.(string)
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return refuse(invalidSyntax, "the value is no JSON object")
		}
		if prefix == "" && strings.EqualFold(key, "schemas") {
			continue
		}
		if err := r.path(kind, prefix+key, v, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) path(kind, text string, raw json.RawMessage, pathless bool) error { //nolint:cyclop // one list of checks
	value, has, err := decode(raw)
	if err != nil {
		return err
	}
	if e := r.schema.Extension(text); e != nil || strings.EqualFold(text, r.schema.ID) && text != "" {
		urn := r.schema.ID
		if e != nil {
			urn = e.ID
		}
		if _, isObject := value.(map[string]any); isObject && kind != "remove" {
			return r.object(kind, urn+":", raw)
		}
		if e == nil {
			return refuse(invalidPath, "the path names a schema")
		}
		if kind != "remove" && value != nil {
			return refuse(invalidValue, "the value of an extension must be an object")
		}
		r.steps = append(r.steps, Step{Op: "remove", extension: urn})
		return nil
	}
	p, err := scimfilter.ParsePath(text, r.opt.Mode == Tolerant)
	if err != nil {
		if pathless && r.opt.Mode == Tolerant {
			return nil // a name that cannot be an attribute of ours
		}
		return err
	}
	attr, sub, ok := r.schema.Resolve(p)
	if !ok {
		if r.opt.IgnoreUnknownPaths || pathless && r.opt.Mode == Tolerant {
			r.ignored = append(r.ignored, text)
			return nil
		}
		return refuse(invalidPath, "the path names an unknown attribute")
	}
	if p.Filter != nil {
		if !attr.MultiValued && attr.Type != scimfilter.Any {
			return refuse(invalidPath, "the path has a filter for an attribute with a single value")
		}
		if err := scimfilter.CheckElement(p.Filter, attr); err != nil {
			return err
		}
	}
	if strings.EqualFold(p.URN, r.schema.ID) {
		p.URN = ""
	}
	r.steps = append(r.steps, Step{Op: kind, Path: p, Value: value, HasValue: has, Pathless: pathless, attr: attr, sub: sub})
	return nil
}

func decode(raw json.RawMessage) (v any, has bool, err error) {
	if raw == nil {
		return nil, false, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, false, refuse(invalidSyntax, "a value is no JSON")
	}
	return v, true, nil
}

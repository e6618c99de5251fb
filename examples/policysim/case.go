package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// simCase is CASE.json. Members that it does not know are left alone, so that case collections may carry titles.
type simCase struct {
	Request *struct {
		Principal       *string           `json:"principal"`
		Action          *string           `json:"action"`
		Resource        *string           `json:"resource"`
		ResourceAccount string            `json:"resourceAccount"`
		Context         map[string]values `json:"context"`
	} `json:"request"`
	Policies struct {
		Identity []json.RawMessage `json:"identity"`
		Resource json.RawMessage   `json:"resource"`
		Boundary []json.RawMessage `json:"boundary"`
		Session  []json.RawMessage `json:"session"`
		SCPs     []level           `json:"scps"`
		RCPs     []level           `json:"rcps"`
	} `json:"policies"`
}

type level struct {
	OrgIdentifier string            `json:"orgIdentifier"`
	Policies      []json.RawMessage `json:"policies"`
}

// values is a string or an array of strings.
type values []string

// UnmarshalJSON implements [json.Unmarshaler].
func (v *values) UnmarshalJSON(b []byte) error {
	var one *string
	if err := json.Unmarshal(b, &one); err == nil {
		if one == nil {
			return errors.New("a context value is null")
		}
		*v = values{*one}
		return nil
	}
	var many []*string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("a context value is a string or an array of strings")
	}
	*v = values{}
	for _, s := range many {
		if s == nil {
			return errors.New("a context value is null")
		}
		*v = append(*v, *s)
	}
	return nil
}

// maxInput is far above any real case file and keeps a wrong file from filling the memory.
const maxInput = 64 << 20

func readCases(name string, stdin io.Reader) (cases []simCase, isArray bool, err error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the file that the user names
		if err != nil {
			return nil, false, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, false, err
	}
	if len(raw) > maxInput {
		return nil, false, fmt.Errorf("%s: longer than %d bytes", name, maxInput)
	}
	isArray = bytes.HasPrefix(bytes.TrimSpace(raw), []byte("["))
	if isArray {
		err = json.Unmarshal(raw, &cases)
	} else {
		cases = make([]simCase, 1)
		err = json.Unmarshal(raw, &cases[0])
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	for i := range cases {
		if err := cases[i].check(); err != nil {
			return nil, false, fmt.Errorf("%s: case %d: %w", name, i, err)
		}
	}
	return cases, isArray, nil
}

func (c *simCase) check() error {
	r := c.Request
	switch {
	case r == nil:
		return errors.New("request is missing")
	case r.Principal == nil:
		return errors.New("request.principal is missing")
	case r.Action == nil:
		return errors.New("request.action is missing")
	case r.Resource == nil:
		return errors.New("request.resource is missing")
	}
	return nil
}

func (c *simCase) request() policy.Request {
	kv := make(map[string][]string, len(c.Request.Context))
	for k, v := range c.Request.Context {
		kv[k] = v
	}
	return policy.Request{
		Principal: *c.Request.Principal, Action: *c.Request.Action, Resource: *c.Request.Resource,
		ResourceAccount: c.Request.ResourceAccount, Context: policy.NewContext(kv),
	}
}

// parse reads the policies of all layers. A fault's policy index is the place in the layer, counted over all levels.
func (c *simCase) parse() (policy.Policies, []problem) {
	var out policy.Policies
	problems := []problem{}
	one := func(layer policy.Layer, kind policy.Kind, index int, raw json.RawMessage) *policy.Document {
		doc, err := policy.Parse(documentText(raw), policy.ParseOptions{Kind: kind})
		if bad, ok := errors.AsType[*policy.InvalidError](err); ok {
			for _, p := range bad.Problems {
				problems = append(problems, problem{Layer: layer.String(), Policy: index, Problem: p})
			}
		}
		return doc
	}
	list := func(layer policy.Layer, kind policy.Kind, from int, raws []json.RawMessage) []*policy.Document {
		docs := make([]*policy.Document, len(raws))
		for i, raw := range raws {
			docs[i] = one(layer, kind, from+i, raw)
		}
		return docs
	}
	levels := func(layer policy.Layer, kind policy.Kind, in []level) []policy.Level {
		n := 0
		var lv []policy.Level
		for _, l := range in {
			lv = append(lv, policy.Level{OrgIdentifier: l.OrgIdentifier, Policies: list(layer, kind, n, l.Policies)})
			n += len(l.Policies)
		}
		return lv
	}
	out.Identity = list(policy.LayerIdentity, policy.Identity, 0, c.Policies.Identity)
	out.Boundary = list(policy.LayerBoundary, policy.Boundary, 0, c.Policies.Boundary)
	out.Session = list(policy.LayerSession, policy.Session, 0, c.Policies.Session)
	if raw := c.Policies.Resource; len(raw) > 0 && string(raw) != "null" {
		out.Resource = one(policy.LayerResource, policy.ResourcePolicyKind(*c.Request.Action, *c.Request.Resource), 0, raw)
	}
	out.SCPs = levels(policy.LayerSCPs, policy.SCP, c.Policies.SCPs)
	out.RCPs = levels(policy.LayerRCPs, policy.RCP, c.Policies.RCPs)
	return out, problems
}

// documentText returns the text of a policy that stands as an object or, with its text in it, as a string.
func documentText(raw json.RawMessage) []byte {
	var s string
	if err := json.Unmarshal(raw, &s); err == nil && len(raw) > 0 && raw[0] == '"' {
		return []byte(s)
	}
	return raw
}

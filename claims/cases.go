package claims

import (
	"context"
	"encoding/json"
	"fmt"
)

// CaseFile is a list of evaluation cases for one rule text, as a JSON document:
//
//	{"rule": "file", "cases": [{"name", "input": [claim], "stores": {...}, "expected": [claim]}]}
type CaseFile struct {
	Rule  string `json:"rule"` // name of the file with the rules
	Cases []Case `json:"cases"`
}

// A Case is one set of claims and what the rules must issue for it.
type Case struct {
	Name     string          `json:"name"`
	Input    []Claim         `json:"input"`
	Expected []Claim         `json:"expected"`
	Stores   json.RawMessage `json:"stores"` // see [ParseFixedStores]
	Why      string          `json:"why"`
}

// ParseCases reads a case file.
func ParseCases(data []byte) (*CaseFile, error) {
	var f CaseFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("claims: case file: %w", err)
	}
	for _, c := range f.Cases {
		if _, err := c.stores(); err != nil {
			return nil, fmt.Errorf("claims: case %q: %w", c.Name, err)
		}
	}
	return &f, nil
}

func (c *Case) stores() (Stores, error) {
	if len(c.Stores) == 0 {
		return nil, nil
	}
	return ParseFixedStores(c.Stores)
}

// Run evaluates the case and returns the differences, compared as sets: none means that it holds.
func (c *Case) Run(ctx context.Context, p *Program) (differences []string, err error) {
	stores, err := c.stores()
	if err != nil {
		return nil, err
	}
	res, err := p.Evaluate(ctx, c.Input, stores)
	if err != nil {
		return nil, err
	}
	differences = missing("missing", c.Expected, res.Output)
	return append(differences, missing("unexpected", res.Output, c.Expected)...), nil
}

// missing lists the claims of a that are not in b.
func missing(word string, a, b []Claim) []string {
	var out []string
	for i := range a {
		found := false
		for j := range b {
			found = found || a[i].Equal(b[j])
		}
		if !found {
			text, _ := json.Marshal(a[i]) //nolint:errchkjson // strings only
			out = append(out, word+": "+string(text))
		}
	}
	return out
}

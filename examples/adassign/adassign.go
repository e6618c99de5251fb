// Package adassign reads ASSIGN.json, the assignments that say who is synchronised and which accounts they may enter.
package adassign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFile is far above any honest file: 100,000 assignments take 20 MB.
const maxFile = 64 << 20

// File is the content of ASSIGN.json.
type File struct {
	Accounts    []Account    `json:"accounts"`
	Assignments []Assignment `json:"assignments"`
}

// Account is an AWS account that assignments may name.
type Account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Assignment puts a principal in scope; with a target and a permission set it also grants.
type Assignment struct {
	PrincipalType string `json:"principalType"` // USER or GROUP
	Principal     string `json:"principal"`     // DOMAIN\name, name@dns.domain, UPN, SID, {objectGUID} or DN
	TargetID      string `json:"targetId"`
	PermissionSet string `json:"permissionSet"`
}

// Load reads and checks the file of that name.
func Load(name string) (*File, error) {
	f, err := os.Open(name) //nolint:gosec // the path comes from the operator's command line
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	file, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// Parse reads the text of an ASSIGN.json. The member "assignments" must be there: a misspelt one must not pass for an
// empty scope, which takes everybody's memberships away.
func Parse(text []byte) (*File, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	dec := json.NewDecoder(bytes.NewReader(text))
	var f File
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the document")
	}
	if f.Assignments == nil {
		return nil, errors.New(`no list "assignments"`)
	}
	for i, a := range f.Assignments {
		switch {
		case a.PrincipalType != "USER" && a.PrincipalType != "GROUP":
			return nil, fmt.Errorf("assignments[%d]: principalType is %q, not USER or GROUP", i, a.PrincipalType)
		case a.Principal == "":
			return nil, fmt.Errorf("assignments[%d]: principal is empty", i)
		}
	}
	for i, a := range f.Accounts {
		if a.ID == "" {
			return nil, fmt.Errorf("accounts[%d]: id is empty", i)
		}
	}
	return &f, nil
}

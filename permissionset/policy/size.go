package policy

import "fmt"

// SizeLimits are the numbers of bytes that IAM and Organizations store, by kind; white space does not count. Evaluation
// never looks at them: policies managed by AWS exceed them.
type SizeLimits struct {
	Managed             int // 6144, customer-managed identity policies and boundaries
	RoleInline          int // 10240, all inline policies of a role together
	Trust               int // 2048, can be raised to 4096
	OrganizationControl int // 5120, SCPs and RCPs
	SessionText         int // 2048 characters, as sent
}

// DefaultSizeLimits returns the quotas of IAM.
func DefaultSizeLimits() SizeLimits {
	return SizeLimits{Managed: 6144, RoleInline: 10240, Trust: 2048, OrganizationControl: 5120, SessionText: 2048}
}

// Size counts the bytes of a policy text without white space. White space inside strings counts only with innerSpace:
// the documentation does not say.
func Size(text []byte, innerSpace bool) int {
	n, inString, escaped := 0, false, false
	for _, c := range text {
		space := c == ' ' || c == '\t' || c == '\n' || c == '\r'
		if !space || inString && innerSpace {
			n++
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
	}
	return n
}

// CheckSize checks the text of a policy of a kind against limits; zero fields mean [DefaultSizeLimits].
// It returns nil when the text fits. Resource policies have limits of their own service and always fit.
func CheckSize(text []byte, kind Kind, limits SizeLimits, innerSpace bool) error {
	d := DefaultSizeLimits()
	pick := func(have, def int) int {
		if have > 0 {
			return have
		}
		return def
	}
	n, most := Size(text, innerSpace), 0
	switch kind {
	case Identity, Boundary:
		most = pick(limits.Managed, d.Managed)
	case Trust:
		most = pick(limits.Trust, d.Trust)
	case SCP, RCP:
		most = pick(limits.OrganizationControl, d.OrganizationControl)
	case Session:
		n, most = len([]rune(string(text))), pick(limits.SessionText, d.SessionText)
	case Resource:
		return nil
	}
	if n > most {
		return &SizeError{Kind: kind, Size: n, Limit: most}
	}
	return nil
}

// SizeError says that a policy is longer than the service stores.
type SizeError struct {
	Kind        Kind
	Size, Limit int
}

// Error returns the numbers.
func (e *SizeError) Error() string {
	return fmt.Sprintf("policy: %s policy has %d bytes; %d are allowed", e.Kind, e.Size, e.Limit)
}

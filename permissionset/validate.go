package permissionset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// Report is the outcome of [Validate].
type Report struct {
	Valid    bool      `json:"valid"`
	Errors   []Problem `json:"errors"`
	Warnings []Problem `json:"warnings"`
}

// ValidateOptions adjusts [Validate]. The zero value has the quotas of AWS.
type ValidateOptions struct {
	Quotas Quotas
	// CountInnerSpace counts white space inside the strings of an inline policy towards its size; the documentation is
	// silent.
	CountInnerSpace bool
}

// Validate checks an organization against the limits of the sso-admin service model and reports everything it finds.
// A field has at most one error: required, then length, pattern, range, and duplicate at later occurrences.
func Validate(o *Organization, opt ValidateOptions) Report {
	v := &validator{o: o, q: opt.Quotas.orDefault(), opt: opt}
	v.accounts()
	v.setNames = map[string]bool{}
	assigned := map[string]bool{}
	for _, a := range o.Assignments {
		assigned[a.PermissionSet] = true
	}
	for i := range o.PermissionSets {
		v.permissionSet(&o.PermissionSets[i], "/permissionSets/"+strconv.Itoa(i), assigned)
	}
	v.principals()
	v.cycles()
	v.assignments()
	v.applications()
	v.attributes()
	v.quotas()
	if v.errors == nil {
		v.errors = []Problem{}
	}
	if v.warnings == nil {
		v.warnings = []Problem{}
	}
	return Report{Valid: len(v.errors) == 0, Errors: v.errors, Warnings: v.warnings}
}

type validator struct {
	o                *Organization
	q                Quotas
	opt              ValidateOptions
	errors, warnings []Problem

	accountIDs, setNames, userIDs, groupIDs, appIDs map[string]bool
}

func (v *validator) fail(path, code, format string, args ...any) {
	v.errors = append(v.errors, Problem{path, code, fmt.Sprintf(format, args...)})
}

func (v *validator) warn(path, code, format string, args ...any) {
	v.warnings = append(v.warnings, Problem{path, code, fmt.Sprintf(format, args...)})
}

// rule is what a text must be; zero fields are not tested.
type rule struct {
	required bool
	min, max int
	pattern  *regexp.Regexp
	seen     map[string]bool
	key      string // what must not occur twice; the text itself when empty
}

// check reports the first fault of a text and returns whether there is none.
func (v *validator) check(s, path string, r rule) bool { //nolint:cyclop // one list of checks
	n := utf8.RuneCountInString(s)
	key := r.key
	if key == "" {
		key = s
	}
	switch {
	case s == "" && r.required:
		v.fail(path, "required", "is missing or empty")
	case s == "":
		return true
	case n < r.min || r.max > 0 && n > r.max:
		v.fail(path, "length", "has %d characters; %d to %d are allowed", n, max(r.min, 1), r.max)
	case r.pattern != nil && !r.pattern.MatchString(s):
		v.fail(path, "pattern", "does not match %s", r.pattern)
	case r.seen != nil && r.seen[key]:
		v.fail(path, "duplicate", "occurs more than once")
	default:
		if r.seen != nil {
			r.seen[key] = true
		}
		return true
	}
	if r.seen != nil && s != "" {
		r.seen[key] = true
	}
	return false
}

var twelveDigits = regexp.MustCompile(`^[0-9]{12}$`)

func (v *validator) accounts() {
	v.accountIDs = map[string]bool{}
	for i, a := range v.o.Accounts {
		v.check(a.ID, "/accounts/"+strconv.Itoa(i)+"/id", rule{required: true, pattern: twelveDigits, seen: v.accountIDs})
	}
}

var (
	descriptionPattern = regexp.MustCompile(`^[\t\n\r\x20-\x7E\x{A1}-\x{FF}]*$`)
	relayStatePattern  = regexp.MustCompile(`^[a-zA-Z0-9&$@#\\/%?=~\-_'"|!:,.;*+\[\] (){}]+$`)
	tagPattern         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)
)

func (v *validator) permissionSet(p *PermissionSet, path string, assigned map[string]bool) {
	v.check(p.Name, path+"/name", rule{required: true, max: 32, pattern: permissionSetName, seen: v.setNames})
	v.check(p.Description, path+"/description", rule{max: v.q.MaxDescription, pattern: descriptionPattern})
	v.check(p.RelayState, path+"/relayState", rule{max: v.q.MaxRelayState, pattern: relayStatePattern})
	v.sessionDuration(p.SessionDuration, path+"/sessionDuration")
	managed := map[string]bool{}
	for j, arn := range p.ManagedPolicies {
		at := path + "/managedPolicies/" + strconv.Itoa(j)
		if arn == "" {
			v.fail(at, "length", "has 0 characters; 20 to 2048 are allowed")
			continue
		}
		v.check(arn, at, rule{min: 20, max: 2048, pattern: managedARN, seen: managed})
	}
	customer := map[CustomerManagedPolicy]bool{}
	for j, c := range p.CustomerManagedPolicies {
		at := path + "/customerManagedPolicies/" + strconv.Itoa(j)
		ok := v.customerPolicy(c, at)
		key := CustomerManagedPolicy{Name: c.Name, Path: c.FullPath()}
		if ok && customer[key] {
			v.fail(at, "duplicate", "occurs more than once")
		}
		customer[key] = true
	}
	switch n := len(p.ManagedPolicies) + len(p.CustomerManagedPolicies); {
	case n > v.q.PoliciesPerSet:
		v.fail(path+"/managedPolicies", "limit", "%d managed policies; %d are allowed", n, v.q.PoliciesPerSet)
	case n > v.q.RolePolicies:
		v.warn(path+"/managedPolicies", "role_quota", "%d managed policies need a raised quota for IAM roles in each account", n)
	}
	v.inlinePolicy(p.InlinePolicy, path+"/inlinePolicy")
	v.boundary(p.PermissionsBoundary, path+"/permissionsBoundary")
	v.tags(p.Tags, path+"/tags")
	if len(p.ManagedPolicies)+len(p.CustomerManagedPolicies) == 0 && len(p.InlinePolicy) == 0 {
		v.warn(path, "no_policy", "grants nothing: no managed, customer managed or inline policy")
	}
	if !assigned[p.Name] {
		v.warn(path, "unassigned", "is assigned to nobody")
	}
}

func (v *validator) sessionDuration(s, path string) {
	if s == "" {
		return
	}
	if len(s) > 100 {
		v.fail(path, "length", "has %d characters; 1 to 100 are allowed", len(s))
		return
	}
	d, calendar, err := ParseDuration(s)
	switch {
	case err != nil:
		v.fail(path, "pattern", "is no ISO 8601 duration")
	case calendar || d < v.q.MinSession || d > v.q.MaxSession:
		v.fail(path, "range", "must be between %v and %v", v.q.MinSession, v.q.MaxSession)
	}
}

func (v *validator) customerPolicy(c CustomerManagedPolicy, path string) bool {
	ok := v.check(c.Name, path+"/name", rule{required: true, max: 128, pattern: policyName})
	return v.check(c.FullPath(), path+"/path", rule{max: 512, pattern: policyPath}) && ok
}

// InlinePolicyText returns the text of an inline policy that stands as an object or as a JSON string.
func InlinePolicyText(raw json.RawMessage) []byte {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return raw
}

func (v *validator) inlinePolicy(raw json.RawMessage, path string) {
	if len(raw) == 0 {
		return
	}
	doc := InlinePolicyText(raw)
	length := utf8.RuneCount(doc)
	if raw[0] != '"' { // an object is sent without the white space of the file that it stands in
		var b bytes.Buffer
		if json.Compact(&b, doc) == nil {
			length = utf8.RuneCount(b.Bytes())
		}
	}
	if size := policy.Size(doc, v.opt.CountInnerSpace); length > v.q.MaxInlinePolicyLength {
		v.fail(path, "length", "has %d characters; 1 to %d are allowed", length, v.q.MaxInlinePolicyLength)
	} else if size > v.q.InlinePolicySize {
		v.fail(path, "size", "Current size of the non-whitespace characters present in the InlinePolicy Document is %d bytes which has exceeded the maximum limit of %d bytes", size, v.q.InlinePolicySize)
	}
	_, err := policy.Parse(doc, policy.ParseOptions{Kind: policy.Identity})
	if bad, ok := asInvalid(err); ok {
		for _, p := range bad.Problems {
			v.fail(path+p.Path, string(p.Code), "%s", p.Message)
		}
	}
}

func (v *validator) boundary(b *PermissionsBoundary, path string) {
	if b == nil {
		return
	}
	ref := b.CustomerManagedPolicyReference
	switch {
	case b.ManagedPolicyARN != "" && ref != nil:
		v.fail(path, "conflict", "managedPolicyArn and customerManagedPolicyReference exclude each other")
	case b.ManagedPolicyARN == "" && ref == nil:
		v.fail(path, "required", "managedPolicyArn or customerManagedPolicyReference is needed")
	case ref != nil:
		v.customerPolicy(*ref, path+"/customerManagedPolicyReference")
	case utf8.RuneCountInString(b.ManagedPolicyARN) > 2048 || !managedARN.MatchString(b.ManagedPolicyARN):
		v.fail(path+"/managedPolicyArn", "pattern", "is no ARN of an AWS-managed policy")
	}
}

func (v *validator) tags(tags map[string]string, path string) {
	switch n := len(tags); {
	case n > v.q.Tags:
		v.fail(path, "limit", "%d tags; %d are allowed", n, v.q.Tags)
	case n > v.q.TagsInCloudFormation:
		v.warn(path, "cloudformation_limit", "%d tags; CloudFormation allows %d", n, v.q.TagsInCloudFormation)
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		at := pointer(path, k)
		value := tags[k]
		switch {
		case k == "":
			v.fail(at, "required", "key is empty")
		case utf8.RuneCountInString(k) > 128 || utf8.RuneCountInString(value) > 256:
			v.fail(at, "length", "key has at most 128 characters, value at most 256")
		case len(k) >= 4 && strings.EqualFold(k[:4], "aws:"):
			v.fail(at, "reserved", "the prefix aws: is reserved")
		case !tagPattern.MatchString(k) || !tagPattern.MatchString(value):
			v.fail(at, "pattern", "has characters that tags cannot hold")
		}
	}
}

func (v *validator) principals() {
	v.userIDs, v.groupIDs = map[string]bool{}, map[string]bool{}
	names := map[string]bool{}
	for i, u := range v.o.Users {
		path := "/users/" + strconv.Itoa(i)
		v.check(u.ID, path+"/id", rule{required: true, seen: v.userIDs})
		v.check(u.UserName, path+"/userName", rule{required: true, max: 128, seen: names, key: fold.Key(u.UserName)})
		if u.Status != "" && u.Status != Enabled && u.Status != Disabled {
			v.fail(path+"/status", "pattern", "is neither ENABLED nor DISABLED")
		}
	}
	names = map[string]bool{}
	for i, g := range v.o.Groups {
		path := "/groups/" + strconv.Itoa(i)
		v.check(g.ID, path+"/id", rule{required: true, seen: v.groupIDs})
		v.check(g.DisplayName, path+"/displayName", rule{required: true, max: 1024, seen: names, key: fold.Key(g.DisplayName)})
	}
	for i, g := range v.o.Groups {
		path := "/groups/" + strconv.Itoa(i)
		for j, id := range g.Users {
			if !v.userIDs[id] {
				v.fail(path+"/users/"+strconv.Itoa(j), "unknown", "no such user")
			}
		}
		for j, id := range g.Groups {
			if !v.groupIDs[id] {
				v.fail(path+"/groups/"+strconv.Itoa(j), "unknown", "no such group")
			}
		}
	}
}

func (v *validator) cycles() {
	for _, i := range NewDirectory(nil, v.o.Groups).cyclic() {
		v.warn("/groups/"+strconv.Itoa(i), "cycle", "contains itself")
	}
}

func (v *validator) principal(t PrincipalType, id, path string) {
	known := v.userIDs
	switch t {
	case UserPrincipal:
	case GroupPrincipal:
		known = v.groupIDs
	case "":
		v.fail(path+"/principalType", "required", "is missing or empty")
		known = nil
	default:
		v.fail(path+"/principalType", "pattern", "is neither USER nor GROUP")
		known = nil
	}
	switch {
	case id == "":
		v.fail(path+"/principalId", "required", "is missing or empty")
	case known != nil && !known[id]:
		v.fail(path+"/principalId", "unknown", "no such %s", strings.ToLower(string(t)))
	}
}

func (v *validator) notAfter(s, path string) {
	if s == "" {
		return
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		v.fail(path+"/notAfter", "pattern", "is no RFC 3339 time")
	}
}

func (v *validator) assignments() {
	seen := map[[4]string]bool{}
	for i, a := range v.o.Assignments {
		path := "/assignments/" + strconv.Itoa(i)
		v.principal(a.PrincipalType, a.PrincipalID, path)
		if v.check(a.TargetID, path+"/targetId", rule{required: true, pattern: twelveDigits}) && !v.accountIDs[a.TargetID] {
			v.fail(path+"/targetId", "unknown", "no such account")
		}
		if v.check(a.PermissionSet, path+"/permissionSet", rule{required: true}) && !v.setNames[a.PermissionSet] {
			v.fail(path+"/permissionSet", "unknown", "no such permission set")
		}
		v.notAfter(a.NotAfter, path)
		key := [4]string{string(a.PrincipalType), a.PrincipalID, a.TargetID, a.PermissionSet}
		if seen[key] {
			v.warn(path, "duplicate", "the same assignment stands further up")
		}
		seen[key] = true
	}
}

func (v *validator) applications() {
	v.appIDs = map[string]bool{}
	entities := map[string]bool{}
	for i, a := range v.o.Applications {
		path := "/applications/" + strconv.Itoa(i)
		v.check(a.ID, path+"/id", rule{required: true, seen: v.appIDs})
		switch {
		case a.SAMLEntityID != "" && a.StartURL != "":
			v.fail(path, "conflict", "samlEntityID and startURL exclude each other")
		case a.SAMLEntityID == "" && a.StartURL == "":
			v.fail(path, "required", "samlEntityID or startURL is needed")
		case a.StartURL != "" && !strings.HasPrefix(a.StartURL, "https://") && !strings.HasPrefix(a.StartURL, "http://"):
			v.fail(path+"/startURL", "pattern", "is no http or https address")
		}
		v.check(a.SAMLEntityID, path+"/samlEntityID", rule{max: 1024, seen: entities})
	}
	for i, a := range v.o.ApplicationAssignments {
		path := "/applicationAssignments/" + strconv.Itoa(i)
		v.principal(a.PrincipalType, a.PrincipalID, path)
		if v.check(a.Application, path+"/application", rule{required: true}) && !v.appIDs[a.Application] {
			v.fail(path+"/application", "unknown", "no such application")
		}
		v.notAfter(a.NotAfter, path)
	}
}

// quotas checks the numbers of things.
func (v *validator) quotas() {
	o := v.o
	for _, c := range []struct {
		path    string
		n, most int
	}{
		{"/permissionSets", len(o.PermissionSets), v.q.PermissionSets},
		{"/users", len(o.Users), v.q.Users},
		{"/groups", len(o.Groups), v.q.Groups},
		{"/accounts", len(o.Accounts) + len(o.Applications), v.q.AccountsAndApps},
	} {
		if c.n > c.most {
			v.warn(c.path, "quota", "%d; the quota is %d", c.n, c.most)
		}
	}
	sets := map[string]map[string]bool{}
	for _, a := range o.Assignments {
		if sets[a.TargetID] == nil {
			sets[a.TargetID] = map[string]bool{}
		}
		sets[a.TargetID][a.PermissionSet] = true
	}
	for i, a := range o.Accounts {
		if n := len(sets[a.ID]); n > v.q.SetsPerAccount {
			v.warn("/accounts/"+strconv.Itoa(i), "quota", "%d permission sets provisioned; the quota is %d", n, v.q.SetsPerAccount)
		}
	}
}

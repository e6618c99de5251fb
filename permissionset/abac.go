package permissionset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AccessControlAttribute is an attribute for access control (ABAC): it becomes the session tag aws:PrincipalTag/<Key>.
type AccessControlAttribute struct {
	Key    string `json:"key"`    // 1 to 128 characters
	Source string `json:"source"` // one expression, at most 256 characters, for example ${path:enterprise.costCenter}
}

// TagPrecedence says which value counts when the store and an assertion both have one; the user guide contradicts itself.
type TagPrecedence uint8

// The readings.
const (
	ConfiguredStoreWins TagPrecedence = iota
	AssertionWins
)

// ErrTags is what errors.Is finds when session tags break a limit.
var ErrTags = errors.New("permissionset: session tags")

const (
	maxTagKey   = 128
	maxTagValue = 256
	maxSource   = 256
)

// SessionTags joins the attributes that the store is configured for with those that came in an assertion as
// AccessControl:<Key>. Keys are the same without regard to case. The result has at most 50 tags.
func SessionTags(configured, assertion map[string]string, p TagPrecedence) (map[string]string, error) {
	first, second := assertion, configured // the second overwrites
	if p == AssertionWins {
		first, second = configured, assertion
	}
	out, spelled := map[string]string{}, map[string]string{}
	for _, m := range []map[string]string{first, second} {
		seen := map[string]bool{}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			low := strings.ToLower(k)
			switch n := utf8.RuneCountInString(k); {
			case n < 1 || n > maxTagKey || utf8.RuneCountInString(m[k]) > maxTagValue:
				return nil, fmt.Errorf("%w: a key has 1 to %d characters, a value at most %d", ErrTags, maxTagKey, maxTagValue)
			case seen[low]:
				return nil, fmt.Errorf("%w: a key occurs twice", ErrTags)
			}
			seen[low] = true
			delete(out, spelled[low])
			out[k], spelled[low] = m[k], k
		}
	}
	if most := DefaultQuotas().AccessControlAttrs; len(out) > most {
		return nil, fmt.Errorf("%w: %d; %d are allowed", ErrTags, len(out), most)
	}
	return out, nil
}

// attributes checks the configured attributes for access control.
func (v *validator) attributes() {
	const path = "/accessControlAttributes"
	if n := len(v.o.AccessControlAttributes); n > v.q.AccessControlAttrs {
		v.fail(path, "limit", "%d attributes; %d are allowed", n, v.q.AccessControlAttrs)
	}
	seen := map[string]bool{}
	for i, a := range v.o.AccessControlAttributes {
		at := path + "/" + strconv.Itoa(i)
		v.check(a.Key, at+"/key", rule{required: true, max: maxTagKey, pattern: tagPattern, seen: seen, key: strings.ToLower(a.Key)})
		v.check(a.Source, at+"/source", rule{required: true, max: maxSource})
	}
}

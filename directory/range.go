package directory

import (
	"context"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// A valueRange is the option "range=low-high" of an attribute description (MS-ADTS 3.1.1.3.1.3.3).
type valueRange struct {
	attr string
	low  int
	high int // -1 = "*": the last value is in it
}

// parseRange reads an attribute description with a range option; ok is false without one.
func parseRange(desc string) (r valueRange, ok bool, err error) {
	name, opts, found := strings.Cut(desc, ";")
	if !found {
		return valueRange{}, false, nil
	}
	r.attr = name
	for o := range strings.SplitSeq(opts, ";") {
		if len(o) < 6 || !strings.EqualFold(o[:6], "range=") {
			continue
		}
		if ok {
			return valueRange{}, false, &IncompleteError{Reason: "malformed range option"}
		}
		low, high, cut := strings.Cut(o[6:], "-")
		a, errA := bound(low)
		b, errB := -1, error(nil)
		if high != "*" {
			b, errB = bound(high)
		}
		if !cut || errA != nil || errB != nil || (b >= 0 && b < a) {
			return valueRange{}, false, &IncompleteError{Reason: "malformed range option"}
		}
		r.low, r.high, ok = a, b, true
	}
	return r, ok, nil
}

func bound(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// maxRangeRetries is how often an attribute that changed while it was read is read again.
const maxRangeRetries = 3

// complete decodes an entry and fetches the rest of attributes that came in part.
func (c *conn) complete(ctx context.Context, raw ldapwire.SearchEntry) (*Entry, error) {
	e, err := newEntry(raw, c)
	if err != nil {
		return e, err
	}
	var partial []valueRange
	for i := range e.attrs.list {
		a := &e.attrs.list[i]
		r, ok, err := parseRange(a.name)
		if err != nil {
			return nil, c.rangeError(e, "malformed range option", 0)
		}
		if !ok {
			continue
		}
		if r.low != 0 || (r.high >= 0 && len(a.values) != r.high+1) {
			return nil, c.rangeError(e, "wrong range bounds", len(a.values))
		}
		a.name = r.attr
		if r.high >= 0 {
			partial = append(partial, r)
		}
	}
	e.attrs.list = mergeAttributes(e.attrs.list)
	for _, r := range partial {
		if err := c.fetchRange(ctx, e, r.attr); err != nil {
			return nil, err
		}
	}
	if len(partial) > 0 {
		e.Kind = e.kind() // objectClass may have come in parts too
	}
	return e, nil
}

// mergeAttributes joins the empty "member" that Active Directory sends beside "member;range=0-1499" with the latter.
func mergeAttributes(attrs []attribute) []attribute {
	out := attrs[:0]
	for _, a := range attrs {
		merged := false
		for i := range out {
			if strings.EqualFold(out[i].name, a.name) {
				out[i].values = append(out[i].values, a.values...)
				merged = true
			}
		}
		if !merged {
			out = append(out, a)
		}
	}
	return out
}

func (c *conn) rangeError(e *Entry, reason string, got int) error {
	c.close()
	return &IncompleteError{Base: e.DN, Reason: reason, Got: got}
}

// fetchRange replaces the values of one attribute by all of them. If the object changed between the first and the last
// step, positions may have moved, and everything is read again.
func (c *conn) fetchRange(ctx context.Context, e *Entry, attr string) error {
	for range maxRangeRetries {
		values, before, after, err := c.rangeOnce(ctx, e, attr)
		if err != nil {
			return err
		}
		if before == after {
			for i := range e.attrs.list {
				if strings.EqualFold(e.attrs.list[i].name, attr) {
					e.attrs.list[i].values = values
				}
			}
			if before != 0 {
				e.USNChanged = before
			}
			return nil
		}
	}
	return ErrUnstableRead
}

// rangeOnce reads all values from 0 on, step by step. before and after are the object's uSNChanged in the first and in
// the last answer.
func (c *conn) rangeOnce(ctx context.Context, e *Entry, attr string) (values [][]byte, before, after int64, err error) { //nolint:cyclop // one list of checks
	for step := 0; ; step++ {
		a, usn, err := c.rangeStep(ctx, e, attr, len(values))
		if err != nil {
			return nil, 0, 0, err
		}
		if step == 0 {
			before = usn
		}
		if a == nil {
			// the part before said that there is more: either the list has become shorter, which its number shows, or the
			// answer is wrong
			known := before
			if step == 0 {
				known = e.USNChanged
			}
			if usn == known {
				return nil, 0, 0, c.rangeError(e, "values end too early", len(values))
			}
			return values, before, usn, nil
		}
		r, ok, err := parseRange(a.name)
		switch {
		case err != nil:
			return nil, 0, 0, c.rangeError(e, "malformed range option", len(values))
		case !ok && len(values) == 0: // the whole attribute after all
			return a.values, before, usn, nil
		case !ok || r.low != len(values) || (r.high >= 0 && r.high-r.low+1 != len(a.values)):
			return nil, 0, 0, c.rangeError(e, "wrong range bounds", len(values))
		}
		values = append(values, a.values...)
		if len(values) > c.lim.Values {
			return nil, 0, 0, c.rangeError(e, "limit: values of one attribute", len(values))
		}
		if r.high < 0 {
			return values, before, usn, nil
		}
	}
}

// rangeStep asks for the values from a position on; nil when there are none.
func (c *conn) rangeStep(ctx context.Context, e *Entry, attr string, from int) (*attribute, int64, error) {
	q := Query{
		Base: "<GUID=" + e.GUID + ">", Scope: Base,
		Attributes: []string{attr + ";range=" + strconv.Itoa(from) + "-*", "uSNChanged", "objectGUID"},
	}
	controls := []ldap.Control{extendedDN()}
	if e.Deleted {
		controls = append(controls, ldap.NewControlString(ldapwire.OIDShowRecycled, true, ""))
	}
	if !c.info.ActiveDirectory {
		q.Base, controls = e.DN, nil
		q.Attributes = append(q.Attributes, "entryUUID")
	}
	res, err := c.ask(ctx, q, controls, 0)
	if err != nil {
		if broken(err) || ctx.Err() != nil {
			return nil, 0, err
		}
		return nil, 0, &IncompleteError{Base: e.DN, Reason: "a range step failed", Got: from, Err: err}
	}
	if len(res.entries) != 1 {
		return nil, 0, c.rangeError(e, "a range step without its object", from)
	}
	x, err := newEntry(res.entries[0], c)
	if err != nil || x.GUID != e.GUID {
		return nil, 0, c.rangeError(e, "a range step with another object", from)
	}
	for i := range x.attrs.list {
		a := &x.attrs.list[i]
		if name, _, _ := strings.Cut(a.name, ";"); strings.EqualFold(name, attr) && len(a.values) > 0 {
			return a, x.USNChanged, nil
		}
	}
	return nil, x.USNChanged, nil
}

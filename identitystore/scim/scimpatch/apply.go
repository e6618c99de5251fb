package scimpatch

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// Apply returns the resource as the operations leave it, and whether it differs. The resource itself is not changed;
// with an error the first result is nil.
func Apply(s *scimfilter.Schema, resource map[string]any, ops []Operation, opt Options) (map[string]any, bool, error) {
	steps, _, err := Steps(s, ops, opt)
	if err != nil {
		return nil, false, err
	}
	return ApplySteps(s, resource, steps, opt)
}

// ApplySteps applies what [Steps] returned.
func ApplySteps(s *scimfilter.Schema, resource map[string]any, steps []Step, opt Options) (map[string]any, bool, error) {
	next, _ := clone(resource).(map[string]any)
	if next == nil {
		next = map[string]any{}
	}
	a := &applier{schema: s, mode: opt.Mode, doc: next}
	for i := range steps {
		if err := a.step(&steps[i]); err != nil {
			return nil, false, err
		}
	}
	for i := range s.Attributes {
		d := &s.Attributes[i]
		before, _ := resource[d.Name].(string)
		after, _ := next[d.Name].(string)
		if d.Required && strings.TrimSpace(before) != "" && strings.TrimSpace(after) == "" {
			return nil, false, refuse(invalidValue, d.Name+" cannot be removed or emptied")
		}
	}
	return next, !reflect.DeepEqual(resource, next), nil
}

type applier struct {
	schema *scimfilter.Schema
	mode   Mode
	doc    map[string]any
	work   int
}

// maxWork bounds what one request compares: bytes of elements times the conditions that are held against them. It is
// about a second, and far from what clients ask.
const (
	maxWork    = 64 << 20
	comparison = 64 // of two elements
)

// spend refuses requests whose comparisons would take long: many elements against many, or against many conditions.
func (a *applier) spend(n int) error {
	if a.work += n; a.work > maxWork {
		return refuse(invalidValue, "the request compares too many elements")
	}
	return nil
}

// weight is roughly the size of decoded JSON.
func weight(v any) int {
	n := 16
	switch x := v.(type) {
	case string:
		n += len(x)
	case []any:
		for _, e := range x {
			n += weight(e)
		}
	case map[string]any:
		for k, e := range x {
			n += len(k) + weight(e)
		}
	}
	return n
}

func (a *applier) step(st *Step) error {
	if st.extension != "" {
		_, key := scimfilter.Member(a.doc, st.extension)
		delete(a.doc, key)
		return nil
	}
	if st.attr.Mutability == scimfilter.ReadOnly || st.sub != nil && st.sub.Mutability == scimfilter.ReadOnly {
		return a.readOnly(st)
	}
	holder, done := a.holder(st)
	t := &target{applier: a, step: st, holder: holder, key: st.attr.Name}
	if st.attr.Type == scimfilter.Any {
		_, t.key = scimfilter.Member(holder, st.Path.Attr)
	}
	defer done()
	remove := st.Op == "remove" || st.HasValue && st.Value == nil
	if !st.HasValue && !remove {
		return refuse(invalidValue, st.Op+" needs a value")
	}
	switch {
	case st.Path.Filter != nil:
		return t.filtered(remove)
	case st.Path.Sub != "":
		return t.part(remove)
	case remove:
		return t.remove()
	}
	return t.set()
}

// readOnly refuses, except that a client may repeat what is so already.
func (a *applier) readOnly(st *Step) error {
	if strings.EqualFold(st.Path.Attr, "schemas") || strings.EqualFold(st.Path.Attr, "id") && st.Op != "remove" && st.Value == a.doc["id"] && st.Value != nil {
		return nil
	}
	return refuse(mutability, st.attr.Name+" is read-only")
}

// holder returns the object in which the attribute stands; done puts an extension back, or drops it when it is empty.
func (a *applier) holder(st *Step) (map[string]any, func()) {
	if st.Path.URN == "" {
		return a.doc, func() {}
	}
	urn := st.Path.URN
	if e := a.schema.Extension(urn); e != nil {
		urn = e.ID
	}
	v, key := scimfilter.Member(a.doc, urn)
	m, _ := v.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m, func() {
		if len(m) == 0 {
			delete(a.doc, key)
		} else {
			a.doc[key] = m
		}
	}
}

// target is the attribute that a step is about.
type target struct {
	*applier
	step   *Step
	holder map[string]any
	key    string
}

func (t *target) multi() bool {
	_, isList := t.holder[t.key].([]any)
	_, givesList := t.step.Value.([]any)
	return t.step.attr.MultiValued || t.step.attr.Type == scimfilter.Any && (isList || givesList && t.step.Path.Sub == "" || t.step.Path.Filter != nil)
}

func (t *target) list() []any {
	switch x := t.holder[t.key].(type) {
	case nil:
		return nil
	case []any:
		return x
	default:
		return []any{x}
	}
}

func (t *target) put(v any) {
	if scimfilter.Unassigned(v) {
		delete(t.holder, t.key)
	} else {
		t.holder[t.key] = v
	}
}

// set adds or replaces a whole attribute.
func (t *target) set() error {
	value := t.step.Value
	if m, ok := value.(map[string]any); ok && t.step.attr.MultiValued && t.mode == Tolerant {
		if inner, _ := scimfilter.Member(m, t.step.attr.Name); inner != nil {
			value = inner // the list stands once more below its name
		}
	}
	v, err := normalize(t.step.attr, value, t.mode)
	if err != nil {
		return err
	}
	if !t.multi() {
		if m, ok := v.(map[string]any); ok {
			if old, ok := t.holder[t.key].(map[string]any); ok {
				maps.Copy(old, m)
				dropNulls(old, t.step.Value)
				v = old
			}
		}
		t.put(v)
		return nil
	}
	list := t.list()
	if t.step.Op == "replace" {
		list = nil
	}
	add, isList := v.([]any)
	if !isList && v != nil {
		add = []any{v}
	}
	t.put(t.extend(list, add))
	return nil
}

// extend appends the elements that are not there yet: members are the same with the same value, others with all they
// have.
func (t *target) extend(list, add []any) []any {
	if strings.EqualFold(t.step.attr.Name, "members") {
		have := map[any]bool{}
		for _, e := range list {
			have[memberValue(e)] = true
		}
		for _, e := range add {
			if v := memberValue(e); v == nil || !have[v] {
				have[v] = true
				list = append(list, e)
			}
		}
		return list
	}
	known := map[string]bool{}
	if len(add) > 1 {
		for _, e := range list {
			known[text(e)] = true
		}
	}
	for _, e := range add {
		if len(add) > 1 && known[text(e)] || len(add) == 1 && contains(list, e) {
			continue
		}
		known[text(e)] = true
		list = append(list, e)
		onePrimary(list, len(list)-1)
	}
	return list
}

// text returns decoded JSON as JSON, in one form for equal values.
func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("scimpatch: decoded JSON cannot be encoded: " + err.Error())
	}
	return string(raw)
}

func memberValue(e any) any {
	m, _ := e.(map[string]any)
	v, _ := m["value"].(string)
	if v == "" {
		return nil
	}
	return v
}

// dropNulls unassigns the parts that the value gives as null.
func dropNulls(m map[string]any, value any) {
	given, _ := value.(map[string]any)
	for k, v := range given {
		if scimfilter.Unassigned(v) {
			_, key := scimfilter.Member(m, k)
			delete(m, key)
		}
	}
}

// onePrimary makes the element the only primary one, if it is one.
func onePrimary(list []any, at int) {
	if !isPrimary(list[at]) {
		return
	}
	for i, e := range list {
		if m, ok := e.(map[string]any); ok && i != at && isPrimary(e) {
			m["primary"] = false
		}
	}
}

// remove takes away the attribute, or the elements that the value names. An empty list names none.
func (t *target) remove() error {
	if t.step.Op != "remove" || !t.step.HasValue || t.step.Value == nil || !t.multi() {
		delete(t.holder, t.key)
		return nil
	}
	var gone []any
	for _, v := range Named(t.step) {
		n, err := normalize(t.step.attr, []any{v}, Tolerant)
		if err != nil {
			return err
		}
		l, _ := n.([]any)
		gone = append(gone, l...)
	}
	if strings.EqualFold(t.step.attr.Name, "members") {
		names := map[any]bool{}
		for _, g := range gone {
			names[memberValue(g)] = true
		}
		t.put(slices.DeleteFunc(t.list(), func(e any) bool { v := memberValue(e); return v != nil && names[v] }))
		return nil
	}
	if err := t.spend(len(gone) * len(t.list()) * comparison); err != nil {
		return err
	}
	t.put(slices.DeleteFunc(t.list(), func(e any) bool {
		return slices.ContainsFunc(gone, func(g any) bool { return covers(g, e) })
	}))
	return nil
}

// Named returns the elements that the value of a step names: a list, one element, or either below a key with the
// attribute's name.
func Named(st *Step) []any {
	v := st.Value
	if m, ok := v.(map[string]any); ok {
		if inner, _ := scimfilter.Member(m, st.Path.Attr); inner != nil {
			v = inner
		}
	}
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// covers reports whether the element has everything that the given one has; "value" decides where both have it.
func covers(given, e any) bool {
	g, okG := given.(map[string]any)
	m, okM := e.(map[string]any)
	if !okG || !okM {
		if okM {
			return m["value"] == given
		}
		return reflect.DeepEqual(given, e)
	}
	for k, v := range g {
		if k != "$ref" && k != "display" && !reflect.DeepEqual(m[k], v) {
			return false
		}
	}
	return len(g) > 0
}

// part sets or removes a sub-attribute, of all elements where there are several.
func (t *target) part(remove bool) error {
	v, err := t.partValue(remove)
	if err != nil {
		return err
	}
	if t.multi() {
		list := t.list()
		if len(list) == 0 && !remove {
			list = []any{map[string]any{}}
		}
		return t.edit(list, func(any) bool { return true }, v, remove)
	}
	m, ok := t.holder[t.key].(map[string]any)
	if !ok {
		if remove {
			return nil
		}
		if t.holder[t.key] != nil {
			return refuse(invalidPath, "the path goes through a value that has no parts")
		}
		m = map[string]any{}
	}
	t.setPart(m, v, remove)
	t.put(m)
	return nil
}

func (t *target) partValue(remove bool) (any, error) {
	if remove && (t.step.Op != "remove" || !t.step.sub.MultiValued) {
		return nil, nil //nolint:nilnil // nothing to set
	}
	return normalize(t.step.sub, t.step.Value, t.mode)
}

func (t *target) setPart(m map[string]any, v any, remove bool) {
	key := t.step.sub.Name
	if t.step.sub.Type == scimfilter.Any {
		_, key = scimfilter.Member(m, t.step.Path.Sub)
	}
	list, isList := m[key].([]any)
	given, givesList := v.([]any)
	switch {
	case remove && t.step.sub.MultiValued && t.step.HasValue && t.step.Value != nil: // an empty list names none
		v = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return contains(given, e) })
	case remove:
		v = nil
	case t.step.Op == "add" && t.step.sub.MultiValued && isList && givesList:
		list = slices.Clone(list)
		for _, e := range given {
			if !contains(list, e) {
				list = append(list, e)
			}
		}
		v = list
	}
	if scimfilter.Unassigned(v) {
		delete(m, key)
	} else {
		m[key] = v
	}
}

func contains(list []any, e any) bool {
	return slices.ContainsFunc(list, func(o any) bool { return reflect.DeepEqual(o, e) })
}

// edit changes a part of the elements that match, and drops those of which nothing is left.
func (t *target) edit(list []any, match func(any) bool, v any, remove bool) error {
	for i, e := range list {
		if !match(e) {
			continue
		}
		m, ok := e.(map[string]any)
		if !ok {
			return refuse(invalidPath, "the path goes through a value that has no parts")
		}
		t.setPart(m, clone(v), remove)
		onePrimary(list, i)
	}
	t.put(slices.DeleteFunc(list, func(e any) bool { return scimfilter.Unassigned(e) }))
	return nil
}

// filtered is about the elements that match the filter of the path.
func (t *target) filtered(remove bool) error {
	st := t.step
	match := func(e any) bool { return scimfilter.EvalElement(st.Path.Filter, st.attr, e) }
	list := t.list()
	conditions := 0
	scimfilter.Walk(st.Path.Filter, func(scimfilter.Expr) { conditions++ })
	if err := t.spend(2 * conditions * weight(list)); err != nil {
		return err
	}
	found := slices.ContainsFunc(list, match)
	if !found && (remove || scimfilter.Unassigned(st.Value)) {
		if t.mode == Strict && st.Op != "add" {
			return refuse(noTarget, "no element matches the filter")
		}
		return nil // there is nothing to take away
	}
	if !found {
		e, ok := t.create()
		if !ok {
			return refuse(noTarget, "no element matches the filter")
		}
		list = append(list, e)
		if !match(e) {
			match = func(x any) bool { return reflect.DeepEqual(x, e) }
		}
	}
	if st.Path.Sub != "" {
		v, err := t.partValue(remove)
		if err != nil {
			return err
		}
		return t.edit(list, match, v, remove)
	}
	if remove {
		t.put(slices.DeleteFunc(list, match))
		return nil
	}
	return t.fill(list, match, found)
}

// fill merges an object into the elements that match.
func (t *target) fill(list []any, match func(any) bool, found bool) error {
	var v any
	var err error
	if t.step.attr.Type == scimfilter.Any {
		v = t.step.Value
	} else if v, err = element(t.step.attr, t.step.Value, t.mode); err != nil {
		return err
	}
	for i, e := range list {
		if !match(e) {
			continue
		}
		old, okOld := e.(map[string]any)
		m, okNew := v.(map[string]any)
		if !okOld || !okNew || t.step.Op == "replace" && found {
			list[i] = clone(v)
		} else {
			maps.Copy(old, m)
		}
		onePrimary(list, i)
	}
	t.put(list)
	return nil
}

// create makes the element that a filter of equalities describes.
func (t *target) create() (map[string]any, bool) {
	if t.mode == Strict {
		return nil, false
	}
	eqs, ok := scimfilter.Equalities(t.step.Path.Filter)
	if !ok {
		return nil, false
	}
	e := map[string]any{}
	for _, c := range eqs {
		d := t.step.attr.Sub(c.Path.Attr)
		if d == nil || c.Value == nil {
			return nil, false
		}
		v, err := normalize(d, c.Value, Tolerant)
		if err != nil {
			return nil, false
		}
		e[d.Name] = v
	}
	return e, true
}

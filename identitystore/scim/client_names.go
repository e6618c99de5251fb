package scim

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

// writeAll writes objects of one kind. One whose name is taken waits for the others, who may give it up; of those that
// want each other's names one gets a name for the time being.
func (a *applier) writeAll(ctx context.Context, pending []*identitystore.PlanObject) {
	for len(pending) > 0 && ctx.Err() == nil {
		outcomes, errs := make([]Outcome, len(pending)), make([]error, len(pending))
		done := make([]bool, len(pending))
		a.c.each(ctx, len(pending), func(i int) {
			outcomes[i], errs[i] = a.write(ctx, pending[i])
			done[i] = true
		})
		var taken []*identitystore.PlanObject
		for i, o := range pending {
			if done[i] && statusOf(errs[i]) == http.StatusConflict {
				taken = append(taken, o)
			}
		}
		again := len(taken) < len(pending) || a.park(ctx, taken)
		for i, o := range pending {
			if done[i] && (!again || !slices.Contains(taken, o)) {
				a.note(o.Kind, o.Key, o.Name, outcomes[i], errs[i])
			}
		}
		if !again {
			return
		}
		pending = taken
	}
}

// rename returns the names of an object before and after, folded; ok is false when it keeps its name.
func rename(o *identitystore.PlanObject) (from, to string, ok bool) {
	_, attribute, _ := endpointOf(o.Kind)
	for _, f := range o.Fields {
		if f.Path == attribute && o.Op == identitystore.PlanUpdate {
			return identitystore.FoldName(f.Old), identitystore.FoldName(f.New), true
		}
	}
	return "", "", false
}

// park frees a name in a circle of objects that want each other's names. It says whether there was one. A push that is
// cut here leaves an object with a name that the next push mends.
func (a *applier) park(ctx context.Context, taken []*identitystore.PlanObject) bool {
	holder, wants := map[string]*identitystore.PlanObject{}, map[*identitystore.PlanObject]string{}
	for _, o := range taken {
		if from, to, ok := rename(o); ok {
			holder[from], wants[o] = o, to
		}
	}
	for _, o := range taken {
		if a.parked[o] {
			continue // once is enough, whatever the service says
		}
		next := o
		for range taken {
			if next = holder[wants[next]]; next == nil || next == o {
				break
			}
		}
		if next != o || wants[o] == "" {
			continue
		}
		if a.parked == nil {
			a.parked = map[*identitystore.PlanObject]bool{}
		}
		a.parked[o] = true
		_, attribute, _ := endpointOf(o.Kind)
		id, err := o.ID, error(nil)
		if !a.known {
			id, err = a.id(ctx, o.Kind, o.Key)
		}
		return err == nil && a.patch(ctx, o.Kind, id, map[string]string{attribute: "renaming-" + rand.Text()}, nil) == nil
	}
	return false
}

package adsync

import (
	"context"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// names notes who holds the names that changed objects want, so that conflicts are seen.
func (t *tracer) names(ctx context.Context) error {
	for _, o := range t.now {
		if err := t.holders(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) holders(ctx context.Context, o Object) error {
	if o.Kind == KindGroup {
		g, err := t.r.GroupByName(ctx, fold.Key(o.Name))
		if err == nil {
			t.part.groupNames[fold.Key(o.Name)] = g.Key
		}
		return ignoreNotFound(err)
	}
	u, err := t.r.UserByName(ctx, fold.Key(o.Name))
	if err == nil {
		t.part.userNames[fold.Key(o.Name)] = u.Key
	}
	if err := ignoreNotFound(err); err != nil {
		return err
	}
	if mail := o.Attributes[TargetEmail]; mail != "" {
		users, err := t.r.UsersByEmail(ctx, fold.Key(mail), 1)
		if err != nil {
			return err
		}
		for _, u := range users {
			t.part.emails[fold.Key(mail)] = u.Key
		}
	}
	if id := o.Attributes[TargetExternalID]; id != "" {
		ref, err := t.r.Lookup(ctx, identitystore.ByExternalID, t.e.cfg.Source, id)
		if err == nil {
			t.part.externals[id] = ref.Key
		}
		return ignoreNotFound(err)
	}
	return nil
}

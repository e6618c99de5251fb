package adsync

import (
	"context"
	"errors"
)

// ErrFullRead says that changes cannot be told since that mark: the next run reads everything.
var ErrFullRead = errors.New("adsync: changes cannot be continued, a full read is needed")

// ChangeSource is a [Source] that can also tell what happened since its last answer. [NewDirectory] makes one.
//
// Mark is called before a full read: Changes since that mark tells everything that the read may have missed. Changes
// answers completely, or with [ErrFullRead], or with another error; its Delta holds every changed user and group of
// the source, in scope or not.
type ChangeSource interface {
	Source
	Mark(ctx context.Context) (string, error)
	Changes(ctx context.Context, since string) (*Delta, error)
}

// Delta is what happened in the source since a mark.
type Delta struct {
	Mark    string        // for the next call
	Objects []Object      // changed users and groups, as they are now
	Members []MemberDelta // changed member lists
	Deleted []string      // GUIDs of which the tombstone was seen
}

// MemberDelta is what happened to the member list of one group; all are GUIDs. What is added may be anything.
type MemberDelta struct {
	Group          string
	Added, Removed []string
	Whole          bool // Added is the whole list
}

package adsync_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// reasons returns the words of what was skipped.
func reasons(r adsync.Result) []string {
	var out []string
	for _, s := range r.Plan.Skipped {
		out = append(out, s.Reason)
	}
	return out
}

func TestScenarioR05SameAccountNameInTwoDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.user("jdoe"), w.user("jdoe")
	w.objects[b].Name, w.objects[b].Attributes["email"] = "jdoe@partner.example.test", "jdoe@partner.example.test"
	w.assign(a, b)
	w.run(adsync.StateApplied)
	require.NotEqual(t, w.record(a).ID, w.record(b).ID)
}

func TestScenarioR06SameNameInTwoForests(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]bool{"together": false, "one after the other": true} {
		for _, shuffled := range []bool{false, true} {
			w := newWorld(t)
			w.shuffle = shuffled
			a, b := w.user("same"), w.user("same")
			w.objects[b].Name = "SAME@corp.example.test"
			w.objects[b].Attributes["email"] = "other@example.com"
			winner, loser := min(a, b), max(a, b)
			if second {
				winner, loser = b, a
				w.assign(b)
				w.run(adsync.StateApplied)
			}
			w.assign(a, b)
			var res adsync.Result
			if second {
				res = w.run(adsync.StateUnchanged)
			} else {
				res = w.run(adsync.StateApplied)
			}
			require.Equal(t, []string{adsync.SkipUniqueness}, reasons(res), name)
			require.NotNil(t, w.record(winner), name)
			require.Nil(t, w.record(loser), name)
			res = w.run(adsync.StateUnchanged)
			require.Equal(t, []string{adsync.SkipUniqueness}, reasons(res), name)
		}
	}
}

func TestScenarioR08NamesAreExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.user("one"), w.user("two"), w.user("three")
	w.assign(a, b, c)
	w.run(adsync.StateApplied)
	ids := []string{w.record(a).ID, w.record(b).ID, w.record(c).ID}
	rename := func(guid, name string) {
		o := w.objects[guid]
		o.Name = name + "@corp.example.test"
		o.Attributes["email"] = o.Name
	}
	rename(a, "two")
	rename(b, "three")
	rename(c, "one")
	res := w.run(adsync.StateApplied)
	require.Empty(t, reasons(res))
	require.Empty(t, res.Plan.Warnings)
	now := []string{w.record(a).ID, w.record(b).ID, w.record(c).ID}
	require.Equal(t, ids, now)
	require.Equal(t, "two@corp.example.test", w.record(a).UserName)
	require.Equal(t, "one@corp.example.test", w.record(c).UserName)
	// a new object takes a name that an old one gives up in the same window
	d := w.user("two")
	rename(a, "four")
	w.assign(a, b, c, d)
	require.Empty(t, reasons(w.run(adsync.StateApplied)))
	require.Equal(t, "two@corp.example.test", w.record(d).UserName)
}

// TestBlockedChain: a wants b's name, b wants a name that somebody else keeps. Both stay as they are.
func TestBlockedChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.user("a"), w.user("b")
	w.assign(a, b)
	w.run(adsync.StateApplied)
	require.NoError(t, w.svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		_, err := tx.CreateUser(t.Context(), &identitystore.User{UserName: "taken@corp.example.test"})
		return err
	}))
	w.objects[a].Name, w.objects[b].Name = "b@corp.example.test", "taken@corp.example.test"
	res := w.run(adsync.StateUnchanged)
	require.Equal(t, []string{adsync.SkipUniqueness, adsync.SkipUniqueness}, reasons(res))
	require.Equal(t, "a@corp.example.test", w.record(a).UserName)
}

func TestScenarioR11R12BadNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ userName, reason string }{
		"space":    {"with space@corp.example.test", adsync.SkipInvalidName},
		"too long": {strings.Repeat("x", 129), adsync.SkipInvalidName},
		"reserved": {"Administrator", adsync.SkipReservedName},
		"empty":    {"", adsync.SkipInvalidName},
	} {
		w := newWorld(t)
		g, bad, good := w.group("G"), w.user("bad"), w.user("good")
		w.put(g, bad, good)
		w.objects[bad].Name = c.userName
		w.assign(g)
		res := w.run(adsync.StateApplied)
		require.Equal(t, []string{c.reason}, reasons(res), name)
		require.Nil(t, w.record(bad), name)
		require.Equal(t, []string{"G"}, w.groupsOf(good), name)

		w.objects[bad].Name = "fine@corp.example.test"
		w.run(adsync.StateApplied)
		w.objects[bad].Name, w.objects[bad].Attributes["name"], w.objects[bad].Disabled = c.userName, "Ignored", true
		w.run(adsync.StateApplied)
		u := w.record(bad)
		require.Equal(t, "fine@corp.example.test", u.UserName, name)
		require.Equal(t, "Bad", u.DisplayName, "the stored form stays")
		require.False(t, u.Enabled(), "but that somebody is disabled is never put off")
	}
}

func TestBadAttribute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user("u")
	w.objects[u].Attributes["name"] = strings.Repeat("x", 1025)
	w.assign(u)
	res := w.run(adsync.StateUnchanged)
	require.Equal(t, []string{adsync.SkipInvalidAttribute}, reasons(res))
}

func TestScenarioR13GroupNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.group("Admins"), w.group("Admins")
	w.objects[b].Name = "Admins@partner.example.test"
	w.assign(a, b)
	w.run(adsync.StateApplied)
	require.NotEqual(t, w.groupRecord(a).ID, w.groupRecord(b).ID)
	c := w.group("Admins")
	w.assign(a, b, c)
	require.Equal(t, []string{adsync.SkipUniqueness}, reasons(w.run(adsync.StateUnchanged)))
}

func TestDuplicateMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.user("a"), w.user("b")
	w.objects[b].Attributes["email"] = "A@corp.example.test"
	w.assign(a, b)
	res := w.run(adsync.StateApplied)
	require.Len(t, res.Plan.Warnings, 1)
	first, second := min(a, b), max(a, b)
	require.NotEmpty(t, w.record(first).Email())
	require.Empty(t, w.record(second).Email())
	w.run(adsync.StateUnchanged)
	w.objects[first].Attributes["email"] = "new@example.com"
	w.run(adsync.StateApplied)
	require.NotEmpty(t, w.record(second).Email())
}

func TestScenarioJ01J02J03JustInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, u, v := w.group("G"), w.user("u"), w.user("v")
	w.put(g, v)
	w.assign(g)
	w.run(adsync.StateApplied)
	signIn := func() identitystore.SignInResult {
		mail := "u@corp.example.test"
		res, err := w.svc.SignIn(t.Context(), identitystore.SignIn{
			Source: adsync.DefaultSource, GUID: u, UserName: "u@corp.example.test", Create: true,
			Mapped: []identitystore.MappedValue{{Path: identitystore.MappedEmail, Value: &mail}},
		})
		require.NoError(t, err)
		return res
	}
	id := signIn().User.ID
	require.Equal(t, identitystore.OriginJIT, w.record(u).Link.Origin)
	w.objects[u].Attributes["name"] = "Not for the store yet"
	for range 10 {
		w.run(adsync.StateUnchanged)
	}
	require.Empty(t, w.groupsOf(u))
	require.Empty(t, w.record(u).DisplayName)
	w.put(g, u)
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Update: 1}, res.Counts.Users)
	require.Equal(t, id, w.record(u).ID)
	require.Equal(t, identitystore.OriginSync, w.record(u).Link.Origin)
	require.Equal(t, []string{"G"}, w.groupsOf(u))
	signIn()
	w.run(adsync.StateUnchanged)
	// one that left the directory without ever being in scope stays
	x := w.user("x")
	_, err := w.svc.SignIn(t.Context(), identitystore.SignIn{Source: adsync.DefaultSource, GUID: x, UserName: "x@corp.example.test", Create: true})
	require.NoError(t, err)
	w.remove(x)
	w.run(adsync.StateUnchanged)
	require.Equal(t, identitystore.OriginJIT, w.record(x).Link.Origin)
}

func TestScenarioJ04SignInDuringARun(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	w.objects[users[0]].Attributes["name"] = "From the directory"
	w.put(group, w.user("n"))
	title := "Engineer"
	signedIn := false
	w.cfg.Observer = atApply(func() {
		if signedIn {
			return
		}
		signedIn = true
		_, err := w.svc.SignIn(t.Context(), identitystore.SignIn{
			Source: adsync.DefaultSource, GUID: users[0], Mapped: []identitystore.MappedValue{{Path: identitystore.MappedTitle, Value: &title}},
		})
		require.NoError(t, err)
	})
	w.run(adsync.StateApplied)
	require.True(t, signedIn)
	u := w.record(users[0])
	require.Equal(t, "From the directory", u.DisplayName)
	require.Equal(t, title, u.Title, "neither lost what the other wrote")
	require.Contains(t, u.Link.Owned, identitystore.MappedTitle)
}

func TestScenarioJ05SignInLiftsAPlannedDelete(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	saved := *w.objects[users[0]]
	w.remove(users[0])
	w.cfg.Observer = atApply(func() {
		if w.objects[users[0]] != nil {
			return
		}
		// the controller that was asked was behind: the object is there
		w.objects[users[0]] = &saved
		w.put(group, users[0])
		delete(w.gone, users[0])
		_, err := w.svc.SignIn(t.Context(), identitystore.SignIn{
			Source: adsync.DefaultSource, GUID: users[0], Mapped: []identitystore.MappedValue{{Path: identitystore.MappedNickName, Value: &group}},
		})
		require.NoError(t, err)
	})
	w.run(adsync.StateApplied)
	require.NotEqual(t, identitystore.StateTombstone, w.record(users[0]).Link.State)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"crowd"}, w.groupsOf(users[0]))
}

func TestScenarioJ08OtherFieldsAreNotTouched(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 2)
	require.NoError(t, w.svc.Update(t.Context(), identitystore.Author{Actor: "admin"}, func(tx *identitystore.Tx) error {
		u := w.record(users[0]).Clone()
		u.Title, u.PhoneNumbers = "By hand", []identitystore.MultiValue{{Value: "+1 555 0100"}}
		_, err := tx.UpdateUser(t.Context(), u)
		return err
	}))
	w.objects[users[0]].Attributes["name"] = "Changed"
	delete(w.objects[users[0]].Attributes, "givenName")
	w.run(adsync.StateApplied)
	u := w.record(users[0])
	require.Equal(t, "By hand", u.Title)
	require.Len(t, u.PhoneNumbers, 1)
	require.Equal(t, "Changed", u.DisplayName)
	require.Empty(t, u.Name.GivenName, "an absent source clears the field")
}

func TestFillKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := adsync.NewMapping(nil, adsync.TargetGivenName)
	require.NoError(t, err)
	w.cfg.Mapping = m
	u := w.user("u")
	w.assign(u)
	w.run(adsync.StateApplied)
	delete(w.objects[u].Attributes, "givenName")
	w.run(adsync.StateUnchanged)
	require.Equal(t, "u", w.record(u).Name.GivenName)
}

func TestForeignRecordIsNotTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		_, err := tx.CreateUser(t.Context(), &identitystore.User{UserName: "U@corp.example.test", Link: identitystore.Link{Origin: identitystore.OriginSCIM}})
		return err
	}))
	u := w.user("u")
	w.assign(u)
	require.Equal(t, []string{adsync.SkipUniqueness}, reasons(w.run(adsync.StateUnchanged)))
	require.Nil(t, w.record(u))
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	w.take(group, users[0])
	w.remove(users[1])
	w.objects[users[2]].Attributes["name"] = "Changed"
	n := w.user("n")
	w.put(group, n)
	res := w.run(adsync.StateApplied)
	got := map[string]string{}
	for _, d := range res.Plan.Decisions {
		got[d.Key] = d.Outcome
	}
	require.Equal(t, map[string]string{users[0]: "unscoped", users[1]: "removed", users[2]: "updated", n: "created", group: "unchanged"}, got)
	require.True(t, slices.IsSortedFunc(res.Plan.Decisions, func(a, b identitystore.Decision) int { return strings.Compare(a.Kind+a.Key, b.Kind+b.Key) }))
}

// TestKindNeverChanges: an objectGUID that was a user's and now is a group's is nothing that a directory does; the record
// stays as it is.
func TestKindNeverChanges(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	w.objects[users[0]].Kind = adsync.KindGroup
	w.put(group, w.user("n"))
	res := w.run(adsync.StateApplied)
	require.Equal(t, []adsync.Skipped{{Object: w.objects[users[0]].DN, Reason: adsync.SkipInvalidObject}}, skips(res))
	require.Equal(t, "user0000@corp.example.test", w.record(users[0]).UserName)
	require.True(t, w.record(users[0]).Link.InScope())
}

// TestMailOfADeletedUser: in the run that removes a user, another one gets the e-mail address, and the external id is
// nobody's either.
func TestMailOfADeletedUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, old := w.group("g"), w.user("old")
	w.put(g, old)
	w.assign(g)
	w.run(adsync.StateApplied)
	heir := w.user("heir")
	w.objects[heir].Attributes["email"] = w.objects[old].Attributes["email"]
	w.put(g, heir)
	w.remove(old)
	res := w.run(adsync.StateApplied)
	require.Empty(t, res.Plan.Warnings)
	require.Equal(t, "old@corp.example.test", w.record(heir).Email())
	w.run(adsync.StateUnchanged)
}

package directory_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

const (
	sidAlice  = "S-1-5-21-1-2-3-1104"
	sidStaff  = "S-1-5-21-1-2-3-1105"
	sidAdmins = "S-1-5-32-544"
)

// aceBytes makes one entry; object and inherited are GUIDs or "".
func aceBytes(tb testing.TB, kind, flags byte, mask directory.AccessMask, object, inherited, who string) []byte {
	tb.Helper()
	body := binary.LittleEndian.AppendUint32(nil, uint32(mask))
	switch kind {
	case 5, 6, 0xb, 0xc:
		var present uint32
		var guids []byte
		for bit, g := range []string{object, inherited} {
			if g != "" {
				raw, err := sid.GUIDBytes(g)
				require.NoError(tb, err)
				present |= 1 << bit
				guids = append(guids, raw...)
			}
		}
		body = append(binary.LittleEndian.AppendUint32(body, present), guids...)
	}
	raw, err := sid.Bytes(who)
	require.NoError(tb, err)
	body = append(body, raw...)
	return append(binary.LittleEndian.AppendUint16([]byte{kind, flags}, uint16(4+len(body))), body...)
}

// descriptorBytes makes a self-relative descriptor with an owner and a list of entries.
func descriptorBytes(tb testing.TB, aces ...[]byte) []byte {
	tb.Helper()
	owner, err := sid.Bytes(sidAdmins)
	require.NoError(tb, err)
	all := slices.Concat(aces...)
	b := []byte{1, 0, 0x04, 0x80}
	for _, off := range []int{20, 0, 0, 20 + len(owner)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(off))
	}
	acl := binary.LittleEndian.AppendUint16([]byte{4, 0}, uint16(8+len(all)))
	acl = append(binary.LittleEndian.AppendUint16(acl, uint16(len(aces))), 0, 0)
	return slices.Concat(b, owner, acl, all)
}

func TestSecurityDescriptor(t *testing.T) {
	t.Parallel()
	const read, control = directory.RightReadProperty, directory.RightControlAccess
	me := []string{sidAlice, sidStaff}
	for name, tc := range map[string]struct {
		aces   [][]byte
		mask   directory.AccessMask
		object string
		want   bool
	}{
		"nobody":                   {nil, read, "", false},
		"myself":                   {[][]byte{aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", true},
		"my group":                 {[][]byte{aceBytes(t, 0, 0, read, "", "", sidStaff)}, read, "", true},
		"somebody else":            {[][]byte{aceBytes(t, 0, 0, read, "", "", sidAdmins)}, read, "", false},
		"another right":            {[][]byte{aceBytes(t, 0, 0, control, "", "", sidAlice)}, read, "", false},
		"half of it":               {[][]byte{aceBytes(t, 0, 0, read, "", "", sidAlice)}, read | control, "", false},
		"both halves":              {[][]byte{aceBytes(t, 0, 0, read, "", "", sidAlice), aceBytes(t, 0, 0, control, "", "", sidStaff)}, read | control, "", true},
		"denied first":             {[][]byte{aceBytes(t, 1, 0, read, "", "", sidStaff), aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", false},
		"denied too late":          {[][]byte{aceBytes(t, 0, 0, read, "", "", sidAlice), aceBytes(t, 1, 0, read, "", "", sidStaff)}, read, "", true},
		"another right denied":     {[][]byte{aceBytes(t, 1, 0, control, "", "", sidStaff), aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", true},
		"for those below":          {[][]byte{aceBytes(t, 0, 8, read, "", "", sidAlice)}, read, "", false},
		"denied to those below":    {[][]byte{aceBytes(t, 1, 8, read, "", "", sidAlice), aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", true},
		"the object right":         {[][]byte{aceBytes(t, 5, 0, control, directory.ReplicateChanges, "", sidAlice)}, control, directory.ReplicateChanges, true},
		"another object right":     {[][]byte{aceBytes(t, 5, 0, control, directory.ReplicateChangesAll, "", sidAlice)}, control, directory.ReplicateChanges, false},
		"one is not all":           {[][]byte{aceBytes(t, 5, 0, control, directory.ReplicateChanges, "", sidAlice)}, control, "", false},
		"all are one too":          {[][]byte{aceBytes(t, 5, 0, control, "", "", sidAlice)}, control, directory.ReplicateChanges, true},
		"object right denied":      {[][]byte{aceBytes(t, 6, 0, control, directory.ReplicateChanges, "", sidStaff), aceBytes(t, 0, 0, control, "", "", sidAlice)}, control, directory.ReplicateChanges, false},
		"under a condition":        {[][]byte{aceBytes(t, 9, 0, read, "", "", sidAlice), aceBytes(t, 0xb, 0, read, "", "", sidAlice)}, read, "", false},
		"denied under a condition": {[][]byte{aceBytes(t, 0xa, 0, read, "", "", sidStaff), aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", false},
		"object, by a condition":   {[][]byte{aceBytes(t, 0xc, 0, read, "", "", sidStaff), aceBytes(t, 0, 0, read, "", "", sidAlice)}, read, "", false},
		"audit and labels":         {[][]byte{aceBytes(t, 2, 0, read, "", "", sidAlice), aceBytes(t, 0x11, 0, read, "", "", sidAlice)}, read, "", false},
	} {
		d, err := directory.ParseSecurityDescriptor(descriptorBytes(t, tc.aces...))
		require.NoError(t, err, name)
		require.Equal(t, sidAdmins, d.Owner)
		require.Empty(t, d.Group)
		require.False(t, d.NoDACL)
		require.Equal(t, tc.want, d.Allows(me, tc.mask, tc.object), name)
		require.False(t, d.Allows(nil, tc.mask, tc.object), name)
	}
	d, err := directory.ParseSecurityDescriptor(descriptorBytes(t, aceBytes(t, 6, 2, control, directory.ReplicateChanges, guid1, sidAlice)))
	require.NoError(t, err)
	require.Equal(t, []directory.ACE{{Deny: true, Mask: control, Object: directory.ReplicateChanges, Inherited: guid1, SID: sidAlice}}, d.DACL)
	for at, value := range map[int]byte{2: 0, 16: 0} { // no list at all: not announced, or nowhere
		open := descriptorBytes(t)
		open[at] = value
		d, err = directory.ParseSecurityDescriptor(open)
		require.NoError(t, err)
		require.True(t, d.NoDACL && d.Allows(nil, read, ""))
	}
}

// TestSecurityDescriptorMalformed: cut at any byte, and with any length or offset that leads out of it.
func TestSecurityDescriptorMalformed(t *testing.T) {
	t.Parallel()
	good := descriptorBytes(t, aceBytes(t, 5, 0, directory.RightControlAccess, directory.ReplicateChanges, guid1, sidAlice), aceBytes(t, 0, 0, 1, "", "", sidStaff))
	_, err := directory.ParseSecurityDescriptor(good)
	require.NoError(t, err)
	for n := range good {
		d, err := directory.ParseSecurityDescriptor(good[:n])
		require.ErrorIs(t, err, directory.ErrDescriptor, "%d bytes", n)
		require.Zero(t, d)
	}
	acl := int(binary.LittleEndian.Uint32(good[16:]))
	set := func(at int, v ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"revision":             set(0, 2),
		"absolute":             set(3, 0),
		"owner outside":        set(4, 0xff, 0xff, 0xff, 0xff),
		"owner is no SID":      set(4, 2),
		"group outside":        set(8, 0xf0, 0xff),
		"list outside":         set(16, 0xff, 0xff, 0xff, 0xff),
		"list longer than all": set(acl+2, 0xff, 0xff),
		"list shorter":         set(acl+2, 4, 0),
		"more entries":         set(acl+4, 3),
		"entry of nothing":     set(acl+8+2, 0, 0),
		"entry too short":      set(acl+8+2, 4, 0),
		"entry without types":  set(acl+8+2, 8, 0),
		"types cut":            set(acl+8+2, 20, 0),
		"entry too long":       set(acl+8+2, 0xff, 0),
		"entry's SID":          set(acl+8+44, 9),
		"too long":             append(slices.Clone(good), make([]byte, 1<<20)...),
	} {
		d, err := directory.ParseSecurityDescriptor(b)
		require.ErrorIs(t, err, directory.ErrDescriptor, name)
		require.Zero(t, d, name)
	}
}

func FuzzSecurityDescriptor(f *testing.F) {
	f.Add(descriptorBytes(f, aceBytes(f, 5, 0, directory.RightControlAccess, directory.ReplicateChanges, guid1, sidAlice)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := directory.ParseSecurityDescriptor(b)
		if err != nil {
			require.Zero(t, d)
			return
		}
		require.LessOrEqual(t, 8*len(d.DACL), len(b))
		if !d.NoDACL && d.Allows([]string{sidAlice}, directory.RightControlAccess, directory.ReplicateChanges) {
			require.True(t, slices.ContainsFunc(d.DACL, func(e directory.ACE) bool { return !e.Deny && e.SID == sidAlice }))
		}
	})
}

// TestRights: what the server says of our account and of its root, together.
func TestRights(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	c := connect(t, nil, dc)
	r, err := c.Rights(t.Context(), "CORP")
	require.NoError(t, err)
	require.Contains(t, r.SIDs, dc.Find("svc-sync").SID())
	require.False(t, r.ReplicateChanges)
	dc.AllowReplication(dc.Find("svc-sync"))
	r, err = c.Rights(t.Context(), "CORP")
	require.NoError(t, err)
	require.True(t, r.ReplicateChanges)
	require.False(t, r.ReplicateSecrets)
	_, err = c.Rights(t.Context(), "elsewhere")
	require.ErrorIs(t, err, directory.ErrUnknownDomain)

	raw, err := sid.Bytes(sidAlice)
	require.NoError(t, err)
	secret := descriptorBytes(t, aceBytes(t, 5, 0, directory.RightControlAccess, directory.ReplicateChangesAll, "", sidAlice))
	one := func(text string) *said {
		return &said{entries: []ldapwire.SearchEntry{item("", []string{"nTSecurityDescriptor", text})}}
	}
	for name, tc := range map[string]struct {
		who    []string
		answer *said
		is     error // nil: an account that may read secrets
	}{
		"secrets":           {[]string{string(raw)}, one(string(secret)), nil},
		"nobody":            {nil, one(string(secret)), directory.ErrIncomplete},
		"not readable":      {[]string{string(raw)}, &said{entries: make([]ldapwire.SearchEntry, 1)}, directory.ErrAccess},
		"access refused":    {[]string{string(raw)}, &said{code: 50}, directory.ErrAccess},
		"no root":           {[]string{string(raw)}, &said{}, directory.ErrIncomplete},
		"malformed":         {[]string{string(raw)}, one("x"), directory.ErrDescriptor},
		"server is failing": {[]string{string(raw)}, &said{code: 80}, directory.ErrIncomplete},
	} {
		s := &script{t: t, root: map[string][]string{"tokenGroups": tc.who}, search: func(ldapwire.SearchRequest, ldapwire.Message) *said { return tc.answer }}
		r, err := s.client(nil).Rights(t.Context(), "")
		if tc.is != nil {
			require.ErrorIs(t, err, tc.is, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, directory.Rights{SIDs: []string{sidAlice}, ReplicateSecrets: true}, r)
	}
	s := &script{t: t, root: map[string][]string{"tokenGroups": {"x"}}}
	_, err = s.client(nil).Rights(t.Context(), "")
	oe := new(directory.ObjectError)
	require.ErrorAs(t, err, &oe)
}

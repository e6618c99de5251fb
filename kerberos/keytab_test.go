package kerberos_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	gokeytab "github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
)

func TestKeytabRoundTrip(t *testing.T) {
	t.Parallel()
	kt, err := kerberos.DeriveKeytab("HTTP/web.corp.example.test", corpName, "", []byte("x"), 300, 18, 17, 20, 19, 23)
	require.NoError(t, err)
	got, err := kerberos.ParseKeytab(kt.Marshal())
	require.NoError(t, err)
	require.Equal(t, kt.Entries(), normal(got.Entries()))
	require.EqualValues(t, 300, got.Entries()[0].KVNO, "the 32-bit version counts")
	require.Equal(t, got, got.Current())

	// another implementation writes, we read
	peer := gokeytab.New()
	for _, et := range []int32{17, 18, 23} {
		require.NoError(t, peer.AddEntry("HTTP/web", corpName, "pw", kt.Entries()[0].Time, 2, et))
	}
	raw, err := peer.Marshal()
	require.NoError(t, err)
	got, err = kerberos.ParseKeytab(raw)
	require.NoError(t, err)
	require.Len(t, got.Entries(), 3)
	require.Equal(t, "HTTP/web", got.Entries()[0].Principal)
	// and the other way round
	back := gokeytab.New()
	require.NoError(t, back.Unmarshal(kt.Marshal()))
	require.Len(t, back.Entries, 5)
}

func normal(list []kerberos.KeytabEntry) []kerberos.KeytabEntry {
	for i := range list {
		if list[i].Time.Unix() == -62135596800&0xffffffff { // the zero time as 32 bits
			list[i].Time = kerberos.KeytabEntry{}.Time
		}
	}
	return list
}

// entry writes one keytab entry by hand.
func entry(order binary.AppendByteOrder, v1 bool, realm string, parts []string, kvno byte, et uint16, key []byte, tail ...byte) []byte {
	n := len(parts)
	if v1 {
		n++
	}
	b := order.AppendUint16(nil, uint16(n))
	for _, s := range append([]string{realm}, parts...) {
		b = append(order.AppendUint16(b, uint16(len(s))), s...)
	}
	if !v1 {
		b = order.AppendUint32(b, 1)
	}
	b = append(order.AppendUint32(b, 1_700_000_000), kvno)
	b = order.AppendUint16(b, et)
	b = append(order.AppendUint16(b, uint16(len(key))), key...)
	b = append(b, tail...)
	return append(order.AppendUint32(nil, uint32(len(b))), b...)
}

func TestKeytabForms(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	be, le := binary.BigEndian, binary.LittleEndian
	good := entry(be, false, "R", []string{"HTTP", "web"}, 5, 18, key)
	hole := append([]byte{0xff, 0xff, 0xff, 0xfc}, 1, 2, 3, 4)
	for name, c := range map[string]struct {
		b    []byte
		keys int
		kvno uint32
	}{
		"version 2":          {append([]byte{5, 2}, good...), 1, 5},
		"version 1, big":     {append([]byte{5, 1}, entry(be, true, "R", []string{"HTTP", "web"}, 6, 18, key)...), 1, 6},
		"version 1, little":  {append([]byte{5, 1}, entry(le, true, "R", []string{"HTTP", "web"}, 7, 18, key)...), 1, 7},
		"a hole":             {append(append([]byte{5, 2}, hole...), good...), 1, 5},
		"32-bit version":     {append([]byte{5, 2}, entry(be, false, "R", []string{"HTTP", "web"}, 5, 18, key, 0, 0, 1, 5)...), 1, 261},
		"32-bit zero":        {append([]byte{5, 2}, entry(be, false, "R", []string{"HTTP", "web"}, 5, 18, key, 0, 0, 0, 0)...), 1, 5},
		"end mark":           {append(append([]byte{5, 2}, good...), 0, 0, 0, 0, 9, 9), 1, 5},
		"an unknown type":    {append(append([]byte{5, 2}, entry(be, false, "R", []string{"x"}, 1, 3, key[:8])...), good...), 1, 5},
		"nothing but header": {[]byte{5, 2}, 0, 0},
	} {
		kt, err := kerberos.ParseKeytab(c.b)
		require.NoError(t, err, name)
		require.Len(t, kt.Entries(), c.keys, name)
		if c.keys > 0 {
			require.Equal(t, c.kvno, kt.Entries()[0].KVNO, name)
			require.Equal(t, "HTTP/web", kt.Entries()[0].Principal)
		}
	}
	many := []byte{5, 2}
	for range 4097 {
		many = append(many, entry(be, false, "R", []string{"x"}, 1, 17, key[:16])...)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "version": {5, 3}, "no keytab": []byte("text of a page"), "entry outside": append([]byte{5, 2}, 0, 0, 1, 0, 9), "hole outside": append([]byte{5, 2}, 0xff, 0xff, 0, 0, 9),
		"smallest size": append([]byte{5, 2}, 0x80, 0, 0, 0, 9), "no component": append([]byte{5, 2}, entry(be, false, "R", nil, 1, 18, key)...),
		"17 components":      append([]byte{5, 2}, entry(be, false, "R", make([]string, 17), 1, 18, key)...),
		"key of wrong size":  append([]byte{5, 2}, entry(be, false, "R", []string{"x"}, 1, 18, key[:31])...),
		"too many entries":   many,
		"too big":            append([]byte{5, 2}, make([]byte, 1<<20)...),
		"string outside":     append([]byte{5, 2}, 0, 0, 0, 8, 0, 1, 0xff, 0xff, 1, 2, 3, 4),
		"truncated contents": append([]byte{5, 2}, 0, 0, 0, 2, 0, 1),
	} {
		kt, err := kerberos.ParseKeytab(b)
		require.ErrorIs(t, err, kerberos.ErrKeytab, name)
		require.Nil(t, kt, name)
	}
	for n := 3; n < len(good)+2; n++ {
		_, err := kerberos.ParseKeytab(append([]byte{5, 2}, good...)[:n])
		if n < 6 {
			continue // less than a size: nothing follows
		}
		require.Error(t, err, n)
	}
}

func TestKeytabConstructors(t *testing.T) {
	t.Parallel()
	_, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: "x", Realm: "R", EType: 18}, make([]byte, 5))
	require.Error(t, err)
	for _, bad := range [][2]string{{"", "R"}, {"x", ""}} {
		_, err = kerberos.DeriveKeytab(bad[0], bad[1], "", []byte("x"), 1)
		require.Error(t, err)
	}
	_, err = kerberos.DeriveKeytab("x", "R", "", []byte("x"), 1, 3)
	require.Error(t, err)
	kt, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: "x", Realm: "R", EType: 17}, []byte("canary-key-bytes"))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, kt), "canary")
	}
}

func FuzzParseKeytab(f *testing.F) {
	kt, err := kerberos.DeriveKeytab("HTTP/web", corpName, "", []byte("x"), 1, 17)
	require.NoError(f, err)
	f.Add(kt.Marshal())
	f.Add(append([]byte{5, 1}, entry(binary.LittleEndian, true, "R", []string{"a"}, 1, 17, make([]byte, 16))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := kerberos.ParseKeytab(b)
		if err != nil {
			require.Nil(t, k)
			return
		}
		again, err := kerberos.ParseKeytab(k.Marshal())
		require.NoError(t, err)
		require.Equal(t, k.Entries(), again.Entries())
	})
}

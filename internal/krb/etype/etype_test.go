package etype_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

var all = []int32{etype.AES128SHA1, etype.AES256SHA1, etype.AES128SHA2, etype.AES256SHA2, etype.RC4}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// Vectors of RFC 3962 appendix B and RFC 8009 appendix A.
func TestStringToKeyVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		et         int32
		pw, salt   string
		iterations int
		want       string
	}{
		{etype.AES128SHA1, "password", "ATHENA.MIT.EDUraeburn", 1, "42263c6e89f4fc28b8df68ee09799f15"},
		{etype.AES256SHA1, "password", "ATHENA.MIT.EDUraeburn", 1, "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"},
		{etype.AES256SHA1, "password", "ATHENA.MIT.EDUraeburn", 1200, "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"},
		{etype.AES128SHA2, "password", "\x10\xdf\x9d\xd7\x83\xe5\xbc\x8a\xce\xa1\x73\x0e\x74\x35\x5f\x61ATHENA.MIT.EDUraeburn", 32768, "089bca48b105ea6ea77ca5d2f39dc5e7"},
		{etype.AES256SHA2, "password", "\x10\xdf\x9d\xd7\x83\xe5\xbc\x8a\xce\xa1\x73\x0e\x74\x35\x5f\x61ATHENA.MIT.EDUraeburn", 32768, "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467"},
		{etype.RC4, "foo", "", 1, "ac8e657f83df82beea5d43bdaf7800cc"},
	} {
		k, err := etype.StringToKey(c.et, []byte(c.pw), []byte(c.salt), c.iterations)
		require.NoError(t, err)
		require.Equal(t, c.want, hex.EncodeToString(k.Reveal()), "etype %d", c.et)
	}
}

// Another implementation must read what we write, and we what it writes.
func TestAgainstPeer(t *testing.T) {
	t.Parallel()
	for _, et := range all {
		peer, err := crypto.GetEtype(et)
		require.NoError(t, err)
		k, err := etype.Random(et)
		require.NoError(t, err)
		for n := range 70 {
			plain := bytes.Repeat([]byte{byte(n)}, n)
			ct, err := k.Encrypt(3, plain)
			require.NoError(t, err)
			if n > 0 { // the peer cannot do an empty message in every type
				got, err := peer.DecryptMessage(k.Reveal(), ct, 3)
				require.NoError(t, err, "etype %d, %d bytes", et, n)
				require.Equal(t, plain, got)
				_, ct, err = peer.EncryptMessage(k.Reveal(), plain, 3)
				require.NoError(t, err)
			}
			got, err := k.Decrypt(3, ct)
			require.NoError(t, err)
			require.Equal(t, plain, append([]byte{}, got...))
			sum, err := k.Checksum(17, plain)
			require.NoError(t, err)
			want, err := peer.GetChecksumHash(k.Reveal(), plain, 17)
			require.NoError(t, err)
			require.Equal(t, want, sum)
			require.True(t, k.VerifyChecksum(17, plain, sum))
			require.Len(t, sum, etype.ChecksumSize(k.ChecksumType()))
		}
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	t.Parallel()
	for _, et := range all {
		k, err := etype.Random(et)
		require.NoError(t, err)
		ct, err := k.Encrypt(2, []byte("seventeen bytes.."))
		require.NoError(t, err)
		for i := range ct {
			ct[i] ^= 1
			_, err := k.Decrypt(2, ct)
			require.ErrorIs(t, err, etype.ErrIntegrity)
			ct[i] ^= 1
		}
		for n := range ct {
			_, err := k.Decrypt(2, ct[:n])
			require.ErrorIs(t, err, etype.ErrIntegrity, "etype %d cut to %d", et, n)
		}
		_, err = k.Decrypt(3, ct)
		require.ErrorIs(t, err, etype.ErrIntegrity, "another usage must not decrypt")
	}
}

func TestIterations(t *testing.T) {
	t.Parallel()
	n, err := etype.Iterations(18, nil, 100)
	require.NoError(t, err)
	require.Equal(t, 4096, n)
	n, err = etype.Iterations(18, unhex(t, "00008000"), 32768)
	require.NoError(t, err)
	require.Equal(t, 32768, n)
	for _, bad := range []string{"", "00", "00000000", "00008001", "ffffffff", "0000000010"} {
		_, err := etype.Iterations(18, unhex(t, bad), 32768)
		require.ErrorIs(t, err, etype.ErrIterations, bad)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	_, err := etype.New(16, make([]byte, 24))
	require.ErrorIs(t, err, etype.ErrUnsupported)
	_, err = etype.New(18, make([]byte, 16))
	require.ErrorIs(t, err, etype.ErrKeyLength)
	_, err = etype.StringToKey(18, nil, nil, 0)
	require.ErrorIs(t, err, etype.ErrIterations)
	_, err = etype.StringToKey(etype.RC4, []byte("\xff"), nil, 1)
	require.ErrorIs(t, err, etype.ErrUnsupported)
	_, err = etype.StringToKey(1, nil, nil, 1)
	require.ErrorIs(t, err, etype.ErrUnsupported)
	for _, et := range []int32{0, 1, 3, 16, 24, 23} {
		require.True(t, etype.Weak(et))
	}
}

func TestKeyNeverPrinted(t *testing.T) {
	t.Parallel()
	k, err := etype.New(17, []byte("canary-key-bytes"))
	require.NoError(t, err)
	out := fmt.Sprintf("%v %+v %#v %s %q %x", k, k, k, k, k, k)
	js, err := json.Marshal(struct{ K *etype.Key }{k})
	require.NoError(t, err)
	require.NotContains(t, out+string(js), "canary")
	require.NotContains(t, out, hex.EncodeToString([]byte("canary")))
	require.NotContains(t, out, "99 97 110")
	k.Zero()
	require.Equal(t, make([]byte, 16), k.Reveal())
	require.False(t, k.Equal(nil))
}

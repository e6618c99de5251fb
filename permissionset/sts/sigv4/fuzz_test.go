package sigv4_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

// FuzzVerify: nothing that a stranger sends is let in or ends the process; who is refused is nobody.
func FuzzVerify(f *testing.F) {
	g := good()
	f.Add(g.Header.Get("Authorization"), g.URL.RawQuery, "/a/b", "AWSIdentityStore.ListUsers")
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/identitystore/aws4_request,SignedHeaders=host;x-amz-date,Signature=00", "%", "//..", "")
	f.Add("", "X-Amz-Signature=0&;", "", "x")
	f.Fuzz(func(t *testing.T, header, query, path, operation string) {
		v := verifier(t, nil)
		r := good()
		same := r.Header.Get("Authorization") == header && r.URL.RawQuery == query && path == "/a/b" && operation == "AWSIdentityStore.ListUsers"
		r.Header["Authorization"] = []string{header}
		r.Header["X-Amz-Target"] = []string{operation}
		r.URL = &url.URL{Path: path, RawQuery: query}
		id, err := v.Verify(r)
		if same {
			require.NoError(t, err)
			return
		}
		if err == nil { // the same, written in another way
			sent := g.Header.Get("Authorization")
			require.Equal(t, "alice", id.Principal)
			require.Contains(t, header, sent[len(sent)-64:])
			return
		}
		require.Zero(t, id)
		require.NotEmpty(t, reason(t, err))
		require.ErrorIs(t, err, sigv4.ErrRefused)
	})
}

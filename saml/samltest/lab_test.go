package samltest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]samltest.Config{
		"plain":            {},
		"encrypted":        {Encrypted: true},
		"both signed":      {RelyingParty: func(rp *saml.RelyingParty) { rp.Sign = saml.SignBoth }},
		"response signed":  {RelyingParty: func(rp *saml.RelyingParty) { rp.Sign = saml.SignResponse }},
		"encrypted nameid": {Encrypted: true, RelyingParty: func(rp *saml.RelyingParty) { rp.EncryptNameID, rp.Encrypt = true, saml.EncryptNever }},
		"post request":     {Partner: func(p *samlhttp.Partner) { p.SingleSignOn = p.SingleSignOn[1:] }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab, err := samltest.Start(cfg)
			require.NoError(t, err)
			defer lab.Close()
			b := samltest.NewBrowser("alice", "Correct-Horse-1")
			page, err := b.Open(t.Context(), lab.SPURL+"/some/page?x=1")
			require.NoError(t, err)
			require.Equal(t, 200, page.Status, page.Body)
			require.Contains(t, page.Body, "signed in as alice@example.com at /some/page")
			require.Contains(t, page.Body, "[Engineering Platform SRE]")
		})
	}
}

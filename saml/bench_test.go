package saml_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
)

type forgetful struct{}

func (forgetful) UseOnce(context.Context, [32]byte, time.Time) error { return nil }

// typical has 10 attributes and 40 groups, about 7.6 KB.
func typical() *forged {
	f := signedAssertion()
	f.attributes = groups(40)
	for i := range 9 {
		f.attributes = strings.Replace(f.attributes, "</saml:AttributeStatement>", fmt.Sprintf(`<saml:Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/attribute%d" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml:AttributeValue>value of attribute %d</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`, i, i), 1)
	}
	return f
}

func groups(n int) string {
	b := strings.Builder{}
	b.WriteString(`<saml:AttributeStatement><saml:Attribute Name="http://schemas.xmlsoap.org/claims/Group">`)
	for i := range n {
		fmt.Fprintf(&b, `<saml:AttributeValue>AWS-%06d-Engineering-Platform</saml:AttributeValue>`, i)
	}
	b.WriteString(`</saml:Attribute></saml:AttributeStatement>`)
	return b.String()
}

func BenchmarkValidate(b *testing.B) {
	encrypted := typical()
	encrypted.encrypt = &encrypting{alg: xmlenc.AES256CBC}
	both := typical()
	both.signResponse = true
	for name, f := range map[string]*forged{"signed": typical(), "encrypted": encrypted, "both": both} {
		b.Run(name, func(b *testing.B) {
			s := newSetup()
			s.sp.Replay = forgetful{}
			sp := s.provider(b)
			xml := f.xml()
			in := s.in
			in.Message = []byte(base64.StdEncoding.EncodeToString([]byte(xml)))
			b.SetBytes(int64(len(xml)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sp.Validate(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestManyGroups: 12,000 group values in one signed assertion are normal in a large domain.
func TestManyGroups(t *testing.T) {
	t.Parallel()
	f := signedBoth()
	f.attributes = groups(12_000)
	a := accepted(t, newSetup(), f.xml())
	require.Len(t, a.Attribute("http://schemas.xmlsoap.org/claims/Group"), 12_000)
	f.encrypt = &encrypting{}
	a = accepted(t, newSetup(), f.xml())
	require.Len(t, a.Attribute("http://schemas.xmlsoap.org/claims/Group"), 12_000)
}

//go:build lab

package integration_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/mutatetest"
	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const samlFixtures = "../../saml/testdata/fixtures/"

// signedDocument is a document of the collection with the certificates that may have signed it.
type signedDocument struct {
	name  string
	xml   string
	keys  []crypto.PublicKey
	certs []string
}

func signedDocuments(t *testing.T) (out []signedDocument) {
	t.Helper()
	raw, err := os.ReadFile(samlFixtures + "vectors.jsonl")
	require.NoError(t, err)
	for line := range bytes.Lines(raw) {
		var v struct {
			File              string
			Certs, Signatures []string
		}
		require.NoError(t, json.Unmarshal(line, &v))
		if len(v.Signatures) == 0 {
			continue
		}
		text, err := os.ReadFile(samlFixtures + v.File)
		require.NoError(t, err)
		if text[0] != '<' {
			if text, err = base64.StdEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "").Replace(string(text))); err != nil {
				continue
			}
		}
		d := signedDocument{name: v.File, xml: string(text)}
		for _, c := range v.Certs {
			file, err := filepath.Abs(samlFixtures + "certs/" + c + ".pem")
			require.NoError(t, err)
			p, err := os.ReadFile(file)
			require.NoError(t, err)
			block, _ := pem.Decode(p)
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			d.keys, d.certs = append(d.keys, cert.PublicKey), append(d.certs, file)
		}
		out = append(out, d)
	}
	return out
}

// xmlsecAccepts asks xmlsec1 about the Signature of the element with that ID, under the pinned certificates only.
func xmlsecAccepts(t *testing.T, file, id string, certs []string) bool {
	t.Helper()
	for _, c := range certs {
		args := []string{"--verify", "--pubkey-cert-pem", c, "--enabled-key-data", "key-name"}
		for _, name := range []string{"assertion:Assertion", "protocol:Response"} {
			args = append(args, "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:"+name)
		}
		args = append(args, "--node-xpath", "//*[@ID='"+id+"']/*[local-name()='Signature']", file)
		if exec.CommandContext(t.Context(), "xmlsec1", args...).Run() == nil {
			return true
		}
	}
	return false
}

// difference compares every signature of xml. It returns why ours refuses what xmlsec1 accepts, by reason.
func difference(t *testing.T, d signedDocument, xml, file string) (accepted int, ours []string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(xml), 0o600))
	policy := xmldsig.Policy{SHA1: true, RSA1024: true, InclusiveC14N: true, Misplaced: true}
	doc, err := xmlgate.Parse([]byte(xml), xmlgate.Limits{})
	if err != nil {
		return 0, nil // nothing is asked of a document that no parser of ours hands on
	}
	for el := range doc.Root().Descendants() {
		_, n := xmldsig.Signature(el)
		id, _ := el.Attr("ID")
		if n == 0 || id == "" || strings.ContainsAny(id, "'\"") {
			continue
		}
		_, err := xmldsig.Verify(el, d.keys, policy)
		theirs := xmlsecAccepts(t, file, id, d.certs)
		if err == nil {
			require.True(t, theirs, "%s: accepted here, refused by xmlsec1: %s\n%s", d.name, el.Local(), xml)
			accepted++
		} else if theirs {
			ours = append(ours, err.Error())
		}
	}
	return accepted, ours
}

// TestXMLSec: whatever we accept verifies in xmlsec1 with the same certificate, over the collection and damaged documents.
func TestXMLSec(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("xmlsec1")
	require.NoError(t, err)
	docs := signedDocuments(t)
	texts := make([]string, len(docs))
	for i, d := range docs {
		texts[i] = d.xml
	}
	type job struct {
		d   signedDocument
		xml string
	}
	jobs := make(chan job)
	go func() {
		defer close(jobs)
		for _, d := range docs {
			jobs <- job{d, d.xml}
		}
		m := mutatetest.New(1, texts)
		for range testscale.N(1000, 100_000) {
			xml, i := m.Next()
			jobs <- job{docs[i], xml}
		}
	}()
	var mu sync.Mutex
	var wg sync.WaitGroup
	accepted, only := 0, map[string]int{}
	dir := t.TempDir()
	for w := range 2 {
		wg.Go(func() {
			file := filepath.Join(dir, string(rune('a'+w))+".xml")
			for j := range jobs {
				n, ours := difference(t, j.d, j.xml, file)
				mu.Lock()
				accepted += n
				for _, r := range ours {
					only[r]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Greater(t, accepted, 250)
	known := []string{"signature_shape", "reference", "transform", "algorithm", "weak_key"}
	for reason, n := range only {
		t.Logf("refused here only, %d times: %s", n, reason)
		require.True(t, slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(reason, "xmldsig: "+k) }),
			"%s: xmlsec1 accepts what our cryptography refuses", reason)
	}
}

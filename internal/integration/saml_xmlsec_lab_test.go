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
	"strconv"
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

// xmlsec runs xmlsec1 over files: the Signature of the element with that ID, under one pinned certificate only. It stops at the first
// refusal.
func xmlsec(t *testing.T, cert, id string, files ...string) bool {
	t.Helper()
	args := []string{"--verify", "--pubkey-cert-pem", cert, "--enabled-key-data", "key-name"}
	for _, name := range []string{"assertion:Assertion", "protocol:Response"} {
		args = append(args, "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:"+name)
	}
	args = append(args, "--node-xpath", "//*[@ID='"+id+"']/*[local-name()='Signature']")
	return foreign(t, "xmlsec1", append(args, files...)...).Run() == nil
}

// comparison holds every signature of documents against xmlsec1. What we accept is asked in batches, because starting the program
// costs far more than a signature.
type comparison struct {
	dir      string
	accepted int
	refused  map[string]int // why ours refuses what xmlsec1 accepts
	batches  map[[2]string][]string
	texts    int
}

func (c *comparison) file(t *testing.T, xml string) string {
	t.Helper()
	c.texts++
	file := filepath.Join(c.dir, strconv.Itoa(c.texts)+".xml")
	require.NoError(t, os.WriteFile(file, []byte(xml), 0o600))
	return file
}

// document compares the signatures of xml; those that we refuse only if both directions are asked for.
func (c *comparison) document(t *testing.T, d signedDocument, xml string, both bool) {
	t.Helper()
	doc, err := xmlgate.Parse([]byte(xml), xmlgate.Limits{})
	if err != nil {
		return // nothing is asked of a document that no parser of ours hands on
	}
	policy := xmldsig.Policy{SHA1: true, RSA1024: true, InclusiveC14N: true, Misplaced: true}
	for el := range doc.Root().Descendants() {
		_, n := xmldsig.Signature(el)
		id, _ := el.Attr("ID")
		if n == 0 || id == "" || strings.ContainsAny(id, "'\"") {
			continue
		}
		v, err := xmldsig.Verify(el, d.keys, policy)
		switch {
		case err == nil:
			cert := d.certs[slices.IndexFunc(d.keys, func(k crypto.PublicKey) bool { return k == v.Key })]
			c.accept(t, cert, id, c.file(t, xml))
		case both:
			file := c.file(t, xml)
			if slices.ContainsFunc(d.certs, func(cert string) bool { return xmlsec(t, cert, id, file) }) {
				c.refused[err.Error()]++
			}
			require.NoError(t, os.Remove(file))
		}
	}
}

func (c *comparison) accept(t *testing.T, cert, id, file string) {
	t.Helper()
	key := [2]string{cert, id}
	if c.batches[key] = append(c.batches[key], file); len(c.batches[key]) == 40 {
		c.flush(t, key)
	}
}

// flush wants xmlsec1 to accept what we accepted.
func (c *comparison) flush(t *testing.T, key [2]string) {
	t.Helper()
	if !xmlsec(t, key[0], key[1], c.batches[key]...) {
		for _, file := range c.batches[key] {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.True(t, xmlsec(t, key[0], key[1], file), "accepted here, refused by xmlsec1: %s\n%s", key[1], text)
		}
	}
	c.accepted += len(c.batches[key])
	for _, file := range c.batches[key] {
		require.NoError(t, os.Remove(file))
	}
	c.batches[key] = nil
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
		d    signedDocument
		xml  string
		both bool
	}
	jobs := make(chan job)
	go func() {
		defer close(jobs)
		for _, d := range docs {
			jobs <- job{d, d.xml, true}
		}
		m := mutatetest.New(1, texts)
		for n := range testscale.N(1000, 100_000) {
			xml, i := m.Next()
			jobs <- job{docs[i], xml, n < 10_000} // the other direction is about reasons, and there are few
		}
	}()
	var mu sync.Mutex
	var wg sync.WaitGroup
	accepted, only := 0, map[string]int{}
	for range 2 {
		c := &comparison{dir: t.TempDir(), refused: map[string]int{}, batches: map[[2]string][]string{}}
		wg.Go(func() {
			for j := range jobs {
				c.document(t, j.d, j.xml, j.both)
			}
			for key := range c.batches {
				c.flush(t, key)
			}
			mu.Lock()
			defer mu.Unlock()
			accepted += c.accepted
			for reason, n := range c.refused {
				only[reason] += n
			}
		})
	}
	wg.Wait()
	t.Logf("%d signatures accepted here are accepted by xmlsec1", accepted)
	require.Greater(t, accepted, 250)
	known := []string{"signature_shape", "reference", "transform", "algorithm", "weak_key"}
	for reason, n := range only {
		t.Logf("refused here only, %d times: %s", n, reason)
		require.True(t, slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(reason, "xmldsig: "+k) }),
			"%s: xmlsec1 accepts what our cryptography refuses", reason)
	}
}

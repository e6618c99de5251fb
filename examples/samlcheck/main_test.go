package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The message of a real AD FS farm that the library keeps among its test documents.
const (
	data   = "../../saml/testdata/fixtures/gosaml2/providertests/testdata/"
	certs  = "../../saml/testdata/fixtures/certs/"
	entity = "http://fs.spstest2.com/adfs/services/trust"
	acs    = "https://saml.test.nope/session/sso/saml/acs/dknhyszjl7"
	sp     = "https://saml.test.nope/session/sso/saml/spentityid/dknhyszjl7"
)

func flags(more ...string) []string {
	return append([]string{
		"-idp-cert", certs + "ff96f51eedf59538.pem", "-idp-entity", entity, "-sp-entity", sp, "-acs", acs,
		"-at", "2017-09-21T23:27:07Z", "-request-id", "_5988bf45-1cc8-4228-b3e8-1aa8590e63d3",
	}, more...)
}

// without removes a flag with its value.
func without(args []string, name string) []string {
	for i, a := range args {
		if a == name {
			return append(append([]string{}, args[:i]...), args[i+2:]...)
		}
	}
	return args
}

func call(t *testing.T, stdin string, args ...string) (code int, out map[string]any, stderr string) {
	t.Helper()
	var stdout, errs bytes.Buffer
	code = run(args, strings.NewReader(stdin), &stdout, &errs)
	if stdout.Len() > 0 {
		d := json.NewDecoder(&stdout)
		require.NoError(t, d.Decode(&out))
		require.False(t, d.More(), "one document")
	}
	return code, out, errs.String()
}

func message(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(data + "adfs_response.b64")
	require.NoError(t, err)
	return string(b)
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	xml, err := base64.StdEncoding.DecodeString(strings.TrimSpace(message(t)))
	require.NoError(t, err)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, 9)
	require.NoError(t, err)
	_, err = w.Write(xml)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"file":               {args: flags(data + "adfs_response.b64")},
		"field from stdin":   {stdin: message(t), args: flags("-")},
		"xml from stdin":     {stdin: string(xml), args: flags("-")},
		"byte order mark":    {stdin: "\xEF\xBB\xBF" + string(xml), args: flags("-")},
		"redirect":           {stdin: base64.StdEncoding.EncodeToString(packed.Bytes()), args: flags("-binding", "redirect", "-")},
		"second key":         {args: flags("-idp-cert", certs+"d40df01ccede49d2.pem", data+"adfs_response.b64")},
		"second opinion":     {args: flags("-second-opinion", data+"adfs_response.b64")},
		"with claims":        {args: flags("-json-claims", data+"adfs_response.b64")},
		"the instant before": {args: flags("-skew", "5m", "-at", "2017-09-21T23:22:07Z", data+"adfs_response.b64")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, stderr := call(t, c.stdin, c.args...)
			require.Equal(t, 0, code, stderr)
			require.Empty(t, stderr)
			require.Equal(t, true, out["valid"])
			require.Equal(t, entity, out["issuer"])
			require.Equal(t, map[string]any{"value": "paul@spstest2.com", "format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "nameQualifier": "", "spNameQualifier": ""}, out["nameID"])
			require.Equal(t, []any{"assertion"}, out["signed"])
			require.Equal(t, false, out["encrypted"])
			require.Len(t, out["attributes"], 2)
			require.Equal(t, "2017-09-22T00:27:06.826Z", out["notOnOrAfter"])
			require.Equal(t, name == "with claims", out["claims"] != nil)
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	file := data + "adfs_response.b64"
	bad := filepath.Join(t.TempDir(), "bad.xml")
	require.NoError(t, os.WriteFile(bad, []byte("<a/>"), 0o600))
	for name, c := range map[string]struct {
		stdin, reason string
		args          []string
	}{
		"other key":           {reason: "signature", args: append(without(flags(), "-idp-cert"), "-idp-cert", certs+"d40df01ccede49d2.pem", file)},
		"other issuer":        {reason: "issuer", args: append(without(flags(), "-idp-entity"), "-idp-entity", "urn:x", file)},
		"other audience":      {reason: "audience", args: append(without(flags(), "-sp-entity"), "-sp-entity", "urn:x", file)},
		"other address":       {reason: "destination", args: append(without(flags(), "-acs"), "-acs", acs+"/", file)},
		"too late":            {reason: "expired", args: flags("-at", "2017-09-22T00:27:06.826Z", file)},
		"too early":           {reason: "issue_instant", args: flags("-at", "2017-09-21T23:20:00Z", file)},
		"other request":       {reason: "in_response_to", args: flags("-request-id", "_x", file)},
		"no request":          {reason: "in_response_to", args: append(without(flags(), "-request-id"), "-allow-unsolicited", file)},
		"nothing":             {reason: "malformed_base64", args: flags("-")},
		"no base64":           {reason: "malformed_base64", stdin: "***", args: flags("-")},
		"no xml":              {reason: "malformed_xml", stdin: "PGE", args: flags("-")},
		"utf-16":              {reason: "encoding", stdin: "\xFF\xFE<\x00a\x00", args: flags("-")},
		"doctype":             {reason: "doctype", stdin: "<!DOCTYPE a><a/>", args: flags("-")},
		"no response":         {reason: "not_a_response", stdin: "<a/>", args: flags("-")},
		"not deflated":        {reason: "binding", stdin: message(t), args: flags("-binding", "redirect", "-")},
		"metadata not usable": {reason: "metadata", args: append(without(without(flags(), "-idp-cert"), "-idp-entity"), "-idp", bad, file)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.reason == "malformed_xml" {
				c.stdin = base64.StdEncoding.EncodeToString([]byte("<a>"))
			}
			code, out, stderr := call(t, c.stdin, c.args...)
			require.Equal(t, 1, code, stderr)
			require.Equal(t, false, out["valid"])
			require.Equal(t, c.reason, out["reason"])
			require.NotEmpty(t, out["message"])
			require.Len(t, out, 3)
			require.NotContains(t, out["message"], "paul")
			require.Equal(t, c.reason == "metadata", stderr != "", "only what is wrong with our own file is told: "+stderr)
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	file := data + "adfs_response.b64"
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, args := range map[string][]string{
		"no arguments": nil, "no message": flags(), "two messages": flags(file, file), "unknown flag": flags("-x", file),
		"no key": without(flags(file), "-idp-cert"), "both": flags("-idp", file, file), "no entity": without(flags(file), "-idp-entity"),
		"no acs": without(flags(file), "-acs"), "no sp": without(flags(file), "-sp-entity"), "no clock": without(flags(file), "-at"),
		"bad clock": flags("-at", "now", file), "bad binding": flags("-binding", "paos", file), "bad skew": flags("-skew", "11m", file), "negative skew": flags("-skew", "-1s", file),
		"absent message": flags("absent"), "absent certificate": flags("-idp-cert", "absent", file), "no certificate": flags("-idp-cert", empty, file),
		"absent key": flags("-key", "absent", file), "no private key": flags("-key", empty, file), "certificate as key": flags("-key", certs+"ff96f51eedf59538.pem", file),
		"absent key beside bad metadata": append(without(flags(), "-idp-cert"), "-idp", empty, "-key", "absent", file),
		"absent metadata":                append(without(flags(), "-idp-cert"), "-idp", "absent", file),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, stderr := call(t, "", args...)
			require.Equal(t, 2, code)
			require.Nil(t, out)
			require.NotEmpty(t, stderr)
		})
	}
	code, out, stderr := call(t, "", "-h")
	require.Equal(t, 0, code)
	require.Nil(t, out)
	for _, f := range []string{"-idp", "-idp-cert", "-idp-entity", "-sp-entity", "-acs", "-at", "-request-id", "-allow-unsolicited", "-key", "-skew", "-binding", "-allow-sha1", "-second-opinion", "-json-claims", "-explain"} {
		require.Contains(t, stderr, f)
	}
}

func TestEncryptedAndExplain(t *testing.T) {
	t.Parallel()
	args := append(without(without(flags(), "-at"), "-request-id"), "-at", "2017-09-21T23:19:12Z", "-request-id", "_252d0129-1c83-496e-b039-ffc9cee11cca",
		"-key", data+"oktaenc_sp_encryption_key.pem", "-explain", data+"adfs_response_enc.b64")
	code, out, stderr := call(t, "", args...)
	require.Equal(t, 0, code)
	require.Equal(t, true, out["encrypted"])
	require.Contains(t, stderr, "ok   destination")
	code, out, stderr = call(t, "", append(without(args[:len(args)-1], "-acs"), "-acs", "https://x", args[len(args)-1])...)
	require.Equal(t, 1, code)
	require.Equal(t, "destination", out["reason"])
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	require.Contains(t, lines[len(lines)-1], "FAIL destination")
	require.Contains(t, lines[len(lines)-1], `configured="https://x"`)
	code, out, _ = call(t, "", without(args, "-key")...)
	require.Equal(t, 1, code)
	require.Equal(t, "decrypt", out["reason"])
}

// The federation metadata of real AD FS 2.0, 3.0 and 4.0 farms is read whole; the response of another farm is then refused
// for its issuer, and a document that was edited into no metadata for that.
func TestRealFederationMetadata(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"v2", "v3", "v4"} {
		file := "../../saml/testdata/metadata/adfs-" + v + "-metadata.xml"
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		id := strings.SplitN(strings.SplitN(string(raw), `entityID="`, 2)[1], `"`, 2)[0]
		args := append([]string{"-idp", file}, without(without(flags(data+"adfs_response.b64"), "-idp-cert"), "-idp-entity")...)
		code, out, stderr := call(t, "", args...)
		require.Equal(t, 1, code, stderr)
		require.Equal(t, "issuer", out["reason"], "%s %s", v, id)

		bad := filepath.Join(t.TempDir(), "bad.xml")
		require.NoError(t, os.WriteFile(bad, []byte(strings.Replace(string(raw), "IDPSSODescriptor", "IDPxSSODescriptor", 1)), 0o600))
		args[1] = bad
		code, out, _ = call(t, "", args...)
		require.Equal(t, 1, code)
		require.Equal(t, "metadata", out["reason"])
	}
}

// TestWrongMetadataIsNamed: what is wrong with the administrator's own file stands on stderr; stdout says no more than before.
func TestWrongMetadataIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"of a service provider": {
			`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + sp + `"><SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
				`<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + acs + `" index="0"/></SPSSODescriptor></EntityDescriptor>`,
			"this is the metadata of a service provider",
		},
		"a web page": {"<html></html>", "root element is neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "metadata.xml")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			args := append(without(without(flags(), "-idp-cert"), "-idp-entity"), "-idp", file, data+"adfs_response.b64")
			code, out, stderr := call(t, "", args...)
			require.Equal(t, 1, code)
			require.Equal(t, "metadata", out["reason"])
			require.Contains(t, stderr, file+": ")
			require.Contains(t, stderr, c.want)
			require.Len(t, out, 3)
		})
	}
}

package addoctor

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

// load reads AD.json.
func (d *doctor) load(path string) bool {
	cfg, err := adconfig.Load(path)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		d.wrongFile("config", path, "The file does not exist.", "Give the path of AD.json with -config; doc/guides/active-directory.md shows one.")
	case errors.Is(err, fs.ErrPermission):
		d.wrongFile("config", path, "The file cannot be read.", "Let the account that runs the program read it.")
	case errors.As(err, &syntax):
		d.wrongFile("config", path, fmt.Sprintf("The file is no JSON at byte %d: %v.", syntax.Offset, syntax), "Look for a missing comma, quote or brace just before that place; a backslash in a name is written twice.")
	default:
		d.wrongFile("config", path, sentence(errors.New(strings.TrimPrefix(err.Error(), path+": "))), "Correct that member; every member and its meaning stands in doc/guides/active-directory.md.")
	}
	if err != nil {
		return false
	}
	d.cfg = cfg
	d.ok("config", path, fmt.Sprintf("The file is right, with %s.", count(len(cfg.Domains), "domain")))
	if _, err := newMapping(cfg.Attributes); err != nil {
		d.wrongFile("config", path, sentence(err), `Correct "attributes": a template is text with ${dir:attribute} in it.`)
	}
	for _, x := range cfg.Domains {
		dom := &domain{Domain: x, bind: x.Bind, service: x.Service}
		if dom.bind == nil {
			dom.bind = cfg.Bind
		}
		if dom.service == nil {
			dom.service = cfg.Service
		}
		d.domains = append(d.domains, dom)
	}
	return true
}

// files looks at the files that the domain names.
func (d *doctor) files(x *domain) {
	if x.CAFile != "" {
		d.caFile(x)
	}
	if x.bind != nil {
		d.secretFile(x.bind.PasswordFile)
		if x.bind.KeytabFile != "" {
			if kt := d.keytabFile(x.bind.KeytabFile); kt != nil {
				d.accountKeys(x, kt)
			}
		}
	}
	if x.service == nil {
		d.warn("keytab", x.DNS, `"service" is missing: no password and no ticket can be checked for this domain.`, "Make a service account with an SPN and a keytab, and name both under service (adlogin and portal need it, adsync does not).")
		return
	}
	if x.keytab = d.keytabFile(x.service.KeytabFile); x.keytab != nil {
		d.serviceKeys(x)
	}
}

func (d *doctor) caFile(x *domain) {
	raw, err := adconfig.ReadFile(x.CAFile)
	if err != nil {
		d.unreadable(x.CAFile, err)
		return
	}
	now, found := d.opt.Now(), 0
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		found++
		switch {
		case now.After(c.NotAfter):
			d.fail("files", x.CAFile, fmt.Sprintf("The certificate of %s ended on %s.", c.Subject, day(c.NotAfter)), "Put the CA's present certificate into caFile.")
		case !c.IsCA && c.CheckSignatureFrom(c) != nil:
			d.warn("files", x.CAFile, fmt.Sprintf("The certificate of %s is not that of a CA.", c.Subject), "Put the certificate of the CA that issued it into caFile, else the next renewal of the server's certificate breaks the connection.")
		}
	}
	if found == 0 {
		d.wrongFile("files", x.CAFile, "There is no PEM certificate in the file.", "Convert it: openssl x509 -inform der -in ca.cer -out ca.pem")
		return
	}
	d.ok("files", x.CAFile, fmt.Sprintf("The file has %s.", count(found, "certificate")))
}

func (d *doctor) secretFile(path string) {
	if path == "" {
		return
	}
	pw, err := (&adconfig.Bind{PasswordFile: path}).Password()
	defer clear(pw)
	switch {
	case err != nil:
		d.unreadable(path, err)
		return
	case len(pw) == 0:
		d.wrongFile("files", path, "The password file is empty.", "Write the account's password into it, as one line.")
		return
	case strings.TrimSpace(string(pw)) != string(pw):
		d.warn("files", path, "The password begins or ends with a space, or the file has more than one line end.", "Remove it if it does not belong to the password; only one line end is dropped.")
	}
	d.mode("files", path)
	d.ok("files", path, "The password file can be read.")
}

func (d *doctor) unreadable(path string, err error) {
	advice := "Let the account that runs the program read it."
	if errors.Is(err, fs.ErrNotExist) {
		advice = "Correct the path; it is relative to the folder of AD.json."
	}
	d.wrongFile("files", path, sentence(err), advice)
}

// mode warns of secrets that others can read.
func (d *doctor) mode(step, path string) {
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
		d.warn(step, path, fmt.Sprintf("Other accounts of this machine may use the file (mode %#o).", st.Mode().Perm()), "chmod 600, owned by the account that runs the program.")
	}
}

func (d *doctor) keytabFile(path string) *kerberos.Keytab {
	raw, err := adconfig.ReadFile(path)
	if err != nil {
		d.unreadable(path, err)
		return nil
	}
	defer clear(raw)
	kt, err := kerberos.ParseKeytab(raw)
	if err != nil {
		d.wrongFile("keytab", path, sentence(err), "Make the keytab anew with ktpass or samba-tool domain exportkeytab, and copy it in binary mode.")
		return nil
	}
	d.mode("keytab", path)
	return kt
}

// serviceKeys holds the keytab against the service's name.
func (d *doctor) serviceKeys(x *domain) {
	path, spn := x.service.KeytabFile, x.service.SPN
	var mine []kerberos.KeytabEntry
	var others []string
	for _, e := range x.keytab.Entries() {
		name := e.Principal + "@" + e.Realm
		switch {
		case strings.EqualFold(e.Principal, spn) && strings.EqualFold(e.Realm, x.Realm()):
			mine = append(mine, e)
		case !slices.Contains(others, name):
			others = append(others, name)
		}
	}
	switch {
	case len(mine) == 0 && len(others) == 0:
		d.fail("keytab", path, "The keytab has no key of a type that is known.", "Make it anew with AES keys: ktpass ... /crypto AES256-SHA1")
	case len(mine) == 0:
		d.fail("keytab", path, fmt.Sprintf("The keytab has no key for %s@%s; it has %s.", spn, x.Realm(), list(others)), "Make it anew for that principal (the realm is in capital letters), or correct service.spn.")
	case !slices.ContainsFunc(mine, aes):
		d.fail("keytab", path, "The keytab has RC4 keys only, which are refused.", "Make it anew with /crypto AES256-SHA1, and tick \"This account supports Kerberos AES 256 bit encryption\" on the account.")
	default:
		d.ok("keytab", path, fmt.Sprintf("The keytab has keys for %s: %s.", spn, keyList(mine)))
	}
}

// accountKeys holds the keytab of the bind account against its name.
func (d *doctor) accountKeys(x *domain, kt *kerberos.Keytab) {
	path := x.bind.KeytabFile
	name := accountName(x.bind.User)
	if !slices.ContainsFunc(kt.Entries(), func(e kerberos.KeytabEntry) bool { return strings.EqualFold(e.Principal, name) && aes(e) }) {
		d.fail("keytab", path, fmt.Sprintf("The keytab has no AES key for %s.", name), "Make it anew for that account: ktutil, ktpass or samba-tool domain exportkeytab --principal=ACCOUNT")
		return
	}
	d.ok("keytab", path, fmt.Sprintf("The keytab has an AES key for %s.", name))
}

// accountName cuts domain and realm off.
func accountName(user string) string {
	if _, name, ok := strings.Cut(user, `\`); ok {
		return name
	}
	name, _, _ := strings.Cut(user, "@")
	return name
}

// Encryption types (RFC 3962, RFC 8009).
const (
	aes128, aes256 = 17, 18
	aes128sha2     = 19
	aes256sha2     = 20
	rc4            = 23
)

func aes(e kerberos.KeytabEntry) bool { return e.EType >= aes128 && e.EType <= aes256sha2 }

func etypeName(t int32) string {
	switch t {
	case aes128:
		return "AES128"
	case aes256:
		return "AES256"
	case aes128sha2:
		return "AES128-SHA256"
	case aes256sha2:
		return "AES256-SHA384"
	case rc4:
		return "RC4"
	}
	return fmt.Sprintf("type %d", t)
}

func keyList(entries []kerberos.KeytabEntry) string {
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s version %d", etypeName(e.EType), e.KVNO))
	}
	return list(out)
}

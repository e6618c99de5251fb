package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// options are the flags after parsing.
type options struct {
	idp            *url.URL
	party          string // entity ID of AWS
	user           string
	role, provider string
	duration       time.Duration
	sts, region    string
	refresh        time.Duration
	cache          cacheFile

	passwordFile, askpass string
	kerberos              bool
	ccache, krb5conf, spn string
	caFile                string
}

const usage = `credential-process signs in at a SAML identity provider and prints temporary AWS credentials as the setting
credential_process of an AWS configuration file wants them.

The password comes from -password-file, from the program -askpass, or from the terminal without echo; with -kerberos the ticket of
the session is used (KRB5CCNAME or -ccache). A second factor is asked for by -askpass or at the terminal.

  credential-process -idp URL -user NAME [-role ARN [-provider ARN]] [flags]
  credential-process -idp URL -kerberos [-role ARN [-provider ARN]] [flags]

`

// parseOptions reads the command line. It returns flag.ErrHelp when help was asked for.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var idp, cache string
	noCache := false
	fs := flag.NewFlagSet("credential-process", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { say(stderr, "%s", usage); fs.PrintDefaults() }
	fs.StringVar(&idp, "idp", "", "base `URL` of the identity provider, for example https://fs.example.com")
	fs.StringVar(&o.party, "rp", "urn:amazon:webservices", "`entity ID` of AWS at the identity provider")
	fs.StringVar(&o.user, "user", "", "`name` for the sign-in form: user@domain or DOMAIN\\user")
	fs.StringVar(&o.role, "role", "", "`ARN` of the role (default: the only one in the assertion)")
	fs.StringVar(&o.provider, "provider", "", "`ARN` of the SAML provider in IAM (default: the one that the assertion names for the role)")
	fs.DurationVar(&o.duration, "duration", 0, "`duration` of the credentials, 15m to 12h (default: as the service has it, 1h)")
	fs.StringVar(&o.sts, "sts", "", "`URL` of the token service (default: that of AWS for region and partition)")
	fs.StringVar(&o.region, "region", "", "AWS `region` of the token service (default: the global one)")
	fs.DurationVar(&o.refresh, "refresh", 5*time.Minute, "get new credentials this `duration` before the kept ones end")
	fs.StringVar(&cache, "cache", "", "`file` that keeps the credentials, mode 0600 (default: one for these flags in the user's cache folder)")
	fs.BoolVar(&noCache, "no-cache", false, "keep nothing")
	fs.StringVar(&o.passwordFile, "password-file", "", "`file` with the password in one line, not readable by others; - is stdin")
	fs.StringVar(&o.askpass, "askpass", "", "`program` that is called with a prompt and prints the password, as ssh-askpass does")
	fs.BoolVar(&o.kerberos, "kerberos", false, "sign in with a Kerberos ticket in place of the password")
	fs.StringVar(&o.ccache, "ccache", os.Getenv("KRB5CCNAME"), "credential cache `file` (KRB5CCNAME)")
	fs.StringVar(&o.krb5conf, "krb5-conf", orElse(os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf"), "`file` that says where the KDCs are (KRB5_CONFIG)")
	fs.StringVar(&o.spn, "spn", "", "service principal `name` of the identity provider (default: HTTP/ and its host)")
	fs.StringVar(&o.caFile, "ca-file", "", "PEM `file` with the roots that may vouch for the identity provider (default: the system's)")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	var err error
	if o.idp, err = parseAddress(idp); err != nil {
		return options{}, err
	}
	if err := o.check(); err != nil {
		return options{}, err
	}
	if !noCache {
		o.cache.key = o.fingerprint()
		o.cache.path, err = o.cachePath(cache)
	}
	return o, err
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func parseAddress(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	switch {
	case s == "":
		return nil, errors.New("-idp is missing")
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("-idp %q must be https://host[:port]", s)
	case u.Scheme == "http" && !loopback(u):
		return nil, errors.New("-idp must be https: the password would be readable on the way")
	}
	return u, nil
}

func (o *options) check() error {
	switch {
	case !o.kerberos && o.user == "":
		return errors.New("-user is missing (or -kerberos)")
	case !o.kerberos && o.passwordFile != "" && o.askpass != "":
		return errors.New("give -password-file or -askpass, not both")
	case o.kerberos && (o.user != "" || o.passwordFile != ""):
		return errors.New("-kerberos takes neither -user nor -password-file")
	case o.kerberos && o.ccache == "":
		return errors.New("there is no ticket: neither -ccache nor KRB5CCNAME names a credential cache")
	}
	return o.checkTrade()
}

// checkTrade looks at what the token service is asked for.
func (o *options) checkTrade() error {
	switch {
	case o.provider != "" && o.role == "":
		return errors.New("-provider without -role")
	case o.role != "" && !strings.Contains(o.role, ":role/"), o.provider != "" && !strings.Contains(o.provider, ":saml-provider/"):
		return errors.New("-role and -provider are ARNs: arn:aws:iam::ACCOUNT:role/NAME, arn:aws:iam::ACCOUNT:saml-provider/NAME")
	case o.duration != 0 && (o.duration < 15*time.Minute || o.duration > 12*time.Hour):
		return errors.New("-duration is not between 15m and 12h")
	case !safeEndpoint(o.sts):
		return errors.New("-sts must be https, or an address of this machine: who reads the assertion has the role")
	case o.refresh < 0:
		return errors.New("-refresh is negative")
	}
	return nil
}

func safeEndpoint(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u))
}

// partitionOf takes the partition from a role's ARN.
func partitionOf(role string) sts.Partition {
	parts := strings.SplitN(role, ":", 3)
	if len(parts) < 3 || !sts.Partition(parts[1]).Valid() {
		return sts.PartitionAWS
	}
	return sts.Partition(parts[1])
}

// cachePath names a file for what the credentials depend on: another role or user never gets the same.
func (o *options) cachePath(name string) (string, error) {
	if name != "" {
		return filepath.Abs(name)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; give -cache or -no-cache", err)
	}
	return filepath.Join(dir, "adfedkit", "credentials-"+o.cache.key+".json"), nil
}

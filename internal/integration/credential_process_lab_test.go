//go:build lab

package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awsParty writes the claim rules for AWS and returns the flag that registers it with the portal's identity provider.
func awsParty(t *testing.T) string {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "aws.rules")
	require.NoError(t, os.WriteFile(rules, []byte(awsRules), 0o600))
	return "entity=urn:amazon:webservices,acs=" + awsSignin + ",name=AWS,rules=" + rules
}

// awsProfiles writes a configuration file of the AWS tools with one profile for each command line and returns the environment
// that uses it.
func awsProfiles(t *testing.T, profiles map[string]string) []string {
	t.Helper()
	var b strings.Builder
	for name, command := range profiles {
		b.WriteString("[profile " + name + "]\nregion = eu-west-1\ncredential_process = " + command + "\n")
	}
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	return []string{"AWS_CONFIG_FILE=" + file}
}

// TestCredentialProcessAWSCLI lets the AWS CLI call the program: password, assertion, credentials; then from the kept file while the
// identity provider is gone; and a wrong password.
func TestCredentialProcessAWSCLI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "Correct-Horse-1\n", "wrong": "not-the-password\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var endpoints string
	var env []string
	outer := t // whose folder outlives the servers
	t.Run("identity provider lives", func(t *testing.T) {
		_, idp := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-rp", awsParty(t)))
		endpoints = awsEndpoints(t, fetch(t, idp+"/FederationMetadata/2007-06/FederationMetadata.xml"))
		command := strings.Join([]string{program(t, "credential-process"), "-idp", idp, "-sts", endpoints, "-role", awsRole, "-user", "alice"}, " ")
		file := func(name string) string {
			return " -password-file " + filepath.Join(dir, name) + " -cache " + filepath.Join(dir, name+".json")
		}
		env = awsProfiles(outer, map[string]string{"logs": command + file("good"), "wrong": command + file("wrong")})
		out, errs, ok := awsCLI(t, endpoints, env, "sts", "get-caller-identity", "--profile", "logs")
		require.True(t, ok, errs)
		require.Contains(t, out, "assumed-role/LogsReader/alice@example.com")
		_, errs, ok = awsCLI(t, endpoints, env, "sts", "get-caller-identity", "--profile", "wrong")
		require.False(t, ok)
		require.Contains(t, errs, "refused the sign-in")
		require.NoFileExists(t, filepath.Join(dir, "wrong.json"))
		// The token service lives until the end of this subtest: the identity provider is not asked again.
		info, err := os.Stat(filepath.Join(dir, "good.json"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		for _, address := range []string{idp, "http://127.0.0.1:9"} {
			// Another address is another key of the cache: it must not get what was kept for this one.
			again := strings.Replace(command, idp, address, 1) + file("good")
			_, errs, ok := awsCLI(t, endpoints, awsProfiles(t, map[string]string{"logs": again}), "sts", "get-caller-identity", "--profile", "logs")
			require.Equal(t, address == idp, ok, errs)
		}
	})
	// Both servers have ended; what was kept is still given to the tools, who fail at the token service alone. Its own port
	// may be another test's by now.
	_, errs, ok := awsCLI(t, "http://127.0.0.1:"+freePort(t), env, "sts", "get-caller-identity", "--profile", "logs")
	require.False(t, ok)
	require.Contains(t, errs, "Could not connect to the endpoint URL")
	require.NotContains(t, errs, "credential-process:")
}

// TestSambaCredentialProcess signs in with the ticket of kinit at the portal's identity provider in a real domain.
func TestSambaCredentialProcess(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "credential-process")
	l.portalConfig()
	_, idp := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-ad", filepath.Join(l.dir, "AD.json"),
		"-assignments", filepath.Join(l.dir, "ASSIGN.json"), "-org", filepath.Join(l.dir, "ORG.json"), "-rp", awsParty(t)))
	endpoints := awsEndpoints(t, fetch(t, idp+"/FederationMetadata/2007-06/FederationMetadata.xml"))
	conf := labEnv(t, "ADLAB_KRB5_CONF")
	env := kinit(t, conf, "alice@"+labEnv(t, "ADLAB_REALM"), labEnv(t, "ADLAB_USER_PASS"))
	ccache := strings.TrimPrefix(env[len(env)-1], "KRB5CCNAME=")
	args := []string{"-idp", idp, "-sts", endpoints, "-kerberos", "-krb5-conf", conf, "-ccache", ccache, "-no-cache"}
	spn := []string{"-spn", labEnv(t, "ADLAB_SPN")}
	r := runProgram(t, "", "credential-process", append(args, spn...)...)
	require.Equal(t, 0, r.code, r.stderr)
	var c struct {
		Version     int
		AccessKeyID string `json:"AccessKeyId"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &c))
	require.Equal(t, 1, c.Version)
	require.True(t, strings.HasPrefix(c.AccessKeyID, "ASIA"), c.AccessKeyID)

	// The guide's profile, with the lab's addresses added.
	guide, err := os.ReadFile(filepath.Join(root, "doc", "guides", "second-factor.md"))
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^credential_process = credential-process (.*)$`).FindStringSubmatch(string(guide))
	require.NotNil(t, line)
	again := runProgram(t, "", "credential-process", append(append(strings.Fields(strings.Replace(line[1], "https://fs.example.com", idp, 1)), args[2:]...), spn...)...)
	require.Equal(t, 0, again.code, again.stderr)
	require.Contains(t, again.stdout, `"AccessKeyId":"ASIA`)

	profile := awsProfiles(t, map[string]string{"logs": strings.Join(append(append([]string{program(t, "credential-process")}, args...), spn...), " ")})
	out, errs, ok := awsCLI(t, endpoints, profile, "sts", "get-caller-identity", "--profile", "logs")
	require.True(t, ok, errs)
	require.Contains(t, out, "assumed-role/LogsReader/alice@")

	r = runProgram(t, "", "credential-process", append(args, "-spn", "HTTP/nobody.corp.example.test")...)
	require.NotEqual(t, 0, r.code, "no such service")
	require.Empty(t, r.stdout)
}

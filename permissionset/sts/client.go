package sts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// ClientConfig configures a [Client]. The zero value talks to AWS in the aws partition.
type ClientConfig struct {
	Partition          Partition    // empty means "aws"
	Region             string       // of the addresses; empty means the global ones
	STSEndpoint        string       // empty means that of partition and region
	FederationEndpoint string       // empty means https://<sign-in host>/federation
	HTTP               *http.Client // nil means a client of our own with a time-out of 30 s
	// DurationFallback asks again with one hour when a role does not allow the wanted duration.
	DurationFallback bool
}

// Client calls AssumeRoleWithSAML and the federation endpoint. It is safe for concurrent use.
type Client struct{ cfg ClientConfig }

// NewClient checks the configuration and returns a client. Nothing is sent.
func NewClient(cfg ClientConfig) (*Client, error) {
	if !cfg.Partition.Valid() {
		return nil, errors.New("sts: ClientConfig.Partition is unknown")
	}
	cfg.Partition = cfg.Partition.orDefault()
	if cfg.STSEndpoint == "" {
		cfg.STSEndpoint = cfg.Partition.STSEndpoint(cfg.Region)
	}
	if cfg.FederationEndpoint == "" {
		cfg.FederationEndpoint = "https://" + cfg.Partition.SigninHost(cfg.Region) + "/federation"
	}
	for name, s := range map[string]string{"STSEndpoint": cfg.STSEndpoint, "FederationEndpoint": cfg.FederationEndpoint} {
		if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("sts: ClientConfig." + name + " is no http or https address")
		}
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	return &Client{cfg: cfg}, nil
}

// AssumeRoleWithSAML trades an assertion for credentials. The error is an [*APIError] when the service refused.
func (c *Client) AssumeRoleWithSAML(ctx context.Context, in AssumeInput) (*AssumeOutput, error) {
	out, err := c.assume(ctx, in)
	if e, ok := errors.AsType[*APIError](err); ok && c.cfg.DurationFallback && e.Code == "ValidationError" &&
		in.Duration > defaultDuration && strings.Contains(e.Message, "MaxSessionDuration") {
		in.Duration = defaultDuration
		return c.assume(ctx, in)
	}
	return out, err
}

func (c *Client) assume(ctx context.Context, in AssumeInput) (*AssumeOutput, error) {
	form := url.Values{
		"Action": {"AssumeRoleWithSAML"}, "Version": {"2011-06-15"}, "RoleArn": {in.RoleARN}, "PrincipalArn": {in.PrincipalARN},
		"SAMLAssertion": {in.SAMLAssertion},
	}
	for i, arn := range in.PolicyARNs {
		form.Set("PolicyArns.member."+strconv.Itoa(i+1)+".arn", arn)
	}
	if in.Policy != "" {
		form.Set("Policy", in.Policy)
	}
	if in.Duration != 0 {
		form.Set("DurationSeconds", strconv.FormatInt(int64(in.Duration/time.Second), 10))
	}
	status, body, err := c.post(ctx, c.cfg.STSEndpoint, form)
	if err != nil {
		return nil, err
	}
	doc, err := xmlgate.Parse(body, xmlgate.Limits{})
	if err != nil {
		return nil, fmt.Errorf("sts: answer with status %d is no XML: %w", status, err)
	}
	if status != http.StatusOK {
		return nil, answeredError(status, doc.Root())
	}
	return readAssume(doc.Root())
}

// maxAnswer bounds what a service may send.
const maxAnswer = 1 << 20

// post sends a form. Nothing follows a redirect: the form holds credentials.
func (c *Client) post(ctx context.Context, endpoint string, form url.Values) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, fmt.Errorf("sts: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	hc := *c.cfg.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("sts: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("sts: %w", err)
	}
	return resp.StatusCode, body, nil
}

// child walks down by local names in the namespace of the STS API and returns the text.
func child(el xmlgate.Elem, names ...string) string {
	for _, n := range names {
		next, k := el.Only(namespace, n)
		if k != 1 {
			return ""
		}
		el = next
	}
	s, _ := el.Text()
	return s
}

func answeredError(status int, root xmlgate.Elem) *APIError {
	e := &APIError{Code: child(root, "Error", "Code"), Message: child(root, "Error", "Message"), StatusCode: status, RequestID: child(root, "RequestId")}
	if e.Code == "" {
		e.Code = "Unknown"
	}
	return e
}

func readAssume(root xmlgate.Elem) (*AssumeOutput, error) {
	res, n := root.Only(namespace, "AssumeRoleWithSAMLResult")
	if n != 1 {
		return nil, errors.New("sts: answer without AssumeRoleWithSAMLResult")
	}
	get := func(names ...string) string { return child(res, names...) }
	end, err := time.Parse(time.RFC3339, get("Credentials", "Expiration"))
	if err != nil {
		return nil, fmt.Errorf("sts: expiration: %w", err)
	}
	packed, _ := strconv.Atoi(get("PackedPolicySize")) // absent is 0
	out := &AssumeOutput{
		Credentials: Credentials{
			AccessKeyID: get("Credentials", "AccessKeyId"), SecretAccessKey: get("Credentials", "SecretAccessKey"),
			SessionToken: get("Credentials", "SessionToken"), Expiration: end,
		},
		AssumedRoleARN: get("AssumedRoleUser", "Arn"), AssumedRoleID: get("AssumedRoleUser", "AssumedRoleId"), Issuer: get("Issuer"),
		Subject: get("Subject"), SubjectType: get("SubjectType"), Audience: get("Audience"), NameQualifier: get("NameQualifier"),
		SourceIdentity: get("SourceIdentity"), PackedPolicySize: packed,
	}
	if out.Credentials.AccessKeyID == "" || out.Credentials.SecretAccessKey == "" || out.Credentials.SessionToken == "" {
		return nil, errors.New("sts: answer without credentials")
	}
	return out, nil
}

// SigninOptions are what a console sign-in needs beside credentials.
type SigninOptions struct {
	Issuer      string        // address of our own sign-in page, offered when the session has ended
	Destination string        // console address; empty means the console's start page
	Duration    time.Duration // of the console session, 15 min to 12 h; 0 means the lifetime of the credentials
}

// SigninTokenQuery returns the parameters of getSigninToken. They hold the credentials: send them in a body.
func SigninTokenQuery(c Credentials, duration time.Duration) (url.Values, error) {
	session, err := json.Marshal(consoleSession{c.AccessKeyID, c.SecretAccessKey, c.SessionToken}) //nolint:gosec // the endpoint wants the secret
	if err != nil {
		return nil, fmt.Errorf("sts: %w", err)
	}
	q := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	if duration != 0 {
		if duration < minDuration || duration > maxDuration {
			return nil, errors.New("sts: console session duration is not between 15 min and 12 h")
		}
		q.Set("SessionDuration", strconv.FormatInt(int64(duration/time.Second), 10))
	}
	return q, nil
}

// LoginQuery returns the parameters of the address that opens the console.
func LoginQuery(token string, o SigninOptions) url.Values {
	return url.Values{"Action": {"login"}, "Issuer": {o.Issuer}, "Destination": {o.Destination}, "SigninToken": {token}}
}

// SigninURL fetches a sign-in token for credentials and returns the address that opens the console. The address is a
// secret for fifteen minutes: redirect to it, and write it nowhere.
func (c *Client) SigninURL(ctx context.Context, creds Credentials, o SigninOptions) (string, error) {
	if o.Destination == "" {
		o.Destination = c.cfg.Partition.ConsoleURL()
	}
	if !c.cfg.Partition.ConsoleDestination(o.Destination) {
		return "", errors.New("sts: destination is not on the console of the partition")
	}
	q, err := SigninTokenQuery(creds, o.Duration)
	if err != nil {
		return "", err
	}
	status, body, err := c.post(ctx, c.cfg.FederationEndpoint, q)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", &APIError{Code: "SigninTokenRefused", Message: "the federation endpoint gave no sign-in token", StatusCode: status}
	}
	var out struct{ SigninToken string }
	if err := json.Unmarshal(body, &out); err != nil || out.SigninToken == "" {
		return "", errors.New("sts: answer without a sign-in token")
	}
	return c.cfg.FederationEndpoint + "?" + LoginQuery(out.SigninToken, o).Encode(), nil
}

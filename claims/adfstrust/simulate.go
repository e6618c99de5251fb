package adfstrust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

// SimulatorConfig configures a [Simulator].
type SimulatorConfig struct {
	Trust    Trust
	Provider Provider // zero: the local directory with its default acceptance rules and pass-through of UPN

	// Policy replaces the trust's access control policy. nil: the policy of that name, if AD FS brings it along.
	Policy *claims.AccessPolicy
	// GroupSIDs turns DOMAIN\name in policy parameters into SIDs.
	GroupSIDs map[string]string

	GlobalAdditionalRules string // additional authentication rules of the federation service
	Stores                claims.Stores
	Options               claims.Options
	Request               claims.SAMLRequest // what the partner asks for
}

// A Simulator runs one trust for one user after the other. It is safe for concurrent use.
type Simulator struct {
	cfg      SimulatorConfig
	pipeline *claims.Pipeline
}

// A RulesError says which rule set of a trust is not valid.
type RulesError struct {
	Set string // name of the property
	Err error
}

// Error names the rule set.
func (e *RulesError) Error() string { return "adfstrust: " + e.Set + ": " + e.Err.Error() }

// Unwrap returns the errors of the rules.
func (e *RulesError) Unwrap() error { return e.Err }

// NewSimulator compiles all rules of a trust. A trust with an unknown access control policy is refused.
func NewSimulator(cfg SimulatorConfig) (*Simulator, error) {
	var err error
	compile := func(set, text string) *claims.Program {
		if err != nil || strings.TrimSpace(text) == "" {
			return nil
		}
		p, e := claims.CompileText(text, cfg.Options)
		if e != nil {
			err = &RulesError{set, e}
		}
		return p
	}
	pc := claims.PipelineConfig{
		Provider:                       cfg.Provider.Identifier,
		Acceptance:                     compile("AcceptanceTransformRules", cfg.Provider.AcceptanceRules),
		Issuance:                       compile("IssuanceTransformRules", cfg.Trust.IssuanceTransformRules),
		Authorization:                  compile("IssuanceAuthorizationRules", cfg.Trust.IssuanceAuthorizationRules),
		AdditionalAuthentication:       compile("AdditionalAuthenticationRules", cfg.Trust.AdditionalAuthenticationRules),
		GlobalAdditionalAuthentication: compile("global AdditionalAuthenticationRules", cfg.GlobalAdditionalRules),
		Delegation:                     compile("DelegationAuthorizationRules", cfg.Trust.DelegationAuthorizationRules),
		Impersonation:                  compile("ImpersonationAuthorizationRules", cfg.Trust.ImpersonationRules),
		Stores:                         cfg.Stores,
	}
	if err != nil {
		return nil, err
	}
	if cfg.Provider == (Provider{}) {
		pc.Provider = claims.ADAuthority
		rules := claims.DefaultAcceptanceRules()
		rules.Rules = append(rules.Rules, claims.Generate(claims.TemplateParams{Template: claims.TemplatePassAll, Incoming: claims.TypeUPN}))
		if pc.Acceptance, err = claims.Compile(rules, cfg.Options); err != nil {
			return nil, err
		}
	}
	empty := &claims.RuleSet{}
	if pc.Acceptance == nil {
		pc.Acceptance, _ = claims.Compile(empty, cfg.Options)
	}
	if pc.Issuance == nil {
		pc.Issuance, _ = claims.Compile(empty, cfg.Options)
	}
	if err := cfg.policy(&pc); err != nil {
		return nil, err
	}
	pipeline, err := claims.NewPipeline(pc)
	if err != nil {
		return nil, err
	}
	return &Simulator{cfg, pipeline}, nil
}

// policy chooses between authorization rules and an access control policy: AD FS knows one or the other.
func (cfg *SimulatorConfig) policy(pc *claims.PipelineConfig) error {
	p := cfg.Policy
	if p == nil && cfg.Trust.AccessControlPolicyName != "" {
		if p = KnownPolicy(cfg.Trust.AccessControlPolicyName); p == nil {
			return fmt.Errorf("adfstrust: access control policy %q is not known: export it", cfg.Trust.AccessControlPolicyName)
		}
	}
	switch {
	case p == nil && pc.Authorization == nil:
		pc.Authorization, _ = claims.Compile(&claims.RuleSet{}, cfg.Options)
		return nil
	case p == nil:
		return nil
	case pc.Authorization != nil:
		return errors.New("adfstrust: the trust has authorization rules and an access control policy")
	}
	var sids []string
	for _, g := range cfg.Trust.AccessControlPolicyParameters {
		if !strings.HasPrefix(g, "S-1-") {
			sid, ok := cfg.GroupSIDs[g]
			if !ok {
				return fmt.Errorf("adfstrust: no SID is known for group %q of the access control policy", g)
			}
			g = sid
		}
		sids = append(sids, g)
	}
	if len(sids) > 0 {
		p = p.WithParameter(sids...)
	}
	pc.Policy = p
	return nil
}

// A User is whom the trust is run for.
type User struct {
	Claims  []claims.Claim // as the claims provider makes them
	Context []claims.Claim // of the request
}

// A Problem is something that keeps the partner from getting what it needs.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of problems.
const (
	ProblemDisabled  = "trust_disabled"
	ProblemDenied    = "denied"
	ProblemUndecided = "nobody_permitted"
	ProblemNoNameID  = "no_name_id"
	ProblemNameIDs   = "several_name_ids"
	ProblemFormat    = "name_id_format"
	ProblemToken     = "token"
	ProblemLost      = "type_not_accepted"
	ProblemProvider  = "provider_not_allowed"
)

// A Report says what the partner would receive, and what stands in the way.
type Report struct {
	Permitted    bool                  `json:"permitted"`
	Decision     string                `json:"decision"`
	SecondFactor bool                  `json:"secondFactor"`
	Token        *claims.SAMLToken     `json:"token"` // nil: nothing
	Output       []claims.Claim        `json:"output"`
	Problems     []Problem             `json:"problems"`
	Trace        *claims.PipelineTrace `json:"trace"`
}

// Run runs the trust for a user. A rule that fails is an error with the trace in the report; a user who gets nothing is a
// report with problems.
func (s *Simulator) Run(ctx context.Context, u User) (Report, error) {
	res, err := s.pipeline.Explain(ctx, claims.PipelineInput{Claims: u.Claims, Context: u.Context})
	rep := Report{Decision: res.Decision.String(), SecondFactor: res.SecondFactor, Problems: []Problem{}, Trace: res.Trace}
	if err != nil {
		return rep, err
	}
	problem := func(code, format string, args ...any) {
		rep.Problems = append(rep.Problems, Problem{code, fmt.Sprintf(format, args...)})
	}
	for _, l := range res.Trace.Lost {
		problem(ProblemLost, "%s comes in, but no acceptance rule lets it through; rules %v of the relying party ask for it", l.Type, l.Rules)
	}
	t := &s.cfg.Trust
	switch {
	case !t.Enabled:
		problem(ProblemDisabled, "the trust is disabled")
		return rep, nil
	case s.cfg.Provider.Name != "" && len(t.ClaimsProviderNames) > 0 && !slices.Contains(t.ClaimsProviderNames, s.cfg.Provider.Name):
		problem(ProblemProvider, "the trust does not accept users of this claims provider")
		return rep, nil
	case res.Decision == claims.Deny:
		problem(ProblemDenied, "a rule denies this user")
		return rep, nil
	case !res.Permitted:
		problem(ProblemUndecided, "no rule permits this user")
		return rep, nil
	}
	rep.Permitted, rep.Output = true, res.Output
	rep.Token, err = claims.ToSAML(res.Output, s.cfg.Request)
	switch {
	case errors.Is(err, claims.ErrTwoNameIDs):
		problem(ProblemNameIDs, "more than one name identifier is issued: the request fails (ID4139)")
	case errors.Is(err, claims.ErrNameIDPolicy):
		problem(ProblemFormat, "the name identifier is not of the requested format: the request fails (MSIS7070)")
	case err != nil:
		problem(ProblemToken, "%v", err)
	case rep.Token.NameID == nil:
		problem(ProblemNoNameID, "no name identifier is issued; most partners refuse such a token")
	}
	return rep, nil
}

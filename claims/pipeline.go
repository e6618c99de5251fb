package claims

import (
	"context"
	"errors"
	"slices"
)

// PipelineConfig configures a [Pipeline]: the rules of one claims provider and one relying party.
type PipelineConfig struct {
	Provider   string   // name of the claims provider; becomes the Issuer of its claims. ADAuthority for the local directory
	Acceptance *Program // acceptance transform rules of the claims provider
	Issuance   *Program // issuance transform rules of the relying party

	// Exactly one of the two decides who gets a token.
	Authorization *Program
	Policy        *AccessPolicy

	AdditionalAuthentication       *Program // of the relying party: asks for a second factor; nil asks never
	GlobalAdditionalAuthentication *Program // of the federation service; one of the two is enough to ask
	Delegation                     *Program // who may act as another user; nil means nobody
	Impersonation                  *Program // who may be impersonated by a service; nil means nobody

	FilterContext bool   // request context claims pass the acceptance rules, as in AD FS 2.0; else they need no rule
	Stores        Stores // attribute stores of all rules
}

// A Pipeline carries the claims of one sign-in from the claims provider to the relying party. It is safe for concurrent use.
type Pipeline struct{ cfg PipelineConfig }

// NewPipeline checks the configuration.
func NewPipeline(cfg PipelineConfig) (*Pipeline, error) {
	switch {
	case cfg.Provider == "":
		return nil, errors.New("claims: PipelineConfig.Provider is empty")
	case cfg.Acceptance == nil:
		return nil, errors.New("claims: PipelineConfig.Acceptance is nil")
	case cfg.Issuance == nil:
		return nil, errors.New("claims: PipelineConfig.Issuance is nil")
	case (cfg.Authorization == nil) == (cfg.Policy == nil):
		return nil, errors.New("claims: PipelineConfig needs Authorization or Policy, and not both")
	}
	if cfg.Policy != nil {
		if err := cfg.Policy.Check(); err != nil {
			return nil, err
		}
	}
	return &Pipeline{cfg: cfg}, nil
}

// PipelineInput is what is known about one sign-in.
type PipelineInput struct {
	Claims  []Claim // from the claims provider; their Issuer is set by the pipeline
	Context []Claim // what the federation service itself knows about the request: addresses, endpoint, authentication methods
}

// A PipelineResult is the outcome of one sign-in.
type PipelineResult struct {
	Permitted    bool     // the relying party may get a token
	Decision     Decision // of the authorization rules; Undecided is not permitted
	SecondFactor bool     // a second factor is asked for and Context does not show one yet
	Accepted     []Claim  // what the acceptance rules let through, with the context
	Output       []Claim  // for the token; nil unless Permitted
	Trace        *PipelineTrace
}

// A PipelineTrace explains a sign-in stage by stage.
type PipelineTrace struct {
	Acceptance       *Trace          `json:"acceptance"`
	Authorization    *Trace          `json:"authorization,omitempty"`
	Policy           []AccessOutcome `json:"policy,omitempty"`
	AdditionalGlobal *Trace          `json:"additionalGlobal,omitempty"`
	Additional       *Trace          `json:"additional,omitempty"`
	Issuance         *Trace          `json:"issuance,omitempty"`
	Lost             []LostType      `json:"lost,omitempty"`
}

// A LostType is a claim type that came in, that the relying party's rules ask for, and that no acceptance rule let
// through: the commonest reason why a rule does not fire.
type LostType struct {
	Type  string `json:"type"`
	Rules []int  `json:"rules"` // of the relying party, from 1, authorization before issuance
}

// Run decides a sign-in. After an error the result is empty: nobody is permitted. Output is filled for a permitted
// sign-in even when SecondFactor is set: ask for the factor, then run again with the method in Context.
func (p *Pipeline) Run(ctx context.Context, in PipelineInput) (PipelineResult, error) {
	return p.run(ctx, in, (*Program).Evaluate)
}

// Explain is [Pipeline.Run] with a trace, also after an error.
func (p *Pipeline) Explain(ctx context.Context, in PipelineInput) (PipelineResult, error) {
	tr := &PipelineTrace{}
	var stages []*Trace
	res, err := p.run(ctx, in, func(prog *Program, ctx context.Context, in []Claim, st Stores) (Result, error) {
		r, err := prog.Explain(ctx, in, st)
		stages = append(stages, r.Trace)
		return r, err
	})
	next := func(present bool) *Trace {
		if !present || len(stages) == 0 {
			return nil
		}
		t := stages[0]
		stages = stages[1:]
		return t
	}
	tr.Acceptance = next(true)
	tr.Authorization = next(p.cfg.Authorization != nil)
	if p.cfg.Policy != nil {
		_, _, tr.Policy = p.cfg.Policy.decide(res.Accepted)
	}
	tr.AdditionalGlobal = next(p.cfg.GlobalAdditionalAuthentication != nil)
	tr.Additional = next(p.cfg.AdditionalAuthentication != nil)
	tr.Issuance = next(true)
	tr.Lost = p.lost(in.Claims, res.Accepted)
	res.Trace = tr
	return res, err
}

type evaluateFunc func(*Program, context.Context, []Claim, Stores) (Result, error)

func (p *Pipeline) run(ctx context.Context, in PipelineInput, evaluate evaluateFunc) (PipelineResult, error) {
	accepted, err := p.accept(ctx, in, evaluate)
	if err != nil {
		return PipelineResult{}, err
	}
	res := PipelineResult{Accepted: accepted}
	if p.cfg.Policy != nil {
		res.Decision, res.SecondFactor, _ = p.cfg.Policy.decide(accepted)
	} else {
		auth, err := evaluate(p.cfg.Authorization, ctx, accepted, p.cfg.Stores)
		if err != nil {
			return PipelineResult{}, err
		}
		res.Decision = auth.Decision
	}
	for _, prog := range []*Program{p.cfg.GlobalAdditionalAuthentication, p.cfg.AdditionalAuthentication} {
		if prog == nil {
			continue
		}
		r, err := evaluate(prog, ctx, accepted, p.cfg.Stores)
		if err != nil {
			return PipelineResult{}, err
		}
		res.SecondFactor = res.SecondFactor || asksSecondFactor(r.Output)
	}
	res.SecondFactor = res.SecondFactor && !hasSecondFactor(accepted)
	if res.Decision != Permit {
		return res, nil
	}
	out, err := evaluate(p.cfg.Issuance, ctx, accepted, p.cfg.Stores)
	if err != nil {
		return PipelineResult{}, err
	}
	res.Permitted, res.Output = true, out.Output
	return res, nil
}

// accept runs the acceptance rules and returns the claims that both rule sets of the relying party start from.
func (p *Pipeline) accept(ctx context.Context, in PipelineInput, evaluate evaluateFunc) ([]Claim, error) {
	incoming := make([]Claim, 0, len(in.Claims)+len(in.Context))
	for _, c := range in.Claims {
		c.Issuer = p.cfg.Provider
		incoming = append(incoming, c)
	}
	incoming = append(incoming, in.Context...)
	r, err := evaluate(p.cfg.Acceptance, ctx, incoming, p.cfg.Stores)
	if err != nil {
		return nil, err
	}
	accepted := r.Output
	if !p.cfg.FilterContext {
		accepted = append(slices.Clone(accepted), in.Context...)
	}
	return accepted, nil
}

func asksSecondFactor(out []Claim) bool {
	return slices.ContainsFunc(out, func(c Claim) bool {
		return c.Type == TypeAuthenticationMethod && c.Value == MultipleAuthn
	})
}

// typeMethods lists how the user proved who he is.
const typeMethods = microsoft + "claims/authnmethodsreferences"

// hasSecondFactor trusts only what the federation service itself said, not what a partner's token claims.
func hasSecondFactor(accepted []Claim) bool {
	return slices.ContainsFunc(accepted, func(c Claim) bool {
		return c.Type == typeMethods && c.Value == MultipleAuthn && localIssuer(c.Issuer)
	})
}

func localIssuer(issuer string) bool {
	return issuer == ADAuthority || issuer == LocalAuthority || issuer == SelfAuthority
}

// MayDelegate reports whether the delegation rules permit the accepted claims to act as another user.
func (p *Pipeline) MayDelegate(ctx context.Context, accepted []Claim) (bool, error) {
	return p.permits(ctx, p.cfg.Delegation, accepted)
}

// MayImpersonate reports whether the impersonation rules permit the accepted claims.
func (p *Pipeline) MayImpersonate(ctx context.Context, accepted []Claim) (bool, error) {
	return p.permits(ctx, p.cfg.Impersonation, accepted)
}

func (p *Pipeline) permits(ctx context.Context, prog *Program, accepted []Claim) (bool, error) {
	if prog == nil {
		return false, nil
	}
	r, err := prog.Evaluate(ctx, accepted, p.cfg.Stores)
	return err == nil && r.Decision == Permit, err
}

// lost finds the types that came in and that rules of the relying party select, but that were not accepted.
func (p *Pipeline) lost(in, accepted []Claim) []LostType {
	gone := map[string]bool{}
	for _, c := range in {
		gone[c.Type] = true
	}
	for _, c := range accepted {
		delete(gone, c.Type)
	}
	var out []LostType
	add := func(t string, rule int) {
		i := slices.IndexFunc(out, func(l LostType) bool { return l.Type == t })
		if i < 0 {
			i = len(out)
			out = append(out, LostType{Type: t})
		}
		if !slices.Contains(out[i].Rules, rule) {
			out[i].Rules = append(out[i].Rules, rule)
		}
	}
	for _, prog := range []*Program{p.cfg.Authorization, p.cfg.Issuance} {
		if prog == nil {
			continue
		}
		for i, r := range prog.set.Rules {
			for _, t := range selectedTypes(r) {
				if gone[t] {
					add(t, i+1)
				}
			}
		}
	}
	return out
}

// selectedTypes returns the literals of Type == in a rule.
func selectedTypes(r *Rule) []string {
	var out []string
	for _, c := range r.Conditions {
		if t := selectedType(selectorOf(c)); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// selectedType returns the literal of the selector's Type ==, or "".
func selectedType(s *Selector) string {
	for _, con := range s.Constraints {
		if l, ok := con.Right.(*Literal); ok && con.Property.Name == PropType && con.Op == "==" {
			return l.Raw
		}
	}
	return ""
}

package policy

// layers holds the rules of all layers.
type layers struct {
	opt    Options
	single [4]*layer // identity, boundary, session, resource; nil when there is none
	scps   []*layer
	rcps   []*layer
}

// layer is the rules of one layer, or of one level of an organisation.
type layer struct {
	id    Layer
	level string
	rules []placed
	index *layerIndex // nil until compiled
}

// placed is a rule with the place of its document in the layer.
type placed struct {
	*rule
	policy int
}

func newLayer(id Layer, level string, docs []*Document) *layer {
	l := &layer{id: id, level: level}
	n := 0
	for _, d := range docs {
		n += len(d.rules)
	}
	l.rules = make([]placed, 0, n)
	for i, d := range docs {
		for _, r := range d.rules {
			l.rules = append(l.rules, placed{r, i})
		}
	}
	return l
}

func newLayers(p Policies, opt Options) *layers {
	ls := &layers{opt: opt}
	ls.single[LayerIdentity] = newLayer(LayerIdentity, "", p.Identity)
	if len(p.Boundary) > 0 {
		ls.single[LayerBoundary] = newLayer(LayerBoundary, "", p.Boundary)
	}
	if len(p.Session) > 0 {
		ls.single[LayerSession] = newLayer(LayerSession, "", p.Session)
	}
	if p.Resource != nil {
		ls.single[LayerResource] = newLayer(LayerResource, "", []*Document{p.Resource})
	}
	for _, lv := range p.SCPs {
		ls.scps = append(ls.scps, newLayer(LayerSCPs, lv.OrgIdentifier, lv.Policies))
	}
	for _, lv := range p.RCPs {
		ls.rcps = append(ls.rcps, newLayer(LayerRCPs, lv.OrgIdentifier, lv.Policies))
	}
	return ls
}

// all visits the layers in the order of explanations.
func (ls *layers) all(visit func(*layer)) {
	for _, l := range ls.single {
		if l != nil {
			visit(l)
		}
	}
	for _, l := range ls.scps {
		visit(l)
	}
	for _, l := range ls.rcps {
		visit(l)
	}
}

// each visits every statement in the order of explanations.
func (ls *layers) each(visit func(*layer, placed)) {
	ls.all(func(l *layer) {
		for _, r := range l.rules {
			visit(l, r)
		}
	})
}

// decide asks each layer.
func (ls *layers) decide(r *Request) Result {
	e := newEnv(r, &ls.opt, false)
	var o outcome
	ls.frame(&o, &e)
	ls.ask(&o, &e)
	if e.spent != nil {
		return Result{DecidedBy: e.spent.id, Err: e.over()}
	}
	return o.decide()
}

func (ls *layers) ask(o *outcome, e *env) {
	for i, l := range ls.single {
		if l != nil {
			o.found[i] = l.ask(e)
		}
	}
	o.scpLevels = true
	for _, l := range ls.scps {
		f := l.ask(e)
		o.scpLevels = o.scpLevels && f.grant != grantNone
		o.found[LayerSCPs].denied = o.found[LayerSCPs].denied || f.denied
		o.found[LayerSCPs].grant = max(o.found[LayerSCPs].grant, f.grant)
	}
	for _, l := range ls.rcps {
		f := l.ask(e)
		o.found[LayerRCPs].denied = o.found[LayerRCPs].denied || f.denied
	}
}

// frame sets what does not come from statements.
func (ls *layers) frame(o *outcome, e *env) {
	for i, l := range ls.single {
		o.present[i] = l != nil
	}
	o.present[LayerSCPs], o.present[LayerRCPs] = len(ls.scps) > 0, len(ls.rcps) > 0
	o.hasPolicies = e.who.hasPolicies()
	if !o.hasPolicies {
		o.present[LayerIdentity] = len(ls.single[LayerIdentity].rules) > 0
	}
	o.sameAcct = e.who.account != "" && e.resourceAccount() == e.who.account
	o.mustGrant = ls.opt.mustGrant(e, ls.single[LayerResource] != nil)
}

// ask looks the request up in one layer. Once the work is used up, no layer is asked.
func (l *layer) ask(e *env) found {
	var f found
	switch {
	case e.spent != nil:
		return f
	case l.index != nil:
		f = l.index.ask(e)
	default:
		f = l.walk(e)
	}
	e.close(l)
	return f
}

// walk looks at every statement.
func (l *layer) walk(e *env) found {
	var f found
	service, name := splitAction(e.req.Action)
	for _, r := range l.rules {
		if r.effect == Allow && f.grant == grantDirect || !r.matchAction(service, name, &e.work) {
			continue
		}
		f.add(r.rule, r.settle(e))
		if f.denied {
			return f
		}
	}
	return f
}

// settle evaluates everything but the action.
func (r *rule) settle(e *env) grant {
	g := r.matchPrincipal(e)
	if g == grantNone || r.matchResource(e) != yes || r.matchConds(e) != yes {
		return grantNone
	}
	return g
}

func (f *found) add(r *rule, g grant) {
	switch {
	case g == grantNone:
	case r.effect == Deny:
		f.denied = true
	default:
		f.grant = max(f.grant, g)
	}
}

package policy

// Evaluator decides many requests against one set of policies. It is safe for concurrent use.
//
// The first request for an action collects the statements that speak of it and files their resource patterns by their
// literal beginning; later ones look at what fits the beginning of the ARN only. Memory for this is bounded; actions
// beyond the bound are decided by walking over the statements of their service.
type Evaluator struct {
	ls *layers
}

// Compile prepares policies for many decisions.
func Compile(p Policies, opt Options) *Evaluator {
	ev := &Evaluator{ls: newLayers(p, opt)}
	ev.ls.all(func(l *layer) { l.index = newLayerIndex(l.rules) })
	return ev
}

// Decide answers as the function [Decide] does. It allocates nothing once it has seen the action.
func (ev *Evaluator) Decide(r Request) Result { return ev.ls.decide(&r) }

// Partial answers as the function [Partial] does.
func (ev *Evaluator) Partial(r Request) PartialResult { return ev.ls.partial(&r) }

package adsync

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// DefaultSource is the name under which a store knows the records of Active Directory.
const DefaultSource = "ad"

// Config configures an [Engine]. The fields above the blank line are required.
type Config struct {
	Service *identitystore.Service // where to
	From    Source                 // where from

	Source     string              // name of the source in the store; "" means [DefaultSource]
	Mapping    *Mapping            // nil means the default mapping
	Guard      identitystore.Guard // zero: 500 removals, or 20 % of what is stored if that is less, never below 10
	DirectOnly bool                // do not count members of nested groups; must be as in the service's configuration
	Owner      string              // name of this writer, and of no other, in the lease; "" means a random one
	LeaseTTL   time.Duration       // how long the lease outlives a writer that died; renewed during a run; 0 means 2 minutes
	// OwnerGone reports whether the writer of that name is known to be dead, so that its lease can be taken over before it
	// expires; nil means that nobody can tell.
	OwnerGone  func(owner string) bool
	MaxReadAge time.Duration // a snapshot older than this is not applied; 0 means one hour
	// DisableUnscopedAfter disables users who left the scope so long ago, as AWS documents for 28 days; 0 means never.
	DisableUnscopedAfter time.Duration
	// ApplySafePart applies what a held plan adds and changes, and nothing of what it takes away; the run still ends as held.
	// By default nothing of a held plan is applied.
	ApplySafePart bool
	// FullEvery is how often [Engine.RunChanges] reads everything, whatever else: once in so many runs. 0 means 24.
	FullEvery int
	// Scope tells the scope as it is now. It is asked again before a plan is applied: when it names others by then, the run
	// starts over with them. nil means that the scope does not change during a run.
	Scope func(ctx context.Context) (Scope, error)
	// LinkBySIDHistory lets an object with a new objectGUID take over the record of which the SID stands in its sIDHistory,
	// if nobody else was found for that record: the id survives a migration between forests. Whoever can write sIDHistory
	// there takes over identities here; by default such an object is a new one.
	LinkBySIDHistory bool
	Observer         Observer     // nil means none; see also [ProgressObserver]
	Logger           *slog.Logger // nil means no logging
}

// State says how a run ended.
type State string

// The states of a [Result].
const (
	StatePlanned   State = "planned"
	StateApplied   State = "applied"
	StateHeld      State = "held" // by the guard: nothing was written
	StateUnchanged State = "unchanged"
	StateFailed    State = "failed" // nothing was written
	StateBusy      State = "busy"   // another writer holds the lease: nothing was read
	StatePaused    State = "paused" // by [Engine.Pause]: nothing was written
)

// Result is what a run did, or would do.
type Result struct {
	Run      string
	State    State
	PlanHash string
	Counts   identitystore.PlanCounts
	Findings []identitystore.Finding // of the guard, warnings included
	Plan     *identitystore.Plan     // nil when the read failed
}

// Observer is told what happens, for metrics and progress. Calls come from one goroutine of the run.
type Observer interface {
	// Stage is called when a stage begins; n is its size where that is known, else 0.
	Stage(ctx context.Context, run string, stage Stage, n int)
	// Done is called once at the end of each run, with the error that it returns.
	Done(ctx context.Context, result Result, took time.Duration, err error)
}

// ProgressObserver is an [Observer] that is also told how far a stage has come: objects read, or changes written. total
// is an estimate, 0 where nothing is known.
type ProgressObserver interface {
	Observer
	Progress(ctx context.Context, run string, stage Stage, done, total int)
}

// Stage is a step of a run.
type Stage string

// The stages, in order.
const (
	StageRead  Stage = "read"
	StageProof Stage = "proof" // look-ups of objects that were not read
	StagePlan  Stage = "plan"
	StageApply Stage = "apply"
)

const (
	defaultLeaseTTL   = 2 * time.Minute
	defaultMaxReadAge = time.Hour
	maxReplans        = 3
)

// fill puts the defaults in.
func (c *Config) fill() {
	c.Source = cmp.Or(c.Source, DefaultSource)
	c.FullEvery = cmp.Or(c.FullEvery, defaultFull)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, defaultLeaseTTL)
	c.MaxReadAge = cmp.Or(c.MaxReadAge, defaultMaxReadAge)
	if c.Owner == "" {
		c.Owner = rand.Text()
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// progress is the adsync observer of this program: it knows how far the run of this moment has come.
type progress struct {
	mu    sync.Mutex
	stage adsync.Stage // "" when nothing runs
	done  int
	total int
	began time.Time
}

var _ adsync.ProgressObserver = (*progress)(nil)

// Stage implements [adsync.Observer].
func (p *progress) Stage(_ context.Context, _ string, stage adsync.Stage, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.done, p.total = stage, 0, n
}

// Progress implements [adsync.ProgressObserver].
func (p *progress) Progress(_ context.Context, _ string, stage adsync.Stage, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.done, p.total = stage, done, total
}

// Done implements [adsync.Observer]. The run is over for the page when synchronise returns, which is a little later.
func (p *progress) Done(context.Context, adsync.Result, time.Duration, error) {}

func (p *progress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.done, p.total, p.began = "start", 0, 0, time.Now()
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = ""
}

// progressView is what the page and the script see.
type progressView struct {
	Running bool   `json:"running"`
	Stage   string `json:"stage"` // for people
	Done    int    `json:"done"`
	Total   int    `json:"total"` // 0: not known
	Detail  string `json:"detail"`
}

func (p *progress) view() progressView {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == "" {
		return progressView{}
	}
	v := progressView{Running: true, Stage: stageText(p.stage), Done: p.done, Total: p.total}
	took := time.Since(p.began).Round(time.Second)
	switch {
	case p.total > 0 && p.done > 0:
		v.Detail = fmt.Sprintf("%d of %d, for %s", p.done, p.total, took)
	case p.done > 0:
		v.Detail = fmt.Sprintf("%d so far, for %s", p.done, took)
	case p.total > 0:
		v.Detail = fmt.Sprintf("%d objects and memberships, for %s", p.total, took)
	default:
		v.Detail = fmt.Sprintf("for %s", took)
	}
	return v
}

func stageText(s adsync.Stage) string {
	switch s {
	case adsync.StageRead:
		return "Reading the directory"
	case adsync.StageProof:
		return "Looking for objects that were not read"
	case adsync.StagePlan:
		return "Comparing with the store"
	case adsync.StageApply:
		return "Writing to the store"
	}
	return "Starting"
}

// patience is how long a press of the button waits for the run before the page shows its progress instead.
const patience = 3 * time.Second

// adminSync starts a run that goes on when the browser leaves, and comes back to the page when it has ended or takes long.
func (a *app) adminSync(w http.ResponseWriter, r *http.Request, _ *identitystore.User) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.startRun(r.PostFormValue("approve")):
	case <-timer.C:
	case <-r.Context().Done():
	}
	http.Redirect(w, r, "/admin", http.StatusSeeOther)
}

// startRun starts a run, or joins the one that runs already; the channel is closed at its end.
func (a *app) startRun(approve string) <-chan struct{} {
	s := a.sync
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running
	}
	done := make(chan struct{})
	s.running = done
	s.background.Go(func() {
		_ = a.synchronise(s.life, approve) // the page shows how it ended
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		close(done)
	})
	return done
}

func (a *app) adminProgress(w http.ResponseWriter, _ *http.Request, _ *identitystore.User) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(a.sync.progress.view())
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// progress shows the stages of a run: a bar on a terminal, lines elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	shown    int // percent of the stage that is on the screen
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		st, err := f.Stat()
		p.terminal = err == nil && st.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Stage shows that a stage began.
func (p *progress) Stage(_ context.Context, _ string, stage adsync.Stage, n int) {
	what := string(stage)
	if n > 0 {
		what += fmt.Sprintf(" (%d)", n)
	}
	if !p.terminal {
		_, _ = fmt.Fprintln(p.w, "adsync:", what)
		return
	}
	p.shown = -1
	p.bar(stage, 0, what)
}

// width of the bar, and what each stage takes of it.
const width = 40

func share(stage adsync.Stage) (from, to int) {
	switch stage {
	case adsync.StageRead:
		return 0, 20
	case adsync.StageProof:
		return 20, 22
	case adsync.StagePlan:
		return 22, 25
	case adsync.StageApply:
		return 25, width
	}
	return 0, 0
}

func (p *progress) bar(stage adsync.Stage, percent int, what string) {
	from, to := share(stage)
	n := from + (to-from)*percent/100
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %s", strings.Repeat("#", n), strings.Repeat(".", width-n), what)
}

// Progress moves the bar on a terminal.
func (p *progress) Progress(_ context.Context, _ string, stage adsync.Stage, done, total int) {
	if !p.terminal || total == 0 || done*100/total == p.shown {
		return
	}
	p.shown = done * 100 / total
	p.bar(stage, p.shown, fmt.Sprintf("%s %d of %d", stage, done, total))
}

// Done shows how the run ended.
func (p *progress) Done(_ context.Context, res adsync.Result, took time.Duration, _ error) {
	if p.terminal {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
	_, _ = fmt.Fprintf(p.w, "adsync: %s in %s\n", res.State, took.Round(time.Millisecond))
}

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
	done := map[adsync.Stage]int{adsync.StageRead: 0, adsync.StageProof: 1, adsync.StagePlan: 2, adsync.StageApply: 3}[stage]
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %s", strings.Repeat("#", done*10), strings.Repeat(".", 40-done*10), what)
}

// Done shows how the run ended.
func (p *progress) Done(_ context.Context, res adsync.Result, took time.Duration, _ error) {
	if p.terminal {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
	_, _ = fmt.Fprintf(p.w, "adsync: %s in %s\n", res.State, took.Round(time.Millisecond))
}

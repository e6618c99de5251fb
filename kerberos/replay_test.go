package kerberos_test

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/kerberos"
)

func replayKey(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// Every key is presented twice by each of several goroutines and accepted exactly once.
func TestReplayCacheIsAtomic(t *testing.T) {
	t.Parallel()
	const presenters = 8
	n := testscale.N(20_000, 100_000)
	c := kerberos.NewReplayCache(kerberos.MemoryReplayConfig{})
	until := time.Now().Add(10 * time.Minute)
	accepted := make([]atomic.Int32, n)
	var wg sync.WaitGroup
	for p := range presenters {
		wg.Go(func() {
			for round := range 2 {
				for i := range n {
					j := (i + p*n/presenters*round) % n
					if c.UseOnce(t.Context(), replayKey(j), until) == nil {
						accepted[j].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range accepted {
		require.EqualValues(t, 1, accepted[i].Load())
	}
	require.Equal(t, n, c.Len())
}

func TestReplayCacheForgetsInTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	c := kerberos.NewReplayCache(kerberos.MemoryReplayConfig{Now: func() time.Time { return now }})
	until := now.Add(10*time.Minute + time.Second)
	require.NoError(t, c.UseOnce(t.Context(), replayKey(1), until))
	for now = now.Add(time.Second); now.Before(until); now = now.Add(7 * time.Second) {
		require.ErrorIs(t, c.UseOnce(t.Context(), replayKey(1), until), kerberos.ErrReplay, "forgotten %v too early", until.Sub(now))
	}
	now = until.Add(3 * time.Minute)
	require.NoError(t, c.UseOnce(t.Context(), replayKey(1), now.Add(time.Minute)))
	require.Equal(t, 1, c.Len())
}

func TestReplayCacheIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	c := kerberos.NewReplayCache(kerberos.MemoryReplayConfig{Capacity: 6400, Now: func() time.Time { return now }})
	full := 0
	for i := range 20_000 {
		if err := c.UseOnce(t.Context(), replayKey(i), now.Add(time.Minute)); err != nil {
			require.ErrorIs(t, err, kerberos.ErrReplayFull)
			full++
		}
	}
	require.Equal(t, 20_000-6400, full)
	require.Equal(t, 6400, c.Len())
	require.EqualValues(t, full, c.Refusals(), "a full cache is counted, for it is a fault of the configuration")
	require.ErrorIs(t, c.UseOnce(t.Context(), replayKey(0), now), kerberos.ErrReplay, "live entries are never dropped")
	now = now.Add(5 * time.Minute)
	require.NoError(t, c.UseOnce(t.Context(), replayKey(20_001), now.Add(time.Minute)), "room again after the entries' time")
}

// One hundred thousand authenticators in the long run: each accepted once although eight goroutines show it twice.
func TestAuthenticatorsAcceptedOnce(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl, a := client(t, k, nil), acceptor(t, k, nil)
	n := testscale.N(500, 100_000)
	const chunk = 1000
	var accepted atomic.Int64
	for start := 0; start < n; start += chunk {
		tokens := make([][]byte, min(chunk, n-start))
		for i := range tokens {
			in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, NoMutual: true})
			require.NoError(t, err)
			tokens[i] = in.Token
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 2 {
					for _, tok := range tokens {
						if _, err := a.Accept(t.Context(), tok, kerberos.AcceptInput{}); err == nil {
							accepted.Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
	}
	require.EqualValues(t, n, accepted.Load())
}

// An entry costs 40 bytes or less, and no single call takes long.
func TestReplayCacheCost(t *testing.T) { //nolint:paralleltest // it measures the process
	const n = 200_000
	c := kerberos.NewReplayCache(kerberos.MemoryReplayConfig{})
	until := time.Now().Add(10 * time.Minute)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		require.NoError(t, c.UseOnce(t.Context(), replayKey(i), until))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, (after.HeapAlloc-before.HeapAlloc)/n, uint64(40))
	require.Equal(t, n, c.Len())
}

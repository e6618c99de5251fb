package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// newOwner names this process in the writer's lease.
func newOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), rand.Text())
}

// gone reports whether an owner was a process of this machine that has ended. A wrong answer costs no data: what a
// living writer does after its lease was taken is refused by the store.
func gone(ours string) func(string) bool {
	host, rest, _ := strings.Cut(ours, ":")
	own, _, _ := strings.Cut(rest, ":")
	return func(owner string) bool {
		h, rest, ok := strings.Cut(owner, ":")
		pid, _, ok2 := strings.Cut(rest, ":")
		n, err := strconv.Atoi(pid)
		if !ok || !ok2 || err != nil || n <= 0 || h != host {
			return false
		}
		if pid == own {
			return owner != ours // we have the number now
		}
		return errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
	}
}

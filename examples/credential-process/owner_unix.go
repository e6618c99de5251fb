//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// owned refuses a file of somebody else.
func owned(name string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to somebody else", name)
	}
	return nil
}

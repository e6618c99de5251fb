package addoctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

func newMapping(m map[string]string) (*adsync.Mapping, error) { return adsync.NewMapping(m) }

// sentence turns an error into one.
func sentence(err error) string {
	s := strings.TrimSuffix(err.Error(), ".") + "."
	return strings.ToUpper(s[:1]) + s[1:]
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list shows the first few of many.
func list(items []string) string {
	const most = 5
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", len(items)-most)
	}
	return strings.Join(items, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

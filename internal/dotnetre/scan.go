package dotnetre

import (
	"errors"
	"fmt"
	"strings"
)

// scan refuses what regexp2 accepts and .NET does not, and groups that are nested too deeply.
func scan(pattern string, maxDepth int) error { //nolint:cyclop // one case for each character
	depth, class := 0, 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			if class == 0 && i+1 < len(pattern) && strings.IndexByte("QE_", pattern[i+1]) >= 0 {
				return fmt.Errorf("pattern does not compile: unrecognized escape \\%c", pattern[i+1])
			}
			i++
		case class > 0:
			switch {
			case c == ']':
				class--
			case c == '-' && i+1 < len(pattern) && pattern[i+1] == '[':
				class++
				i++
				i = firstInClass(pattern, i)
			}
		case c == '[':
			class++
			i = firstInClass(pattern, i)
		case c == ')':
			depth--
		case c == '(':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: more than %d nested groups", ErrPattern, maxDepth)
			}
			if err := groupStart(pattern[i:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstInClass moves over ^ and a ] that stands first in a class and is a character there.
func firstInClass(pattern string, i int) int {
	if i+1 < len(pattern) && pattern[i+1] == '^' {
		i++
	}
	if i+1 < len(pattern) && pattern[i+1] == ']' {
		i++
	}
	return i
}

func groupStart(s string) error {
	if !strings.HasPrefix(s, "(?") {
		return nil
	}
	if strings.HasPrefix(s, "(?P") {
		return errors.New("pattern does not compile: (?P is not .NET syntax, write (?<name>...)")
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == 'U':
			return errors.New("pattern does not compile: there is no option U")
		case strings.IndexByte("imnsx-+IMNSX", c) < 0:
			return nil
		}
	}
	return nil
}

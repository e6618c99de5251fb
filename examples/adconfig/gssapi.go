package adconfig

import (
	"errors"

	"github.com/adfedkit/adfedkit/directory"
)

func (c *Config) gssapi(b *Bind) (directory.Binder, error) {
	return nil, errors.New("bind: gssapi is not available")
}

package adconfig

import (
	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/gssapibind"
)

// gssapi returns a binder that signs in with a ticket and signs and seals what follows, unless TLS does.
func (c *Config) gssapi(b *Bind) (directory.Binder, error) {
	client, err := c.Client(b)
	if err != nil {
		return nil, err
	}
	return gssapibind.New(gssapibind.Config{Client: client})
}

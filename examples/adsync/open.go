package main

import (
	"context"
	"errors"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// openStore opens the store. One that does not exist is empty, and is not created, unless it is to be written.
func openStore(ctx context.Context, name string, write bool) (identitystore.Store, int, error) {
	exists, err := storeopen.Exists(name)
	if err != nil {
		return nil, exitUsage, err
	}
	if !exists && !write {
		return new(identitystore.Memory), exitDone, nil
	}
	st, err := storeopen.Open(ctx, name)
	switch {
	case errors.Is(err, storeopen.ErrUsage):
		return nil, exitUsage, err
	case err != nil && strings.HasPrefix(name, "sqlite:") && ctx.Err() == nil:
		return nil, exitUsage, err // a file that cannot be opened, or is no database
	case err != nil:
		return nil, exitOutside, err
	}
	return st, exitDone, nil
}

// openDirectory returns the source that AD.json describes.
func openDirectory(cfg *adconfig.Config, mapping *adsync.Mapping) (adsync.Source, func(), error) {
	dcfg, err := cfg.Directory()
	if err != nil {
		return nil, nil, err
	}
	client, err := directory.New(dcfg)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, d := range cfg.Domains {
		names = append(names, d.DNS)
	}
	source, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: client, Domains: names, Mapping: mapping})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return source, func() { _ = client.Close() }, nil
}

package main

import (
	"fmt"
	"path/filepath"

	"github.com/flightlake/flightlake/config"
	"github.com/flightlake/flightlake/objstore"
	"github.com/flightlake/flightlake/objstore/limit"
	"github.com/flightlake/flightlake/objstore/local"
	"github.com/flightlake/flightlake/objstore/mem"
	"github.com/flightlake/flightlake/objstore/meter"
	"github.com/flightlake/flightlake/objstore/retry"
	"github.com/flightlake/flightlake/scanner"
)

// store is where the lake's objects are.
type store struct {
	*retry.Bucket // the driver with all its decorators
	limit         *limit.Bucket
	meter         *meter.Bucket
	dataPath      string          // absolute, with which the paths of objects begin
	outside       scanner.Outside // nil if files outside of the store are not read
}

// openStore opens the store that the settings name.
func openStore(settings config.Settings) (*store, error) {
	if settings.Lake == config.MemoryLake {
		s := decorate(mem.New(mem.Options{}), retry.Options{})
		s.dataPath = config.MemoryLake
		return s, nil
	}
	root, err := filepath.Abs(settings.Lake)
	if err != nil {
		return nil, fmt.Errorf("lake %s: %w", settings.Lake, err)
	}
	path := filepath.Join(root, dataFolder)
	driver, err := local.New(path)
	if err != nil {
		return nil, fmt.Errorf("lake %s: %w", settings.Lake, err)
	}
	s := decorate(driver, retry.Options{})
	s.dataPath, s.outside = path+string(filepath.Separator), local.Outside{}
	return s, nil
}

// decorate puts the decorators around a driver. The order matters: the meter
// counts what reaches the driver, each attempt of a request that is repeated;
// and a request that waits to be repeated takes no turn from others.
func decorate(driver objstore.Bucket, options retry.Options) *store {
	s := &store{meter: meter.New(driver)}
	s.limit = limit.New(s.meter, limit.Options{})
	s.Bucket = retry.New(s.limit, options)
	return s
}

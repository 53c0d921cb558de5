package local

import (
	"errors"
	"os"
	"runtime"
)

// syncFolder makes the entries of a folder durable. Windows cannot sync a
// folder: NTFS journals its entries.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

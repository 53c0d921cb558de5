package catalog

import (
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// DuckLakeVersion is the version of the DuckLake format that is written and read.
const DuckLakeVersion = "1.0"

// Names of the options of ducklake_metadata that describe the catalog.
const (
	OptionVersion   = "version"
	OptionCreatedBy = "created_by"
	OptionDataPath  = "data_path"
	OptionEncrypted = "encrypted"
)

// OwnOptionPrefix begins the names of options of flightlake's own, such as those
// that hold declared keys.
const OwnOptionPrefix = "flightlake_"

// FirstOptions returns the options of a new lake.
func FirstOptions(dataPath string) map[string]string {
	return map[string]string{
		OptionVersion: DuckLakeVersion, OptionCreatedBy: "flightlake", OptionDataPath: dataPath, OptionEncrypted: "false",
	}
}

// CheckOption refuses the names that are no options but describe the lake.
//
// Errors: KindInvalid.
func CheckOption(name string) error {
	switch name {
	case "":
		return lake.Errorf(lake.KindInvalid, "an option needs a name")
	case OptionVersion, OptionCreatedBy, OptionDataPath, OptionEncrypted:
		return lake.Errorf(lake.KindInvalid, "option %q describes the lake and cannot be set", name)
	}
	if strings.HasPrefix(strings.ToLower(name), OwnOptionPrefix) {
		return lake.Errorf(lake.KindInvalid, "%q: names that begin with %s are flightlake's own", name, OwnOptionPrefix)
	}
	return nil
}

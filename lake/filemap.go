package lake

// fileEntry is the index of the entry of a zone map that describes the whole
// file; those of its row groups follow it (docs/format.md, section 2).
const fileEntry = -1

// EncodeZoneMap returns the zone map of the file: its statistics and those of its
// row groups. types is that of EncodeZoneMap.
//
// Errors: those of EncodeZoneMap.
func (f *DataFile) EncodeZoneMap(types func(FieldID) (Type, bool)) ([]byte, error) {
	groups := make([]RowGroup, 0, len(f.RowGroups)+1)
	groups = append(groups, RowGroup{Index: fileEntry, Rows: f.Rows, Bytes: f.Bytes, Columns: f.Stats})
	return EncodeZoneMap(append(groups, f.RowGroups...), types)
}

// DecodeZoneMap sets the statistics of the file and its row groups to those of a
// zone map.
//
// Errors: those of DecodeZoneMap; KindCorrupt if it is not the zone map of a file.
func (f *DataFile) DecodeZoneMap(data []byte, types func(FieldID) (Type, bool)) error {
	groups, err := DecodeZoneMap(data, types)
	if err != nil {
		return err
	}
	if len(groups) == 0 || groups[0].Index != fileEntry {
		return Errorf(KindCorrupt, "zone map has no entry of the file")
	}
	f.Stats, f.RowGroups = groups[0].Columns, groups[1:]
	return nil
}

// HasStatText reports whether the specification gives statistics of a type a
// text. Values of the other types have one for partition values only.
func HasStatText(id TypeID) bool {
	switch id {
	case TypeInt128, TypeUint128, TypeTimeTZ, TypeTimeNS, TypeInterval, TypeVariant, TypeGeometry,
		TypeInvalid, TypeList, TypeStruct, TypeMap:
		return false
	default:
		return true
	}
}

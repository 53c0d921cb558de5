package cache

import (
	"unsafe"

	"github.com/flightlake/flightlake/lake"
)

// The functions below estimate the memory that values of lake hold: structs,
// text and slices, without what the allocator rounds up.

const (
	pointerBytes = int64(unsafe.Sizeof(uintptr(0)))
	// optionBytes is one entry of a map[string]string without its text.
	optionBytes = 4 * pointerBytes
)

// fileBytes returns the bytes of one data file.
func fileBytes(f *lake.DataFile) int64 {
	n := int64(unsafe.Sizeof(*f)) + int64(len(f.Path)) + statsBytes(f.Stats)
	for _, v := range f.PartitionValues {
		n += pointerBytes + valueBytes(v)
	}
	for i := range f.RowGroups {
		n += int64(unsafe.Sizeof(f.RowGroups[i])) + statsBytes(f.RowGroups[i].Columns)
	}
	for i := range f.Deletes {
		d := &f.Deletes[i]
		n += int64(unsafe.Sizeof(*d)) + int64(len(d.Path)) + int64(len(d.Format)) + 8*int64(len(d.Positions))
	}
	return n
}

func statsBytes(stats []lake.ColumnStats) int64 {
	n := int64(len(stats)) * int64(unsafe.Sizeof(lake.ColumnStats{}))
	for i := range stats {
		n += valueBytes(stats[i].Min) + valueBytes(stats[i].Max)
	}
	return n
}

func valueBytes(v *lake.Value) int64 {
	if v == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*v)) + int64(len(v.Bytes))
}

// StateBytes returns the bytes of the schemas of a snapshot.
func StateBytes(s *lake.State) int64 {
	n := int64(unsafe.Sizeof(*s)) + optionsBytes(s.Options)
	for i := range s.Schemas {
		schema := &s.Schemas[i]
		n += int64(unsafe.Sizeof(*schema)) + textBytes(schema.Name, schema.Path, schema.Comment) +
			optionsBytes(schema.Options) + namesBytes(schema.Macros)
		for j := range schema.Tables {
			n += tableBytes(&schema.Tables[j])
		}
		for j := range schema.Views {
			v := &schema.Views[j]
			n += int64(unsafe.Sizeof(*v)) + textBytes(v.Name, v.Dialect, v.SQL, v.Comment)
			for _, alias := range v.ColumnAliases {
				n += 2*pointerBytes + int64(len(alias))
			}
		}
	}
	return n
}

func tableBytes(t *lake.Table) int64 {
	n := int64(unsafe.Sizeof(*t)) + textBytes(t.UUID, t.Schema, t.Name, t.Path, t.Comment) + optionsBytes(t.Options)
	for i := range t.Columns {
		t.Columns[i].Walk(func(c *lake.Column) { n += columnBytes(c) })
	}
	n += namesBytes(t.PrimaryKey)
	for i := range t.ForeignKeys {
		k := &t.ForeignKeys[i]
		n += int64(unsafe.Sizeof(*k)) + textBytes(k.Schema, k.Table) + namesBytes(k.Columns) + namesBytes(k.RefColumns)
	}
	return n + specBytes(t.Partition)
}

func specBytes(p *lake.PartitionSpec) int64 {
	if p == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*p)) + int64(len(p.Fields))*int64(unsafe.Sizeof(lake.PartitionField{}))
}

func optionsBytes(options map[string]string) int64 {
	n := int64(len(options)) * optionBytes
	for name, value := range options {
		n += textBytes(name, value)
	}
	return n
}

func textBytes(texts ...string) int64 {
	var n int64
	for _, s := range texts {
		n += int64(len(s))
	}
	return n
}

func columnBytes(c *lake.Column) int64 {
	n := int64(unsafe.Sizeof(*c)) + textBytes(c.Name, c.Comment)
	for _, text := range []*string{c.InitialDefault, c.Default} {
		if text != nil {
			n += 2*pointerBytes + int64(len(*text))
		}
	}
	return n
}

func namesBytes(names []string) int64 { return int64(len(names))*2*pointerBytes + textBytes(names...) }

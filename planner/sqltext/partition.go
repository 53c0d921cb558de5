package sqltext

import (
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// BucketsMax is the largest number of buckets: partition values are int32.
const BucketsMax = 1 << 20

// PartitionKey is one key of PARTITIONED BY, before its column is known.
type PartitionKey struct {
	Column    string
	Transform lake.Transform
	Buckets   int32 // for lake.TransformBucket only
}

func (s *Statement) partitionedBy(c *Cursor) error {
	c.Pos++
	if !c.Words("BY") {
		return c.Unexpected("PARTITIONED is followed by BY")
	}
	if s.Create.Partition != nil {
		return c.Unexpected("PARTITIONED BY was given before")
	}
	if err := c.Expect("("); err != nil {
		return err
	}
	for {
		key, err := partitionKey(c)
		if err != nil {
			return err
		}
		s.Create.Partition = append(s.Create.Partition, key)
		if c.Op(",") {
			continue
		}
		return c.Expect(")")
	}
}

func partitionKey(c *Cursor) (PartitionKey, error) {
	name, err := c.Ident("column")
	if err != nil {
		return PartitionKey{}, err
	}
	if !c.Op("(") {
		return PartitionKey{Column: name, Transform: lake.TransformIdentity}, nil
	}
	key := PartitionKey{Transform: lake.Transform(strings.ToLower(name))}
	switch key.Transform {
	case lake.TransformIdentity, lake.TransformYear, lake.TransformMonth, lake.TransformDay, lake.TransformHour:
	case lake.TransformBucket:
		if key.Buckets, err = bucketCount(c); err != nil {
			return PartitionKey{}, err
		}
	default:
		c.Pos -= 2
		return PartitionKey{}, c.Unexpected("the partition transforms are identity, year, month, day, hour and bucket")
	}
	if key.Column, err = c.Ident("column"); err != nil {
		return PartitionKey{}, err
	}
	return key, c.Expect(")")
}

func bucketCount(c *Cursor) (int32, error) {
	t, _ := c.Peek(0)
	n, err := strconv.ParseInt(c.Of(t), 10, 32)
	if err != nil || n < 1 || n > BucketsMax {
		return 0, c.Unexpected("bucket takes a number of buckets from 1 to " + strconv.Itoa(BucketsMax) + " and a column")
	}
	c.Pos++
	return int32(n), c.Expect(",")
}

// ResolvePartition returns the fields of a PartitionSpec over columns, whose
// ids are set.
//
// Errors: KindNotFound for a column that does not exist; KindInvalid for a
// transform that does not fit the type of its column, and for a repeated key.
func ResolvePartition(keys []PartitionKey, columns []lake.Column) ([]lake.PartitionField, error) {
	fields := make([]lake.PartitionField, len(keys))
	seen := map[lake.PartitionField]bool{}
	table := lake.Table{Columns: columns}
	for i, k := range keys {
		col, ok := table.Column(k.Column)
		if !ok {
			return nil, lake.Errorf(lake.KindNotFound, "partitioned by: there is no column %q", k.Column)
		}
		if !transformFits(k.Transform, col.Type) {
			return nil, lake.Errorf(lake.KindInvalid, "partitioned by: transform %s does not fit column %q of type %s",
				k.Transform, col.Name, col.SQLType())
		}
		fields[i] = lake.PartitionField{Column: col.ID, Transform: k.Transform, Buckets: k.Buckets}
		if seen[fields[i]] {
			return nil, lake.Errorf(lake.KindInvalid, "partitioned by: %s of column %q is repeated", k.Transform, col.Name)
		}
		seen[fields[i]] = true
	}
	return fields, nil
}

// transformFits follows DuckLake 1.0: calendar parts of dates and timestamps,
// and the bucket hash of Iceberg, which is not defined for floats and booleans.
func transformFits(t lake.Transform, typ lake.Type) bool {
	switch typ.ID {
	case lake.TypeInvalid, lake.TypeList, lake.TypeStruct, lake.TypeMap, lake.TypeVariant, lake.TypeGeometry, lake.TypeInterval,
		lake.TypeTimeTZ: // its values have no text for the catalog, nor a hash
		return false
	default:
	}
	timestamp := false
	switch typ.ID {
	case lake.TypeTimestamp, lake.TypeTimestampS, lake.TypeTimestampMS, lake.TypeTimestampNS, lake.TypeTimestampTZ:
		timestamp = true
	default:
	}
	switch t {
	case lake.TransformIdentity:
		return true
	case lake.TransformYear, lake.TransformMonth, lake.TransformDay:
		return timestamp || typ.ID == lake.TypeDate
	case lake.TransformHour:
		return timestamp
	case lake.TransformBucket:
		return !typ.Float() && typ.ID != lake.TypeBoolean
	}
	return false
}

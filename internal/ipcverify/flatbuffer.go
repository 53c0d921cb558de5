package ipcverify

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// errFlatBuffer says that metadata is no FlatBuffer of the expected form.
var errFlatBuffer = errors.New("its metadata is damaged")

// buffer is a FlatBuffer.
type buffer []byte

// within reports whether the size bytes from at on are there.
func (b buffer) within(at, size int64) bool {
	return at >= 0 && size >= 0 && at <= int64(len(b)) && size <= int64(len(b))-at
}

// table is a table of a FlatBuffer, with its vtable.
type table struct {
	buf buffer
	at  int64 // of the table
	vt  int64 // of the vtable
	vts int64 // size of the vtable
}

// root returns the table that a FlatBuffer holds.
func (b buffer) root() (table, error) {
	if !b.within(0, 4) {
		return table{}, errFlatBuffer
	}
	return b.table(int64(binary.LittleEndian.Uint32(b)))
}

func (b buffer) table(at int64) (table, error) {
	t := table{buf: b, at: at}
	if !b.within(at, 4) {
		return t, errFlatBuffer
	}
	t.vt = at - int64(int32(binary.LittleEndian.Uint32(b[at:])))
	if !b.within(t.vt, 4) {
		return t, errFlatBuffer
	}
	// The size of the table's own data, which follows, says nothing: Go's builder has tables of
	// several sizes share a vtable.
	t.vts = int64(binary.LittleEndian.Uint16(b[t.vt:]))
	if t.vts < 4 || t.vts%2 != 0 || !b.within(t.vt, t.vts) {
		return t, errFlatBuffer
	}
	return t, nil
}

// field returns where the inline data of a field is; 0 if it is absent.
func (t table) field(number int, size int64) (int64, error) {
	slot := int64(4 + 2*number)
	if slot+2 > t.vts {
		return 0, nil
	}
	offset := int64(binary.LittleEndian.Uint16(t.buf[t.vt+slot:]))
	if offset == 0 {
		return 0, nil
	}
	if offset < 4 || !t.buf.within(t.at+offset, size) {
		return 0, errFlatBuffer
	}
	return t.at + offset, nil
}

// integer returns a signed field of 1, 2, 4 or 8 bytes; absent if it is not there.
func (t table) integer(number int, size, absent int64) (int64, error) {
	at, err := t.field(number, size)
	if err != nil || at == 0 {
		return absent, err
	}
	switch size {
	case 1:
		return int64(int8(t.buf[at])), nil
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(t.buf[at:]))), nil
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(t.buf[at:]))), nil
	}
	return int64(binary.LittleEndian.Uint64(t.buf[at:])), nil
}

// reference follows the offset in a field; 0 if it is absent.
func (t table) reference(number int) (int64, error) {
	at, err := t.field(number, 4)
	if err != nil || at == 0 {
		return 0, err
	}
	return t.buf.follow(at)
}

// follow returns what the offset at at points to.
func (b buffer) follow(at int64) (int64, error) {
	to := at + int64(binary.LittleEndian.Uint32(b[at:]))
	if to == at || !b.within(to, 4) {
		return 0, errFlatBuffer
	}
	return to, nil
}

// table returns the table in a field; ok is false if it is absent.
func (t table) table(number int) (child table, ok bool, err error) {
	at, err := t.reference(number)
	if err != nil || at == 0 {
		return table{}, false, err
	}
	child, err = t.buf.table(at)
	return child, err == nil, err
}

// vector returns where the elements of a vector field begin, and how many there are.
func (t table) vector(number int, elementSize int64) (at, count int64, err error) {
	if at, err = t.reference(number); err != nil || at == 0 {
		return 0, 0, err
	}
	count = int64(binary.LittleEndian.Uint32(t.buf[at:]))
	if !t.buf.within(at+4, count*elementSize) {
		return 0, 0, errFlatBuffer
	}
	return at + 4, count, nil
}

// tables calls each for the tables of a vector field.
func (t table) tables(number int, each func(table) error) error {
	at, count, err := t.vector(number, 4)
	if err != nil {
		return err
	}
	for i := range count {
		to, err := t.buf.follow(at + 4*i)
		if err != nil {
			return err
		}
		element, err := t.buf.table(to)
		if err == nil {
			err = each(element)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text checks a field that holds a string: UTF-8 with a NUL behind it.
func (t table) text(number int) error {
	at, count, err := t.vector(number, 1)
	if err != nil || at == 0 {
		return err
	}
	if !t.buf.within(at, count+1) || t.buf[at+count] != 0 || !utf8.Valid(t.buf[at:at+count]) {
		return errFlatBuffer
	}
	return nil
}

// keyValues checks a vector of KeyValue.
func (t table) keyValues(number int) error {
	return t.tables(number, func(kv table) error { return errors.Join(kv.text(0), kv.text(1)) })
}

package engine

/*
#include <stdlib.h>

void flightlakeBind(void *info);
void flightlakeInit(void *info);
void flightlakeLocalInit(void *info);
void flightlakeScan(void *info, void *chunk);
void flightlakeDelete(void *cell);
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/flightlake/flightlake/lake"
)

// DuckDB calls the functions of this file from its own threads. A Go value
// travels through C as a cell: C memory that holds a cgo.Handle, freed by
// flightlakeDelete. A panic must not unwind into C, so each recovers.

func newCell(v any) unsafe.Pointer {
	cell := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	*(*cgo.Handle)(cell) = cgo.NewHandle(v)
	return cell
}

func cellValue(cell unsafe.Pointer) any { return (*(*cgo.Handle)(cell)).Value() }

func setCallbacks(f duckdb.TableFunction, r *registry) {
	duckdb.TableFunctionSetExtraInfo(f, newCell(r), C.flightlakeDelete)
	duckdb.TableFunctionSetBind(f, C.flightlakeBind)
	duckdb.TableFunctionSetInit(f, C.flightlakeInit)
	duckdb.TableFunctionSetLocalInit(f, C.flightlakeLocalInit)
	duckdb.TableFunctionSetFunction(f, C.flightlakeScan)
}

func setBindData(info duckdb.BindInfo, reg *registration) {
	duckdb.BindSetBindData(info, newCell(reg), C.flightlakeDelete)
}

// caught turns a panic into an error for DuckDB.
func caught(setError func(string)) {
	if p := recover(); p != nil {
		setError(fmt.Sprintf("panic in a table source: %v", p))
	}
}

// closer is a value that is told when DuckDB drops it.
type closer interface{ close() }

//export flightlakeDelete
func flightlakeDelete(cell unsafe.Pointer) {
	defer caught(func(string) {})
	handle := *(*cgo.Handle)(cell)
	v := handle.Value()
	handle.Delete()
	C.free(cell)
	if c, ok := v.(closer); ok {
		c.close()
	}
}

//export flightlakeBind
func flightlakeBind(p unsafe.Pointer) {
	info := duckdb.BindInfo{Ptr: p}
	defer caught(func(text string) { duckdb.BindSetError(info, text) })
	r, _ := cellValue(duckdb.BindGetExtraInfo(info)).(*registry)
	if err := r.bind(info); err != nil {
		duckdb.BindSetError(info, err.Error())
	}
}

//export flightlakeInit
func flightlakeInit(p unsafe.Pointer) {
	info := duckdb.InitInfo{Ptr: p}
	r, _ := cellValue(duckdb.InitGetExtraInfo(info)).(*registry)
	reg, _ := cellValue(duckdb.InitGetBindData(info)).(*registration)
	defer caught(func(text string) {
		duckdb.InitSetError(info, reg.fail(lake.Errorf(lake.KindInternal, "%s", text)))
	})
	columns := make([]uint64, duckdb.InitGetColumnCount(info))
	for i := range columns {
		columns[i] = uint64(duckdb.InitGetColumnIndex(info, duckdb.IdxT(i)))
	}
	s, err := reg.newScan(columns)
	if err != nil {
		duckdb.InitSetError(info, reg.fail(err))
		return
	}
	duckdb.InitSetInitData(info, newCell(s), C.flightlakeDelete)
	duckdb.InitSetMaxThreads(info, duckdb.IdxT(r.threads))
}

//export flightlakeLocalInit
func flightlakeLocalInit(p unsafe.Pointer) {
	info := duckdb.InitInfo{Ptr: p}
	defer caught(func(text string) { duckdb.InitSetError(info, text) })
	duckdb.InitSetInitData(info, newCell(&cursor{}), C.flightlakeDelete)
}

//export flightlakeScan
func flightlakeScan(p, out unsafe.Pointer) {
	info := duckdb.FunctionInfo{Ptr: p}
	s, _ := cellValue(duckdb.FunctionGetInitData(info)).(*scan)
	c, _ := cellValue(duckdb.FunctionGetLocalInitData(info)).(*cursor)
	defer caught(func(text string) {
		duckdb.FunctionSetError(info, s.registration.fail(lake.Errorf(lake.KindInternal, "%s", text)))
	})
	if err := s.fill(c, duckdb.DataChunk{Ptr: out}); err != nil {
		duckdb.FunctionSetError(info, s.registration.fail(err))
	}
}

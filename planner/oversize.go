package planner

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/flightlake/flightlake/lake"
)

// ConstantElementsMax bounds what the functions of a statement may build from
// constants: the elements of lists and the bytes of texts, of all such calls
// together. DuckDB folds such calls while it binds a statement, where neither
// its memory limit nor an interruption is looked at.
//
// The bound is an estimate from the syntax tree, against accidents: it does not
// see sizes that are computed by other functions or come from columns, ranges
// of timestamps, what list_reduce makes of its values, statements that cannot
// be serialised (PIVOT), and default expressions. Calls in FROM stream
// their rows and are not bounded.
const ConstantElementsMax = 10_000_000

// oversize sums up what the calls of a statement build.
type oversize struct{ total float64 }

// add counts a call, and refuses it if it makes too much.
func (s *oversize) add(call object) error {
	size, ok := built(call)
	if !ok {
		return nil
	}
	if s.total += size; s.total <= ConstantElementsMax {
		return nil
	}
	return lake.Errorf(lake.KindExhausted, "function %s would build %.0f elements or bytes from constants; a statement may build %d: "+
		"write it as a table function in FROM, or make it smaller", strings.ToLower(call.text("function_name")), s.total, ConstantElementsMax)
}

// built returns the elements or bytes that a call makes of constants; ok is false for
// a function whose result is about as large as its arguments.
func built(call object) (size float64, ok bool) {
	args := call.objects("children")
	at := func(i int) float64 {
		if i >= len(args) {
			return 1
		}
		n, ok := number(args[i])
		if !ok {
			return 1
		}
		return max(n, 0)
	}
	switch strings.ToLower(call.text("function_name")) {
	case "repeat":
		return extent(args, 0) * at(1), true
	case "range", "generate_series":
		return rangeLength(args), true
	case "lpad", "rpad", "list_resize", "array_resize":
		return at(1), true
	case "bitstring":
		return at(1) / 8, true
	case "format", "printf":
		return width(args), true
	case "replace", "regexp_replace":
		return extent(args, 0) * extent(args, 2), true
	}
	for i, arg := range args {
		if i > 0 && arg.text("class") == "LAMBDA" {
			return extent(args, 0) * extentOf(arg.object("expr")), true
		}
	}
	return 0, false
}

func extent(args []object, i int) float64 {
	if i >= len(args) {
		return 1
	}
	return extentOf(args[i])
}

// extentOf estimates the elements or bytes of an expression's value, at least 1.
func extentOf(o object) float64 {
	switch o.text("class") {
	case "CONSTANT":
		return max(1, float64(len(o.object("value").text("value"))))
	case "CAST":
		return extentOf(o.object("child"))
	case "FUNCTION":
		if size, ok := built(o); ok {
			return max(1, size)
		}
		total := 0.0
		for _, child := range o.objects("children") {
			total += extentOf(child)
		}
		return max(1, total)
	}
	return 1
}

// rangeLength returns the length of range(stop) and range(start, stop, step).
func rangeLength(args []object) float64 {
	values := make([]float64, len(args))
	for i, arg := range args {
		n, ok := number(arg)
		if !ok {
			return 1
		}
		values[i] = n
	}
	start, stop, step := 0.0, 0.0, 1.0
	switch len(values) {
	case 1:
		stop = values[0]
	case 2:
		start, stop = values[0], values[1]
	case 3:
		start, stop, step = values[0], values[1], values[2]
	}
	if step == 0 {
		return 1 // an error, which DuckDB reports
	}
	if n := math.Ceil((stop - start) / step); n > 0 {
		return n
	}
	return 1
}

// width returns the largest width that the text of format or printf asks for.
func width(args []object) float64 {
	if len(args) == 0 {
		return 1
	}
	widest := 1.0
	widths := regexp.MustCompile(`(?:%[-+ 0#,]*|\{[^{}:]*:[^{}0-9]*)([0-9]+)`) // %-8d, {:>8}
	for _, match := range widths.FindAllStringSubmatch(args[0].object("value").text("value"), -1) {
		if n, err := strconv.ParseFloat(match[1], 64); err == nil {
			widest = max(widest, n)
		}
	}
	return widest
}

// number returns the value of a constant expression of numbers.
func number(o object) (float64, bool) {
	switch o.text("class") {
	case "CONSTANT":
		return constantNumber(o.object("value"))
	case "CAST":
		return number(o.object("child"))
	case "FUNCTION":
		args := o.objects("children")
		if len(args) == 1 && o.text("function_name") == "-" {
			n, ok := number(args[0])
			return -n, ok
		}
		if len(args) != 2 {
			return 0, false
		}
		x, ok1 := number(args[0])
		y, ok2 := number(args[1])
		n, ok := arithmetic(o.text("function_name"), x, y)
		return n, ok && ok1 && ok2
	}
	return 0, false
}

func arithmetic(operator string, x, y float64) (float64, bool) {
	switch strings.ToLower(operator) {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/", "//":
		return x / y, y != 0
	case "**", "^", "pow", "power":
		return math.Pow(x, y), true
	case "<<":
		return x * math.Pow(2, y), true
	}
	return 0, false
}

func constantNumber(value object) (float64, bool) {
	if text := value.text("value"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		return n, err == nil && !math.IsNaN(n)
	}
	n, ok := value["value"].(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	if scale, ok := value.object("type").object("type_info").integer("scale"); ok {
		f /= math.Pow10(int(scale))
	}
	return f, err == nil
}

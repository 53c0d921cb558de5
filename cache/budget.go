package cache

// budget returns the bytes that an option asks for: the default if it is
// zero, nothing if it is negative.
func budget(option, byDefault int64) int64 {
	if option == 0 {
		return byDefault
	}
	return max(option, 0)
}

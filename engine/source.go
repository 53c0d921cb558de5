package engine

type registry struct{}

func newRegistry(*connection, int) (*registry, error) { return &registry{}, nil }
func (*registry) close()                              {}
func (*registry) takeError(string) error              { return nil }

package query

import (
	"context"
	"errors"
	"io"

	"github.com/flightlake/flightlake/engine"
	"github.com/flightlake/flightlake/lake"
)

// blameBytesMax bounds what is read to find the file that an error came from.
const blameBytesMax = 256 << 20

// blameFiles returns the error with which the scanner reads the files of some
// references, if it finds them damaged, and err otherwise: DuckDB's Parquet
// reader says neither that a file is damaged nor which one.
func (s *Runner) blameFiles(ctx context.Context, p *Plan, references []int, err error) error {
	var said *engine.SQLError
	if !errors.As(err, &said) || ctx.Err() != nil {
		return err
	}
	switch said.Type {
	case "Binder Error", "Catalog Error", "Parser Error", "Conversion Error", "Out of Range Error", "Out of Memory Error", "Constraint Error":
		return err
	}
	budget := int64(blameBytesMax)
	for _, i := range references {
		scan := p.plan.Reads[i].Scan()
		scan.Residual = nil
		tasks := scan.Tasks
		for j := range tasks {
			if budget -= tasks[j].Bytes; budget < 0 {
				return err
			}
			scan.Tasks = tasks[j : j+1]
			stream, openErr := s.scanner.Open(ctx, &scan)
			if openErr == nil {
				openErr = drain(ctx, stream)
			}
			if errors.Is(openErr, lake.ErrCorrupt) {
				return openErr
			}
		}
	}
	return err
}

// drain reads a stream to its end and closes it.
func drain(ctx context.Context, stream engine.Stream) error {
	defer stream.Close()
	for {
		batch, err := stream.Next(ctx)
		if err == io.EOF { //nolint:errorlint // what wraps io.EOF is no end
			return nil
		}
		if err != nil {
			return err
		}
		batch.Release()
	}
}

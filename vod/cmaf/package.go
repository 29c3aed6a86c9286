package cmaf

import "context"

// PackageAll writes.
func PackageAll(ctx context.Context, movie *Movie, jobs []Job) ([]*Index, error) { return nil, nil }

// Retime makes.
func Retime(dst []byte, init, template []byte, index int, nominal, length int64) ([]byte, error) {
	return nil, nil
}

// Check verifies.
func Check(init []byte, segments ...[]byte) []error { return nil }

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// leaseKept is how long a lease that nobody gave back is kept after its end.
const leaseKept = 24 * time.Hour

// AcquireLease implements vod.Leases. Who takes a lease over has nobody waiting
// behind: those who wait still ask again.
func (d *DB) AcquireLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	var ok bool
	err := d.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM lease WHERE until < $1`, micros(now.Add(-leaseKept))); err != nil {
			return err
		}
		var err error
		ok, err = one(ctx, tx, `INSERT INTO lease (name, holder, until, wanted) VALUES ($1, $2, $3, FALSE)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
				wanted = lease.wanted AND lease.holder = excluded.holder
			WHERE lease.holder = excluded.holder OR lease.until <= $4`, name, holder, micros(until), micros(now))
		if err != nil || ok {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE lease SET wanted = TRUE WHERE name = $1 AND holder <> $2`, name, holder)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("acquire lease: %w", err)
	}
	return ok, nil
}

// RenewLease implements vod.Leases.
func (d *DB) RenewLease(ctx context.Context, name, holder string, until time.Time) (held, wanted bool, err error) {
	err = d.write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE lease SET until = $3 WHERE name = $1 AND holder = $2 RETURNING wanted`,
			name, holder, micros(until)).Scan(&wanted)
		held = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, false, fmt.Errorf("renew lease: %w", err)
	}
	return held, wanted, nil
}

// ReleaseLease implements vod.Leases.
func (d *DB) ReleaseLease(ctx context.Context, name, holder string) error {
	if _, err := d.sql.ExecContext(ctx, `DELETE FROM lease WHERE name = $1 AND holder = $2`, name, holder); err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

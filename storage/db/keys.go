package db

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"

	"reprise/api/token"
)

// Keys implements token.KeyStore: all signing keys, oldest first.
func (d *DB) Keys(ctx context.Context) ([]token.Key, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, secret, created, not_after FROM signing_key ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	defer rows.Close()
	var keys []token.Key
	for rows.Next() {
		var (
			k        token.Key
			secret   string
			created  int64
			notAfter sql.Null[int64]
		)
		if err := rows.Scan(&k.ID, &secret, &created, &notAfter); err != nil {
			return nil, fmt.Errorf("load signing keys: %w", err)
		}
		if k.Secret, err = base64.StdEncoding.DecodeString(secret); err != nil {
			return nil, fmt.Errorf("load signing key %s: %w", k.ID, err)
		}
		k.Created, k.NotAfter = instant(created), instant(notAfter.V)
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	return keys, nil
}

// AddKey implements token.KeyStore: a key that is there already stays as it is.
func (d *DB) AddKey(ctx context.Context, k token.Key) error {
	notAfter := sql.Null[int64]{V: micros(k.NotAfter), Valid: !k.NotAfter.IsZero()}
	_, err := d.sql.ExecContext(ctx, `INSERT INTO signing_key (id, secret, created, not_after) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO NOTHING`, k.ID, base64.StdEncoding.EncodeToString(k.Secret), micros(k.Created), notAfter)
	if err != nil {
		return fmt.Errorf("add signing key %s: %w", k.ID, err)
	}
	return nil
}

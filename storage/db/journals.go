package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/stream"
	"reprise/stream/timeline"
)

// Journal implements stream.JournalStore. It reads the log of revisions
// backwards and stops where everything before is replaced or kept already, so
// that a feed that was edited a thousand times is read as fast as a new one.
func (d *DB) Journal(ctx context.Context, feed stream.Feed) (timeline.Journal, int64, error) {
	journal, revision, err := d.readJournal(ctx, feed)
	if err != nil {
		return timeline.Journal{}, 0, fmt.Errorf("load journal of %s: %w", feedName(feed), err)
	}
	return journal, revision, nil
}

func (d *DB) readJournal(ctx context.Context, feed stream.Feed) (j timeline.Journal, latest int64, err error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT revision, first_entry, total, entries, closed FROM journal
		WHERE event = $1 AND auditorium = $2 AND language = $3 ORDER BY revision DESC`, feed.Event, feed.Auditorium, feed.Language)
	if err != nil {
		return j, 0, err
	}
	defer rows.Close()
	missing := 0 // entries [0, missing) are still to be found in older revisions
	for rows.Next() {
		var (
			revision int64
			first, n int
			text     sql.RawBytes
			closed   bool
			part     []timeline.Entry
		)
		if err := rows.Scan(&revision, &first, &n, &text, &closed); err != nil {
			return j, 0, err
		}
		if latest == 0 {
			latest, missing = revision, n
			j.Closed, j.Entries = closed, make([]timeline.Entry, n)
		}
		if first < missing {
			if err := fromJSON(string(text), &part); err != nil {
				return j, 0, fmt.Errorf("revision %d: %w", revision, err)
			}
			if first+len(part) < missing {
				return j, 0, fmt.Errorf("revision %d: entries %d to %d are missing", revision, first+len(part), missing)
			}
			copy(j.Entries[first:missing], part)
			missing = first
		}
		if missing == 0 {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return j, 0, err
	}
	if missing > 0 {
		return j, 0, fmt.Errorf("entries 0 to %d are missing", missing)
	}
	return j, latest, nil
}

// AppendJournal implements stream.JournalStore.
func (d *DB) AppendJournal(ctx context.Context, feed stream.Feed, revision int64, from int, entries []timeline.Entry, closed bool, at time.Time) error {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].AirStart = entries[i].AirStart.UTC()
	}
	text, err := toJSON(entries)
	if err != nil {
		return fmt.Errorf("append to journal of %s: %w", feedName(feed), err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		var (
			stored int64
			total  int
		)
		err := tx.QueryRowContext(ctx, `SELECT revision, total FROM journal
			WHERE event = $1 AND auditorium = $2 AND language = $3 ORDER BY revision DESC LIMIT 1`,
			feed.Event, feed.Auditorium, feed.Language).Scan(&stored, &total)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if stored != revision {
			return stream.ErrConflict
		}
		if from < 0 || from > total {
			return fmt.Errorf("entry %d of a journal of %d", from, total)
		}
		// Where transactions run side by side the primary key decides who was first.
		added, err := one(ctx, tx, `INSERT INTO journal (event, auditorium, language, revision, first_entry, total, entries, closed, written)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event, auditorium, language, revision) DO NOTHING`,
			feed.Event, feed.Auditorium, feed.Language, revision+1, from, from+len(entries), text, closed, micros(at))
		if err != nil {
			return err
		}
		if !added {
			return stream.ErrConflict
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("append to journal of %s: %w", feedName(feed), err)
	}
	return nil
}

// feedName is a feed in an error text.
func feedName(f stream.Feed) string {
	return fmt.Sprintf("%s/%s/%s", f.Event, f.Auditorium, f.Language)
}

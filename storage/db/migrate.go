package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose notes what it did.
const versionTable = "schema_version"

// migrate brings the schema up to date. The caller holds a lock against other
// processes, or gives goose one to take.
func migrate(ctx context.Context, dialect database.Dialect, pool *sql.DB, log *slog.Logger, options ...goose.ProviderOption) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, pool, folder,
		append(options, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	have, know, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: read version: %w", err)
	}
	if have > know {
		return fmt.Errorf("%w: it is at version %d, this program knows up to %d; "+
			"run the newer program, or restore a backup taken before it ran", ErrNewerSchema, have, know)
	}
	if have == know {
		return nil
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range done {
		log.InfoContext(ctx, "database migrated", "version", m.Source.Version, "duration", m.Duration)
	}
	return nil
}

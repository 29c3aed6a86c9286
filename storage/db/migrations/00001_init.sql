-- One text for SQLite and PostgreSQL. Ids are made in Go; instants are
-- microseconds since 1970 (UTC); JSON is TEXT.

-- +goose Up
CREATE TABLE asset (
    id       TEXT PRIMARY KEY,
    title    TEXT NOT NULL,
    state    TEXT NOT NULL,
    percent  DOUBLE PRECISION NOT NULL,
    verdict  TEXT NOT NULL,
    findings TEXT NOT NULL,              -- JSON
    source   TEXT NOT NULL,              -- JSON
    revision BIGINT NOT NULL,
    media    TEXT NOT NULL,              -- media of the revision; '' until ready
    created  BIGINT NOT NULL,
    updated  BIGINT NOT NULL
);
CREATE INDEX asset_created ON asset (created, id);

CREATE TABLE media (
    id       TEXT PRIMARY KEY,
    asset    TEXT REFERENCES asset (id), -- NULL for a slate
    revision BIGINT NOT NULL,
    body     TEXT NOT NULL,              -- JSON, without the segments
    segments TEXT NOT NULL               -- packed: see media.go
);
CREATE INDEX media_asset ON media (asset, revision);

CREATE TABLE event (
    id      TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL                -- JSON
);

-- Append-only: revision n replaces the entries from first_entry on.
CREATE TABLE journal (
    event       TEXT NOT NULL,
    auditorium  TEXT NOT NULL,
    language    TEXT NOT NULL,
    revision    BIGINT NOT NULL,
    first_entry BIGINT NOT NULL,
    total       BIGINT NOT NULL,         -- entries of the journal after this revision
    entries     TEXT NOT NULL,           -- JSON
    closed      BOOLEAN NOT NULL,
    written     BIGINT NOT NULL,
    PRIMARY KEY (event, auditorium, language, revision)
);

CREATE TABLE signing_key (
    id        TEXT PRIMARY KEY,
    secret    TEXT NOT NULL,             -- base64
    created   BIGINT NOT NULL,
    not_after BIGINT                     -- NULL: never retired
);

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL                  -- base64
);

-- One row a running process; the job queue looks here for the dead.
CREATE TABLE node (
    id      TEXT PRIMARY KEY,
    started BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('version', 1);

-- +goose Down
DROP TABLE counter;
DROP TABLE node;
DROP TABLE secret;
DROP TABLE signing_key;
DROP TABLE journal;
DROP TABLE event;
DROP TABLE media;
DROP TABLE asset;

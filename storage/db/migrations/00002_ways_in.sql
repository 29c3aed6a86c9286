-- What comes in, and from whom: uploads and their locks, reports, hand-ins, mail.

-- +goose Up
ALTER TABLE asset ADD COLUMN progress TEXT NOT NULL DEFAULT '{}';    -- JSON
ALTER TABLE asset ADD COLUMN extras TEXT NOT NULL DEFAULT '{}';      -- JSON
ALTER TABLE asset ADD COLUMN history TEXT NOT NULL DEFAULT 'null';   -- JSON
ALTER TABLE asset ADD COLUMN first_media TEXT NOT NULL DEFAULT '';   -- '': none
ALTER TABLE asset ADD COLUMN making_media TEXT NOT NULL DEFAULT '';  -- '': none

CREATE TABLE report (
    source TEXT PRIMARY KEY,
    asset  TEXT NOT NULL,
    body   TEXT NOT NULL                 -- JSON
);

CREATE TABLE upload (
    id      TEXT PRIMARY KEY,
    event   TEXT NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT NOT NULL                -- JSON
);
CREATE INDEX upload_event ON upload (event, created, id);

CREATE TABLE lease (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL,
    wanted BOOLEAN NOT NULL
);

CREATE TABLE handin (
    id      TEXT PRIMARY KEY,
    event   TEXT NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT NOT NULL                -- JSON
);
CREATE INDEX handin_event ON handin (event, created, id);

CREATE TABLE mail (
    id      TEXT PRIMARY KEY,
    event   TEXT NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT NOT NULL                -- JSON
);
CREATE INDEX mail_event ON mail (event, created, id);

-- +goose Down
DROP TABLE mail;
DROP TABLE handin;
DROP TABLE lease;
DROP TABLE upload;
DROP TABLE report;
ALTER TABLE asset DROP COLUMN making_media;
ALTER TABLE asset DROP COLUMN first_media;
ALTER TABLE asset DROP COLUMN history;
ALTER TABLE asset DROP COLUMN extras;
ALTER TABLE asset DROP COLUMN progress;

-- What somebody confirmed, until all of it is written; afterwards the counts alone.
CREATE TABLE roster_import (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    made_by     INTEGER,                             -- the operator; null: the command line
    made_at     INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('writing', 'done', 'overtaken', 'cancelled')),
    whole       INTEGER NOT NULL CHECK (whole IN (0, 1)), -- whole or nothing was asked for
    seal        TEXT    NOT NULL,                    -- what its parts' ciphertext is bound to
    parts       INTEGER NOT NULL,
    next        INTEGER NOT NULL,                    -- the part that is written next
    people      INTEGER NOT NULL,                    -- those to be added or changed
    added       INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    cards       INTEGER NOT NULL,
    overtaken   INTEGER NOT NULL,                    -- left as they are: somebody changed them meanwhile
    lines       TEXT    NOT NULL,                    -- at which lines, as a list of numbers; the first of them
    finished_at INTEGER
) STRICT;

CREATE TABLE roster_part (
    import INTEGER NOT NULL REFERENCES roster_import (id) ON DELETE CASCADE,
    part   INTEGER NOT NULL,
    sealed BLOB    NOT NULL,                         -- AES-256-GCM; no card number is in it
    PRIMARY KEY (import, part)
) STRICT;

-- Photographs that wait for the vision process, until each was looked at; afterwards what came of each.
CREATE TABLE roster_album (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    made_by      INTEGER NOT NULL,
    made_at      INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('loading', 'working', 'done', 'cancelled')),
    seal         TEXT    NOT NULL,                   -- what its photographs' ciphertext is bound to
    text_version TEXT,                               -- consent was collected: to which text, and when
    given_at     INTEGER,
    CHECK ((text_version IS NULL) = (given_at IS NULL))
) STRICT;

CREATE TABLE roster_photo (
    album  INTEGER NOT NULL REFERENCES roster_album (id) ON DELETE CASCADE,
    photo  INTEGER NOT NULL,
    person INTEGER NOT NULL,                         -- pseudonymous, and kept when the person goes
    state  TEXT    NOT NULL CHECK (state IN ('waiting', 'enrolled', 'same', 'refused')),
    code   TEXT    NOT NULL,                         -- why it was refused; empty otherwise
    other  INTEGER,                                  -- whom it looks like
    bytes  INTEGER NOT NULL,
    sealed BLOB    NOT NULL,                         -- AES-256-GCM; empty when it was looked at
    PRIMARY KEY (album, photo)
) STRICT;

-- Who is told what is journaled. Addresses may hold somebody's password, so they are sealed as secrets are.
CREATE TABLE webhook (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE,
    address       BLOB    NOT NULL,            -- sealed
    topics        TEXT    NOT NULL,            -- words, with spaces between
    secret        BLOB    NOT NULL,            -- sealed
    former        BLOB,                        -- the secret before, sealed
    former_until  INTEGER,                     -- what is told until then is signed with both
    told          INTEGER NOT NULL,            -- the last record that was told, or is not for it
    paused        TEXT    CHECK (paused IN ('by-operator', 'by-itself')),
    told_at       INTEGER,                     -- when something was last taken
    failing_since INTEGER,                     -- since when nothing was
    tries         INTEGER NOT NULL,            -- how often in vain since then
    next_at       INTEGER,                     -- when it is tried again
    made_by       INTEGER NOT NULL REFERENCES operator (id),
    made_at       INTEGER NOT NULL
) STRICT;

-- What became of the last tries, as far as they are kept.
CREATE TABLE webhook_try (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES webhook (id),
    at      INTEGER NOT NULL,
    seq     INTEGER NOT NULL,                  -- the record that was to be told
    took    INTEGER NOT NULL,                  -- microseconds
    outcome TEXT    NOT NULL                   -- the status of the answer, or the word for why there was none
) STRICT;
CREATE INDEX webhook_try_of ON webhook_try (webhook, id);

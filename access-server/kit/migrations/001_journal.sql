-- The journal: appended, never updated. Bodies hold pseudonymous ids only.
CREATE TABLE journal (
    seq      INTEGER PRIMARY KEY,          -- 1, 2, 3 ... without gaps
    received INTEGER NOT NULL,             -- UTC microseconds, the server's clock
    source   TEXT    NOT NULL,             -- the device's certificate name, or 'server'
    epoch    INTEGER NOT NULL,             -- a new one whenever the source's outbox was made anew
    stream   TEXT    NOT NULL CHECK (stream IN ('urgent', 'bulk', 'own')),
    number   INTEGER NOT NULL CHECK (number > 0),
    at       INTEGER NOT NULL,             -- UTC microseconds, the source's clock
    kind     TEXT    NOT NULL,
    body     TEXT    NOT NULL,             -- JSON, kept byte for byte
    prev     BLOB    NOT NULL,             -- the hash of the record before
    hash     BLOB    NOT NULL,             -- SHA-256 over all of the above
    UNIQUE (source, epoch, stream, number)
) STRICT;

-- One row: where the chain stands. Its lock is what lets one writer at a time extend the chain.
CREATE TABLE journal_head (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    seq          INTEGER NOT NULL,
    hash         BLOB    NOT NULL,
    own          INTEGER NOT NULL,         -- the server's own last number
    checkpoint   INTEGER NOT NULL,         -- the last checkpoint's number
    checkpointed INTEGER NOT NULL          -- the last record it covers
) STRICT;

CREATE TABLE journal_checkpoint (
    number    INTEGER PRIMARY KEY,         -- 1, 2, 3 ... without gaps
    seq       INTEGER NOT NULL,            -- the last record it covers
    hash      BLOB    NOT NULL,            -- that record's hash
    at        INTEGER NOT NULL,
    signature BLOB    NOT NULL             -- Ed25519 over the four above
) STRICT;

-- How far each source's streams are complete.
CREATE TABLE stream_position (
    source TEXT    NOT NULL,
    epoch  INTEGER NOT NULL,
    stream TEXT    NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (source, epoch, stream)
) STRICT;

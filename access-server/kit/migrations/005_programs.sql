-- What programs sign in with. Each has an operator of its own, whom the journal names.
CREATE TABLE token (
    operator   INTEGER NOT NULL PRIMARY KEY REFERENCES operator (id),
    digest     BLOB    NOT NULL UNIQUE,         -- SHA-256 of the token
    scopes     TEXT    NOT NULL,                -- words, with spaces between
    made_by    INTEGER NOT NULL REFERENCES operator (id),
    expires_at INTEGER NOT NULL,
    used_at    INTEGER                          -- when last, to the minute
) STRICT;

-- What requests with an idempotency key were answered.
CREATE TABLE answer (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    operator INTEGER NOT NULL REFERENCES operator (id),
    key      TEXT    NOT NULL,
    request  BLOB    NOT NULL,                  -- SHA-256 of what was asked
    status   INTEGER NOT NULL,
    body     TEXT    NOT NULL,                  -- JSON; empty for none
    at       INTEGER NOT NULL,
    UNIQUE (operator, key)
) STRICT;
CREATE INDEX answer_at ON answer (at);

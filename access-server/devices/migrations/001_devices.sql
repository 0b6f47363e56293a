-- The site's authority, and its newest list of revoked certificates.
CREATE TABLE authority (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    certificate TEXT    NOT NULL,                -- PEM
    number      INTEGER NOT NULL,                -- the list's; a later one has a higher one
    list        TEXT    NOT NULL                 -- PEM; empty while there is none
) STRICT;

-- What was issued, as far as it is known here.
CREATE TABLE certificate (
    serial     BLOB    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,                 -- the common name, as controller-7
    key        BLOB    NOT NULL,                 -- SHA-256 of the public key
    pem        TEXT    NOT NULL,
    why        TEXT    NOT NULL CHECK (why IN ('found', 'enrolled', 'renewed')),
    known_at   INTEGER NOT NULL,                 -- when it was issued, or found in a file
    ends_at    INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_by INTEGER REFERENCES operator (id),
    reason     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX certificate_holder ON certificate (holder);

-- Invitations: one-time codes, of which the digest alone is kept.
CREATE TABLE enrolment (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    holder       TEXT    NOT NULL,
    digest       BLOB    NOT NULL UNIQUE,        -- SHA-256 of the secret
    made_by      INTEGER REFERENCES operator (id),  -- none: on the command line
    made_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
    withdrawn_at INTEGER
) STRICT;

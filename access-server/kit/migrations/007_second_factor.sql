-- The second factor of operators: a secret shared with an app on their phone (RFC 6238).
CREATE TABLE totp (
    operator     INTEGER NOT NULL PRIMARY KEY REFERENCES operator (id) ON DELETE CASCADE,
    sealed       BLOB    NOT NULL,              -- sealed with the site's key, bound to the operator
    confirmed_at INTEGER,                       -- NULL until a code was right: it does not count before
    last_step    INTEGER NOT NULL DEFAULT 0     -- the half minute whose code was accepted last: only later ones are
) STRICT;

-- What is typed instead when the phone is lost, each once.
CREATE TABLE recovery_code (
    operator INTEGER NOT NULL REFERENCES totp (operator) ON DELETE CASCADE,
    digest   BLOB    NOT NULL,                  -- SHA-256; a code has 80 bits
    PRIMARY KEY (operator, digest)
) STRICT;

-- Whoever has shown the password and not the second factor yet. Asks for the latter, and grants nothing.
CREATE TABLE half_session (
    digest     BLOB    NOT NULL PRIMARY KEY,    -- SHA-256 of the cookie's value
    operator   INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX half_session_operator ON half_session (operator);

-- From which rank on a second factor is asked for. No row: of nobody.
CREATE TABLE second_factor_rule (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    rank INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 5)
) STRICT;

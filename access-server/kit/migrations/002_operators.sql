CREATE TABLE operator (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT    NOT NULL UNIQUE,    -- the login name, folded to lower case
    role            INTEGER NOT NULL,           -- rank: 1 viewer ... 5 administrator
    password        TEXT    NOT NULL,           -- argon2id, PHC string
    must_change     INTEGER NOT NULL DEFAULT 1 CHECK (must_change IN (0, 1)),
    language        TEXT    NOT NULL DEFAULT 'zh-CN',
    disabled        INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    digest     BLOB    NOT NULL PRIMARY KEY,    -- SHA-256 of the cookie's value
    operator   INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    address    TEXT    NOT NULL
) STRICT;
CREATE INDEX session_operator ON session (operator);

-- What operators sign in with beside the password, or instead of it: a key pair of their device (WebAuthn), of which the
-- public half is here. It opens nothing.
CREATE TABLE passkey (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    operator   INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    credential BLOB    NOT NULL UNIQUE,         -- the id that the device gave it
    handle     BLOB    NOT NULL,                -- what the device knows the operator by: drawn at random, the same for all of theirs
    public_key BLOB    NOT NULL,                -- COSE_Key, RFC 9052
    counter    INTEGER NOT NULL,                -- of signatures, as seen last; 0 where the device does not count
    synced     INTEGER NOT NULL CHECK (synced IN (0, 1)), -- may be on several devices of its owner
    name       TEXT    NOT NULL,                -- as its owner calls it
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX passkey_operator ON passkey (operator);

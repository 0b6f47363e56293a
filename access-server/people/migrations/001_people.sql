-- People and what they carry. Names live here alone: the journal knows ids.
CREATE TABLE person (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given again
    key         TEXT    NOT NULL UNIQUE,             -- the site's own name for the row; imports find it by this
    kind        TEXT    NOT NULL CHECK (kind IN ('employee', 'visitor', 'contractor', 'guard', 'operator')),
    name        TEXT    NOT NULL CHECK (name <> ''),
    latin       TEXT    NOT NULL,                    -- the name in Latin letters; may be empty
    department  TEXT    NOT NULL,
    number      TEXT    NOT NULL,                    -- staff number; may be empty
    valid_from  INTEGER,                             -- UTC microseconds; null: always has been
    valid_until INTEGER,                             -- null: until further notice
    status      TEXT    NOT NULL CHECK (status IN ('active', 'suspended')),
    clearance   INTEGER NOT NULL CHECK (clearance BETWEEN 0 AND 7),
    changed_at  INTEGER NOT NULL,
    CHECK (valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until)
) STRICT;
CREATE UNIQUE INDEX person_number ON person (number) WHERE number <> '';

CREATE TABLE person_group (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    key   TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL CHECK (name <> ''),
    latin TEXT    NOT NULL
) STRICT;

CREATE TABLE person_group_member (
    person       INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    person_group INTEGER NOT NULL REFERENCES person_group (id) ON DELETE CASCADE,
    PRIMARY KEY (person, person_group)
) STRICT;
CREATE INDEX person_group_member_group ON person_group_member (person_group);

-- A card, PIN or QR code, known by its keyed digest alone.
CREATE TABLE credential (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    person      INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL CHECK (kind IN ('card', 'pin', 'qr')),
    key         TEXT    NOT NULL CHECK (key <> ''),  -- tells a person's cards apart; of a PIN it is its use
    digest      BLOB    NOT NULL,                    -- HMAC-SHA256 under the site's credential key
    use_as      TEXT    NOT NULL CHECK (use_as IN ('ordinary', 'duress')),
    status      TEXT    NOT NULL CHECK (status IN ('active', 'suspended', 'lost', 'stolen')),
    valid_from  INTEGER,
    valid_until INTEGER,
    changed_at  INTEGER NOT NULL,
    UNIQUE (digest),
    UNIQUE (person, kind, key),
    CHECK (kind <> 'pin' OR key = use_as),
    CHECK (valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until)
) STRICT;

-- What a person agreed to. Kept when the person goes: ids and times alone.
CREATE TABLE consent (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    person       INTEGER NOT NULL,
    purpose      TEXT    NOT NULL CHECK (purpose IN ('face-access', 'profile-picture')),
    text_version TEXT    NOT NULL CHECK (text_version <> ''),
    given_at     INTEGER NOT NULL,
    recorded_by  INTEGER,                            -- the operator; null: an import or the command line
    withdrawn_at INTEGER,
    withdrawn_by INTEGER
) STRICT;
CREATE UNIQUE INDEX consent_standing ON consent (person, purpose) WHERE withdrawn_at IS NULL;

CREATE TABLE face_template (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    person      INTEGER NOT NULL UNIQUE REFERENCES person (id) ON DELETE CASCADE,
    consent     INTEGER NOT NULL REFERENCES consent (id),
    model       TEXT    NOT NULL,                    -- which network made it: templates of two do not compare
    key_id      TEXT    NOT NULL,                    -- which key sealed it
    sealed      BLOB    NOT NULL,                    -- AES-256-GCM, bound to person, template and key
    mark        BLOB    NOT NULL,                    -- its share of the gallery's digest
    photo       BLOB    NOT NULL,                    -- SHA-256 of the photograph it was made from
    enrolled_at INTEGER NOT NULL
) STRICT;

CREATE TABLE profile_picture (
    person    INTEGER PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
    consent   INTEGER NOT NULL REFERENCES consent (id),
    media     TEXT    NOT NULL CHECK (media IN ('image/jpeg', 'image/png')),
    key_id    TEXT    NOT NULL,
    sealed    BLOB    NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;

-- The gallery as vision processes copy it: its versions, and which template came or went with which.
CREATE TABLE gallery_version (
    version INTEGER PRIMARY KEY,
    digest  BLOB    NOT NULL                         -- over all rows of that version
) STRICT;
CREATE TABLE gallery_change (
    version  INTEGER NOT NULL REFERENCES gallery_version (version) ON DELETE CASCADE,
    template INTEGER NOT NULL,
    PRIMARY KEY (version, template)
) STRICT;

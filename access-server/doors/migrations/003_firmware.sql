-- Keys of the maker whose firmware is taken.
CREATE TABLE firmware_key (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    public   TEXT    NOT NULL UNIQUE CHECK (length(public) = 64),     -- ed25519, hexadecimal
    added_at INTEGER NOT NULL
) STRICT;

-- Firmware files whose head one of the keys has signed, and what their heads say.
CREATE TABLE firmware_image (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256   TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),     -- of the file
    file     BLOB    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('door', 'lane')),
    target   TEXT    NOT NULL,
    version  INTEGER NOT NULL,                                        -- 1.2.3 is 1002003
    security INTEGER NOT NULL,
    words    TEXT    NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;

-- Which image boards are to run, and when they may start anew.
CREATE TABLE firmware_plan (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    image        INTEGER NOT NULL REFERENCES firmware_image (id),
    starts_at    INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL CHECK (ends_at > starts_at),
    even_if_open INTEGER NOT NULL CHECK (even_if_open IN (0, 1)),
    state        TEXT    NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
    made_at      INTEGER NOT NULL
) STRICT;

-- A board of a plan. A wave begins when all boards of those before it are good.
CREATE TABLE firmware_order (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    plan       INTEGER NOT NULL REFERENCES firmware_plan (id),
    controller INTEGER NOT NULL,
    bus        TEXT    NOT NULL,
    address    INTEGER NOT NULL CHECK (address BETWEEN 0 AND 126),
    wave       INTEGER NOT NULL CHECK (wave IN (0, 1)),
    state      TEXT    NOT NULL CHECK (state IN ('ordered', 'ready', 'trial', 'good', 'returned', 'refused')),
    UNIQUE (plan, controller, bus, address)
) STRICT;

-- Counts changes, for the replicas of controllers.
CREATE TABLE firmware_change (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO firmware_change (id, number) VALUES (1, 0);

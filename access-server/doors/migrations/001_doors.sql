-- The site and its numbers.
CREATE TABLE site (
    id                      INTEGER PRIMARY KEY CHECK (id = 1),
    key                     TEXT    NOT NULL,
    name                    TEXT    NOT NULL CHECK (name <> ''),
    latin                   TEXT    NOT NULL,
    zone                    TEXT    NOT NULL,             -- IANA name
    face_score              INTEGER NOT NULL CHECK (face_score BETWEEN 0 AND 10000),
    face_margin             INTEGER NOT NULL CHECK (face_margin BETWEEN 0 AND 10000),
    wrong_tries             INTEGER NOT NULL CHECK (wrong_tries BETWEEN 1 AND 5),
    wrong_tries_within_ms   INTEGER NOT NULL CHECK (wrong_tries_within_ms >= 0),
    lock_out_ms             INTEGER NOT NULL CHECK (lock_out_ms >= 0),
    second_factor_within_ms INTEGER NOT NULL CHECK (second_factor_within_ms BETWEEN 1000 AND 120000),
    same_person_within_ms   INTEGER NOT NULL CHECK (same_person_within_ms >= 0)
) STRICT;

-- Outside, buildings (no parent), floors and areas in them.
CREATE TABLE area (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    key    TEXT    NOT NULL UNIQUE,
    name   TEXT    NOT NULL CHECK (name <> ''),
    latin  TEXT    NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('outside', 'building', 'floor', 'area')),
    parent INTEGER REFERENCES area (id),
    CHECK ((parent IS NULL) = (kind IN ('outside', 'building')))
) STRICT;

CREATE TABLE controller (
    id    INTEGER PRIMARY KEY CHECK (id > 0),             -- part of its certificate's name: chosen, not given
    key   TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL CHECK (name <> ''),
    latin TEXT    NOT NULL
) STRICT;

CREATE TABLE fire_zone (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    key   TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL CHECK (name <> ''),
    latin TEXT    NOT NULL
) STRICT;

CREATE TABLE schedule (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    key   TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL CHECK (name <> ''),
    latin TEXT    NOT NULL
) STRICT;
CREATE TABLE schedule_window (
    schedule INTEGER NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,
    days     INTEGER NOT NULL CHECK (days BETWEEN 1 AND 1023),    -- bits: Monday to Sunday, holiday, working weekend, site day
    opens    INTEGER NOT NULL CHECK (opens BETWEEN 0 AND 1439),   -- minute of the day
    closes   INTEGER NOT NULL CHECK (closes BETWEEN 0 AND 1440),  -- not above opens: on the next day
    PRIMARY KEY (schedule, place)
) STRICT;
-- On such a date these spans stand in place of all windows that would begin then; a row without a span: closed.
CREATE TABLE schedule_exception (
    schedule INTEGER NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    day      INTEGER NOT NULL,                                    -- days since 1970-01-01
    place    INTEGER NOT NULL,
    opens    INTEGER CHECK (opens BETWEEN 0 AND 1439),
    closes   INTEGER CHECK (closes BETWEEN 0 AND 1440),
    PRIMARY KEY (schedule, day, place),
    CHECK ((opens IS NULL) = (closes IS NULL))
) STRICT;

-- Days that are not what their weekday says.
CREATE TABLE calendar_day (
    day  INTEGER PRIMARY KEY,                                     -- days since 1970-01-01
    kind TEXT    NOT NULL CHECK (kind IN ('public-holiday', 'working-weekend', 'site-day')),
    name TEXT    NOT NULL
) STRICT;

CREATE TABLE door (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    key              TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL CHECK (name <> ''),
    latin            TEXT    NOT NULL,
    controller       INTEGER NOT NULL REFERENCES controller (id),
    bus              TEXT,                                        -- the bus's name in the controller's configuration
    address          INTEGER CHECK (address BETWEEN 0 AND 126),   -- the board's OSDP address there
    kind             TEXT    NOT NULL CHECK (kind IN ('door', 'lane')),
    outside          INTEGER NOT NULL REFERENCES area (id),
    inside           INTEGER NOT NULL REFERENCES area (id),
    egress           TEXT    NOT NULL CHECK (egress IN ('exit', 'both')),
    strike_ms        INTEGER NOT NULL CHECK (strike_ms BETWEEN 100 AND 600000),
    held_after_ms    INTEGER NOT NULL CHECK (held_after_ms >= 0),
    relock           TEXT    NOT NULL CHECK (relock IN ('on-open', 'on-close', 'after-time')),
    anti_passback    TEXT    NOT NULL CHECK (anti_passback IN ('off', 'soft', 'hard', 'timed')),
    anti_passback_ms INTEGER NOT NULL CHECK (anti_passback_ms >= 0),  -- when timed
    unrecorded_entry TEXT    NOT NULL CHECK (unrecorded_entry IN ('refuse', 'allow')),
    fire_zone        INTEGER REFERENCES fire_zone (id),
    CHECK (outside <> inside),
    CHECK ((bus IS NULL) = (address IS NULL))
) STRICT;
CREATE UNIQUE INDEX door_board ON door (controller, bus, address) WHERE bus IS NOT NULL;
-- Which factors open it: the first rule whose schedule is open; the rule without a schedule when none is.
CREATE TABLE door_rule (
    door     INTEGER NOT NULL REFERENCES door (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,
    schedule INTEGER REFERENCES schedule (id),
    factors  INTEGER NOT NULL CHECK (factors BETWEEN 1 AND 15),   -- bits: face, card, PIN, QR
    PRIMARY KEY (door, place, factors)
) STRICT;

CREATE TABLE door_group (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    key   TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL CHECK (name <> ''),
    latin TEXT    NOT NULL
) STRICT;
CREATE TABLE door_group_member (
    door_group INTEGER NOT NULL REFERENCES door_group (id) ON DELETE CASCADE,
    door       INTEGER NOT NULL REFERENCES door (id) ON DELETE CASCADE,
    PRIMARY KEY (door_group, door)
) STRICT;

CREATE TABLE level (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT    NOT NULL UNIQUE,
    name     TEXT    NOT NULL CHECK (name <> ''),
    latin    TEXT    NOT NULL,
    schedule INTEGER NOT NULL REFERENCES schedule (id)
) STRICT;
CREATE TABLE level_group (
    level        INTEGER NOT NULL REFERENCES level (id) ON DELETE CASCADE,
    person_group INTEGER NOT NULL REFERENCES person_group (id),
    PRIMARY KEY (level, person_group)
) STRICT;
CREATE TABLE level_door (
    level INTEGER NOT NULL REFERENCES level (id) ON DELETE CASCADE,
    door  INTEGER NOT NULL REFERENCES door (id) ON DELETE CASCADE,
    PRIMARY KEY (level, door)
) STRICT;
CREATE TABLE level_door_group (
    level      INTEGER NOT NULL REFERENCES level (id) ON DELETE CASCADE,
    door_group INTEGER NOT NULL REFERENCES door_group (id),
    PRIMARY KEY (level, door_group)
) STRICT;

-- What was published, row by row as it travels: each row from the version it came with until the one it went with.
CREATE TABLE policy_version (
    version      INTEGER PRIMARY KEY,
    made_at      INTEGER NOT NULL,
    published_by INTEGER                                          -- the operator; null: the server of itself
) STRICT;
CREATE TABLE policy_digest (
    version    INTEGER NOT NULL REFERENCES policy_version (version) ON DELETE CASCADE,
    controller INTEGER NOT NULL,
    digest     BLOB    NOT NULL,                                  -- over all rows that this controller holds
    PRIMARY KEY (version, controller)
) STRICT;
CREATE TABLE policy_row (
    scope   INTEGER NOT NULL,                                     -- 0: every controller's; otherwise this one's alone
    part    TEXT    NOT NULL,
    id      INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER,                                              -- null: in force
    content TEXT    NOT NULL,
    PRIMARY KEY (scope, part, id, since)
) STRICT;
CREATE INDEX policy_row_since ON policy_row (since);
CREATE INDEX policy_row_until ON policy_row (until);

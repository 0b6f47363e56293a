-- A floor's plan, as this server wrote it out anew from what was uploaded.
CREATE TABLE floor_plan (
    area      INTEGER PRIMARY KEY REFERENCES area (id) ON DELETE CASCADE,
    media     TEXT    NOT NULL CHECK (media IN ('image/png', 'image/jpeg', 'image/svg+xml')),
    width     INTEGER NOT NULL CHECK (width BETWEEN 1 AND 100000),    -- pixels, or units of the drawing
    height    INTEGER NOT NULL CHECK (height BETWEEN 1 AND 100000),
    bytes     BLOB    NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;
-- Where doors stand on it, in ten-thousandths of its width and height.
CREATE TABLE floor_plan_door (
    area INTEGER NOT NULL REFERENCES floor_plan (area) ON DELETE CASCADE,
    door INTEGER NOT NULL REFERENCES door (id) ON DELETE CASCADE,
    x    INTEGER NOT NULL CHECK (x BETWEEN 0 AND 10000),
    y    INTEGER NOT NULL CHECK (y BETWEEN 0 AND 10000),
    PRIMARY KEY (area, door)
) STRICT;

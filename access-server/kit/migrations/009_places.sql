-- Operators whose rank is not the same everywhere. For them `operator.role` is the highest of these ranks; an operator
-- without a row here has the rank of `operator.role` at the whole site.
CREATE TABLE operator_place (
    operator INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,                  -- 0: the whole site; otherwise an area's number, with all that lies in it
    role     INTEGER NOT NULL CHECK (role BETWEEN 1 AND 5),
    PRIMARY KEY (operator, place)
) STRICT;

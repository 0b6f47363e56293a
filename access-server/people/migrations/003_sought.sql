-- What a person is looked for by, and their place in a list by name. Empty until written with the person, or at the
-- server's start for those who were there before.
ALTER TABLE person ADD COLUMN sort   TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN sought TEXT NOT NULL DEFAULT '';
CREATE INDEX person_sort ON person (sort, id);

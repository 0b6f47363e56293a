-- The orders in which people are listed, beside that of names.
CREATE INDEX person_by_department ON person (department, sort, id);
CREATE INDEX person_by_number ON person (number, sort, id);

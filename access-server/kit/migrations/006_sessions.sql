-- When an operator signed in last, and what browser a session was begun with.
ALTER TABLE operator ADD COLUMN signed_in_at INTEGER;
ALTER TABLE session  ADD COLUMN agent TEXT NOT NULL DEFAULT '';

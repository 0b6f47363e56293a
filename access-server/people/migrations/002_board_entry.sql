-- A card's entry on the lists that boards open by while they are alone: eight bytes that say nothing without a salt kept
-- outside the database. Cards given out before have none until they are given out again.
ALTER TABLE credential ADD COLUMN board_entry BLOB CHECK (board_entry IS NULL OR length(board_entry) = 8);

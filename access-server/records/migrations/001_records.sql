-- What records are found by, made out of the journal and made again from it when it is lost. A record has one row for
-- each of its terms; each row has what else is asked for, so that one walk answers a question.
CREATE TABLE record_posting (
    term   INTEGER NOT NULL,               -- see term.rs
    at     INTEGER NOT NULL,               -- the record's time, UTC microseconds, the source's clock
    seq    INTEGER NOT NULL,               -- its place in the journal
    person INTEGER NOT NULL,               -- 0 for none
    door   INTEGER NOT NULL,               -- 0 for none
    marks  INTEGER NOT NULL,               -- a bit for each of its words; several words may share one
    PRIMARY KEY (term, at, seq)
) STRICT, WITHOUT ROWID;

-- One row: the last record of the journal that has its rows.
CREATE TABLE record_progress (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO record_progress (id, seq) VALUES (1, 0);

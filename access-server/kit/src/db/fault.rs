//! What kind of trouble a database error is, and so what to do about it.

/// What a failed statement or commit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No room: try again when there is.
    Full,
    /// Not there, or too busy to answer: try again.
    Away,
    /// The disk did not keep what it was told to, or holds something else: stop, a retry could report success falsely.
    Broken,
    /// A constraint refused the row; carries no blame for the database.
    Constraint,
    /// Anything else: the statement itself is at fault.
    Statement,
}

impl Fault {
    /// Reads an error's kind.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = error {
            let code = database.code().unwrap_or_default();
            // SQLSTATE has five characters, SQLite's extended codes are decimal and shorter.
            return if code.len() == 5 { sqlstate(&code) } else { sqlite(code.parse().unwrap_or(0)) };
        }
        if matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_)
        ) {
            return Self::Away;
        }
        Self::Statement
    }

    /// True when the same work may succeed later.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Full | Self::Away)
    }
}

/// <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn sqlite(code: u32) -> Fault {
    const IOERR_FSYNC: u32 = 1034;
    const IOERR_DIR_FSYNC: u32 = 1290;
    const IOERR_CORRUPTFS: u32 = 8458;
    match (code, code & 0xff) {
        (IOERR_FSYNC | IOERR_DIR_FSYNC | IOERR_CORRUPTFS, _) | (_, 11 | 26) => Fault::Broken,
        (_, 13) => Fault::Full,
        // busy, locked, read-only, any other I/O error, cannot open
        (_, 5 | 6 | 8 | 10 | 14) => Fault::Away,
        (_, 19) => Fault::Constraint,
        _ => Fault::Statement,
    }
}

/// PostgreSQL 15, appendix A: error codes.
fn sqlstate(code: &str) -> Fault {
    match (code, &code[..2]) {
        ("53100", _) => Fault::Full,
        // read-only, as a server that has handed over to another is; a transaction ended for being idle
        ("25006" | "25P03", _) => Fault::Away,
        // 28 and 3D: refused at the door, as while a server is set up anew or its passwords are exchanged
        (_, "08" | "28" | "3D" | "40" | "53" | "55" | "57") => Fault::Away,
        (_, "58" | "XX") => Fault::Broken,
        (_, "23") => Fault::Constraint,
        _ => Fault::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_stops_and_a_full_disk_waits() {
        assert_eq!(sqlite(1034), Fault::Broken);
        assert_eq!(sqlite(13), Fault::Full);
        assert_eq!(sqlite(2067), Fault::Constraint);
        assert_eq!(sqlstate("53100"), Fault::Full);
        assert_eq!(sqlstate("57P01"), Fault::Away);
        assert_eq!(sqlstate("23505"), Fault::Constraint);
        assert_eq!(sqlstate("XX001"), Fault::Broken);
    }

    #[test]
    fn a_server_that_hands_over_is_waited_for() {
        for code in ["25006", "25P03", "28P01", "28000", "3D000", "57P03", "55P03"] {
            assert_eq!(sqlstate(code), Fault::Away, "{code}");
        }
        assert_eq!(sqlstate("25P02"), Fault::Statement);
    }
}

//! Walking the whole chain, with nothing but the database, the public key and the checkpoint log.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use sqlx::{AnyConnection, AnyPool, Connection, Row};

use super::checkpoint::Checkpoint;
use super::read::record;
use super::record::{GENESIS, Hash, StoredEvent, Stream};

crate::statements! {
    PAGE = "SELECT seq, received, source, epoch, stream, number, at, kind, body, prev, hash FROM journal WHERE seq > $1 ORDER BY seq LIMIT 1000";
    CHECKPOINTS = "SELECT number, seq, hash, at, signature FROM journal_checkpoint ORDER BY number";
    HEAD = "SELECT seq, checkpoint FROM journal_head WHERE id = 1";
}

/// What the walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records walked and found good.
    pub records: u64,
    /// Checkpoints with a good signature over the right record.
    pub checkpoints: u64,
    /// The last record that a signature covers; what follows it is chained but not yet signed.
    pub signed_up_to: u64,
    /// The first thing that is wrong; `None` when all is well.
    pub finding: Option<Finding>,
}

/// The first thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// This record is not what was written, or its hash is not.
    Altered {
        /// The record.
        seq: u64,
    },
    /// No record stands at this place although later ones do.
    Missing {
        /// The place.
        seq: u64,
    },
    /// A source's numbers have a gap before this record.
    Gap {
        /// The record.
        seq: u64,
        /// Its source.
        source: String,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The journal ends before what a checkpoint or the chain's head proves.
    Truncated {
        /// The last record there is.
        last: u64,
        /// The last record there was.
        proven: u64,
    },
    /// A checkpoint's signature is not by this site's key, or the log holds a different one under its number.
    ForgedCheckpoint {
        /// The checkpoint.
        number: u64,
    },
    /// A checkpoint is not in the database although later ones, the log or the head prove it.
    MissingCheckpoint {
        /// The checkpoint.
        number: u64,
    },
    /// The chain is whole but is not the one that was signed: some record after the checkpoint before was rewritten.
    Rewritten {
        /// The first record that may have been rewritten.
        from: u64,
        /// The record the checkpoint was signed over.
        to: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { seq } => write!(f, "record {seq} is altered"),
            Self::Missing { seq } => write!(f, "record {seq} is missing"),
            Self::Gap { seq, source, expected, found } => {
                write!(f, "record {seq}: {source} should have said #{expected} here, not #{found}")
            }
            Self::Truncated { last, proven } => {
                write!(f, "the journal ends at record {last}, but had reached record {proven}")
            }
            Self::ForgedCheckpoint { number } => {
                write!(f, "checkpoint {number} is not signed by this site's key")
            }
            Self::MissingCheckpoint { number } => write!(f, "checkpoint {number} is missing"),
            Self::Rewritten { from, to } => {
                write!(f, "records {from} to {to} were rewritten: they are not what was signed")
            }
        }
    }
}

/// Why a walk could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database failed.
    #[error("the journal could not be read")]
    Database(#[from] sqlx::Error),
}

/// Walks the chain from its first record. `log` holds the checkpoints kept outside the database, read before this is
/// called. All of it is read as it stood at one moment: a server may go on writing meanwhile.
///
/// # Errors
/// When the database cannot be read; what is wrong with the journal itself is in the report.
pub async fn verify(pool: &AnyPool, public_key: &[u8], log: &[Checkpoint]) -> Result<Report, VerifyError> {
    let mut connection = pool.acquire().await?;
    let begin = match connection.backend_name() {
        "PostgreSQL" => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        // SQLite's readers see the moment of their first statement.
        _ => "BEGIN",
    };
    let mut moment = connection.begin_with(begin).await?;
    let (checkpoints, finding) = signed(&mut moment, public_key, log).await?;
    let mut walk = Walk {
        expected: 1,
        hash: GENESIS,
        numbers: HashMap::new(),
        checkpoints,
        report: Report { records: 0, checkpoints: 0, signed_up_to: 0, finding: None },
    };
    loop {
        let rows = sqlx::query(PAGE).bind((walk.expected - 1).cast_signed()).fetch_all(&mut *moment).await?;
        let Some(last) = rows.last() else { break };
        // A place below the first page, or one that does not move, would walk in a circle.
        let last: i64 = last.try_get(0)?;
        for row in &rows {
            if let Some(wrong) = walk.step(row)? {
                walk.report.finding = Some(wrong);
                return Ok(walk.report);
            }
        }
        debug_assert_eq!(last, (walk.expected - 1).cast_signed(), "every row of the page was stepped over");
    }
    walk.report.finding = match finding {
        Some(finding) => Some(finding),
        None => walk.end(&mut moment, log).await?,
    };
    Ok(walk.report)
}

/// The database's checkpoints by the record they cover, and what is wrong with them as such.
async fn signed(
    connection: &mut AnyConnection,
    public_key: &[u8],
    log: &[Checkpoint],
) -> Result<(BTreeMap<u64, Checkpoint>, Option<Finding>), sqlx::Error> {
    let rows =
        sqlx::query_as::<_, (i64, i64, Vec<u8>, i64, Vec<u8>)>(CHECKPOINTS).fetch_all(connection).await?;
    let mut good = BTreeMap::new();
    let mut numbered = HashMap::new();
    let mut finding = None;
    let mut wrong = |what: Finding| {
        finding.get_or_insert(what);
    };
    let mut expected = 1;
    for (number, seq, hash, at, signature) in rows {
        let number = number.cast_unsigned();
        if number != expected {
            wrong(Finding::MissingCheckpoint { number: expected });
        }
        expected = number + 1;
        let hash = hash.try_into().unwrap_or_default();
        let checkpoint = Checkpoint { number, seq: seq.cast_unsigned(), hash, at, signature };
        if checkpoint.is_signed_by(public_key) {
            numbered.insert(number, checkpoint.clone());
            good.insert(checkpoint.seq, checkpoint);
        } else {
            wrong(Finding::ForgedCheckpoint { number });
        }
    }
    for logged in log {
        let number = logged.number;
        if !logged.is_signed_by(public_key) {
            wrong(Finding::ForgedCheckpoint { number });
            continue;
        }
        match numbered.get(&number) {
            Some(kept) if kept == logged => {}
            Some(_) => wrong(Finding::ForgedCheckpoint { number }),
            // The journal's end may be gone with it: then that is the thing to say.
            None => {
                good.entry(logged.seq).or_insert_with(|| logged.clone());
            }
        }
    }
    Ok((good, finding))
}

struct Walk {
    expected: u64,
    hash: Hash,
    numbers: HashMap<(String, u32, Stream), u64>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    report: Report,
}

impl Walk {
    fn step(&mut self, row: &sqlx::any::AnyRow) -> Result<Option<Finding>, sqlx::Error> {
        let seq = row.try_get::<i64, _>(0)?.cast_unsigned();
        if seq != self.expected {
            return Ok(Some(Finding::Missing { seq: self.expected }));
        }
        let altered = Ok(Some(Finding::Altered { seq }));
        let (prev, hash): (Vec<u8>, Vec<u8>) = (row.try_get(9)?, row.try_get(10)?);
        let Ok(event) = record(row) else { return altered };
        let now = event.hash(&self.hash);
        if prev != self.hash || hash != now {
            return altered;
        }
        self.hash = now;
        self.expected += 1;
        if let Some(gap) = self.numbered(&event) {
            return Ok(Some(gap));
        }
        if let Some(checkpoint) = self.checkpoints.get(&seq) {
            if checkpoint.hash != now {
                return Ok(Some(Finding::Rewritten { from: self.report.signed_up_to + 1, to: seq }));
            }
            self.report.checkpoints += 1;
            self.report.signed_up_to = seq;
        }
        self.report.records += 1;
        Ok(None)
    }

    fn numbered(&mut self, event: &StoredEvent) -> Option<Finding> {
        let last = self.numbers.entry((event.source.clone(), event.epoch, event.stream)).or_insert(0);
        let expected = *last + 1;
        *last = event.number;
        (event.number != expected).then(|| Finding::Gap {
            seq: event.seq,
            source: event.source.clone(),
            expected,
            found: event.number,
        })
    }

    /// What the checkpoints, the log and the head say about the journal's end.
    async fn end(
        &self,
        connection: &mut AnyConnection,
        log: &[Checkpoint],
    ) -> Result<Option<Finding>, sqlx::Error> {
        let last = self.expected - 1;
        let (head, kept) =
            sqlx::query_as::<_, (i64, i64)>(HEAD).fetch_optional(connection).await?.unwrap_or((0, 0));
        let head = head.cast_unsigned();
        let proven = self.checkpoints.keys().copied().chain([head]).max().unwrap_or(0);
        if proven > last {
            return Ok(Some(Finding::Truncated { last, proven }));
        }
        if head < last {
            return Ok(Some(Finding::Altered { seq: head + 1 }));
        }
        let logged = log.iter().map(|checkpoint| checkpoint.number).max().unwrap_or(0);
        let missing = (self.report.checkpoints + 1..=logged.max(kept.cast_unsigned())).next();
        let unlogged = log
            .iter()
            .find(|logged| self.checkpoints.get(&logged.seq).is_none_or(|kept| kept.number != logged.number));
        Ok(missing
            .or(unlogged.map(|logged| logged.number))
            .map(|number| Finding::MissingCheckpoint { number }))
    }
}

//! Walking the whole chain, with nothing but the database, the public key and the checkpoint log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use sqlx::{AnyConnection, AnyPool, Connection, Row};

use super::append::CHECKPOINT_EVERY;
use super::checkpoint::Checkpoint;
use super::read::{is_unreadable, record};
use super::record::{GENESIS, Hash, StoredEvent, Stream};

crate::statements! {
    STRAY = "SELECT MIN(seq) FROM journal WHERE seq < 1";
    PAGE = "SELECT seq, received, source, epoch, stream, number, at, kind, body, prev, hash FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2";
    NEXT = "SELECT MIN(seq) FROM journal WHERE seq > $1";
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
    /// The database's checkpoints that the log does not hold, lowest first. The journal is proven without them; but the
    /// log is the second witness, and says less than it could.
    pub unlogged: Vec<u64>,
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
    /// A record stands before the first.
    Stray {
        /// The place, 0 or below.
        seq: i64,
    },
    /// The last records have no checkpoint over them, and should: a site's first ones are signed as it is set up, and no
    /// commit leaves [`CHECKPOINT_EVERY`] of them unsigned.
    Unsigned {
        /// The first that no checkpoint covers.
        from: u64,
        /// The last record there is.
        to: u64,
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
            Self::Stray { seq } => write!(f, "record {seq} stands before the first"),
            Self::Unsigned { from, to } => {
                write!(f, "no checkpoint covers records {from} to {to}, and one was due")
            }
            Self::Gap { seq, source, expected, found } => {
                write!(f, "record {seq}: {source} should have said #{expected} here, not #{found}")
            }
            Self::Truncated { last, proven } => {
                write!(f, "the journal ends at record {last}, but had reached record {proven}")
            }
            Self::ForgedCheckpoint { number } => {
                write!(f, "checkpoint {number} is not signed by this site's key")
            }
            Self::MissingCheckpoint { number } => {
                write!(f, "checkpoint {number} is missing from the database")
            }
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
/// The database and the log must agree. What the log holds and the database does not is a finding. What the database
/// holds and the log does not is none: a log on a full disk misses some, and so does one whose server was killed between
/// the commit and the line, and the database's signatures cover them. They are in the report, to be said.
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
    let signed = Signed::read(&mut moment, public_key, log).await?;
    let report =
        Report { records: 0, checkpoints: 0, signed_up_to: 0, unlogged: signed.unlogged(log), finding: None };
    let mut walk = Walk { expected: 1, hash: GENESIS, numbers: HashMap::new(), signed, report };
    walk.report.finding = walk.all(&mut moment, log).await?;
    Ok(walk.report)
}

/// What the checkpoints say.
struct Signed {
    /// Those with a good signature, the log's among them, by the record they cover.
    by_record: BTreeMap<u64, Checkpoint>,
    /// The database's own, by number.
    kept: BTreeMap<u64, Checkpoint>,
    /// What is wrong with them as such.
    finding: Option<Finding>,
}

impl Signed {
    async fn read(
        connection: &mut AnyConnection,
        public_key: &[u8],
        log: &[Checkpoint],
    ) -> Result<Self, sqlx::Error> {
        let rows =
            sqlx::query_as::<_, (i64, i64, Vec<u8>, i64, Vec<u8>)>(CHECKPOINTS).fetch_all(connection).await?;
        let mut signed = Self { by_record: BTreeMap::new(), kept: BTreeMap::new(), finding: None };
        let mut expected = 1;
        for (number, seq, hash, at, signature) in rows {
            let number = number.cast_unsigned();
            if number != expected {
                signed.wrong(Finding::MissingCheckpoint { number: expected });
            }
            expected = number.saturating_add(1);
            let hash = hash.try_into().unwrap_or_default();
            let checkpoint = Checkpoint { number, seq: seq.cast_unsigned(), hash, at, signature };
            if checkpoint.is_signed_by(public_key) {
                signed.kept.insert(number, checkpoint.clone());
                signed.by_record.insert(checkpoint.seq, checkpoint);
            } else {
                signed.wrong(Finding::ForgedCheckpoint { number });
            }
        }
        for logged in log {
            let number = logged.number;
            let forged = !logged.is_signed_by(public_key)
                || signed.kept.get(&number).is_some_and(|kept| kept != logged);
            if forged {
                signed.wrong(Finding::ForgedCheckpoint { number });
            } else {
                // The journal's end may be gone with the database's own: then that is the thing to say.
                signed.by_record.entry(logged.seq).or_insert_with(|| logged.clone());
            }
        }
        Ok(signed)
    }

    fn wrong(&mut self, what: Finding) {
        self.finding.get_or_insert(what);
    }

    fn unlogged(&self, log: &[Checkpoint]) -> Vec<u64> {
        let logged: BTreeSet<u64> = log.iter().map(|checkpoint| checkpoint.number).collect();
        self.kept.keys().filter(|number| !logged.contains(number)).copied().collect()
    }

    /// The first checkpoint that the database does not have, though the log or the head (`last`) does.
    fn missing(&self, log: &[Checkpoint], last: u64) -> Option<u64> {
        let logged = log.iter().map(|checkpoint| checkpoint.number).filter(|it| !self.kept.contains_key(it));
        let before_last = (1..=last).find(|number| !self.kept.contains_key(number));
        logged.chain(before_last).min()
    }
}

struct Walk {
    expected: u64,
    hash: Hash,
    numbers: HashMap<(String, u32, Stream), u64>,
    signed: Signed,
    report: Report,
}

/// Records read at once.
const AT_ONCE: i64 = 1000;

impl Walk {
    /// Walks every record; the first thing that is wrong.
    async fn all(
        &mut self,
        connection: &mut AnyConnection,
        log: &[Checkpoint],
    ) -> Result<Option<Finding>, sqlx::Error> {
        let (stray,): (Option<i64>,) = sqlx::query_as(STRAY).fetch_one(&mut *connection).await?;
        if let Some(seq) = stray {
            return Ok(Some(Finding::Stray { seq }));
        }
        let mut at_once = AT_ONCE;
        loop {
            let before = (self.expected - 1).cast_signed();
            let page = sqlx::query(PAGE).bind(before).bind(at_once).fetch_all(&mut *connection).await;
            let rows = match page {
                Ok(rows) => rows,
                // One of the page holds what is no text: it is come upon one by one.
                Err(error) if is_unreadable(&error) && at_once > 1 => {
                    at_once = 1;
                    continue;
                }
                Err(error) if is_unreadable(&error) => {
                    return self.unreadable(connection).await.map(Some);
                }
                Err(error) => return Err(error),
            };
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                if let Some(wrong) = self.step(row)? {
                    return Ok(Some(wrong));
                }
            }
        }
        match self.signed.finding.clone() {
            Some(finding) => Ok(Some(finding)),
            None => self.end(connection, log).await,
        }
    }

    /// What to say of the next record, which cannot be read.
    async fn unreadable(&self, connection: &mut AnyConnection) -> Result<Finding, sqlx::Error> {
        let before = (self.expected - 1).cast_signed();
        let (next,): (Option<i64>,) = sqlx::query_as(NEXT).bind(before).fetch_one(connection).await?;
        Ok(match next.map(i64::cast_unsigned) {
            Some(next) if next == self.expected => Finding::Altered { seq: next },
            Some(_) | None => Finding::Missing { seq: self.expected },
        })
    }

    fn step(&mut self, row: &sqlx::any::AnyRow) -> Result<Option<Finding>, sqlx::Error> {
        let seq = row.try_get::<i64, _>(0)?.cast_unsigned();
        if seq != self.expected {
            return Ok(Some(Finding::Missing { seq: self.expected }));
        }
        let altered = Ok(Some(Finding::Altered { seq }));
        let (Ok(prev), Ok(hash)) = (row.try_get::<Vec<u8>, _>(9), row.try_get::<Vec<u8>, _>(10)) else {
            return altered;
        };
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
        if let Some(checkpoint) = self.signed.by_record.get(&seq) {
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
        let proven = self.signed.by_record.keys().copied().chain([head]).max().unwrap_or(0);
        if proven > last {
            return Ok(Some(Finding::Truncated { last, proven }));
        }
        if head < last {
            return Ok(Some(Finding::Altered { seq: head + 1 }));
        }
        if let Some(number) = self.signed.missing(log, kept.cast_unsigned()) {
            return Ok(Some(Finding::MissingCheckpoint { number }));
        }
        let signed = self.report.signed_up_to;
        let due = last - signed >= CHECKPOINT_EVERY || (last > 0 && self.signed.kept.is_empty());
        Ok(due.then_some(Finding::Unsigned { from: signed + 1, to: last }))
    }
}

//! Which of the servers on one PostgreSQL is the active one.
//!
//! One row says who, until when, and in which epoch. The active server renews it every [`RENEWAL`]; one that stands by
//! takes it when it has run out, or when nothing of its holder is connected to the database any more, and ends what the
//! holder may still have open. Every transaction that writes holds the row by its key, so that a server that lost the
//! lease while it was held up writes nothing more. All times are the database's own.
//!
//! SQLite is one machine's: there is no lease.

use std::time::Duration;

use sqlx::{AnyConnection, Executor};
use tokio::time::{Instant, sleep, timeout};

use crate::clock::{Micros, micros};
use crate::db::{Db, Engine, Fence};
use crate::problem::chain;

/// How often the active server says that it is there.
pub const RENEWAL: Duration = Duration::from_secs(2);
/// For how long it is believed.
pub const LIFE: Duration = Duration::from_secs(6);
/// How often one that stands by looks.
pub const LOOK: Duration = Duration::from_millis(500);
/// A holder that is not connected to the database for so long has gone: it may only have been reconnecting.
const GONE: Duration = Duration::from_secs(1);
/// One look or renewal takes no longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Two servers that start on an empty database at once make one table.
const TABLE: &str = "SELECT pg_advisory_xact_lock(7310588146821);
CREATE TABLE IF NOT EXISTS lease (
    epoch   BIGINT PRIMARY KEY,                         -- one more each time it is taken
    one     BIGINT NOT NULL UNIQUE CHECK (one = 1),     -- there is one row
    holder  TEXT   NOT NULL,                            -- its connections' application_name
    place   TEXT   NOT NULL,                            -- for people: the machine's name
    since   BIGINT NOT NULL,                            -- UTC microseconds, the database's clock
    expires BIGINT NOT NULL
);
INSERT INTO lease (epoch, one, holder, place, since, expires) VALUES (0, 1, '', '', 0, 0) ON CONFLICT DO NOTHING;";
const LOOK_AT: &str = "SELECT epoch, holder, place, since, expires, \
     (expires <= (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT)::INT::BIGINT, \
     (SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = holder AND datname = current_database()) \
     FROM lease WHERE one = 1";
/// What the holder has open ends, and with it the locks it held.
const END: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE application_name = $1 AND $1 <> '' AND datname = current_database() AND pid <> pg_backend_pid()";
/// One that was renewed since it was looked at is not taken.
const TAKE: &str = "UPDATE lease SET epoch = epoch + 1, holder = $1, place = $2, \
     since = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT, \
     expires = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT + $3 \
     WHERE epoch = $4 AND expires = $5 RETURNING epoch";
const RENEW: &str = "UPDATE lease SET expires = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT + $1 \
     WHERE epoch = $2 AND holder = $3";
const GIVE_UP: &str = "UPDATE lease SET expires = 0 WHERE epoch = $1 AND holder = $2";

/// Who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The machine's name, as it gave it.
    pub place: String,
    /// Since when: UTC, microseconds.
    pub since: Micros,
}

/// What came of a look at the lease.
#[derive(Debug)]
pub enum Looked {
    /// It is ours now.
    Taken(Lease),
    /// It is another's.
    Held(Holder),
}

/// A lease that is not ours yet.
#[derive(Debug)]
pub struct Candidate {
    db: Db,
    place: String,
    /// The epoch whose holder was not to be seen, and since when.
    missing: Option<(i64, Instant)>,
}

/// A lease that was ours when it was last renewed.
#[derive(Debug)]
pub struct Lease {
    db: Db,
    epoch: i64,
}

/// A row as it was looked at.
struct Row {
    epoch: i64,
    holder: String,
    place: String,
    since: Micros,
    expires: Micros,
    over: bool,
    there: bool,
}

impl Candidate {
    /// For a server on a machine of this name; none on SQLite, where a server is always the active one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn new(db: &Db, place: &str) -> Result<Option<Self>, sqlx::Error> {
        if db.engine() == Engine::Sqlite {
            return Ok(None);
        }
        let mut tx = db.pulse().begin().await?;
        tx.execute(sqlx::raw_sql(TABLE)).await?;
        tx.commit().await?;
        Ok(Some(Self { db: db.clone(), place: place.to_owned(), missing: None }))
    }

    /// Looks at the lease, and takes it if it is free.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(&mut self) -> Result<Looked, sqlx::Error> {
        let looked = async {
            let mut connection = self.db.pulse().acquire().await?;
            let row = Row::read(&mut connection).await?;
            if !is_free(&row, &mut self.missing, Instant::now()) {
                return Ok(Looked::Held(Holder { place: row.place, since: row.since }));
            }
            let _: (i64,) = sqlx::query_as(END).bind(row.holder.as_str()).fetch_one(&mut *connection).await?;
            let taken: Option<(i64,)> = sqlx::query_as(TAKE)
                .bind(self.db.instance())
                .bind(self.place.as_str())
                .bind(micros(LIFE))
                .bind(row.epoch)
                .bind(row.expires)
                .fetch_optional(&mut *connection)
                .await?;
            let Some((epoch,)) = taken else {
                return Ok(Looked::Held(Holder { place: row.place, since: row.since }));
            };
            self.db.fence(Fence { epoch, holder: self.db.instance().to_owned() });
            Ok(Looked::Taken(Lease { db: self.db.clone(), epoch }))
        };
        timeout(PATIENCE, looked).await.unwrap_or_else(|_| Err(no_answer()))
    }
}

/// Whether a lease may be taken. `missing` remembers since when nothing is seen of its holder.
fn is_free(row: &Row, missing: &mut Option<(i64, Instant)>, now: Instant) -> bool {
    if row.there {
        *missing = None;
    } else if missing.is_none_or(|(epoch, _)| epoch != row.epoch) {
        *missing = Some((row.epoch, now));
    }
    row.over || missing.is_some_and(|(_, since)| now - since >= GONE)
}

impl Row {
    async fn read(connection: &mut AnyConnection) -> Result<Self, sqlx::Error> {
        let (epoch, holder, place, since, expires, over, connections): (
            i64,
            String,
            String,
            i64,
            i64,
            i64,
            i64,
        ) = sqlx::query_as(LOOK_AT).fetch_one(connection).await?;
        Ok(Self { epoch, holder, place, since, expires, over: over != 0, there: connections > 0 })
    }
}

impl Lease {
    /// How many times the lease was taken, this time included.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.cast_unsigned()
    }

    /// Renews the lease until another server has taken it; says who. A database that does not answer is waited for: who
    /// cannot reach it writes nothing, and whether somebody else took over is for it to say.
    pub async fn keep(&self) -> Holder {
        let mut told = false;
        loop {
            match timeout(PATIENCE, self.renew()).await.unwrap_or_else(|_| Err(no_answer())) {
                Ok(None) => told = false,
                Ok(Some(holder)) => return holder,
                Err(error) => {
                    if !told {
                        tracing::warn!(error = %chain(&error), "the lease could not be renewed; trying again");
                        told = true;
                    }
                }
            }
            sleep(RENEWAL).await;
        }
    }

    /// The new holder, if there is one.
    async fn renew(&self) -> Result<Option<Holder>, sqlx::Error> {
        let mut connection = self.db.pulse().acquire().await?;
        let renewed = sqlx::query(RENEW)
            .bind(micros(LIFE))
            .bind(self.epoch)
            .bind(self.db.instance())
            .execute(&mut *connection)
            .await?;
        if renewed.rows_affected() == 1 {
            return Ok(None);
        }
        let Row { place, since, .. } = Row::read(&mut connection).await?;
        Ok(Some(Holder { place, since }))
    }

    /// Leaves the lease to whoever stands by, at once.
    ///
    /// # Errors
    /// When the database does not answer: then it runs out by itself.
    pub async fn give_up(&self) -> Result<(), sqlx::Error> {
        let given = sqlx::query(GIVE_UP).bind(self.epoch).bind(self.db.instance()).execute(self.db.pulse());
        timeout(PATIENCE, given).await.unwrap_or_else(|_| Err(no_answer())).map(drop)
    }
}

fn no_answer() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: i64, over: bool, there: bool) -> Row {
        Row { epoch, holder: String::new(), place: String::new(), since: 0, expires: 0, over, there }
    }

    #[test]
    fn a_holder_that_is_seen_and_renews_keeps_the_lease() {
        let (mut missing, now) = (None, Instant::now());
        for seconds in 0..10 {
            assert!(!is_free(&row(3, false, true), &mut missing, now + Duration::from_secs(seconds)));
        }
        assert!(is_free(&row(3, true, true), &mut missing, now), "it renews no more");
    }

    #[test]
    fn a_holder_that_reconnects_keeps_the_lease_and_one_that_is_gone_does_not() {
        let (mut missing, now) = (None, Instant::now());
        assert!(!is_free(&row(3, false, false), &mut missing, now));
        assert!(!is_free(&row(3, false, true), &mut missing, now + GONE / 2), "back again");
        assert!(!is_free(&row(3, false, false), &mut missing, now + GONE));
        assert!(!is_free(&row(4, false, false), &mut missing, now + GONE * 3), "another holder");
        assert!(is_free(&row(4, false, false), &mut missing, now + GONE * 4));
    }
}

//! An import under way: what is wrong, what was done, and at which line.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use kit::Tx;
use kit::auth::OperatorId;
use people::PeopleError;
use people::word::Word;
use sqlx::Executor;

use super::file::Text;
use super::text::Lines;
use super::wrongs::Wrongs;
use super::{Options, Photos};
use crate::error::DoorsError;
use crate::label::Put;
use crate::place::LONGEST;

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    /// It was not there.
    Created,
    /// It was there, otherwise.
    Changed,
    /// It was there just so.
    Same,
    /// It was left out because photographs were.
    LeftOut,
    /// It was left out because the person has withdrawn their consent since.
    Withdrawn,
}

/// One thing in the file and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, from 1.
    pub line: usize,
    /// What, as `door main`.
    pub what: String,
    /// What became of it.
    pub done: Done,
}

/// Nothing more can be found out.
pub(super) enum Stop {
    /// The database failed.
    Database(sqlx::Error),
    /// So much is wrong that no more is looked for.
    Enough,
}

/// An import under way.
pub(super) struct Run<'t> {
    pub(super) by: Option<OperatorId>,
    pub(super) leaves_photos_out: bool,
    pub(super) wrong: Wrongs,
    lines: &'t Lines<'t>,
    /// What was done.
    pub(super) report: Vec<Line>,
    /// Things that name one that was refused: their own refusal is only its consequence.
    consequences: HashSet<String>,
}

/// What things are called by, and their ids.
pub(super) type Ids = HashMap<String, u64>;

/// Fields that name other things: refused when what they name was.
const NAMING: [&str; 7] = ["door", "rules", "parent", "groups", "doors", "door_groups", "schedule"];

/// A refusal of a command, whoever gave it.
pub(super) trait Refusal: Sized {
    /// Field, stable kind and words; or the database's own failure.
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error>;
}

impl Refusal for DoorsError {
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error> {
        let (field, code, words) = (self.at_field(), self.code(), self.to_string());
        match self {
            Self::Database(error) => Err(error),
            Self::Unknown(_)
            | Self::Field { .. }
            | Self::Taken { .. }
            | Self::Stale(_)
            | Self::InUse(_)
            | Self::Used { .. }
            | Self::Unfit(_)
            | Self::People(_) => Ok((field, code, words)),
        }
    }
}

impl Refusal for PeopleError {
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error> {
        let (field, code, words) = (self.field(), self.code(), self.to_string());
        match self {
            Self::Database(error) => Err(error),
            Self::Unknown(_)
            | Self::Field { .. }
            | Self::Taken(_)
            | Self::Stale(_)
            | Self::NoConsent
            | Self::Enrolment(_)
            | Self::Sealed => Ok((field, code, words)),
        }
    }
}

impl<'t> Run<'t> {
    /// Begins with what was found wrong before.
    pub(super) fn new(options: &Options<'_>, lines: &'t Lines<'t>, wrong: Wrongs) -> Self {
        Self {
            by: options.by,
            leaves_photos_out: matches!(options.photos, Photos::LeaveOut),
            wrong,
            lines,
            report: Vec::new(),
            consequences: HashSet::new(),
        }
    }

    pub(super) fn line(&self, text: &Text) -> usize {
        self.line_of(text.span().start)
    }

    pub(super) fn line_of(&self, byte: usize) -> usize {
        self.lines.at(byte)
    }

    pub(super) fn wrong_at(&mut self, line: usize, what: &str, code: &'static str, why: String) {
        self.wrong.add(line, what, code, why);
    }

    /// Notes a name that stands for nothing.
    pub(super) fn unknown(&mut self, what: &str, kind: &str, name: &Text) -> u64 {
        let why = format!("there is no {kind} {:?}", name.get_ref());
        self.wrong_at(self.line(name), what, "unknown-name", why);
        0
    }

    /// The id behind a name; 0, which is nobody's, when there is none.
    pub(super) fn name(&mut self, what: &str, kind: &str, name: &Text, ids: &Ids) -> u64 {
        let id = ids.get(name.get_ref()).copied().unwrap_or_else(|| self.unknown(what, kind, name));
        if id == 0 {
            self.consequences.insert(what.to_owned());
        }
        id
    }

    pub(super) fn names(&mut self, what: &str, kind: &str, names: &[Text], ids: &Ids) -> Vec<u64> {
        names.iter().map(|name| self.name(what, kind, name, ids)).collect()
    }

    /// The value of a word, or the usual one where none is written.
    pub(super) fn word<W: Word>(&mut self, what: &str, word: Option<&Text>, usual: W) -> W {
        let Some(text) = word else { return usual };
        W::parse(text.get_ref()).unwrap_or_else(|| {
            let why = format!("{:?} is none of {}", text.get_ref(), W::words());
            self.wrong_at(self.line(text), what, "field", why);
            usual
        })
    }

    /// A number from 0 to `most`; `None` where none is written, or none that can be taken.
    pub(super) fn number(
        &mut self,
        line: usize,
        what: &str,
        field: &str,
        value: Option<f64>,
        most: f64,
    ) -> Option<f64> {
        let value = value?;
        // Written so that what is no number is out of range too.
        if (0.0..=most).contains(&value) {
            return Some(value);
        }
        let line = self.lines.of_field(line, field);
        self.wrong_at(line, what, "field", format!("{field}: must be 0 to {most}"));
        None
    }

    pub(super) fn seconds(
        &mut self,
        line: usize,
        what: &str,
        field: &str,
        value: Option<f64>,
    ) -> Option<Duration> {
        self.number(line, what, field, value, LONGEST.as_secs_f64()).map(Duration::from_secs_f64)
    }

    pub(super) fn done(&mut self, line: usize, what: &str, done: impl Into<Done>) {
        self.report.push(Line { line, what: what.to_owned(), done: done.into() });
    }

    /// Before one thing: a refusal of it must not spoil the transaction for the next, so that every fault is found. Stops
    /// where no more are listed: nothing will be kept, and others wait for the writer.
    pub(super) async fn begin(&self, tx: &mut Tx) -> Result<(), Stop> {
        if self.wrong.is_full() {
            return Err(Stop::Enough);
        }
        Ok(tx.execute("SAVEPOINT thing").await.map(drop)?)
    }

    pub(super) async fn end(&self, tx: &mut Tx) -> Result<(), Stop> {
        Ok(tx.execute("RELEASE SAVEPOINT thing").await.map(drop)?)
    }

    /// Notes a refusal. From here on nothing will be kept; the journal's records of this transaction go with it.
    pub(super) async fn refused(
        &mut self,
        tx: &mut Tx,
        line: usize,
        what: &str,
        refusal: impl Refusal,
    ) -> Result<(), Stop> {
        let (field, code, why) = refusal.words()?;
        let line = field.map_or(line, |field| self.lines.of_field(line, field));
        let told = self.wrong.is_told(what);
        let consequence =
            self.consequences.contains(what) && field.is_some_and(|field| NAMING.contains(&field));
        if !told && !consequence {
            self.wrong_at(line, what, code, why);
        }
        tx.execute("ROLLBACK TO SAVEPOINT thing").await?;
        self.end(tx).await
    }

    pub(super) async fn settle<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        line: usize,
        what: &str,
        put: Result<Put, R>,
    ) -> Result<(), Stop> {
        match put {
            Ok(put) => {
                self.done(line, what, put);
                self.end(tx).await
            }
            Err(refusal) => self.refused(tx, line, what, refusal).await,
        }
    }

    pub(super) async fn put<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        kind: &str,
        key: &Text,
        put: Result<Put, R>,
    ) -> Result<(), Stop> {
        let (line, what) = (self.line(key), format!("{kind} {}", key.get_ref()));
        self.settle(tx, line, &what, put).await
    }

    /// Also remembers the id, so that what follows can name the thing. One that was refused is known by name too: who
    /// names it is not to blame.
    pub(super) async fn put_named<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        kind: &str,
        key: &Text,
        put: Result<(u64, Put), R>,
        ids: &mut Ids,
    ) -> Result<(), Stop> {
        let id = put.as_ref().map_or(0, |(id, _)| *id);
        ids.insert(key.get_ref().clone(), id);
        self.put(tx, kind, key, put.map(|(_, put)| put)).await
    }
}

impl From<Put> for Done {
    fn from(put: Put) -> Self {
        match put {
            Put::Created => Self::Created,
            Put::Changed => Self::Changed,
            Put::Same => Self::Same,
        }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match self.done {
            Done::Created => "created",
            Done::Changed => "changed",
            Done::Same => "as it was",
            Done::LeftOut => "left out",
            Done::Withdrawn => "left out: consent was withdrawn since",
        };
        write!(f, "{}: {}: {done}", self.line, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of the file is kept then, and events wait for the writer.
    #[tokio::test]
    async fn nothing_more_is_begun_when_no_more_faults_are_listed() {
        let kit = kit::testing::sites(&[]).await.remove(0).kit;
        let options = Options { by: None, dry_run: false, photos: Photos::LeaveOut };
        let lines = Lines::of("");
        let mut run = Run::new(&options, &lines, Wrongs::default());
        let mut tx = kit.begin().await.unwrap();
        let mut begun = 0;
        while begun < 1000 && run.begin(&mut tx).await.is_ok() {
            run.end(&mut tx).await.ok().unwrap();
            run.wrong_at(1, "group a", "field", String::new());
            begun += 1;
        }
        assert_eq!(begun, 200);
    }
}

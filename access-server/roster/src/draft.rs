//! A file that was read and not yet confirmed: it lies in memory, with what it would do, until somebody says yes.

use std::sync::Arc;

use jiff::tz::TimeZone;
use kit::auth::OperatorId;
use kit::db::Engine;
use kit::shelf::ShelfFull;
use kit::{Kit, Problem};
use people::bulk::Known;
use people::group;
use sqlx::Connection;

use crate::import::{self, Begun};
pub use crate::line::Wrong;
pub use crate::plan::{Choice, Counts, Deed, Fate, Plan, Planned};
use crate::plan::{Site, plan};
use crate::read::{ReadError, read};
use crate::table::Table;

/// The longest file name that is kept, in letters.
const NAME_MAX: usize = 100;

/// A file that was read, and what it would do.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the file is called, for the page alone.
    pub name: String,
    /// What stands in it.
    pub table: Arc<Table>,
    /// How it is read.
    pub choice: Choice,
    /// What it would do.
    pub plan: Arc<Plan>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The file is no table.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Too much waits already.
    #[error(transparent)]
    Full(#[from] ShelfFull),
    /// It was never there, or its time is over.
    #[error("this file is no longer waiting: upload it again")]
    Gone,
    /// Two columns are said to hold the same.
    #[error("two columns are said to hold {0:?}")]
    Twice(crate::column::Column),
    /// The choice is of another number of columns.
    #[error("the columns are not those of the file")]
    Columns,
    /// Nothing would be done, or not all is right and all was asked for.
    #[error("there is nothing that could be written")]
    Nothing,
    /// Others are being written.
    #[error("several imports are being written already: try again later")]
    Busy,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A command was refused.
    #[error(transparent)]
    People(#[from] people::PeopleError),
}

impl DraftError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(error) => error.code(),
            Self::Full(_) => "import-full",
            Self::Gone => "import-gone",
            Self::Twice(_) => "import-column-twice",
            Self::Columns => "import-columns",
            Self::Nothing => "import-nothing",
            Self::Busy => "import-busy",
            Self::Database(_) => "database",
            Self::People(error) => error.code(),
        }
    }
}

impl From<DraftError> for Problem {
    fn from(error: DraftError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            DraftError::Read(error) => error.into(),
            DraftError::Full(_) | DraftError::Busy => Self::unavailable(words),
            DraftError::Gone => Self::not_found(words),
            DraftError::Twice(_) | DraftError::Columns | DraftError::Nothing => Self::refused(code, words),
            DraftError::Database(error) => error.into(),
            DraftError::People(error) => error.into(),
        }
    }
}

/// What came of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is being written under this number.
    Begun(u64),
    /// The site changed meanwhile, and what would be done with it: the draft was made anew, to be looked at again.
    Otherwise,
}

impl Draft {
    /// Reads a file, and compares it with the site.
    ///
    /// # Errors
    /// Why it is no table.
    pub async fn read(kit: &Kit, name: &str, upload: Vec<u8>) -> Result<Self, DraftError> {
        let table = Arc::new(read(upload).await?);
        let choice = Choice::guess(&table);
        let name = name.chars().filter(|letter| !letter.is_control()).take(NAME_MAX).collect();
        Self::compared(kit, name, table, choice).await
    }

    /// The same file, read otherwise, or compared with the site as it is now.
    ///
    /// # Errors
    /// When the choice cannot be one of this file.
    pub async fn chosen(&self, kit: &Kit, choice: Choice) -> Result<Self, DraftError> {
        if choice.columns.len() != self.table.heads.len() {
            return Err(DraftError::Columns);
        }
        if let Some(column) = choice.twice() {
            return Err(DraftError::Twice(column));
        }
        Self::compared(kit, self.name.clone(), Arc::clone(&self.table), choice).await
    }

    async fn compared(
        kit: &Kit,
        name: String,
        table: Arc<Table>,
        choice: Choice,
    ) -> Result<Self, DraftError> {
        let site = site(kit).await?;
        let (read, how) = (Arc::clone(&table), choice.clone());
        // A second of work for a hundred thousand rows: not where others wait.
        let planned = tokio::task::spawn_blocking(move || plan(&site, &read, &how)).await;
        let planned = planned.map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self { name, table, choice, plan: Arc::new(planned) })
    }

    /// Whether it can be confirmed as it is.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        self.plan.does_something() && (self.plan.counts.wrong == 0 || !self.choice.whole)
    }
}

/// Reads a file and keeps it for its operator; the word it is found by.
///
/// # Errors
/// Why it is no table, or there is no room.
pub async fn put(kit: &Kit, by: OperatorId, name: &str, upload: Vec<u8>) -> Result<String, DraftError> {
    let draft = Draft::read(kit, name, upload).await?;
    // What it would do takes about as much again.
    let bytes = draft.table.bytes() * 2;
    Ok(kit.shelf().put(by, kit.now(), bytes, draft)?)
}

/// What an operator has waiting under this word.
///
/// # Errors
/// When there is nothing.
pub fn get(kit: &Kit, by: OperatorId, id: &str) -> Result<Arc<Draft>, DraftError> {
    kit.shelf().get(by, kit.now(), id).ok_or(DraftError::Gone)
}

/// Has a file read otherwise.
///
/// # Errors
/// When the choice cannot be one of this file, or it is gone.
pub async fn choose(kit: &Kit, by: OperatorId, id: &str, choice: Choice) -> Result<Arc<Draft>, DraftError> {
    let draft = Arc::new(get(kit, by, id)?.chosen(kit, choice).await?);
    kit.shelf().replace(by, kit.now(), id, Draft::clone(&draft));
    Ok(draft)
}

/// Begins to write what was shown under this fingerprint, and nothing else; unless `whole`, without the rows that are
/// wrong.
///
/// # Errors
/// When nothing would be done, or others are being written.
pub async fn confirm(
    kit: &Kit,
    by: OperatorId,
    id: &str,
    fingerprint: &str,
    whole: bool,
) -> Result<Confirmed, DraftError> {
    let shown = get(kit, by, id)?;
    let now = choose(kit, by, id, Choice { whole, ..shown.choice.clone() }).await?;
    if now.plan.fingerprint != fingerprint {
        return Ok(Confirmed::Otherwise);
    }
    if !now.may_begin() {
        return Err(DraftError::Nothing);
    }
    // Of two who confirm it at once one finds it.
    let taken = kit.shelf().take(by, kit.now(), id).ok_or(DraftError::Gone)?;
    let begun = import::begin(kit, Some(by), &now).await;
    if let Ok(Begun::As(import)) = begun {
        return Ok(Confirmed::Begun(import));
    }
    kit.shelf().put_back(taken);
    begun.map(|_| Err(DraftError::Busy))?
}

/// Forgets a file.
pub fn forget(kit: &Kit, by: OperatorId, id: &str) {
    kit.shelf().remove(by, kit.now(), id);
}

/// The site as of one moment, as far as a list is compared with it.
async fn site(kit: &Kit) -> Result<Site, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let begin = match kit.db().engine() {
        Engine::Sqlite => "BEGIN",
        Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    let mut view = connection.begin_with(begin).await?;
    let zone = doors::place::site(&mut view).await?.map(|site| site.zone);
    let known = Known::load(&mut view).await?;
    let groups = group::all(&mut view).await?;
    let zone = zone.as_deref().unwrap_or(doors::place::USUAL_ZONE);
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Ok(Site { kit: kit.clone(), zone, known, groups })
}

//! Importing a site from a file: whole or not at all.
//!
//! Everything is found by its key: what is not there is created, what is there otherwise is changed, nothing is removed.
//! Of people and what they carry, a status or a limit that the file does not name stays as it is: an older file gives back
//! no right that was withdrawn since. What could not be put in force is not kept. Every fault is listed with its line, up
//! to 200 of them. What stands in it twice is refused. A dry run does all of it and keeps nothing. Cards and PINs stand in
//! the file in clear and leave it as digests; photographs are shown to the vision process before anything is written.
//!
//! Events wait while a file is written, and so that they wait for no more than about two seconds it has at most
//! [`ROWS_MAX`] rows: some 3,000 people with a card and a group. More come as a list of people, which is written in
//! batches (the slice `roster`).

mod alone;
mod apply;
mod file;
mod persons;
mod run;
mod text;
mod wrongs;

use std::fmt;
use std::path::{Path, PathBuf};

pub use alone::{CONTROLLERS_MAX, ROWS_MAX};
use kit::auth::OperatorId;
use kit::{Kit, Problem};
use people::embed::EmbedService;
pub use run::{Done, Line};
use text::Lines;
pub(crate) use text::factors;

/// What to do with an import.
#[derive(Clone, Copy, Debug)]
pub struct Options<'e> {
    /// Whose doing it is; `None` on the command line.
    pub by: Option<OperatorId>,
    /// Do all of it and keep nothing.
    pub dry_run: bool,
    /// What to do with photographs.
    pub photos: Photos<'e>,
}

/// What to do with the photographs that a file names.
#[derive(Clone, Copy, Debug)]
pub enum Photos<'e> {
    /// Enrol them, asking this vision process.
    Enrol(&'e EmbedService),
    /// Leave them out: the people are imported, their faces are not.
    LeaveOut,
}

/// What an import did, or would do, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One entry a thing, in the order it was done.
    pub lines: Vec<Line>,
    /// Whether it was kept; false for a dry run.
    pub kept: bool,
}

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1.
    pub line: usize,
    /// What, as `door main`; empty for the file as a whole.
    pub what: String,
    /// The stable kind, for language files: `field`, `unknown-name`, `photo-no-face` …
    pub code: &'static str,
    /// What is wrong, in English; never a card, PIN or code.
    pub why: String,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file could not be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is wrong with it; all of it is listed.
    #[error("{}", Listed(.path, .wrong))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Never empty; by line.
        wrong: Vec<Wrong>,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl ImportError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "import-unreadable",
            Self::Wrong { .. } => "import-wrong",
            Self::Database(_) => "database",
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Read { .. } => Self::refused("import-unreadable", error.to_string()),
            ImportError::Wrong { wrong, .. } => {
                let list: Vec<_> = wrong
                    .iter()
                    .map(|wrong| {
                        serde_json::json!({ "line": wrong.line, "what": wrong.what, "code": wrong.code, "why": wrong.why })
                    })
                    .collect();
                Self::refused("import-wrong", "nothing was imported").with("wrong", list)
            }
            ImportError::Database(error) => error.into(),
        }
    }
}

/// The largest file, in bytes.
pub const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Imports a file. Photographs are found relative to its folder.
///
/// # Errors
/// Everything that is wrong, with its line; nothing was imported then.
pub async fn import(kit: &Kit, path: &Path, options: &Options<'_>) -> Result<Report, ImportError> {
    import_with_photos_in(kit, path, path.parent().unwrap_or(Path::new("")), options).await
}

/// Imports a file whose photographs are found relative to another folder.
///
/// # Errors
/// As [`import`].
pub async fn import_with_photos_in(
    kit: &Kit,
    path: &Path,
    folder: &Path,
    options: &Options<'_>,
) -> Result<Report, ImportError> {
    let unreadable = |source| ImportError::Read { path: path.to_owned(), source };
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > FILE_MAX {
        return Err(unreadable(std::io::Error::other("it is larger than 16 MiB")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(unreadable)?;
    import_text(kit, &text, folder, options).await.map_err(|error| match error {
        ImportError::Wrong { wrong, .. } => ImportError::Wrong { path: path.to_owned(), wrong },
        ImportError::Read { .. } | ImportError::Database(_) => error,
    })
}

/// Imports a text that was uploaded. Photographs are found relative to `folder`.
///
/// # Errors
/// As [`import`].
pub async fn import_text(
    kit: &Kit,
    text: &str,
    folder: &Path,
    options: &Options<'_>,
) -> Result<Report, ImportError> {
    let refuse = |wrong| ImportError::Wrong { path: PathBuf::from("the file"), wrong };
    let lines = Lines::of(text);
    let file = file::parse(text, &lines).map_err(|wrong| refuse(vec![wrong]))?;
    let wrong = alone::check(&file, &lines).map_err(|wrong| refuse(wrong.listed()))?;
    let photos = persons::photos(kit, &file, &lines, folder, options).await.map_err(|error| match error {
        persons::PhotosError::Wrong(wrong) => refuse(wrong),
        persons::PhotosError::Database(error) => error.into(),
    })?;
    apply::apply(kit, &file, &lines, wrong, &photos, options).await.map_err(|error| match error {
        apply::ApplyError::Wrong(wrong) => refuse(wrong),
        apply::ApplyError::Database(error) => error.into(),
    })
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, what, code: _, why } = self;
        if what.is_empty() { write!(f, "{line}: {why}") } else { write!(f, "{line}: {what}: {why}") }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

struct Listed<'e>(&'e Path, &'e [Wrong]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, wrong) = self;
        for (at, wrong) in wrong.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{wrong}", path.display())?;
        }
        Ok(())
    }
}

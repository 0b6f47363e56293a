//! Reading a file that somebody uploaded: within limits, by one worker, as values alone.
//!
//! A text is UTF-8, UTF-16 with its mark, or GB18030, as Excel in China writes it; a spreadsheet is an `.xlsx`. Of that
//! everything is unpacked once into nothing, and counted, before any of it is looked at: an archive that unpacks to more
//! than is good is refused however it describes itself.

mod sheet;
mod text;

use std::time::Duration;

use kit::Problem;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::column;
use crate::table::{CELL_MAX, COLUMNS_MAX, Cell, Form, ROWS_MAX, Row, TEXT_MAX, Table};

/// The largest upload, in bytes: 50,000 people take about 5 MB.
pub const UPLOAD_MAX: usize = 32 * 1024 * 1024;
/// What a spreadsheet unpacks to at most, in bytes.
pub const UNPACKED_MAX: u64 = 256 * 1024 * 1024;
/// Parts of a spreadsheet's archive at most.
const PARTS_MAX: usize = 1000;
/// Rows above the heads, as a title or a note, at most.
const ABOVE_MAX: usize = 10;

/// Files are read one at a time: one may take some hundred megabytes meanwhile.
static WORKER: Semaphore = Semaphore::const_new(1);
/// How long a file waits for those before it.
const TURN: Duration = Duration::from_secs(20);

/// Why a file is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing is in it, or nothing below the heads.
    #[error("there is nothing in the file")]
    Empty,
    /// More than [`UPLOAD_MAX`], or it unpacks to more than [`UNPACKED_MAX`].
    #[error("the file is too large")]
    TooLarge,
    /// More rows than [`ROWS_MAX`].
    #[error("the file has more than {ROWS_MAX} rows: divide it")]
    TooManyRows,
    /// More columns than [`COLUMNS_MAX`].
    #[error("row {0} has more than {COLUMNS_MAX} columns")]
    TooManyColumns(u32),
    /// A value longer than [`CELL_MAX`].
    #[error("a value in row {0} is longer than {CELL_MAX} bytes")]
    TooLong(u32),
    /// The old spreadsheet of before 2007.
    #[error("this is an old .xls file: save it as .xlsx or as CSV")]
    OldSheet,
    /// Something that is neither text nor a spreadsheet.
    #[error("the file is neither a spreadsheet (.xlsx) nor a text (.csv)")]
    Unknown,
    /// Neither UTF-8, UTF-16 nor GB18030.
    #[error("the text's encoding is not known: save it as CSV UTF-8")]
    Encoding,
    /// It says what it is, and cannot be read as that.
    #[error("the file is damaged, or protected by a password")]
    Damaged,
    /// Others are being read.
    #[error("other files are being read: try again")]
    Busy,
}

impl ReadError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "import-empty",
            Self::TooLarge => "import-too-large",
            Self::TooManyRows => "import-too-many-rows",
            Self::TooManyColumns(_) => "import-too-many-columns",
            Self::TooLong(_) => "import-too-long",
            Self::OldSheet => "import-old-sheet",
            Self::Unknown => "import-unknown",
            Self::Encoding => "import-encoding",
            Self::Damaged => "import-damaged",
            Self::Busy => "import-busy",
        }
    }

    /// The line at fault, where there is one.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::TooManyColumns(line) | Self::TooLong(line) => Some(*line),
            Self::Empty
            | Self::TooLarge
            | Self::TooManyRows
            | Self::OldSheet
            | Self::Unknown
            | Self::Encoding
            | Self::Damaged
            | Self::Busy => None,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        if error == ReadError::Busy {
            Self::unavailable(error.to_string())
        } else {
            Self::refused(error.code(), error.to_string())
        }
    }
}

/// Reads a file in the bounded worker.
///
/// # Errors
/// Why it is no table.
pub async fn read(upload: Vec<u8>) -> Result<Table, ReadError> {
    let _turn = timeout(TURN, WORKER.acquire()).await.map_err(|_| ReadError::Busy)?.expect("never closed");
    let work = tokio::task::spawn_blocking(move || table(&upload));
    // A reader that gave up on a hostile file by panicking has refused it.
    work.await.unwrap_or(Err(ReadError::Damaged))
}

/// Reads a file. Works for as long as its size asks, never waits.
///
/// # Errors
/// Why it is no table.
pub fn table(upload: &[u8]) -> Result<Table, ReadError> {
    if upload.len() > UPLOAD_MAX {
        return Err(ReadError::TooLarge);
    }
    let mut rows = Rows::default();
    let form = if upload.starts_with(b"PK\x03\x04") {
        sheet::read(upload, &mut rows)?
    } else if upload.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        // Also what a spreadsheet with a password lies in.
        return Err(ReadError::OldSheet);
    } else {
        text::read(upload, &mut rows)?
    };
    rows.table(form)
}

/// Rows as they come, within the limits.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    bytes: usize,
}

impl Rows {
    /// Takes a value in; columns from 0, lines from 1 and never going back.
    fn put(&mut self, line: u32, column: usize, cell: Cell) -> Result<(), ReadError> {
        if cell == Cell::Empty {
            return Ok(());
        }
        if column >= COLUMNS_MAX {
            return Err(ReadError::TooManyColumns(line));
        }
        if let Cell::Text(text) = &cell {
            if text.len() > CELL_MAX {
                return Err(ReadError::TooLong(line));
            }
            self.bytes += text.len();
            if self.bytes > TEXT_MAX {
                return Err(ReadError::TooLarge);
            }
        }
        if self.rows.last().is_none_or(|row| row.line != line) {
            if self.rows.len() > ROWS_MAX + ABOVE_MAX {
                return Err(ReadError::TooManyRows);
            }
            self.rows.push(Row { line, cells: Vec::new() });
        }
        let row = self.rows.last_mut().expect("pushed above");
        if row.cells.len() <= column {
            row.cells.resize(column + 1, Cell::Empty);
        }
        row.cells[column] = cell;
        Ok(())
    }

    /// The heads are the first row of the first few in which two columns are known by their names, or the first of all.
    fn table(self, form: Form) -> Result<Table, ReadError> {
        let Self { mut rows, .. } = self;
        let is_head =
            |row: &Row| row.cells.iter().filter(|cell| column::of_head(&cell.shown()).is_some()).count() >= 2;
        let head = rows.iter().take(ABOVE_MAX + 1).position(is_head).unwrap_or(0);
        if rows.len() <= head + 1 {
            return Err(ReadError::Empty);
        }
        let below = rows.split_off(head + 1);
        if below.len() > ROWS_MAX {
            return Err(ReadError::TooManyRows);
        }
        let mut heads: Vec<String> =
            rows.pop().map(|row| row.cells.iter().map(Cell::shown).collect()).unwrap_or_default();
        let widest = below.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        heads.resize(widest.max(heads.len()), String::new());
        Ok(Table { form, heads, rows: below })
    }
}

#[cfg(test)]
mod tests;

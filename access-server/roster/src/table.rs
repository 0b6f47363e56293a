//! A file's table: heads, and rows of values. What was behind a value (a formula, a link, a format) is gone.

use jiff::civil::Date;

/// Rows of one file at most, the heads apart.
pub const ROWS_MAX: usize = 100_000;
/// Columns at most; what stands further to the right is refused, not left out.
pub const COLUMNS_MAX: usize = 64;
/// The longest value, in bytes.
pub const CELL_MAX: usize = 1000;
/// All values together, in bytes.
pub const TEXT_MAX: usize = 48 * 1024 * 1024;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing, or spaces.
    Empty,
    /// Text as it stands there, without the spaces around it.
    Text(Box<str>),
    /// What a spreadsheet holds as a number: zeros before it and digits behind the fifteenth are lost in it.
    Number(f64),
    /// What a spreadsheet holds as a date; its time of day is left out.
    Day(Date),
    /// What a spreadsheet shows as an error, as `#N/A`.
    Error,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where it stands in the file, from 1.
    pub line: u32,
    /// Its values; there may be fewer than heads.
    pub cells: Vec<Cell>,
}

/// How a file was read: said on the page, so that somebody sees when it was misunderstood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Separated values.
    Text {
        /// `UTF-8`, `GB18030`, `UTF-16`.
        encoding: &'static str,
        /// `,`, `;` or a tab.
        separator: char,
    },
    /// A spreadsheet.
    Sheet {
        /// Its first sheet's name.
        name: String,
        /// How many there are: the others are not read.
        of: usize,
    },
}

/// A table as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// How it was read.
    pub form: Form,
    /// What the columns are called.
    pub heads: Vec<String>,
    /// The rows below that hold anything.
    pub rows: Vec<Row>,
}

impl Cell {
    /// A text's value.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
        if text.is_empty() { Self::Empty } else { Self::Text(text.into()) }
    }

    /// As it is shown, and as names and words are read. A whole number stands without a point.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Day(day) => day.to_string(),
            Self::Error => "#".to_owned(),
        }
    }
}

impl Row {
    /// The value of a column.
    #[must_use]
    pub fn cell(&self, column: usize) -> &Cell {
        self.cells.get(column).unwrap_or(&Cell::Empty)
    }

    /// Whether nothing stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| *cell == Cell::Empty)
    }
}

impl Table {
    /// The memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |cell: &Cell| {
            size_of::<Cell>()
                + match cell {
                    Cell::Text(text) => text.len(),
                    Cell::Empty | Cell::Number(_) | Cell::Day(_) | Cell::Error => 0,
                }
        };
        self.rows.iter().flat_map(|row| &row.cells).map(of).sum::<usize>()
            + self.rows.len() * size_of::<Row>()
    }
}

//! A row as it is meant: each value read as what its column holds, or why it cannot be.

use domain::policy::{CLEARANCE_MAX, PersonStatus};
use domain::time::Utc;
use jiff::tz::TimeZone;
use people::credential::Card;
use people::person::PersonKind;
use people::text;

use crate::card::{CardForm, is_rounded};
use crate::column::Column;
use crate::table::{Cell, Row};
use crate::value::{self, Limit};

/// Groups named in one row at most.
pub(crate) const GROUPS_MAX: usize = 64;

/// One thing wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where it stands; none for the row as a whole.
    pub column: Option<Column>,
    /// The stable kind, for language files.
    pub code: &'static str,
    /// What its words name: a group, a date. Never anything of a card.
    pub what: String,
}

/// A row as it is meant. What it does not say is `None`, and stays as it is of somebody known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) latin: Option<String>,
    pub(crate) department: Option<String>,
    pub(crate) kind: Option<PersonKind>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) card: Option<Card>,
    pub(crate) from: Option<Utc>,
    pub(crate) until: Option<Utc>,
    pub(crate) status: Option<PersonStatus>,
    pub(crate) clearance: Option<u8>,
    /// Whether the staff number is one that a spreadsheet holds as a number: zeros before it are gone.
    pub(crate) bare_number: bool,
}

impl Wrong {
    pub(crate) fn new(
        column: impl Into<Option<Column>>,
        code: &'static str,
        what: impl Into<String>,
    ) -> Self {
        Self { column: column.into(), code, what: what.into() }
    }
}

/// What the columns hold, and how cards are written.
pub(crate) struct Reading<'r> {
    pub(crate) columns: &'r [Option<Column>],
    pub(crate) cards: CardForm,
    pub(crate) zone: &'r TimeZone,
}

impl Reading<'_> {
    /// Reads a row.
    pub(crate) fn line(&self, row: &Row) -> Result<Line, Vec<Wrong>> {
        let mut line = Line::default();
        let mut wrong = Vec::new();
        let facility = self.columns.iter().position(|column| *column == Some(Column::Facility));
        for (at, column) in self.columns.iter().enumerate() {
            let Some(column) = *column else { continue };
            let cell = row.cell(at);
            match cell {
                Cell::Empty => continue,
                Cell::Error => {
                    wrong.push(Wrong::new(column, "cell-error", ""));
                    continue;
                }
                Cell::Text(_) | Cell::Number(_) | Cell::Day(_) => {}
            }
            if let Err(fault) = self.value(&mut line, column, cell, facility.map(|at| row.cell(at))) {
                wrong.push(fault);
            }
        }
        if wrong.is_empty() { Ok(line) } else { Err(wrong) }
    }

    fn value(
        &self,
        line: &mut Line,
        column: Column,
        cell: &Cell,
        facility: Option<&Cell>,
    ) -> Result<(), Wrong> {
        let refuse = |code| Wrong::new(column, code, cell.shown());
        match column {
            Column::Number => {
                line.number = Some(whole(column, cell)?);
                line.bare_number = matches!(cell, Cell::Number(_));
            }
            Column::Key => line.key = Some(whole(column, cell)?),
            Column::Name => line.name = Some(written(column, cell)?),
            Column::Latin => line.latin = Some(written(column, cell)?),
            Column::Department => line.department = Some(written(column, cell)?),
            Column::Kind => {
                line.kind = Some(value::kind(&cell.shown()).ok_or_else(|| refuse("kind"))?);
            }
            Column::Groups => line.groups = Some(groups(column, cell)?),
            Column::Card => {
                let card = self.cards.read(cell, facility);
                line.card = Some(card.map_err(|fault| Wrong::new(column, fault.code(), ""))?);
            }
            // Read with the card.
            Column::Facility => {}
            Column::From => {
                line.from = Some(match value::limit(cell).ok_or_else(|| refuse("date"))? {
                    Limit::Open => Utc::MIN,
                    Limit::Day(day) => value::instant(day, self.zone, false).ok_or_else(|| refuse("date"))?,
                });
            }
            Column::Until => {
                line.until = Some(match value::limit(cell).ok_or_else(|| refuse("date"))? {
                    Limit::Open => Utc::MAX,
                    Limit::Day(day) => value::instant(day, self.zone, true).ok_or_else(|| refuse("date"))?,
                });
            }
            Column::Status => {
                line.status = Some(value::status(&cell.shown()).ok_or_else(|| refuse("status"))?);
            }
            Column::Clearance => {
                let level = cell.shown().parse().ok().filter(|level| *level <= CLEARANCE_MAX);
                line.clearance = Some(level.ok_or_else(|| refuse("clearance"))?);
            }
        }
        Ok(())
    }
}

/// A number that is a name: nothing of it may have been lost.
fn whole(column: Column, cell: &Cell) -> Result<String, Wrong> {
    let rounded = match cell {
        Cell::Number(number) => number.fract() != 0.0 || !(0.0..1e15).contains(number),
        Cell::Text(text) => is_rounded(text),
        Cell::Day(_) => return Err(Wrong::new(column, "number-is-date", cell.shown())),
        Cell::Empty | Cell::Error => false,
    };
    if rounded {
        return Err(Wrong::new(column, "rounded", ""));
    }
    written(column, cell)
}

/// One line of text.
fn written(column: Column, cell: &Cell) -> Result<String, Wrong> {
    let shown = cell.shown();
    text::line(&shown).map_err(|_| Wrong::new(column, "text", ""))?;
    Ok(shown)
}

/// Several are set apart by a comma, a semicolon, 、 or a line.
fn groups(column: Column, cell: &Cell) -> Result<Vec<String>, Wrong> {
    let mut groups: Vec<String> = cell
        .shown()
        .split([',', ';', '，', '；', '、', '|', '\n'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    groups.sort();
    groups.dedup();
    if groups.len() > GROUPS_MAX {
        return Err(Wrong::new(column, "many-groups", GROUPS_MAX.to_string()));
    }
    if let Some(bad) = groups.iter().find(|name| text::name(name).is_err()) {
        return Err(Wrong::new(column, "text", bad.chars().take(40).collect::<String>()));
    }
    Ok(groups)
}

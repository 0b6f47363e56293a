//! What a file would do: counted at the top, row by row below, the wrong ones first; and how it is read, to be set by hand.

use askama::Template;
use axum::Form as Sent;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::Operator;
use kit::problem::Problem;
use people::word::Word;
use roster::card::CardForm;
use roster::column::{self, Column};
use roster::draft::{self, Choice, Confirmed, Counts, Draft, DraftError, Fate, Planned, Wrong};
use roster::table::{Cell, Form};
use serde::Deserialize;

use super::PATH;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

/// Rows on one page.
const PAGE: usize = 100;
/// Values of a column that are shown beside what it holds.
const SAMPLES: usize = 3;
/// What of a card's number may be seen.
const CARD_SHOWN: usize = 4;

#[derive(Template)]
#[template(path = "import/draft.html")]
struct Show {
    page: Page,
    id: String,
    name: String,
    form: String,
    counts: Counts,
    /// How many rows would become what, and how many there are.
    tally: Vec<Tally>,
    rows: usize,
    /// How many people would be written.
    to_write: usize,
    fingerprint: String,
    columns: Vec<ColumnView>,
    /// How cards are written; nothing where no column holds cards.
    cards: Vec<Pick>,
    create_groups: bool,
    has_groups: bool,
    new_groups: Vec<String>,
    bare_numbers: usize,
    /// Heads of columns with values that are not imported.
    left_out: Vec<String>,
    /// The first row, where it was taken for heads though none of them is known.
    unknown_heads: Option<String>,
    names_people: bool,
    fault: Option<String>,
    /// The site changed since it was shown.
    otherwise: bool,
    shown: &'static str,
    is_all: bool,
    lines: Vec<LineView>,
    at: usize,
    pages: usize,
    batches: bool,
}

/// How many rows would become this.
struct Tally {
    fate: &'static str,
    name: String,
    count: usize,
    is_shown: bool,
}

/// One of several to choose from.
struct Pick {
    word: &'static str,
    name: String,
    chosen: bool,
}

struct ColumnView {
    head: String,
    samples: String,
    options: Vec<Pick>,
}

struct LineView {
    line: u32,
    number: String,
    name: String,
    person: Option<u64>,
    fate: &'static str,
    fate_name: String,
    details: Vec<String>,
}

/// Which rows, and which page of them.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    show: String,
    #[serde(default)]
    at: usize,
    #[serde(default)]
    said: String,
}

/// What may be asked for, and the fate it shows.
const SHOWS: [&str; 5] = ["all", "wrong", "new", "changed", "same"];

impl Show {
    fn title(&self) -> String {
        self.page.say_with("import-draft-title", "file", self.name.clone()).into_owned()
    }

    fn verdict(&self) -> String {
        let key = match (self.names_people, self.counts.wrong, self.counts.new + self.counts.changed) {
            (false, _, _) => "import-verdict-columns",
            (true, 0, 0) => "import-verdict-nothing",
            (true, 0, _) => "import-verdict-good",
            (true, _, _) => "import-verdict-wrong",
        };
        self.page.say_count(key, &self.counts.wrong).into_owned()
    }

    fn is_good(&self) -> bool {
        self.names_people && self.counts.wrong == 0 && self.unknown_heads.is_none()
    }

    fn skipping(&self) -> String {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX).into();
        let arguments = [("wrong", count(self.counts.wrong)), ("count", count(self.to_write))];
        self.page.language.say_with("import-skip", &arguments).into_owned()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    match draft::get(&console.kit, by, &id) {
        Ok(found) => Ok(answer(page, &id, &found, &asked, None)),
        Err(error) => super::refuse(&console, page, &error).await,
    }
}

pub(super) async fn choose(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    let found = match draft::get(&console.kit, by, &id) {
        Ok(found) => found,
        Err(error) => return super::refuse(&console, page, &error).await,
    };
    let choice = Choice {
        columns: column::parse(fields.all("column")),
        cards: cards(&fields, &found),
        create_groups: !fields.get("groups").is_empty(),
        whole: true,
    };
    match draft::choose(&console.kit, by, &id, choice).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}/drafts/{id}")).into_response()),
        Err(DraftError::Twice(column)) => {
            let name = page.say(&format!("import-column-{}", column.word())).into_owned();
            let fault = page.say_with("fault-import-column-twice", "column", name).into_owned();
            let asked = Asked { show: String::new(), at: 0, said: String::new() };
            Ok(answer(page, &id, &found, &asked, Some(fault)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What was said of the cards; a column that has just become one of cards is looked at anew.
fn cards(fields: &Fields, found: &Draft) -> CardForm {
    let columns = column::parse(fields.all("column"));
    let card = columns.iter().position(|column| *column == Some(Column::Card));
    let was = found.choice.columns.iter().position(|column| *column == Some(Column::Card));
    match (CardForm::parse(fields.get("cards")), card) {
        (Some(form), _) if card == was => form,
        (_, Some(card)) => CardForm::guess(&found.table, card, columns.contains(&Some(Column::Facility))),
        (_, None) => found.choice.cards,
    }
}

pub(super) async fn confirm(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    let kit = &console.kit;
    let skip = !fields.get("skip").is_empty();
    match draft::confirm(kit, by, &id, fields.get("fingerprint"), !skip).await {
        Ok(Confirmed::Begun(import)) => Ok(Redirect::to(&format!("{PATH}/{import}")).into_response()),
        Ok(Confirmed::Otherwise) => {
            Ok(Redirect::to(&format!("{PATH}/drafts/{id}?said=otherwise")).into_response())
        }
        Err(error @ (DraftError::Busy | DraftError::Nothing)) => {
            let found = draft::get(kit, by, &id)?;
            let fault = super::fault(&page, &error);
            let asked = Asked { show: String::new(), at: 0, said: String::new() };
            Ok(answer(page, &id, &found, &asked, Some(fault)))
        }
        Err(error) => super::refuse(&console, page, &error).await,
    }
}

pub(super) async fn forget(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<String>,
) -> Redirect {
    draft::forget(&console.kit, operator.id, &id);
    Redirect::to(PATH)
}

fn answer(page: Page, id: &str, draft: &Draft, asked: &Asked, fault: Option<String>) -> Response {
    let plan = &draft.plan;
    let choice = &draft.choice;
    let shown = SHOWS.into_iter().find(|show| *show == asked.show).unwrap_or("all");
    let rows: Vec<&Planned> = plan.rows.iter().filter(|row| shown == "all" || fate(row) == shown).collect();
    let pages = rows.len().div_ceil(PAGE).max(1);
    let at = asked.at.min(pages - 1);
    let lines = rows.iter().skip(at * PAGE).take(PAGE).map(|row| line(&page, draft, row)).collect();
    let has = |column| choice.columns.contains(&Some(column));
    let cards = CardForm::ALL.iter().map(|form| Pick {
        word: form.word(),
        name: page.say(&format!("import-cards-{}", form.word())).into_owned(),
        chosen: *form == choice.cards,
    });
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let show = Show {
        id: id.to_owned(),
        name: draft.name.clone(),
        form: form(&page, &draft.table.form),
        counts: plan.counts,
        tally: tally(&page, plan.counts, shown),
        to_write: plan.counts.new + plan.counts.changed,
        rows: plan.rows.len(),
        fingerprint: plan.fingerprint.clone(),
        columns: columns(&page, draft),
        cards: if has(Column::Card) { cards.collect() } else { Vec::new() },
        create_groups: choice.create_groups,
        has_groups: has(Column::Groups),
        new_groups: plan.new_groups.clone(),
        bare_numbers: plan.bare_numbers,
        left_out: left_out(draft),
        unknown_heads: unknown_heads(draft),
        names_people: choice.names_people(),
        fault,
        otherwise: asked.said == "otherwise",
        is_all: shown == "all",
        shown,
        lines,
        at,
        pages,
        batches: plan.counts.new + plan.counts.changed > people::bulk::BATCH_MAX,
        page,
    };
    html(status, &show)
}

/// Heads of columns that hold something and stand for nothing.
fn left_out(draft: &Draft) -> Vec<String> {
    let has_values = |at: usize| {
        let cells = draft.table.rows.iter().filter_map(|row| row.cells.get(at));
        cells.map(Cell::shown).any(|text| !text.trim().is_empty())
    };
    let heads = draft.table.heads.iter().zip(&draft.choice.columns).enumerate();
    let heads = heads.filter(|(at, (head, column))| column.is_none() && !head.is_empty() && has_values(*at));
    heads.map(|(_, (head, _))| head.clone()).collect()
}

/// The first row, where no column is known by it: it may be somebody who would be left out.
fn unknown_heads(draft: &Draft) -> Option<String> {
    let heads = &draft.table.heads;
    heads.iter().all(|head| column::of_head(head).is_none()).then(|| heads.join(" · "))
}

fn tally(page: &Page, counts: Counts, shown: &str) -> Vec<Tally> {
    let Counts { new, changed, same, wrong, cards: _, exchanged: _ } = counts;
    [("new", new), ("changed", changed), ("same", same), ("wrong", wrong)]
        .into_iter()
        .map(|(fate, count)| {
            let name = page.say(&format!("import-fate-{fate}")).into_owned();
            Tally { fate, name, count, is_shown: fate == shown }
        })
        .collect()
}

fn form(page: &Page, form: &Form) -> String {
    match form {
        Form::Text { encoding, separator } => {
            let separator = match separator {
                ';' => "semicolon",
                '\t' => "tab",
                _ => "comma",
            };
            let separator = page.say(&format!("import-separator-{separator}")).into_owned();
            let arguments = [("encoding", encoding.to_uppercase().into()), ("separator", separator.into())];
            page.language.say_with("import-form-text", &arguments).into_owned()
        }
        Form::Sheet { name, of } => {
            let count = i64::try_from(*of).unwrap_or(i64::MAX);
            let arguments = [("sheet", name.clone().into()), ("count", count.into())];
            page.language.say_with("import-form-sheet", &arguments).into_owned()
        }
    }
}

fn columns(page: &Page, draft: &Draft) -> Vec<ColumnView> {
    let heads = draft.table.heads.iter().zip(&draft.choice.columns).enumerate();
    heads
        .map(|(at, (head, held))| {
            let values = draft.table.rows.iter().map(|row| row.cell(at)).filter(|cell| **cell != Cell::Empty);
            let samples: Vec<String> = values
                .take(SAMPLES)
                .map(|cell| if *held == Some(Column::Card) { masked(cell) } else { cell.shown() })
                .collect();
            let options = Column::ALL.iter().map(|column| Pick {
                word: column.word(),
                name: page.say(&format!("import-column-{}", column.word())).into_owned(),
                chosen: *held == Some(*column),
            });
            let head = if head.is_empty() { letter(at) } else { head.clone() };
            ColumnView { head, samples: samples.join(" · "), options: options.collect() }
        })
        .collect()
}

/// The end of a card's number alone.
fn masked(cell: &Cell) -> String {
    let shown = cell.shown();
    let letters: Vec<char> = shown.chars().collect();
    let end = letters.len().saturating_sub(CARD_SHOWN).max(letters.len() / 2);
    format!("…{}", letters[end..].iter().collect::<String>())
}

/// A column without a head, as spreadsheets call it.
fn letter(at: usize) -> String {
    let mut name = String::new();
    let mut left = at + 1;
    while left > 0 {
        name.insert(0, char::from(b'A' + ((left - 1) % 26) as u8));
        left = (left - 1) / 26;
    }
    name
}

pub(super) fn fate(row: &Planned) -> &'static str {
    match row.fate {
        Fate::New(_) => "new",
        Fate::Changed(_) => "changed",
        Fate::Same => "same",
        Fate::Wrong(_) => "wrong",
    }
}

/// What stands in a row's column of this kind.
pub(super) fn value(draft: &Draft, row: &Planned, wanted: Column) -> String {
    let at = draft.choice.columns.iter().position(|column| *column == Some(wanted));
    at.map(|at| draft.table.rows[row.row].cell(at).shown()).unwrap_or_default()
}

fn line(page: &Page, draft: &Draft, row: &Planned) -> LineView {
    LineView {
        line: row.line,
        number: value(draft, row, Column::Number),
        name: value(draft, row, Column::Name),
        person: row.person.map(|person| person.0),
        fate: fate(row),
        fate_name: page.say(&format!("import-fate-{}", fate(row))).into_owned(),
        details: details(page, draft, row),
    }
}

/// What is wrong with a row, or what would change, in words.
pub(super) fn details(page: &Page, draft: &Draft, row: &Planned) -> Vec<String> {
    let mut details = match &row.fate {
        Fate::Wrong(wrong) => wrong.iter().map(|wrong| words(page, draft, wrong)).collect(),
        Fate::Changed(deed) => {
            let names: Vec<_> = deed.differs().iter().map(|column| named(page, *column)).collect();
            vec![names.join(page.say("list-names").as_ref())]
        }
        Fate::New(_) | Fate::Same => Vec::new(),
    };
    details.extend(row.notes.iter().map(|note| page.say(&format!("import-note-{note}")).into_owned()));
    details
}

fn named(page: &Page, column: Column) -> String {
    page.say(&format!("import-column-{}", column.word())).into_owned()
}

/// What is wrong, beginning with the column as the file calls it.
fn words(page: &Page, draft: &Draft, wrong: &Wrong) -> String {
    let said = page.say_with(&format!("import-wrong-{}", wrong.code), "what", wrong.what.clone());
    let Some(column) = wrong.column else { return said.into_owned() };
    let at = draft.choice.columns.iter().position(|it| *it == Some(column));
    let head = at.map(|at| draft.table.heads[at].clone()).filter(|head| !head.is_empty());
    let head = head.unwrap_or_else(|| named(page, column));
    let arguments = [("column", head.into()), ("wrong", said.into())];
    page.language.say_with("import-wrong", &arguments).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_a_head_is_called_as_spreadsheets_do() {
        assert_eq!([0, 25, 26, 27, 63].map(letter), ["A", "Z", "AA", "AB", "BL"]);
    }

    #[test]
    fn of_a_card_no_more_than_its_end_is_seen() {
        assert_eq!(masked(&Cell::text("0004531234")), "…1234");
        assert_eq!(masked(&Cell::text("123456")), "…456");
        assert_eq!(masked(&Cell::text("1")), "…1");
        assert_eq!(masked(&Cell::text("卡片")), "…片");
    }
}

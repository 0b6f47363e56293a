//! The form of a person, new or known. What was typed stays when something is refused, and the field says why.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::{GroupId, PersonId};
use domain::policy::{CLEARANCE_MAX, PersonStatus};
use domain::time::{Utc, Validity};
use jiff::civil::Date;
use kit::auth::Operator;
use kit::looks::What;
use kit::problem::Problem;
use people::find;
use people::person::{self, Particulars, Person, PersonKind, is_key};
use people::word::Word;
use people::{PeopleError, group};

use super::profile::Choice;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "people/edit.html")]
struct Edit {
    page: Page,
    /// Who is changed; nobody for somebody new.
    id: Option<u64>,
    draft: Draft,
    kinds: Vec<Choice>,
    groups: Vec<(u64, String)>,
    clearances: Vec<u8>,
    fault: Option<Fault>,
    /// Others of the same name: to be looked at before a second record of one person is made.
    namesakes: Vec<u64>,
}

/// What stands in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Draft {
    key: String,
    kind: String,
    name: String,
    latin: String,
    department: String,
    number: String,
    /// The first and the last day, as `2026-11-27`; empty for no limit.
    from: String,
    until: String,
    clearance: u8,
    groups: Vec<u64>,
    /// The [`Person::changed_at`] of what the form was filled from.
    seen: i64,
}

/// What is wrong, and in which field.
struct Fault {
    field: &'static str,
    words: String,
}

impl Edit {
    fn title(&self) -> String {
        self.page.say(if self.id.is_some() { "person-edit" } else { "people-add" }).into_owned()
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

pub(super) async fn new(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let draft = Draft { kind: PersonKind::Employee.word().to_owned(), ..Draft::default() };
    answer(&console, operator, &headers, None, draft, None, Vec::new()).await
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let person = known(&console, id).await?;
    console.kit.saw(operator.id, Some(id), What::Profile);
    let draft = Draft::of(&console.page(&headers, None), &person);
    answer(&console, operator, &headers, Some(id), draft, None, Vec::new()).await
}

pub(super) async fn add(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, None);
    let draft = Draft::read(&fields);
    let particulars = match draft.particulars(&page, None, console.kit.now()) {
        Ok(particulars) => particulars,
        Err(fault) => {
            return answer(&console, operator, &headers, None, draft, Some(fault), Vec::new()).await;
        }
    };
    let namesakes = find::namesakes(&console.kit, &particulars.name, None).await?;
    if !namesakes.is_empty() && fields.get("another").is_empty() {
        return answer(&console, operator, &headers, None, draft, None, namesakes).await;
    }
    let mut tx = console.kit.begin().await?;
    match person::add(&mut tx, Some(operator.id), &particulars).await {
        Ok(id) => {
            tx.commit().await?;
            Ok(Redirect::to(&format!("/people/{id}?said=added")).into_response())
        }
        Err(error) => {
            drop(tx);
            let fault = Fault::of(&page, error)?;
            answer(&console, operator, &headers, None, draft, Some(fault), Vec::new()).await
        }
    }
}

pub(super) async fn change(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, None);
    let draft = Draft::read(&fields);
    let person = known(&console, id).await?;
    let particulars = match draft.particulars(&page, Some(&person), console.kit.now()) {
        Ok(particulars) => particulars,
        Err(fault) => {
            return answer(&console, operator, &headers, Some(id), draft, Some(fault), Vec::new()).await;
        }
    };
    let mut tx = console.kit.begin().await?;
    let changed = person::change(&mut tx, Some(operator.id), PersonId(id), draft.seen, &particulars).await;
    match changed {
        Ok(()) => {
            tx.commit().await?;
            Ok(Redirect::to(&format!("/people/{id}?said=changed")).into_response())
        }
        Err(error) => {
            drop(tx);
            let fault = Fault::of(&page, error)?;
            answer(&console, operator, &headers, Some(id), draft, Some(fault), Vec::new()).await
        }
    }
}

async fn known(console: &Console, id: u64) -> Result<Person, Problem> {
    let mut connection = console.kit.read().acquire().await?;
    let person = person::get(&mut connection, PersonId(id)).await?;
    Ok(person.ok_or(PeopleError::Unknown("person"))?)
}

async fn answer(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    id: Option<u64>,
    draft: Draft,
    fault: Option<Fault>,
    namesakes: Vec<PersonId>,
) -> Result<Response, Problem> {
    let page = console.page(headers, Some(operator)).at("people");
    let groups = group::list(&console.kit).await?.into_iter();
    let groups = groups.map(|it| (it.id.0, page.both_names(it.name.name, it.name.latin).0)).collect();
    let kinds = PersonKind::ALL.iter().map(|kind| Choice::of(&page, "person-kind", *kind)).collect();
    let status = match fault.is_some() || !namesakes.is_empty() {
        true => StatusCode::UNPROCESSABLE_ENTITY,
        false => StatusCode::OK,
    };
    let namesakes = namesakes.into_iter().map(|it| it.0).collect();
    let clearances = (0..=CLEARANCE_MAX).collect();
    Ok(html(status, &Edit { page, id, draft, kinds, groups, clearances, fault, namesakes }))
}

impl Draft {
    fn of(page: &Page, person: &Person) -> Self {
        let it = &person.particulars;
        let (from, until) = days(page, it.validity);
        Self {
            key: it.key.clone(),
            kind: it.kind.word().to_owned(),
            name: it.name.clone(),
            latin: it.latin.clone(),
            department: it.department.clone(),
            number: it.number.clone(),
            from,
            until,
            clearance: it.clearance,
            groups: it.groups.iter().map(|group| group.0).collect(),
            seen: person.changed_at,
        }
    }

    fn read(fields: &Fields) -> Self {
        let text = |name| fields.get(name).to_owned();
        Self {
            key: text("key"),
            kind: text("kind"),
            name: text("name"),
            latin: text("latin"),
            department: text("department"),
            number: text("number"),
            from: text("from"),
            until: text("until"),
            clearance: fields.get("clearance").parse().unwrap_or(0),
            groups: fields.all("group").filter_map(|group| group.parse().ok()).collect(),
            seen: fields.get("seen").parse().unwrap_or(0),
        }
    }

    /// What is to be written. What the form does not show, the status and the time of day of a limit whose day was not
    /// touched, stays as it is.
    fn particulars(&self, page: &Page, before: Option<&Person>, now: i64) -> Result<Particulars, Fault> {
        let kind = PersonKind::parse(&self.kind).ok_or_else(|| Fault::at(page, "kind"))?;
        let known = before.map(|person| &person.particulars);
        let validity = known.map_or(Validity::ALWAYS, |it| it.validity);
        let (from, until) = days(page, validity);
        let from = if self.from == from { validity.from } else { first(page, &self.from)? };
        let until = if self.until == until { validity.until } else { last(page, &self.until)? };
        Ok(Particulars {
            key: match (&*self.key, known) {
                ("", Some(known)) => known.key.clone(),
                ("", None) if is_key(&self.number) => self.number.clone(),
                // Nobody has to think of one: imports find the person by their number or this.
                ("", None) => format!("p{now}"),
                (key, _) => key.to_owned(),
            },
            kind,
            name: self.name.clone(),
            latin: self.latin.clone(),
            department: self.department.clone(),
            number: self.number.clone(),
            validity: Validity { from, until },
            status: known.map_or(PersonStatus::Active, |it| it.status),
            clearance: self.clearance,
            groups: self.groups.iter().map(|group| GroupId(*group)).collect(),
        })
    }
}

impl Fault {
    fn at(page: &Page, field: &'static str) -> Self {
        Self { field, words: page.say(&format!("person-fault-{field}")).into_owned() }
    }

    /// What the form can show; anything else is nobody's mistake.
    fn of(page: &Page, error: PeopleError) -> Result<Self, Problem> {
        match error {
            PeopleError::Field { field: "valid_until", .. } => Ok(Self::at(page, "until")),
            PeopleError::Field { field, .. } => Ok(Self::at(page, field)),
            PeopleError::Taken(_) => Ok(Self::at(page, "taken")),
            PeopleError::Stale(_) => Ok(Self::at(page, "stale")),
            error @ (PeopleError::Unknown(_)
            | PeopleError::NoConsent
            | PeopleError::Enrolment(_)
            | PeopleError::Sealed
            | PeopleError::Database(_)) => Err(error.into()),
        }
    }
}

/// The first and the last day, empty for no limit.
fn days(page: &Page, Validity { from, until }: Validity) -> (String, String) {
    let from = if from == Utc::MIN { String::new() } else { page.day(from.0) };
    // It ends with the day's end: the moment itself belongs to the next day.
    let until = if until == Utc::MAX { String::new() } else { page.day(until.0 - 1) };
    (from, until)
}

fn first(page: &Page, day: &str) -> Result<Utc, Fault> {
    match day {
        "" => Ok(Utc::MIN),
        day => begin(page, day, 0).ok_or_else(|| Fault::at(page, "from")),
    }
}

fn last(page: &Page, day: &str) -> Result<Utc, Fault> {
    match day {
        "" => Ok(Utc::MAX),
        day => begin(page, day, 1).ok_or_else(|| Fault::at(page, "until")),
    }
}

/// When a day begins in the site's zone, so many days later.
fn begin(page: &Page, day: &str, later: i64) -> Option<Utc> {
    let date: Date = day.parse().ok()?;
    let date = date.checked_add(jiff::Span::new().days(later)).ok()?;
    let start = date.to_zoned(page.zone.clone()).ok()?;
    Some(Utc(start.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::Language;

    fn page() -> Page {
        let zone = TimeZone::get("Asia/Shanghai").expect("built in");
        Page { language: Language::Chinese, operator: None, zone, section: "" }
    }

    fn person(validity: Validity) -> Person {
        let particulars = Particulars { validity, ..Particulars::named("ada", "艾达") };
        Person { id: PersonId(1), particulars, changed_at: 7 }
    }

    #[test]
    fn a_form_that_was_not_touched_changes_nothing() {
        // 2026-11-27 09:00 to 2026-12-01 18:00 in Shanghai.
        let validity = Validity { from: Utc(1_795_741_200_000_000), until: Utc(1_796_119_200_000_000) };
        let person = person(validity);
        let draft = Draft::of(&page(), &person);
        assert_eq!((draft.from.as_str(), draft.until.as_str(), draft.seen), ("2026-11-27", "2026-12-01", 7));
        let Ok(read) = draft.particulars(&page(), Some(&person), 0) else { panic!("nothing is wrong") };
        assert_eq!(read, person.particulars);
    }

    #[test]
    fn the_last_day_is_a_whole_day() {
        let draft = Draft {
            kind: "visitor".into(),
            name: "艾达".into(),
            from: "2026-11-27".into(),
            until: "2026-11-27".into(),
            ..Draft::default()
        };
        let Ok(read) = draft.particulars(&page(), None, 5) else { panic!("nothing is wrong") };
        let Validity { from, until } = read.validity;
        assert_eq!((until.0 - from.0) / 3_600_000_000, 24);
        assert_eq!(read.key, "p5");
        let person = Person { id: PersonId(1), particulars: read, changed_at: 0 };
        assert_eq!(Draft::of(&page(), &person).until, "2026-11-27");
    }

    #[test]
    fn a_day_that_is_none_is_said_at_its_field() {
        let draft = Draft { kind: "visitor".into(), until: "tomorrow".into(), ..Draft::default() };
        assert_eq!(draft.particulars(&page(), None, 0).err().map(|fault| fault.field), Some("until"));
    }
}

//! Adding, changing and removing one thing of the site: the same five handlers for every kind of thing.

use axum::Form as Sent;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use doors::DoorsError;
use doors::edit::{Aim, Edit, Finished, Seen};
use doors::reach::{Reach, may_turn};
use doors::survey::{Survey, Thing};
use kit::Kit;
use kit::auth::{Operator, Role};
use kit::problem::Problem;

use crate::Console;
use crate::form::Fields;
use crate::page::Page;
use crate::routes::{elsewhere, must_be};
use crate::sheet::{self, Fault, Part, Removal, Sheet};

/// A kind of thing that has a form.
pub(super) trait Form: Sized + 'static {
    /// The entry of the navigation, the address that is gone back to, and the key of its name.
    const BACK: (&'static str, &'static str, &'static str);
    /// The key of the words for adding one.
    const NEW: &'static str;

    /// The thing of a number.
    fn thing(id: u64) -> Thing;

    /// What stands in the form of something new. `asked` is what the address says.
    fn blank(_survey: &Survey, _asked: &Fields) -> Fields {
        Fields::default()
    }

    /// What stands in the form of something known, and its fingerprint; `None` when it is not there.
    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)>;

    /// The form.
    fn parts(page: &Page, survey: &Survey, fields: &Fields, is_new: bool) -> Vec<Part>;

    /// Does what the form says; the thing's number.
    fn put(
        edit: &mut Edit,
        page: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> impl Future<Output = Result<u64, Refused>> + Send;

    /// Where it leads when it is saved.
    fn after(_id: u64) -> String {
        format!("{}?said=saved", Self::BACK.1)
    }
}

/// Why a form was not carried out.
pub(super) enum Refused {
    /// What was typed cannot be read.
    Fault(Fault),
    /// The command was refused.
    Doors(DoorsError),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DoorsError> for Refused {
    fn from(error: DoorsError) -> Self {
        Self::Doors(error)
    }
}

/// The five routes of a kind of thing, and who may call them; its folder ends without a slash.
macro_rules! form_routes {
    ($routes:expr, $form:ty, $folder:literal, $who:expr) => {
        $routes
            .get(concat!($folder, "/new"), $who, $crate::routes::forms::new::<$form>)
            .post(concat!($folder, "/new"), $who, $crate::routes::forms::add::<$form>)
            .get(concat!($folder, "/{id}/edit"), $who, $crate::routes::forms::show::<$form>)
            .post(concat!($folder, "/{id}/edit"), $who, $crate::routes::forms::change::<$form>)
            .post(concat!($folder, "/{id}/remove"), $who, $crate::routes::forms::remove::<$form>)
    };
}
pub(super) use form_routes;

/// The folder of a thing's form.
pub(super) fn path_of(thing: Thing) -> String {
    let number = thing.number();
    let folder = match thing {
        Thing::Area(_) => "/site/areas",
        Thing::Door(_) => "/site/doors",
        Thing::Controller(_) => "/site/controllers",
        Thing::FireZone(_) => "/site/fire-zones",
        Thing::Schedule(_) => "/access/schedules",
        Thing::DoorGroup(_) => "/access/door-groups",
        Thing::Level(_) => "/access/levels",
        Thing::Group(_) => "/access/groups",
    };
    format!("{folder}/{number}")
}

pub(super) async fn new<F: Form>(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at(F::BACK.0);
    let survey = survey(&console.kit).await?;
    let survey = seen(&page, survey);
    let fields = F::blank(&survey, &asked);
    Ok(shown::<F>(page, &survey, None, &fields, None, Vec::new()))
}

pub(super) async fn show<F: Form>(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at(F::BACK.0);
    let survey = survey(&console.kit).await?;
    let (fields, print) = F::fill(&survey, id).ok_or_else(|| gone::<F>(id))?;
    may_change(&page, &survey, F::thing(id))?;
    let survey = seen(&page, survey);
    let fields = fields.with("seen", print);
    Ok(shown::<F>(page, &survey, Some(id), &fields, None, Vec::new()))
}

pub(super) async fn add<F: Form>(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at(F::BACK.0);
    put::<F>(&console.kit, page, None, &fields).await
}

pub(super) async fn change<F: Form>(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at(F::BACK.0);
    put::<F>(&console.kit, page, Some(id), &fields).await
}

pub(super) async fn remove<F: Form>(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at(F::BACK.0);
    let mut edit = Edit::begin(&console.kit, by(&page)).await?;
    let before = edit.before().clone();
    may_change(&page, &before, F::thing(id))?;
    let removed = match edit.remove(F::thing(id)).await {
        Ok(()) => edit.finish().await,
        Err(error) => Err(error),
    };
    let (fault, concerns) = match removed {
        Ok(done) if !may_turn(page.ranks()?, Role::Manager, &before, &done.after) => {
            return Err(elsewhere(Role::Manager));
        }
        Ok(done) => match keep(&page, &fields, done).await? {
            Outcome::Kept => return Ok(to(&format!("{}?said=removed", F::BACK.1))),
            Outcome::Doubted(concerns) => (None, concerns),
        },
        Err(error) => (Some(Fault::of(&page, &seen(&page, before.clone()), error)?), Vec::new()),
    };
    let name = sheet::name_of(&page, &before, F::thing(id));
    let sheet = Sheet {
        title: page.say_with("sheet-remove-title", "name", name).into_owned(),
        back: (F::BACK.1.to_owned(), page.say(F::BACK.2).into_owned()),
        action: format!("{}/remove", path_of(F::thing(id))),
        seen: String::new(),
        parts: Vec::new(),
        fault,
        concerns,
        removal: None,
        page,
    };
    Ok(sheet.answer())
}

async fn put<F: Form>(kit: &Kit, page: Page, id: Option<u64>, fields: &Fields) -> Result<Response, Problem> {
    // A fingerprint that is none is that of nothing.
    let print = Seen::parse(fields.get("seen")).unwrap_or_else(|| Seen::of(&()));
    let mut edit = Edit::begin(kit, by(&page)).await?;
    let before = edit.before().clone();
    if let Some(id) = id {
        may_change(&page, &before, F::thing(id))?;
    }
    let refused = match F::put(&mut edit, &page, fields, id.map(|id| (id, print))).await {
        Ok(put) => match edit.finish().await {
            Ok(done) => {
                // Nothing is put where they may not change it, nor moved there.
                if !may_turn(page.ranks()?, Role::Manager, &before, &done.after) {
                    return Err(elsewhere(Role::Manager));
                }
                match keep(&page, fields, done).await? {
                    Outcome::Kept => return Ok(to(&F::after(put))),
                    Outcome::Doubted(concerns) => {
                        return Ok(shown::<F>(
                            page.clone(),
                            &seen(&page, before),
                            id,
                            fields,
                            None,
                            concerns,
                        ));
                    }
                }
            }
            Err(error) => Refused::Doors(error),
        },
        Err(refused) => refused,
    };
    let fault = match refused {
        Refused::Fault(fault) => fault,
        // What lies elsewhere is not named.
        Refused::Doors(error) => Fault::of(&page, &seen(&page, before.clone()), error)?,
    };
    Ok(shown::<F>(page.clone(), &seen(&page, before), id, fields, Some(fault), Vec::new()))
}

fn shown<F: Form>(
    page: Page,
    survey: &Survey,
    id: Option<u64>,
    fields: &Fields,
    fault: Option<Fault>,
    concerns: Vec<String>,
) -> Response {
    let thing = id.map(F::thing);
    let title = match thing {
        Some(thing) => sheet::name_of(&page, survey, thing),
        None => page.say(F::NEW).into_owned(),
    };
    let sheet = Sheet {
        title,
        back: (F::BACK.1.to_owned(), page.say(F::BACK.2).into_owned()),
        action: thing.map_or_else(|| new_path::<F>(), |thing| format!("{}/edit", path_of(thing))),
        seen: fields.get("seen").to_owned(),
        parts: F::parts(&page, survey, fields, id.is_none()),
        fault,
        concerns,
        removal: thing.map(|thing| removal(&page, survey, thing)),
        page,
    };
    sheet.answer()
}

/// What a page says before a thing is removed.
fn removal(page: &Page, survey: &Survey, thing: Thing) -> Removal {
    let holders = survey.holders(thing);
    let words = if holders.is_empty() {
        let name = sheet::name_of(page, survey, thing);
        page.say_with(&format!("remove-{}", thing.kind()), "name", name).into_owned()
    } else {
        sheet::held(page, survey, &holders)
    };
    Removal { action: format!("{}/remove", path_of(thing)), words, is_held: !holders.is_empty() }
}

/// What becomes of changes that a form asked for.
pub(super) enum Outcome {
    /// They are kept.
    Kept,
    /// They are not: these would come to nothing, and nobody has said yes to it.
    Doubted(Vec<String>),
}

/// Keeps what was changed, unless something comes to nothing by it that nobody has said yes to.
pub(super) async fn keep(page: &Page, fields: &Fields, done: Finished) -> Result<Outcome, Problem> {
    if !done.concerns.is_empty() && fields.get("anyway").is_empty() {
        let words = done.concerns.iter().map(|it| sheet::concern(page, &done.after, *it));
        return Ok(Outcome::Doubted(words.collect()));
    }
    done.commit().await?;
    Ok(Outcome::Kept)
}

/// What a command is about.
pub(super) fn aim<I>(known: Option<(u64, Seen)>, id: fn(u64) -> I) -> Aim<I> {
    known.map_or(Aim::New, |(number, seen)| Aim::Known(id(number), seen))
}

/// The site as it is now.
pub(super) async fn survey(kit: &Kit) -> Result<Survey, Problem> {
    Ok(Survey::load(&mut *kit.read().acquire().await?).await?)
}

/// Refuses whoever has no rank to change a thing where it is.
fn may_change(page: &Page, survey: &Survey, thing: Thing) -> Result<(), Problem> {
    must_be(reach(page, survey).and_then(|reach| reach.at(survey, thing)), Role::Manager)
}

/// What of the site whoever looks sees.
fn seen(page: &Page, survey: Survey) -> Survey {
    match reach(page, &survey) {
        Some(reach) => survey.within(&reach),
        None => survey,
    }
}

fn reach(page: &Page, survey: &Survey) -> Option<Reach> {
    page.operator.as_ref().map(|operator| Reach::of(&operator.ranks, survey))
}

/// Whose doing it is.
pub(super) fn by(page: &Page) -> Option<kit::auth::OperatorId> {
    page.operator.as_ref().map(|operator| operator.id)
}

fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

fn new_path<F: Form>() -> String {
    let known = path_of(F::thing(0));
    format!("{}/new", known.trim_end_matches("/0"))
}

fn gone<F: Form>(id: u64) -> Problem {
    Problem::not_found(format!("there is no {} {id}", F::thing(id).kind()))
}

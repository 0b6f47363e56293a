//! Firmware for boards: the maker's keys, images, and plans of which board is to run which. A plan is made, followed and stopped here.

use askama::Template;
use axum::Form;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::DoorId;
use doors::DoorsError;
use doors::door::{self, Door};
use doors::firmware::{self, Image, ImageId, NewPlan, PlanId, PlanState};
use jiff::{Timestamp, ToSpan};
use kit::auth::Operator;
use kit::problem::Problem;
use people::word::Word as _;

use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const PATH: &str = "/devices/firmware";
/// How long boards may start anew, in hours.
const LASTS: [i64; 5] = [1, 2, 4, 8, 24];

#[derive(Template)]
#[template(path = "devices/firmware.html")]
struct Firmware {
    page: Page,
    plans: Vec<PlanRow>,
    images: Vec<ImageRow>,
    keys: Vec<KeyRow>,
    doors: Vec<DoorRow>,
    /// Hours at which boards may begin to start anew; the first is at once.
    begins: Vec<(String, bool)>,
    lasts: Vec<(i64, bool)>,
    even_if_open: bool,
    key: String,
    fault: Option<Fault>,
}

struct PlanRow {
    id: i64,
    version: String,
    state: PlanState,
    window: String,
    done: usize,
    boards: Vec<BoardRow>,
}

struct BoardRow {
    name: String,
    is_first: bool,
    state: String,
    is_wrong: bool,
}

struct ImageRow {
    id: i64,
    name: String,
    kind: String,
    target: String,
    added: String,
    chosen: bool,
}

struct KeyRow {
    id: i64,
    public: String,
    added: String,
}

struct DoorRow {
    id: u64,
    name: String,
    kind: String,
    /// Not, first, or then.
    wave: String,
}

/// What is wrong, and where.
struct Fault {
    field: &'static str,
    words: String,
}

impl Firmware {
    fn title(&self) -> String {
        self.page.say("firmware-title").into_owned()
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

impl PlanRow {
    fn runs(&self) -> bool {
        self.state == PlanState::Running
    }

    fn state_word(&self) -> &'static str {
        self.state.word()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("devices");
    answer(&console, page, &Fields::default(), None).await
}

pub(super) async fn plan(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("devices");
    let of = |wave: &str| -> Vec<DoorId> {
        let doors = fields.numbers("door").into_iter();
        doors.filter(|door| fields.get(&format!("wave-{door}")) == wave).map(DoorId).collect()
    };
    let starts_at = begins(&page, console.kit.now(), fields.get("begins"));
    let hours = fields.get("lasts").parse().ok().filter(|hours| LASTS.contains(hours)).unwrap_or(LASTS[1]);
    let new = NewPlan {
        image: ImageId(fields.get("image").parse().unwrap_or_default()),
        first: of("first"),
        then: of("then"),
        starts_at,
        ends_at: starts_at.saturating_add(hours * 3_600_000_000),
        even_if_open: !fields.get("open").is_empty(),
    };
    let mut tx = console.kit.begin().await?;
    match firmware::add_plan(&mut tx, Some(by), &new).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(Redirect::to(PATH).into_response())
        }
        Err(error) => {
            drop(tx);
            let fault = Fault::of(&page, error)?;
            answer(&console, page, &fields, Some(fault)).await
        }
    }
}

pub(super) async fn stop(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut tx = console.kit.begin().await?;
    match firmware::stop_plan(&mut tx, Some(operator.id), PlanId(id)).await {
        Ok(()) => tx.commit().await?,
        // It ended meanwhile.
        Err(DoorsError::Unknown(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Redirect::to(PATH).into_response())
}

pub(super) async fn add_key(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("devices");
    let mut tx = console.kit.begin().await?;
    match firmware::add_key(&mut tx, Some(by), fields.get("public")).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(Redirect::to(PATH).into_response())
        }
        Err(error) => {
            drop(tx);
            let fault = Fault::of(&page, error)?;
            answer(&console, page, &fields, Some(fault)).await
        }
    }
}

pub(super) async fn remove_key(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut tx = console.kit.begin().await?;
    firmware::remove_key(&mut tx, Some(operator.id), id).await?;
    tx.commit().await?;
    Ok(Redirect::to(PATH).into_response())
}

pub(super) async fn put_image(
    State(console): State<Console>,
    operator: Operator,
    file: Bytes,
) -> Result<StatusCode, Problem> {
    let mut tx = console.kit.begin().await?;
    firmware::add_image(&mut tx, Some(operator.id), &file).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_image(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut tx = console.kit.begin().await?;
    firmware::remove_image(&mut tx, Some(operator.id), ImageId(id)).await?;
    tx.commit().await?;
    Ok(Redirect::to(PATH).into_response())
}

async fn answer(
    console: &Console,
    page: Page,
    typed: &Fields,
    fault: Option<Fault>,
) -> Result<Response, Problem> {
    let mut connection = console.kit.read().acquire().await?;
    let known = door::list(&mut connection).await?;
    let images = firmware::images(&mut connection).await?;
    let keys = firmware::keys(&mut connection).await?;
    let plans = firmware::plans(&mut connection).await?;
    drop(connection);
    let plans = plans.into_iter().map(|plan| PlanRow {
        id: plan.id.0,
        version: images
            .iter()
            .find(|image| image.id == plan.image)
            .map(|image| version(image.firmware))
            .unwrap_or_default(),
        state: plan.state,
        window: format!("{} – {}", page.to_the_minute(plan.starts_at), page.to_the_minute(plan.ends_at)),
        done: plan.orders.iter().filter(|order| order.state == firmware::OrderState::Good).count(),
        boards: plan.orders.iter().map(|order| board(&page, &known, order)).collect(),
    });
    let doors = known.iter().filter(|(_, door)| door.board.is_some()).map(|(id, door)| DoorRow {
        id: id.0,
        name: name(&page, door),
        kind: page.word("kind", door.kind.word()),
        wave: typed.get(&format!("wave-{}", id.0)).to_owned(),
    });
    let hours = std::iter::once(String::new()).chain((0..24).map(|hour| format!("{hour:02}:00")));
    let begins = hours.map(|hour| (hour.clone(), typed.get("begins") == hour));
    let lasts = LASTS.map(|hours| (hours, typed.get("lasts") == hours.to_string()));
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let firmware = Firmware {
        plans: plans.collect(),
        doors: doors.collect(),
        begins: begins.collect(),
        lasts: lasts.to_vec(),
        even_if_open: !typed.get("open").is_empty(),
        key: typed.get("public").to_owned(),
        images: images.iter().map(|image| row(&page, image, typed.get("image"))).collect(),
        keys: keys
            .into_iter()
            .map(|key| KeyRow { id: key.id, public: key.public, added: page.to_the_minute(key.added_at) })
            .collect(),
        fault,
        page,
    };
    Ok(html(status, &firmware))
}

fn row(page: &Page, image: &Image, chosen: &str) -> ImageRow {
    let version = version(image.firmware);
    ImageRow {
        id: image.id.0,
        name: if image.words.is_empty() { version } else { format!("{version} {}", image.words) },
        kind: page.word("kind", image.kind.word()),
        target: image.target.clone(),
        added: page.to_the_minute(image.added_at),
        chosen: chosen == image.id.0.to_string(),
    }
}

fn board(page: &Page, doors: &[(DoorId, Door)], order: &firmware::Order) -> BoardRow {
    let of_board = |door: &&(DoorId, Door)| {
        let board = door.1.board.as_ref();
        door.1.controller == order.controller
            && board.is_some_and(|board| board.bus == order.bus && board.address == order.address)
    };
    // A door may have got another board since.
    let place = || format!("{} {}", order.bus, order.address);
    BoardRow {
        name: doors.iter().find(of_board).map_or_else(place, |(_, door)| name(page, door)),
        is_first: order.is_first,
        state: page.word("firmware-order", order.state.word()),
        is_wrong: matches!(order.state, firmware::OrderState::Returned | firmware::OrderState::Refused),
    }
}

fn name(page: &Page, door: &Door) -> String {
    page.both_names(door.label.name.clone(), door.label.latin.clone()).0
}

fn version([major, minor, patch]: [u8; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

/// The next time that it is this hour at the site; now for none.
fn begins(page: &Page, now: i64, hour: &str) -> i64 {
    let zoned = Timestamp::from_microsecond(now).unwrap_or_default().to_zoned(page.zone.clone());
    let hour = hour.strip_suffix(":00").and_then(|hour| hour.parse().ok()).filter(|hour| *hour < 24_i8);
    let next = hour.and_then(|hour| {
        let today = zoned.date().at(hour, 0, 0, 0).to_zoned(page.zone.clone()).ok()?;
        if today >= zoned { Some(today) } else { today.checked_add(1.day()).ok() }
    });
    next.map_or(now, |next| next.timestamp().as_microsecond())
}

impl Fault {
    fn of(page: &Page, error: DoorsError) -> Result<Self, Problem> {
        let DoorsError::Field { field, why } = error else { return Err(error.into()) };
        let key = match field {
            "public" => "firmware-fault-key",
            "image" => "firmware-fault-image",
            "ends_at" => "firmware-fault-time",
            _ => "firmware-fault-doors",
        };
        Ok(Self { field, words: page.say_with(key, "why", why.into_owned()).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn boards_begin_at_the_next_such_hour_of_the_site() {
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let page = Page { language: Language::English, operator: None, zone, section: "devices" };
        // 2026-11-27, 15:30 at the site.
        let now = 1_795_764_600_000_000;
        let hour = 3_600_000_000_i64;
        assert_eq!(begins(&page, now, ""), now);
        assert_eq!(begins(&page, now, "16:00"), now + hour / 2);
        assert_eq!(begins(&page, now, "15:00"), now + 23 * hour + hour / 2);
        assert_eq!(begins(&page, now, "24:00"), now);
    }
}

//! The install window of a controller's boards: opened for some minutes with a reason, closed by hand or by itself.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use devices::window::{self, MINUTES, Place, WindowError};
use kit::auth::Operator;
use kit::live::Heard;
use kit::pki::Holder;
use kit::problem::Problem;
use uplink::command::Settled;

use super::{Fault, one_with};
use crate::Console;
use crate::directory::Directory;
use crate::event::board_name;
use crate::form::Fields;
use crate::page::Page;

/// How long it may be open, in minutes. The first is what the form begins with.
const CHOICES: [u8; 4] = [2, 1, 5, MINUTES];

/// The form.
pub(super) struct Form {
    pub(super) device: String,
    /// Boards that have no key yet, and buses: what is sent, and what people call them.
    pub(super) places: Vec<(String, String, bool)>,
    /// Those whose window is open.
    pub(super) open: Vec<(String, String)>,
    pub(super) minutes: Vec<(u8, bool)>,
    pub(super) reason: String,
    fault: Option<Fault>,
}

impl Form {
    /// Of a controller that says which boards it has; of no other device.
    pub(super) fn of(
        page: &Page,
        directory: &Directory,
        device: &str,
        heard: Option<&Heard>,
        typed: Option<(Fields, Fault)>,
    ) -> Option<Self> {
        let Some(Holder::Controller(_)) = Holder::parse(device) else { return None };
        let boards = &heard?.live.boards;
        if boards.is_empty() {
            return None;
        }
        let (typed, fault) = typed.unzip();
        let typed = typed.unwrap_or_default();
        let name = |board: &uplink::live::Board| {
            let door = directory.door_of(device, &board.bus, board.address);
            let words = [
                ("name", board_name(page, door, &board.bus, board.address).into()),
                ("bus", board.bus.clone().into()),
                ("address", board.address.to_string().into()),
            ];
            page.language.say_with("install-board", &words).into_owned()
        };
        let word = |board: &uplink::live::Board| format!("{}/{}", board.address, board.bus);
        let mut buses: Vec<&String> = boards.iter().map(|board| &board.bus).collect();
        buses.dedup();
        let new = boards.iter().filter(|board| !board.online && board.install.is_none());
        let places = new.map(|board| (word(board), name(board)));
        let buses = buses
            .into_iter()
            .map(|bus| (format!("/{bus}"), page.say_with("install-bus", "bus", bus.clone()).into_owned()));
        let chosen = typed.get("place").to_owned();
        let places = places.chain(buses).map(|(word, name)| {
            let is = word == chosen;
            (word, name, is)
        });
        let open =
            boards.iter().filter(|board| board.install.is_some()).map(|board| (word(board), name(board)));
        Some(Self {
            device: device.to_owned(),
            places: places.collect(),
            open: open.collect(),
            minutes: CHOICES.map(|it| (it, typed.get("minutes") == it.to_string())).to_vec(),
            reason: typed.get("reason").to_owned(),
            fault,
        })
    }

    pub(super) fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

pub(super) async fn open(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(device): Path<String>,
    axum::Form(fields): axum::Form<Fields>,
) -> Result<Response, Problem> {
    let place = place(&device, &fields)?;
    let minutes = fields.get("minutes").parse().unwrap_or(CHOICES[0]);
    let done = window::open(&console.kit, &operator, &place, minutes, fields.get("reason")).await;
    answer(&console, operator, &headers, device, fields, done.map(|_| "install-opened")).await
}

pub(super) async fn close(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(device): Path<String>,
    axum::Form(fields): axum::Form<Fields>,
) -> Result<Response, Problem> {
    let place = place(&device, &fields)?;
    let done = window::close(&console.kit, &operator, &place).await;
    answer(&console, operator, &headers, device, fields, done.map(|_| "install-closed")).await
}

/// Address and bus as the form has them: `3/lobby`, or `/lobby` for all of the bus.
fn place(device: &str, fields: &Fields) -> Result<Place, Problem> {
    let Some(Holder::Controller(controller)) = Holder::parse(device) else {
        return Err(Problem::not_found("there is no such controller"));
    };
    let (address, bus) = fields.get("place").split_once('/').unwrap_or_default();
    Ok(Place { controller, bus: bus.to_owned(), address: address.parse().ok() })
}

async fn answer(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    device: String,
    fields: Fields,
    done: Result<&'static str, WindowError>,
) -> Result<Response, Problem> {
    let (field, key) = match done {
        Ok(said) => return Ok(Redirect::to(&format!("/devices/{device}?said={said}")).into_response()),
        Err(WindowError::Reason) => ("reason", "certificate-fault-reason"),
        Err(WindowError::Minutes) => ("minutes", "install-fault-minutes"),
        Err(WindowError::Settled(Settled::HasKey)) => ("place", "install-fault-has-key"),
        Err(WindowError::Settled(Settled::UnknownBoard)) => ("place", "install-fault-unknown"),
        Err(WindowError::Settled(_)) => ("form", "install-fault-refused"),
        Err(WindowError::Command(kit::link::CommandError::Database(error))) => return Err(error.into()),
        Err(WindowError::Command(_)) => ("form", "install-fault-no-answer"),
    };
    let page = console.page(headers, Some(operator)).at("devices");
    let fault = Fault { field, words: page.say(key).into_owned() };
    one_with(console, page, device, None, Some((fields, fault))).await
}

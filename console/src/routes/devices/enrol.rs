//! One-time codes for devices: made, shown once, withdrawn.

use std::collections::BTreeSet;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use devices::{CodeError, EnrolmentId, Invitation};
use kit::auth::Operator;
use kit::pki::Holder;
use kit::problem::Problem;

use super::Fault;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const PATH: &str = "/devices/enrol";
/// How long a code may be made to last, in hours. The first is what the form begins with.
const HOURS: [i64; 4] = [24, 1, 72, 168];
const HOUR: i64 = 3_600_000_000;

#[derive(Template)]
#[template(path = "devices/enrol.html")]
struct Enrol {
    page: Page,
    rows: Vec<Row>,
    /// Devices that may be invited: the certificate's name, and what people call it.
    known: Vec<(String, String)>,
    device: String,
    hours: Vec<(i64, bool)>,
    fault: Option<Fault>,
    made: Option<Made>,
}

struct Row {
    id: i64,
    device: String,
    by: String,
    made: String,
    until: String,
    /// The key of the word for how it stands.
    standing: &'static str,
}

/// A code just made, shown this once.
struct Made {
    device: String,
    code: String,
    until: String,
    /// The program that runs there.
    program: &'static str,
    file: &'static str,
}

impl Enrol {
    fn title(&self) -> String {
        self.page.say("enrol-title").into_owned()
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("devices");
    answer(&console, page, &Fields::default(), None, None).await
}

pub(super) async fn invite(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("devices");
    let hours = fields.get("hours").parse().ok().filter(|hours| HOURS.contains(hours)).unwrap_or(HOURS[0]);
    let device = fields.get("device");
    let mut tx = console.kit.begin().await?;
    match devices::invite(&mut tx, Some(by), device, hours * HOUR).await {
        Ok(invited) => {
            tx.commit().await?;
            let is_vision = matches!(Holder::parse(device), Some(Holder::Vision(_)));
            let made = Made {
                device: device.to_owned(),
                code: invited.code.show(),
                until: page.to_the_minute(invited.expires_at),
                program: if is_vision { "gatehouse-vision" } else { "gatehouse-controller" },
                file: if is_vision { "/var/lib/gatehouse-vision" } else { "/var/lib/gatehouse-controller" },
            };
            answer(&console, page, &Fields::default(), None, Some(made)).await
        }
        Err(error) => {
            drop(tx);
            let (field, key) = match error {
                CodeError::Holder => ("device", "enrol-fault-device"),
                CodeError::Full => ("form", "enrol-fault-full"),
                CodeError::NoAuthority => ("form", "enrol-fault-authority"),
                CodeError::Life | CodeError::Unknown | CodeError::Database(_) => return Err(error.into()),
            };
            let fault = Fault { field, words: page.say(key).into_owned() };
            answer(&console, page, &fields, Some(fault), None).await
        }
    }
}

pub(super) async fn withdraw(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut tx = console.kit.begin().await?;
    match devices::withdraw(&mut tx, Some(operator.id), EnrolmentId(id)).await {
        Ok(()) => tx.commit().await?,
        // It was used or withdrawn meanwhile.
        Err(CodeError::Unknown) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Redirect::to(PATH).into_response())
}

async fn answer(
    console: &Console,
    page: Page,
    typed: &Fields,
    fault: Option<Fault>,
    made: Option<Made>,
) -> Result<Response, Problem> {
    let operators = kit::auth::list(&console.kit).await?;
    let now = console.kit.now();
    let all = devices::invitations(&mut *console.kit.read().acquire().await?).await?;
    let rows = all.into_iter().map(|it| {
        let by = it.by.and_then(|by| operators.iter().find(|row| row.id == by)).map(|row| row.name.clone());
        Row {
            id: it.id.0,
            standing: standing(&it, now),
            device: it.holder,
            by: by.unwrap_or_else(|| page.say("enrol-by-command-line").into_owned()),
            made: page.to_the_minute(it.made_at),
            until: page.to_the_minute(it.expires_at),
        }
    });
    let directory = crate::directory::load(&console.kit, page.language, &[]).await?;
    let live = console.kit.live().all();
    let vision = live.keys().filter(|name| matches!(Holder::parse(name), Some(Holder::Vision(_))));
    let names: BTreeSet<&String> = directory.controllers.keys().chain(vision).collect();
    let known = names.into_iter().map(|name| (name.clone(), directory.device(&page, name)));
    let hours = HOURS.map(|hours| (hours, typed.get("hours") == hours.to_string()));
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (rows, known) = (rows.collect(), known.collect());
    let device = typed.get("device").to_owned();
    Ok(html(status, &Enrol { page, rows, known, device, hours: hours.to_vec(), fault, made }))
}

fn standing(it: &Invitation, now: i64) -> &'static str {
    match (it.used_at, it.withdrawn_at) {
        (Some(_), _) => "enrol-used",
        (None, Some(_)) => "enrol-withdrawn",
        (None, None) if it.is_open(now) => "enrol-open",
        (None, None) => "enrol-expired",
    }
}

//! The authenticator app: set up with a QR code, confirmed with a code, taken away with the password; and the codes for
//! when it is lost, shown once.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use fast_qr::QRBuilder;
use kit::auth::second::{self, SecondError, State as Second};
use kit::auth::{Operator, OperatorError};
use kit::problem::Problem;
use kit::{Routes, Who};

use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};
use crate::routes::VIEWER;
use crate::sheet::Fault;

/// Where it is set up: also by whoever is not let in before.
pub(crate) const PATH: &str = "/account/authenticator";
/// Empty squares around a code, that cameras find it (ISO/IEC 18004, 5.3.8).
const QUIET: usize = 4;

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get(PATH, Who::SignedIn, show)
        .post(PATH, Who::SignedIn, begin)
        .post("/account/authenticator/confirm", Who::SignedIn, confirm)
        .post("/account/authenticator/codes", VIEWER, new_codes)
        .post("/account/authenticator/remove", VIEWER, remove)
}

#[derive(Template)]
#[template(path = "account/authenticator.html")]
struct Authenticator {
    page: Page,
    /// Whether it must be set up before anything else.
    is_owed: bool,
    /// Whether a passkey would do as well.
    has_passkeys: bool,
    stage: Stage,
    fault: Option<Fault>,
}

/// How far it is.
enum Stage {
    Absent,
    /// An app is to be given the secret.
    Begun {
        qr: String,
        secret: String,
    },
    /// It is asked for; the recovery codes that are left.
    Stands {
        since: String,
        left: u64,
    },
    /// Recovery codes, shown this once.
    Codes(Vec<String>),
}

impl Authenticator {
    fn title(&self) -> String {
        self.page.say("second-title").into_owned()
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&console, operator, &headers, None).await
}

async fn begin(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    match second::begin(&console.kit, operator.id, fields.get("password")).await {
        // Somebody pressed twice: the page says how it stands.
        Ok(()) | Err(SecondError::Exists) => Ok(Redirect::to(PATH).into_response()),
        Err(SecondError::Operator(OperatorError::WrongPassword)) => {
            answer(&console, operator, &headers, Some(("begin", "password-wrong"))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn confirm(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    match second::confirm(&console.kit, operator.id, fields.get("code")).await {
        Ok(codes) => Ok(codes_once(&console, operator, &headers, codes)),
        Err(SecondError::WrongCode) => {
            answer(&console, operator, &headers, Some(("code", "second-fault-code"))).await
        }
        Err(SecondError::Absent) => Ok(Redirect::to(PATH).into_response()),
        Err(error) => Err(error.into()),
    }
}

async fn new_codes(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    match second::new_codes(&console.kit, operator.id, fields.get("password")).await {
        Ok(codes) => Ok(codes_once(&console, operator, &headers, codes)),
        Err(SecondError::Operator(OperatorError::WrongPassword)) => {
            answer(&console, operator, &headers, Some(("codes", "password-wrong"))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    match second::remove_own(&console.kit, operator.id, fields.get("password")).await {
        Ok(()) => Ok(Redirect::to("/account?said=second").into_response()),
        Err(SecondError::Operator(OperatorError::WrongPassword)) => {
            answer(&console, operator, &headers, Some(("remove", "password-wrong"))).await
        }
        Err(error) => Err(error.into()),
    }
}

fn codes_once(
    console: &Console,
    mut operator: Operator,
    headers: &HeaderMap,
    codes: Vec<String>,
) -> Response {
    // It is there now: what was owed is done.
    operator.owes = None;
    let page = console.page(headers, Some(operator)).at("account");
    html(
        StatusCode::OK,
        &Authenticator { page, is_owed: false, has_passkeys: false, stage: Stage::Codes(codes), fault: None },
    )
}

async fn answer(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    fault: Option<(&str, &str)>,
) -> Result<Response, Problem> {
    let (id, name, is_owed) = (operator.id, operator.name.clone(), operator.owes.is_some());
    let page = console.page(headers, Some(operator)).at("account");
    let stage = match second::of(&console.kit, id).await? {
        Second::None => Stage::Absent,
        Second::Begun(secret) => {
            Stage::Begun { qr: qr(&secret.address(&name)), secret: grouped(&secret.text()) }
        }
        Second::Stands { since, codes } => Stage::Stands { since: page.to_the_minute(since), left: codes },
    };
    let has_passkeys = console.kit.passkeys().party().is_some();
    let fault = fault.map(|(field, key)| Fault::at(&page, field, key));
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(html(status, &Authenticator { page, is_owed, has_passkeys, stage, fault }))
}

/// A text as a QR code: one path of squares, without a style of its own.
fn qr(text: &str) -> String {
    let code = QRBuilder::new(text).build().expect("a name and a secret fit into a QR code");
    let mut path = String::new();
    for row in 0..code.size {
        for column in (0..code.size).filter(|column| code[row][*column].value()) {
            path.push_str(&format!("M{} {}h1v1h-1z", column + QUIET, row + QUIET));
        }
    }
    let side = code.size + 2 * QUIET;
    format!("<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>")
}

/// Groups of four letters, that the eye does not get lost.
fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

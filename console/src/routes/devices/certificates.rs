//! Certificates that the site issued: whose, until when, how they stand; and revoking them.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use devices::{Kept, RevokeError, Standing};
use kit::auth::Operator;
use kit::problem::Problem;

use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const PATH: &str = "/devices/certificates";
const DAY: i64 = 86_400_000_000;

#[derive(Template)]
#[template(path = "devices/certificates.html")]
struct Certificates {
    page: Page,
    now: i64,
    rows: Vec<Row>,
    /// The number of the list in force.
    list: Option<u64>,
    /// What is wrong with what was typed, at which certificate.
    fault: Option<(String, String)>,
}

struct Row {
    number: String,
    device: String,
    name: String,
    why: String,
    until: String,
    left: String,
    /// When the device was last heard.
    heard_at: Option<i64>,
    standing: &'static str,
    is_wrong: bool,
    /// Why, where it is revoked.
    reason: String,
    may_revoke: bool,
    /// What was typed.
    typed: String,
}

impl Certificates {
    fn title(&self) -> String {
        self.page.say("certificates-title").into_owned()
    }

    fn fault_at(&self, number: &str) -> Option<&str> {
        self.fault.as_ref().filter(|(at, _)| at == number).map(|(_, words)| words.as_str())
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

pub(super) async fn revoke(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(number): Path<String>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("devices");
    let serial = devices::serial(&number).ok_or(RevokeError::Unknown)?;
    let mut tx = console.kit.begin().await?;
    match devices::revoke(&mut tx, Some(by), &serial, fields.get("reason")).await {
        Ok(()) => tx.commit().await?,
        // Somebody else was faster.
        Err(RevokeError::Already) => {}
        Err(error @ (RevokeError::Reason | RevokeError::InUse)) => {
            drop(tx);
            let key = if matches!(error, RevokeError::Reason) {
                "certificate-fault-reason"
            } else {
                "certificate-fault-in-use"
            };
            let words = page.say(key).into_owned();
            return answer(&console, page, &fields, Some((number, words))).await;
        }
        Err(error @ (RevokeError::Unknown | RevokeError::Database(_))) => return Err(error.into()),
    }
    Ok(Redirect::to(PATH).into_response())
}

async fn answer(
    console: &Console,
    page: Page,
    typed: &Fields,
    fault: Option<(String, String)>,
) -> Result<Response, Problem> {
    let now = console.kit.now();
    let all = devices::certificates(&mut *console.kit.read().acquire().await?).await?;
    let list = devices::list_in_force(&console.kit).await?.map(|(number, _)| number);
    let directory = crate::directory::load(&console.kit, page.language, &[]).await?;
    let live = console.kit.live().all();
    let at = fault.as_ref().map(|(number, _)| number.clone());
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut rows: Vec<(Kept, Row)> = all
        .into_iter()
        .map(|it| {
            let standing = it.standing(now);
            let row = Row {
                number: it.number(),
                name: directory.device(&page, &it.holder),
                why: page.word("certificate-why", it.why.as_str()),
                until: page.day(it.ends_at),
                left: left(&page, &it, now),
                heard_at: live.get(&it.holder).map(|heard| heard.heard_at),
                standing: match standing {
                    Standing::Good => "certificate-good",
                    Standing::EndsSoon => "certificate-ends-soon",
                    Standing::Ended => "certificate-ended",
                    Standing::Revoked => "certificate-revoked",
                },
                is_wrong: matches!(standing, Standing::EndsSoon | Standing::Ended),
                reason: it.revoked.as_ref().map(|(.., reason)| reason.clone()).unwrap_or_default(),
                may_revoke: it.revoked.is_none(),
                typed: if at.as_deref() == Some(&it.number()) {
                    typed.get("reason").to_owned()
                } else {
                    String::new()
                },
                device: it.holder.clone(),
            };
            (it, row)
        })
        .collect();
    // What somebody should look at first, what is over last.
    rows.sort_by_key(|(it, _)| match it.standing(now) {
        Standing::EndsSoon => (0, it.ends_at),
        Standing::Good => (1, it.ends_at),
        Standing::Ended => (2, -it.ends_at),
        Standing::Revoked => (3, -it.ends_at),
    });
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(html(status, &Certificates { page, now, rows, list, fault }))
}

fn left(page: &Page, it: &Kept, now: i64) -> String {
    match it.standing(now) {
        Standing::Good | Standing::EndsSoon => {
            page.say_with("certificate-days", "days", (it.ends_at - now) / DAY).into_owned()
        }
        Standing::Ended | Standing::Revoked => String::new(),
    }
}

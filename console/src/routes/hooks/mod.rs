//! Who is told what is journaled: webhooks, for administrators alone.

mod one;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::{Operator, Role};
use kit::journal::newest;
use kit::problem::Problem;
use kit::{Routes, Who};
use webhooks::{Draft, Hook, HookError, Pause, Topic};

use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const PATH: &str = "/settings/webhooks";
const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default().get(PATH, ADMINISTRATOR, show).post(PATH, ADMINISTRATOR, add).merge(one::routes())
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct List {
    page: Page,
    rows: Vec<Row>,
    form: Filled,
    made: Option<Made>,
}

/// A webhook as it stands.
struct Row {
    id: i64,
    name: String,
    host: String,
    topics: String,
    standing: Standing,
    told: Option<String>,
}

/// How a webhook stands, for the eye and in words.
pub(super) struct Standing {
    class: &'static str,
    shape: &'static str,
    words: String,
    more: Option<String>,
}

/// The form as it is shown: what was typed, and what is wrong with it.
pub(super) struct Filled {
    name: String,
    address: String,
    topics: Vec<Choice>,
    fault: Option<Fault>,
}

struct Choice {
    word: &'static str,
    name: String,
    chosen: bool,
}

/// What is wrong, and in which field.
struct Fault {
    field: &'static str,
    words: String,
}

/// A secret, this once.
pub(super) struct Made {
    name: String,
    secret: String,
}

impl List {
    fn title(&self) -> String {
        self.page.say("webhooks-title").into_owned()
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("settings");
    let form = Filled::of(&page, &Fields::default(), None);
    answer(&console, page, form, None).await
}

async fn add(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("settings");
    let added = async {
        let draft = drafted(&fields)?;
        let mut tx = console.kit.begin().await?;
        let (_, secret) = webhooks::add(&mut tx, by, &draft).await?;
        tx.commit().await?;
        Ok(Made { name: draft.name, secret: secret.text() })
    };
    match added.await {
        Ok(made) => {
            let form = Filled::of(&page, &Fields::default(), None);
            answer(&console, page, form, Some(made)).await
        }
        Err(error) => {
            let form = Filled::of(&page, &fields, Some(Fault::of(&page, error)?));
            answer(&console, page, form, None).await
        }
    }
}

async fn answer(
    console: &Console,
    page: Page,
    form: Filled,
    made: Option<Made>,
) -> Result<Response, Problem> {
    let newest = newest(console.kit.read()).await?;
    let now = console.kit.now();
    let hooks = webhooks::hooks(&console.kit).await?;
    let rows = hooks.iter().map(|hook| Row {
        id: hook.id.0,
        name: hook.draft.name.clone(),
        host: hook.draft.address.host().to_owned(),
        topics: topics(&page, hook),
        standing: Standing::of(&page, hook, newest, now),
        told: hook.told_at.map(|at| page.to_the_minute(at)),
    });
    let rows = rows.collect();
    Ok(html(form.status(), &List { page, rows, form, made }))
}

fn topics(page: &Page, hook: &Hook) -> String {
    let names: Vec<_> = hook.draft.topics.iter().map(|topic| page.word("topic", topic.as_str())).collect();
    names.join(&page.say("list-names"))
}

fn drafted(fields: &Fields) -> Result<Draft, HookError> {
    let topics: Vec<_> = fields.all("topic").filter_map(Topic::parse).collect();
    Draft::parse(fields.get("name"), fields.get("address"), &topics)
}

impl Standing {
    pub(super) fn of(page: &Page, hook: &Hook, newest: u64, now: i64) -> Self {
        let waiting = newest.saturating_sub(hook.told).to_string();
        let since = |key, at: i64| {
            let at = page.moment(at, now).unwrap_or_default();
            page.language.say_with(key, &[("at", at.into()), ("count", waiting.clone().into())]).into_owned()
        };
        match (hook.paused, hook.failing) {
            (Some(Pause::ByOperator), _) => Self {
                class: "unknown",
                shape: "stale",
                words: page.say("webhook-paused").into_owned(),
                more: Some(page.say_with("webhook-behind", "count", waiting).into_owned()),
            },
            (Some(Pause::ByItself), failing) => Self {
                class: "attention",
                shape: "alarm",
                words: page.say("webhook-given-up").into_owned(),
                more: failing.map(|it| since("webhook-since", it.since)),
            },
            (None, Some(failing)) => Self {
                class: "attention",
                shape: "alarm",
                words: page.say_count("webhook-failing", &(failing.tries as usize)).into_owned(),
                more: Some(since("webhook-since", failing.since)),
            },
            (None, None) => Self {
                class: "normal",
                shape: "granted",
                words: page.say("webhook-stands").into_owned(),
                more: None,
            },
        }
    }
}

impl Filled {
    fn of(page: &Page, fields: &Fields, fault: Option<Fault>) -> Self {
        let topics = Topic::ALL.into_iter().map(|topic| Choice {
            word: topic.as_str(),
            name: page.word("topic", topic.as_str()),
            chosen: fields.all("topic").any(|word| word == topic.as_str()),
        });
        Self {
            name: fields.get("name").to_owned(),
            address: fields.get("address").to_owned(),
            topics: topics.collect(),
            fault,
        }
    }

    fn status(&self) -> StatusCode {
        if self.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

impl Fault {
    fn of(page: &Page, error: HookError) -> Result<Self, Problem> {
        use webhooks::AddressFault::{Clear, Form, Never, User};
        let (field, key) = match error {
            HookError::Exists => ("name", "webhook-fault-exists"),
            HookError::Name => ("name", "webhook-fault-name"),
            HookError::Address(Form) => ("address", "webhook-fault-address"),
            HookError::Address(Clear) => ("address", "webhook-fault-clear"),
            HookError::Address(Never) => ("address", "webhook-fault-never"),
            HookError::Address(User) => ("address", "webhook-fault-user"),
            HookError::NoTopic => ("topic", "webhook-fault-topic"),
            HookError::Full => ("form", "webhook-fault-full"),
            HookError::Unknown | HookError::Database(_) => return Err(error.into()),
        };
        Ok(Self { field, words: page.say(key).into_owned() })
    }
}

//! Imports over HTTP, for programs. The console calls the functions themselves.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use kit::auth::{Operator, Role, Scope};
use kit::routes::{Doc, Routes, Who};
use kit::{Kit, Problem};
use people::word::{Word as _, schema};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::card::CardForm;
use crate::draft::{Choice, Draft, Fate};
use crate::import::{self, Begun, State as Standing};
use crate::read::UPLOAD_MAX;

const READ: Who = Who::Api(Role::Operator, Scope::ReadPeople);
const WRITE: Who = Who::Api(Role::Manager, Scope::WritePeople);
/// Wrong rows that are told at most.
const WRONG_MAX: usize = 1000;
/// Imports that are listed.
const LISTED: u32 = 100;

/// The routes.
pub fn routes() -> Routes<Kit> {
    const MEDIA: &[&str] = &["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];
    const REFUSALS: &[&str] = &[
        "import-wrong",
        "import-nothing",
        "import-empty",
        "import-too-large",
        "import-too-many-rows",
        "import-too-many-columns",
        "import-too-long",
        "import-old-sheet",
        "import-unknown",
        "import-encoding",
        "import-damaged",
        "import-cards",
    ];
    Routes::default()
        .post("/api/v1/imports", WRITE, add)
        .says(
            Doc::new("Imports people, cards and groups from a list, or says what that would do")
                .query::<Wanted>()
                .takes_bytes(MEDIA)
                .answers::<Told>()
                .refuses(422, REFUSALS),
        )
        .around(|routes| routes.layer(DefaultBodyLimit::max(UPLOAD_MAX)))
        .get("/api/v1/imports", READ, list)
        .says(Doc::new("The newest imports").answers::<Imports>())
        .get("/api/v1/imports/{id}", READ, one)
        .says(Doc::new("How far an import is").answers::<Shown>().refuses(404, &["not-found"]))
        .delete("/api/v1/imports/{id}", WRITE, stop)
        .says(Doc::new("Stops an import; what is written stays").refuses(404, &["not-found"]))
}

/// How a list is imported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Says what would be done and does nothing.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dry_run: bool,
    /// Imports the rows that are right; otherwise a list with a wrong row is refused.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    skip_wrong: bool,
    /// Makes the groups that are not there yet.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    create_groups: bool,
    /// How cards are written: `raw`, `facility-number`, `decimal-26`, `joined-26`, `decimal-34`, `hex-34` or
    /// `hex-34-reversed`; as the values look unless it is said.
    cards: Option<String>,
}

/// What a list does.
#[derive(Serialize, ToSchema)]
#[schema(as = PeopleImport)]
struct Told {
    /// The import's number; null for a dry run.
    import: Option<u64>,
    new: usize,
    changed: usize,
    same: usize,
    /// The wrong rows; a thousand of them at most.
    wrong: Vec<WrongRow>,
}

/// A row that cannot be taken.
#[derive(Serialize, ToSchema)]
struct WrongRow {
    /// Where it stands in the file, from 1.
    line: u32,
    /// What the column holds; null for the row as a whole.
    column: Option<&'static str>,
    /// The stable kind.
    code: &'static str,
}

async fn add(
    State(kit): State<Kit>,
    manager: Operator,
    Query(wanted): Query<Wanted>,
    list: Bytes,
) -> Result<Json<Told>, Problem> {
    let draft = Draft::read(&kit, "", list.to_vec()).await?;
    let cards = match &wanted.cards {
        None => draft.choice.cards,
        Some(word) => CardForm::parse(word).ok_or_else(|| {
            Problem::refused("import-cards", format!("cards: is none of {}", CardForm::words()))
        })?,
    };
    let choice = Choice {
        cards,
        create_groups: wanted.create_groups,
        whole: !wanted.skip_wrong,
        ..draft.choice.clone()
    };
    let draft = if choice == draft.choice { draft } else { draft.chosen(&kit, choice).await? };
    let told = |import| told(&draft, import);
    if wanted.dry_run {
        return Ok(Json(told(None)));
    }
    if draft.choice.whole && draft.plan.counts.wrong > 0 {
        let list = serde_json::to_value(told(None).wrong).map_err(|error| Problem::internal(&error))?;
        return Err(Problem::refused("import-wrong", "nothing was imported").with("wrong", list));
    }
    if !draft.may_begin() {
        return Err(Problem::refused("import-nothing", "all of it is on record already"));
    }
    match import::begin(&kit, Some(manager.id), &draft).await? {
        Begun::As(import) => Ok(Json(told(Some(import)))),
        Begun::Busy => Err(Problem::unavailable("several imports are being written already")),
    }
}

fn told(draft: &Draft, import: Option<u64>) -> Told {
    let rows = draft.plan.rows.iter().filter_map(|row| match &row.fate {
        Fate::Wrong(wrong) => Some(wrong.iter().map(|wrong| WrongRow {
            line: row.line,
            column: wrong.column.map(|column| column.word()),
            code: wrong.code,
        })),
        Fate::New(_) | Fate::Changed(_) | Fate::Same => None,
    });
    let counts = draft.plan.counts;
    Told {
        import,
        new: counts.new,
        changed: counts.changed,
        same: counts.same,
        wrong: rows.flatten().take(WRONG_MAX).collect(),
    }
}

/// An import as programs see it.
#[derive(Serialize, ToSchema)]
#[schema(as = PeopleImportState)]
struct Shown {
    id: u64,
    #[schema(schema_with = schema::<Standing>)]
    state: &'static str,
    /// When it was confirmed, UTC microseconds.
    made_at: i64,
    /// When it came to its end.
    finished_at: Option<i64>,
    /// People to be added or changed.
    people: u64,
    added: u64,
    changed: u64,
    /// Cards given out or exchanged.
    cards: u64,
    /// People left as they are: somebody changed them meanwhile.
    overtaken: u64,
    /// At which lines; the first thousand.
    lines: Vec<u32>,
}

/// The newest imports, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = PeopleImports)]
struct Imports {
    items: Vec<Shown>,
}

impl From<import::Import> for Shown {
    fn from(it: import::Import) -> Self {
        Self {
            id: it.id,
            state: it.state.word(),
            made_at: it.made_at,
            finished_at: it.finished_at,
            people: it.people,
            added: it.added,
            changed: it.changed,
            cards: it.cards,
            overtaken: it.overtaken,
            lines: it.lines,
        }
    }
}

async fn list(State(kit): State<Kit>) -> Result<Json<Imports>, Problem> {
    let items = import::list(&kit, LISTED).await?.into_iter().map(Shown::from).collect();
    Ok(Json(Imports { items }))
}

async fn one(State(kit): State<Kit>, Path(id): Path<u64>) -> Result<Json<Shown>, Problem> {
    let found = import::get(&kit, id).await?;
    found.map(|it| Json(it.into())).ok_or_else(|| Problem::not_found("there is no such import"))
}

async fn stop(State(kit): State<Kit>, manager: Operator, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    match import::cancel(&kit, Some(manager.id), id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("there is no such import, or it has come to its end")),
    }
}

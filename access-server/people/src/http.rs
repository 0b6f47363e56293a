//! People over HTTP, for programs and for pictures. The console calls the functions themselves.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::ids::{CredentialId, GroupId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse, PersonStatus};
use kit::auth::{Operator, Role};
use kit::{Kit, Problem, Routes, Who};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::consent::{self, Purpose};
use crate::credential::{self, Secret, SecretError, Terms};
use crate::embed::{EmbedService, PHOTO_MAX, Portrait};
use crate::error::PeopleError;
use crate::face::{self, EnrolmentRefusal, Twins};
use crate::group::{self, GroupName};
use crate::person::{self, Particulars, Person, open_from, open_until, validity};
use crate::picture::{self, Look};
use crate::word::Word;

const OPERATOR: Who = Who::AtLeast(Role::Operator);
const MANAGER: Who = Who::AtLeast(Role::Manager);

/// The routes. Without a vision process to ask, enrolment answers that it is away.
pub fn routes(embed: Option<EmbedService>) -> Routes<Kit> {
    let pictures = Routes::default()
        .put("/api/v1/people/{id}/face", MANAGER, enrol)
        .get("/api/v1/people/{id}/picture", Who::AtLeast(Role::Viewer), picture)
        .put("/api/v1/people/{id}/picture", MANAGER, put_picture)
        .around(|routes| routes.layer(DefaultBodyLimit::max(PHOTO_MAX)));
    Routes::default()
        .get("/api/v1/people", OPERATOR, list)
        .post("/api/v1/people", MANAGER, add)
        .get("/api/v1/people/{id}", OPERATOR, one)
        .put("/api/v1/people/{id}", MANAGER, change)
        .delete("/api/v1/people/{id}", MANAGER, remove)
        .get("/api/v1/people/{id}/credentials", OPERATOR, credentials)
        .post("/api/v1/people/{id}/credentials", MANAGER, add_credential)
        .get("/api/v1/people/{id}/consents", OPERATOR, consents)
        .post("/api/v1/people/{id}/consents", MANAGER, consent)
        .delete("/api/v1/people/{id}/consents/{purpose}", MANAGER, withdraw)
        .delete("/api/v1/credentials/{id}", MANAGER, remove_credential)
        .put("/api/v1/credentials/{id}/status", OPERATOR, credential_status)
        .get("/api/v1/groups", Who::AtLeast(Role::Viewer), groups)
        .post("/api/v1/groups", MANAGER, add_group)
        .merge(pictures)
        .around(|routes| routes.layer(Extension(embed)))
}

/// A person as programs send and see them. Times are UTC microseconds, null where there is no limit. A change says all
/// that may widen a right: status, both limits, and the `changed_at` of what it was made from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    key: String,
    kind: String,
    name: String,
    #[serde(default)]
    latin: String,
    #[serde(default)]
    department: String,
    #[serde(default)]
    number: String,
    #[serde(default, deserialize_with = "said")]
    valid_from: Option<Option<i64>>,
    #[serde(default, deserialize_with = "said")]
    valid_until: Option<Option<i64>>,
    status: Option<String>,
    #[serde(default)]
    clearance: u8,
    #[serde(default)]
    groups: Vec<u64>,
    changed_at: Option<i64>,
}

/// Tells what is null from what is absent.
fn said<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(field).map(Some)
}

impl Body {
    /// A change, and the `changed_at` it was made from.
    fn read_change(self) -> Result<(i64, Particulars), PeopleError> {
        let missing = |field| PeopleError::Field { field, why: "must be said in a change" };
        let seen = self.changed_at.ok_or(missing("changed_at"))?;
        for (field, absent) in [
            ("status", self.status.is_none()),
            ("valid_from", self.valid_from.is_none()),
            ("valid_until", self.valid_until.is_none()),
        ] {
            if absent {
                return Err(missing(field));
            }
        }
        Ok((seen, self.read()?))
    }

    fn read(self) -> Result<Particulars, PeopleError> {
        Ok(Particulars {
            kind: word("kind", &self.kind)?,
            status: self.status.map_or(Ok(PersonStatus::Active), |status| word("status", &status))?,
            validity: validity(self.valid_from.flatten(), self.valid_until.flatten()),
            groups: self.groups.into_iter().map(GroupId).collect(),
            key: self.key,
            name: self.name,
            latin: self.latin,
            department: self.department,
            number: self.number,
            clearance: self.clearance,
        })
    }
}

#[derive(Deserialize)]
struct Page {
    after: Option<u64>,
    #[serde(default)]
    find: String,
    limit: Option<u32>,
}

async fn list(State(kit): State<Kit>, Query(page): Query<Page>) -> Result<Json<Value>, Problem> {
    let people = person::list(&kit, page.after.map(PersonId), &page.find, page.limit.unwrap_or(100)).await?;
    Ok(Json(people.iter().map(shown).collect()))
}

async fn one(State(kit): State<Kit>, Path(id): Path<u64>) -> Result<Json<Value>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let person = person::get(&mut connection, PersonId(id)).await?.ok_or(PeopleError::Unknown("person"))?;
    Ok(Json(shown(&person)))
}

async fn add(
    State(kit): State<Kit>,
    manager: Operator,
    Json(body): Json<Body>,
) -> Result<Json<Value>, Problem> {
    let particulars = body.read()?;
    let mut tx = kit.begin().await?;
    let id = person::add(&mut tx, Some(manager.id), &particulars).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id.0 })))
}

async fn change(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    Json(body): Json<Body>,
) -> Result<(), Problem> {
    let (seen, particulars) = body.read_change()?;
    let mut tx = kit.begin().await?;
    person::change(&mut tx, Some(manager.id), PersonId(id), seen, &particulars).await?;
    Ok(tx.commit().await?)
}

async fn remove(State(kit): State<Kit>, manager: Operator, Path(id): Path<u64>) -> Result<(), Problem> {
    Ok(person::remove(&kit, Some(manager.id), PersonId(id)).await?)
}

async fn credentials(State(kit): State<Kit>, Path(id): Path<u64>) -> Result<Json<Value>, Problem> {
    let credentials = credential::of_person(&kit, PersonId(id)).await?;
    let shown = credentials.iter().map(|it| {
        // Not the digest: it is no secret, but nobody needs it.
        json!({ "id": it.id.0, "kind": it.kind.word(), "key": it.terms.key, "use": it.terms.usage.word(),
            "status": it.terms.status.word(), "valid_from": open_from(it.terms.validity.from),
            "valid_until": open_until(it.terms.validity.until) })
    });
    Ok(Json(shown.collect()))
}

/// A new credential: `text` is a card as `26:0A1B2C40`, a PIN's digits, or a code's text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    kind: String,
    text: String,
    #[serde(default)]
    key: String,
    r#use: Option<String>,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
}

async fn add_credential(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    Json(new): Json<NewCredential>,
) -> Result<Json<Value>, Problem> {
    let secret = Secret::parse(word("kind", &new.kind)?, &new.text).map_err(not_a_secret)?;
    let terms = Terms {
        key: if new.key.is_empty() { "main".to_owned() } else { new.key },
        validity: validity(new.valid_from, new.valid_until),
        status: CredentialStatus::Active,
        usage: new.r#use.map_or(Ok(CredentialUse::Ordinary), |usage| word("use", &usage))?,
    };
    let mut tx = kit.begin().await?;
    let id = credential::add(&mut tx, Some(manager.id), PersonId(id), &secret, &terms).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id.0 })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
}

/// An operator may stop a card at night; giving it back is a manager's.
async fn credential_status(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Json(new): Json<NewStatus>,
) -> Result<(), Problem> {
    let status = word("status", &new.status)?;
    match status {
        CredentialStatus::Active => operator.require(Role::Manager)?,
        CredentialStatus::Suspended | CredentialStatus::Lost | CredentialStatus::Stolen => {}
    }
    let mut tx = kit.begin().await?;
    credential::set_status(&mut tx, Some(operator.id), CredentialId(id), status).await?;
    Ok(tx.commit().await?)
}

async fn remove_credential(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
) -> Result<(), Problem> {
    let mut tx = kit.begin().await?;
    credential::remove(&mut tx, Some(manager.id), CredentialId(id)).await?;
    Ok(tx.commit().await?)
}

async fn consents(State(kit): State<Kit>, Path(id): Path<u64>) -> Result<Json<Value>, Problem> {
    let consents = consent::of_person(&kit, PersonId(id)).await?;
    let shown = consents.iter().map(|it| {
        json!({ "id": it.id, "purpose": it.purpose.word(), "text_version": it.text_version, "given_at": it.given_at,
            "withdrawn_at": it.withdrawn.as_ref().map(|end| end.at) })
    });
    Ok(Json(shown.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewConsent {
    purpose: String,
    text_version: String,
    given_at: Option<i64>,
}

async fn consent(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    Json(new): Json<NewConsent>,
) -> Result<Json<Value>, Problem> {
    let purpose = word("purpose", &new.purpose)?;
    let mut tx = kit.begin().await?;
    let given_at = new.given_at.unwrap_or(tx.now());
    let by = Some(manager.id);
    let id = consent::give(&mut tx, by, PersonId(id), purpose, &new.text_version, given_at).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id })))
}

async fn withdraw(
    State(kit): State<Kit>,
    manager: Operator,
    Path((id, purpose)): Path<(u64, String)>,
) -> Result<Json<Value>, Problem> {
    let purpose: Purpose = word("purpose", &purpose)?;
    let receipt = consent::withdraw(&kit, Some(manager.id), PersonId(id), purpose).await?;
    Ok(Json(json!({ "receipt": receipt.number, "consent": receipt.consent, "person": receipt.person.0,
        "purpose": receipt.purpose.word(), "at": receipt.at, "deleted": receipt.deleted })))
}

#[derive(Deserialize)]
struct Enrolling {
    /// Taken just now by the person's own device: must be a living face.
    #[serde(default)]
    capture: bool,
    /// An operator looked: the person and whoever is much like them are two.
    #[serde(default)]
    twin_accepted: bool,
}

async fn enrol(
    State(kit): State<Kit>,
    manager: Operator,
    Extension(embed): Extension<Option<EmbedService>>,
    Path(id): Path<u64>,
    Query(how): Query<Enrolling>,
    photo: Bytes,
) -> Result<Json<Value>, Problem> {
    let embed = embed.ok_or(EnrolmentRefusal::Away)?;
    let portrait = if how.capture { Portrait::Capture } else { Portrait::Photograph };
    let twins = if how.twin_accepted { Twins::Accept } else { Twins::Refuse };
    let by = Some(manager.id);
    let template = face::enrol(&kit, &embed, by, PersonId(id), portrait, &photo, twins).await?;
    Ok(Json(json!({ "template": template })))
}

async fn put_picture(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    bytes: Bytes,
) -> Result<(), Problem> {
    let mut tx = kit.begin().await?;
    picture::put(&mut tx, Some(manager.id), PersonId(id), &bytes).await?;
    Ok(tx.commit().await?)
}

async fn picture(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let look = Look::ByOperator(operator.id);
    let picture = picture::get(&kit, look, PersonId(id)).await?.ok_or(PeopleError::Unknown("picture"))?;
    let headers = [
        (header::CONTENT_TYPE, picture.media.name()),
        (header::CONTENT_DISPOSITION, "inline"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, picture.bytes).into_response())
}

async fn groups(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    let groups = group::list(&kit).await?;
    let shown = groups.iter().map(|it| {
        json!({ "id": it.id.0, "key": it.name.key, "name": it.name.name, "latin": it.name.latin, "members": it.members })
    });
    Ok(Json(shown.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    key: String,
    name: String,
    #[serde(default)]
    latin: String,
}

async fn add_group(
    State(kit): State<Kit>,
    manager: Operator,
    Json(NewGroup { key, name, latin }): Json<NewGroup>,
) -> Result<Json<Value>, Problem> {
    let mut tx = kit.begin().await?;
    let id = group::add(&mut tx, Some(manager.id), &GroupName { key, name, latin }).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id.0 })))
}

fn shown(person: &Person) -> Value {
    let p = &person.particulars;
    let groups: Vec<u64> = p.groups.iter().map(|group| group.0).collect();
    json!({ "id": person.id.0, "key": p.key, "kind": p.kind.word(), "name": p.name, "latin": p.latin,
        "department": p.department, "number": p.number, "valid_from": open_from(p.validity.from),
        "valid_until": open_until(p.validity.until), "status": p.status.word(), "clearance": p.clearance,
        "groups": groups, "changed_at": person.changed_at })
}

fn word<W: Word>(field: &'static str, word: &str) -> Result<W, PeopleError> {
    W::parse(word).ok_or(PeopleError::Field { field, why: "is none of the words it may be" })
}

fn not_a_secret(error: SecretError) -> Problem {
    Problem::refused("field", error.to_string()).with("field", "text")
}

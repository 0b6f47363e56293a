//! People over HTTP, for programs and for pictures. The console calls the functions themselves.

mod consents;
mod credentials;
mod groups;
mod persons;
mod pictures;

use axum::Extension;
use axum::extract::DefaultBodyLimit;
use kit::Kit;
use kit::auth::{Role, Scope};
use kit::routes::{Doc, Routes, Who};
use serde::Serialize;
use utoipa::ToSchema;

use crate::embed::{EmbedService, PHOTO_MAX};
use crate::error::PeopleError;
use crate::look::{FRAME_MAX, Looks};
use crate::word::Word;

const READ: Who = Who::Api(Role::Operator, Scope::ReadPeople);
const WRITE: Who = Who::Api(Role::Manager, Scope::WritePeople);

/// The routes. Without a vision process to ask, enrolment answers that it is away.
pub fn routes(embed: Option<EmbedService>) -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/people", READ, persons::list)
        .says(Doc::new("The people, in pages").query::<persons::Page>().answers::<persons::People>())
        .post("/api/v1/people", WRITE, persons::add)
        .says(
            Doc::new("Adds a person")
                .takes::<persons::Body>()
                .adds::<Added>()
                .refuses(409, &["taken"])
                .refuses(422, &["field"]),
        )
        .get("/api/v1/people/{id}", READ, persons::one)
        .says(Doc::new("A person").answers::<persons::Shown>().refuses(404, &["not-found"]))
        .put("/api/v1/people/{id}", WRITE, persons::change)
        .says(
            Doc::new("Changes a person, as they were seen")
                .takes::<persons::Body>()
                .refuses(404, &["not-found"])
                .refuses(409, &["taken", "stale"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/people/{id}", WRITE, persons::remove)
        .says(Doc::new("Removes a person, with all that is kept of them").refuses(404, &["not-found"]))
        .merge(credentials())
        .merge(consents())
        .get("/api/v1/groups", Who::Api(Role::Viewer, Scope::ReadSite), groups::list)
        .says(Doc::new("The groups of people").answers::<groups::Groups>())
        .post("/api/v1/groups", WRITE, groups::add)
        .says(
            Doc::new("Adds a group of people")
                .takes::<groups::Body>()
                .adds::<Added>()
                .refuses(409, &["taken"])
                .refuses(422, &["field"]),
        )
        .merge(pictures())
        .merge(looks())
        .around(|routes| routes.layer(Extension(embed)))
}

fn credentials() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/people/{id}/credentials", READ, credentials::list)
        .says(Doc::new("A person's cards, PIN and codes").answers::<credentials::Credentials>())
        .post("/api/v1/people/{id}/credentials", WRITE, credentials::add)
        .says(
            Doc::new("Gives a person a card, a PIN or a code")
                .takes::<credentials::Body>()
                .adds::<Added>()
                .refuses(404, &["not-found"])
                .refuses(409, &["taken"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/credentials/{id}", WRITE, credentials::remove)
        .says(Doc::new("Takes a card, PIN or code away").refuses(404, &["not-found"]))
        // A person of the control room may stop a card at night; giving it back asks for more in the handler.
        .put(
            "/api/v1/credentials/{id}/status",
            Who::Api(Role::Operator, Scope::WritePeople),
            credentials::status,
        )
        .says(
            Doc::new("Stops a card, PIN or code, or gives it back")
                .takes::<credentials::NewStatus>()
                .refuses(404, &["not-found"])
                .refuses(422, &["field"]),
        )
}

fn consents() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/people/{id}/consents", READ, consents::list)
        .says(Doc::new("What a person agreed to").answers::<consents::Consents>())
        .post("/api/v1/people/{id}/consents", WRITE, consents::give)
        .says(
            Doc::new("Writes a consent down")
                .takes::<consents::Body>()
                .adds::<Added>()
                .refuses(404, &["not-found"])
                .refuses(409, &["taken"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/people/{id}/consents/{purpose}", WRITE, consents::withdraw)
        .says(
            Doc::new("Withdraws a consent, and deletes what was kept under it")
                .path::<consents::Which>()
                .answers::<consents::Receipt>()
                .refuses(404, &["not-found"])
                .refuses(422, &["field", "no-consent"]),
        )
}

fn pictures() -> Routes<Kit> {
    const ANY: &[&str] = &["application/octet-stream"];
    Routes::default()
        .put("/api/v1/people/{id}/face", WRITE, pictures::enrol)
        .says(
            Doc::new("Enrols a face from a photograph")
                .query::<pictures::Enrolling>()
                .takes_bytes(ANY)
                .answers::<pictures::Enrolled>()
                .refuses(404, &["not-found"])
                .refuses(409, &["photo-of-somebody-else"])
                .refuses(422, &["no-consent"])
                .refuses(422, &crate::embed::Reason::CODES),
        )
        .get("/api/v1/people/{id}/picture", Who::Api(Role::Viewer, Scope::ReadPeople), pictures::show)
        .says(
            Doc::new("A person's picture; the look is journaled")
                .answers_bytes(&["image/jpeg", "image/png"])
                .refuses(404, &["not-found"]),
        )
        .put("/api/v1/people/{id}/picture", WRITE, pictures::put)
        .says(
            Doc::new("Keeps a picture of a person")
                .takes_bytes(ANY)
                .refuses(404, &["not-found"])
                .refuses(422, &["no-consent"])
                .refuses(422, &crate::embed::Reason::CODES),
        )
        .around(|routes| routes.layer(DefaultBodyLimit::max(PHOTO_MAX)))
}

/// For people at a page: no program stands before a camera.
fn looks() -> Routes<Kit> {
    Routes::default()
        .post("/api/v1/people/{id}/face/look", Who::AtLeast(Role::Manager), pictures::look)
        .says(
            Doc::new("Whether a frame of a camera would do as a photograph of a face; nothing of it is kept")
                .takes_bytes(&["application/octet-stream"])
                .answers::<pictures::Looked>()
                .refuses(404, &["not-found"])
                .refuses(422, &["no-consent"]),
        )
        .around(|routes| routes.layer(DefaultBodyLimit::max(FRAME_MAX)).layer(Extension(Looks::default())))
}

/// The number of what was added.
#[derive(Serialize, ToSchema)]
struct Added {
    id: u64,
}

fn word<W: Word>(field: &'static str, word: &str) -> Result<W, PeopleError> {
    W::parse(word).ok_or(PeopleError::Field { field, why: "is none of the words it may be" })
}

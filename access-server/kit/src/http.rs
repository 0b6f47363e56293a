//! What every slice shares, over HTTP for programs: what is journaled, and what programs sign in with.

mod events;
mod operators;
mod tokens;

pub use events::Event;

use crate::auth::{Role, Scope};
use crate::routes::{Doc, Routes, Who};
use crate::state::Kit;

/// Tokens are made and ended by people alone: no program gives itself more than it has.
const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);

/// The routes.
pub fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/events", Who::Api(Role::Viewer, Scope::ReadEvents), events::list)
        .says(
            Doc::new("What is journaled: forwards after a place, or backwards before one")
                .query::<events::Page>()
                .answers::<events::Events>(),
        )
        .get("/api/v1/tokens", ADMINISTRATOR, tokens::list)
        .says(Doc::new("What programs sign in with").answers::<tokens::Tokens>())
        .post("/api/v1/tokens", ADMINISTRATOR, tokens::make)
        .says(
            Doc::new("Makes a token; it is shown this once")
                .takes::<tokens::Body>()
                .adds::<tokens::Made>()
                .refuses(409, &["taken", "too-many-tokens"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/tokens/{id}", ADMINISTRATOR, tokens::revoke)
        .says(Doc::new("Ends a token now").refuses(404, &["not-found"]))
        .merge(of_operators())
}

fn of_operators() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/operators", ADMINISTRATOR, operators::list)
        .says(Doc::new("Who may sign in").answers::<operators::Operators>())
        .post("/api/v1/operators", ADMINISTRATOR, operators::add)
        .says(
            Doc::new("Adds an operator; the first password is shown this once")
                .takes::<operators::Body>()
                .adds::<operators::Added>()
                .refuses(409, &["operator-exists"])
                .refuses(422, &["field", "operator-name"]),
        )
        .put("/api/v1/operators/{id}/role", ADMINISTRATOR, operators::set_role)
        .says(
            Doc::new("Gives an operator another role, from their next request on")
                .takes::<operators::NewRole>()
                .refuses(404, &["not-found"])
                .refuses(409, &["last-administrator"])
                .refuses(422, &["field"]),
        )
        .put("/api/v1/operators/{id}/state", ADMINISTRATOR, operators::set_state)
        .says(
            Doc::new("Shuts an operator out, with every session, or lets them in again")
                .takes::<operators::NewState>()
                .refuses(404, &["not-found"])
                .refuses(409, &["last-administrator"]),
        )
        .post("/api/v1/operators/{id}/password", ADMINISTRATOR, operators::reset_password)
        .says(
            Doc::new("Gives an operator a new first password, shown this once, and ends their sessions")
                .answers::<operators::Password>()
                .refuses(404, &["not-found"]),
        )
        .delete("/api/v1/operators/{id}/second-factor", ADMINISTRATOR, operators::remove_second)
        .says(
            Doc::new("Takes the second factor of an operator away who has lost it")
                .refuses(404, &["not-found"]),
        )
        .delete("/api/v1/operators/{id}/passkeys", ADMINISTRATOR, operators::remove_passkeys)
        .says(
            Doc::new("Takes all passkeys of an operator away who has lost them").refuses(404, &["not-found"]),
        )
        .get("/api/v1/operators/{id}/sessions", ADMINISTRATOR, operators::sessions)
        .says(
            Doc::new("An operator's sessions").answers::<operators::Sessions>().refuses(404, &["not-found"]),
        )
        .delete("/api/v1/operators/{id}/sessions", ADMINISTRATOR, operators::end_sessions)
        .says(Doc::new("Ends all of an operator's sessions").refuses(404, &["not-found"]))
        .delete("/api/v1/operators/{id}/sessions/{session}", ADMINISTRATOR, operators::end_session)
        .says(
            Doc::new("Ends one of an operator's sessions")
                .path::<operators::Which>()
                .refuses(404, &["not-found"]),
        )
}

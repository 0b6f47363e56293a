//! What every slice shares, over HTTP for programs: what is journaled, and what programs sign in with.

mod events;
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
}

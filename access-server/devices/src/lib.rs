//! Devices of the site and what they show who they are with: one-time codes, certificates, whose are revoked.
//!
//! A controller or a vision process is invited by name; whoever has the code gets a certificate of that name for a key of
//! their own, once. What was issued is kept; a certificate that is revoked stands on the authority's list, which broker,
//! controllers and vision processes are given. Never sees a private key of anybody, and keeps no code.

mod authority;
mod certificate;
mod code;
mod enrol;
mod http;
mod keep;
pub mod window;

pub use authority::{Trust, TrustError};
pub use certificate::{
    Kept, RenewError, RevokeError, Standing, Why, adopt, answer, certificates, list_in_force, renew, revoke,
    serial,
};
pub use code::{CodeError, EnrolmentId, Invitation, Invited, LONGEST, USUAL, invitations, invite, withdraw};
pub use enrol::{EnrolRefusal, redeem};
pub use http::routes;
pub use keep::{PutOff, Tell, keep};
use kit::Migration;

/// The schema.
pub const MIGRATIONS: &[Migration] =
    &[Migration { slice: "devices", number: 1, sql: include_str!("../migrations/001_devices.sql") }];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [certificate::STATEMENTS, code::STATEMENTS].into_iter().flatten()
}

//! A device's key and certificate: how they are asked for, kept, renewed, and how those that are revoked are told apart.
//!
//! The key is made where it is used and never leaves; what leaves is a request that it signed. Reads what X.509 says of
//! names, dates and keys, in DER, of certificates, requests and revocation lists; whom a chain leads to is for `rustls`.
//! Never issues anything. Controller and vision process use all of it, the server the reading.

mod certificate;
mod der;
pub mod enrol;
mod files;
mod gather;
mod list;
pub mod renewal;
mod request;
mod revocable;
mod shown;

pub use certificate::{Certificate, common_name, is_issued_by};
pub use files::{Pair, write_new, write_over};
pub use gather::{GatherFault, Revocations};
pub use list::{List, ListFault};
pub use request::{NewKey, RequestFault, key_of_request};
pub use revocable::Trusted;
pub use shown::{Shown, ShownFault};

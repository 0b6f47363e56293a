//! The controller of a site's doors and lanes: it decides every passage from its own copy of the policy, writes each
//! decision down, then drives the boards on its serial buses.
//!
//! [`site`] is the rules as one pure machine; the other modules move bytes: [`bus`] (OSDP), [`reader_link`] (vision),
//! [`mqtt`] (the centre), [`outbox`] and [`replica_store`] (SQLite), [`whitelist`] (what boards open by alone), [`process`] (their loop). It decides with server and
//! broker stopped, for as long as it must. It never keeps or logs a credential, never holds anybody back on an exit, and
//! never opens a door because a link went or came. [`install`] gives a new device its key. Nothing but its own binary calls it.

pub mod bus;
pub mod config;
pub mod enrol;
pub mod install;
pub mod mqtt;
pub mod outbox;
pub mod private;
pub mod process;
pub mod reader_link;
pub mod replica_store;
pub mod site;
pub mod tls;
pub mod whitelist;

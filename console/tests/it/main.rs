//! The pages as a browser gets them, and their words.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

mod account;
mod browser;
mod devices;
mod history;
mod hooks;
mod import;
mod live;
mod operators;
mod passkeys;
mod people;
mod photo;
mod plan;
mod reach;
mod site;
mod stream;
mod tokens;
mod wall;
mod words;

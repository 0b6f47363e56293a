//! The vision process: from a camera's pixels to a sighting on the controller's reader link.
//!
//! It captures, finds faces, follows them, checks that they live, turns them into templates, searches its local copy of
//! the gallery, and reports. It also turns photographs into templates for the server. It never decides who may pass,
//! never keeps a picture, and never logs a template. Only the process of this crate and its tests call it.

pub mod attacks;
pub mod capture;
pub mod clock;
pub mod config;
pub mod enrol;
pub mod evaluate;
pub mod frames;
pub mod link;
pub mod look;
pub mod models;
pub mod photograph;
pub mod pipeline;
pub mod replica;
pub mod run;
pub mod service;
pub mod sync;
pub mod tls;

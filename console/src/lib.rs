//! The control room's pages.

//! Which crate may name which.

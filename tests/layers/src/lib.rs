//! Which crate may name which: a table, held by a test over `cargo metadata`. See `tests/main.rs`.

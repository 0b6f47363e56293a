//! The controller: buses, reader link, decisions, durable outbox.

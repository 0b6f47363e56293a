//! The rules of access, tested from outside: as the house is told, and as laws.

mod calendar;
mod deltas;
mod doors;
mod house;
mod laws;
mod policy;
mod schedules;
mod traces;
mod worlds;

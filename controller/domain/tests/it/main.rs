//! The rules of access, tested from outside: as the house is told, and as laws.

mod doors;
mod house;

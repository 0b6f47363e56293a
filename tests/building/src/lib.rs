//! The whole building on one machine: broker, server, controller, vision, boards, camera. Used by the demonstration and
//! by the end-to-end tests; every part is the real program in a process of its own.
pub mod demo;

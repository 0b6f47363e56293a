//! The firmware's logic as a host process on a pseudo-terminal.

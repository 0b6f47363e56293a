//! From pixel to pin on real parts.

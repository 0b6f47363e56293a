//! From pixel to pin on real parts: everything is in `tests/it`.

//! The access server: composes the slices.

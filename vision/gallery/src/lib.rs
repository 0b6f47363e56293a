//! Exact one-to-many search over face templates.

//! Rows of the gallery: one table, `template`.

use serde::{Deserialize, Serialize};

/// The table's name.
pub const TEMPLATE: &str = "template";

/// Numbers in a template.
pub const DIMENSIONS: usize = 128;

/// One face template. It travels only inside mutual TLS and is encrypted wherever it rests.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateRow {
    /// The person.
    pub person: u64,
    /// [`DIMENSIONS`] numbers of unit length together.
    pub values: Vec<f32>,
}

impl std::fmt::Debug for TemplateRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateRow").field("person", &self.person).finish_non_exhaustive()
    }
}

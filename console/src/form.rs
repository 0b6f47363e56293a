//! What a form sent: names and values, some of them several times.

use serde::Deserialize;

/// The fields of a form in the order they were sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The same with another field at the end: a form is filled as it would be sent.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with a field once for each value.
    pub(crate) fn with_all<T: ToString>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |fields, value| fields.with(name, value))
    }

    /// Whether nothing was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every number that was sent under a name; what is none is left out.
    pub(crate) fn numbers(&self, name: &str) -> Vec<u64> {
        self.all(name).filter_map(|value| value.parse().ok()).collect()
    }

    /// The value of a field without the spaces around it; empty when it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }

    /// Every value of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.trim())
    }
}

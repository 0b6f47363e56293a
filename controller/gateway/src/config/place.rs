//! Where in a TOML text a byte is: its line, and the path of the key there.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a text.
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// For example `bus[1].port`; empty when no key is there.
    pub(super) key: String,
}

pub(super) fn of(text: &str, at: usize) -> Place {
    let at = at.min(text.len());
    let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    let (table, _) = DeTable::parse_recoverable(text);
    let mut key = String::new();
    in_table(table.get_ref(), at, &mut key);
    if key.is_empty() {
        // A table header or something unreadable: the line itself says most.
        key = text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .split('=')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
    }
    Place { line, key }
}

fn in_table(table: &DeTable<'_>, at: usize, path: &mut String) -> bool {
    for (name, value) in table {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name.get_ref());
        if in_value(value, at, path) || name.span().contains(&at) {
            return true;
        }
        path.truncate(length);
    }
    false
}

fn in_value(value: &Spanned<DeValue<'_>>, at: usize, path: &mut String) -> bool {
    let here = value.span().contains(&at);
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, at, path) || here,
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                if in_value(item, at, path) {
                    return true;
                }
                path.truncate(length);
            }
            here
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => here,
    }
}

//! The pages in `deploy/configuration` name every key there is, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use server::config::Config;
use toml::{Table, Value};

/// What a process says about a file.
type Read = fn(&Path) -> String;

fn server(path: &Path) -> String {
    Config::read(path).map_or_else(|error| error.to_string(), |_| String::new())
}

fn controller(path: &Path) -> String {
    gateway::config::read(path).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn every_key_stands_in_its_page_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/configuration");
    for (page, read) in [("server.toml", server as Read), ("controller.toml", controller)] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        let page_of: Table = text.parse().unwrap();
        let mut seen = 0;
        walk(&page_of, &[], &mut |at, table| {
            let known = keys(read, &page_of, at);
            let there: BTreeSet<_> = table.keys().cloned().collect();
            assert_eq!(there, known, "{page}: [{}]", at.join("."));
            seen += known.len();
        });
        assert!(seen >= 15, "{page}: {seen} keys");
    }
}

/// Gives every table of a page to `each`, with its path; of an array the first one.
fn walk(table: &Table, at: &[String], each: &mut impl FnMut(&[String], &Table)) {
    each(at, table);
    for (key, value) in table {
        let below = [at, std::slice::from_ref(key)].concat();
        match value {
            Value::Table(table) => walk(table, &below, each),
            Value::Array(list) => {
                if let Some(Value::Table(table)) = list.first() {
                    walk(table, &below, each);
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {}
        }
    }
}

/// The keys that a process knows in a table: it names them when it is shown one that it does not know.
fn keys(read: Read, page: &Table, at: &[String]) -> BTreeSet<String> {
    let mut page = page.clone();
    let mut table = &mut page;
    for key in at {
        let below = table.get_mut(key).unwrap();
        let below = if below.is_array() { &mut below[0] } else { below };
        table = below.as_table_mut().unwrap();
    }
    // Before all others: it is the first thing wrong.
    table.insert("_".to_owned(), Value::Integer(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.toml");
    std::fs::write(&path, toml::to_string(&page).unwrap()).unwrap();
    let said = read(&path);
    let (_, expected) =
        said.split_once("unknown field `_`, expected ").unwrap_or_else(|| panic!("{at:?}: {said}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A key that is commented out counts for nothing, so that no page can fall behind by one.
#[test]
fn a_page_that_lacks_a_key_is_found_out() {
    let page: Table = "database = \"sqlite:x\"\n[http]\nlisten = \"[::]:1\"".parse().unwrap();
    let known = keys(server, &page, &["http".to_owned()]);
    assert_eq!(known, ["certificate", "key", "listen"].map(str::to_owned).into());
}

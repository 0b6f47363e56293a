//! The local copy of the gallery: whole or not at all, and shut when it rests.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gallery::{Person, Template};
use proptest::prelude::*;
use uplink::sync::gallery::{TEMPLATE, TemplateRow};
use uplink::sync::{Change, Chunk, Digest, Set, chunks};
use vision::replica::{Gathering, Held, Refused, Replica, RestError, Vault};

/// What the server has, and how it says it.
#[derive(Default)]
struct Server {
    version: u64,
    rows: BTreeMap<u64, (u64, String)>,
    digest: Digest,
}

impl Server {
    /// Puts (with a person) or removes rows; the changes.
    fn step(&mut self, steps: &[(u64, Option<u64>, u8)]) -> Vec<Change> {
        self.version += 1;
        let mut changes = Vec::new();
        for &(id, person, seed) in steps {
            let change = match person {
                Some(person) => Change::put(TEMPLATE, id, &TemplateRow { person, values: numbers(seed) }),
                None => Change::Remove { table: TEMPLATE.to_owned(), id },
            };
            if let Some((_, text)) = self.rows.remove(&id) {
                self.digest.toggle(TEMPLATE, id, &text);
            }
            if let (Change::Put { row, .. }, Some(person)) = (&change, person) {
                self.digest.toggle(TEMPLATE, id, row.get());
                self.rows.insert(id, (person, row.get().to_owned()));
            }
            changes.push(change);
        }
        changes
    }
}

fn numbers(seed: u8) -> Vec<f32> {
    (0..128_u16).map(|at| f32::from((at * 37 + u16::from(seed) * 101) % 251) - 125.0).collect()
}

fn take(gathering: &mut Gathering, replica: &Replica, chunks: Vec<Chunk>) -> Result<bool, Refused> {
    chunks.into_iter().try_fold(false, |_, chunk| gathering.take(chunk, replica))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_copy_is_always_one_of_the_servers_versions(
        steps in prop::collection::vec(
            (prop::collection::vec((0_u64..30, prop::option::weighted(0.8, 0_u64..8), any::<u8>()), 0..12), 0_u8..5),
            1..12,
        ),
    ) {
        let (mut server, replica, mut gathering) = (Server::default(), Replica::new(Held::default()), Gathering::default());
        let mut held = None;
        for (step, fate) in steps {
            let before = replica.have();
            let changes = server.step(&step);
            // Each row a part of its own, as if rows were large.
            let count = u32::try_from(changes.len().max(1)).expect("few");
            let mut parts: Vec<Chunk> = if changes.is_empty() {
                chunks(Set::Gallery, held, server.version, server.digest, changes)
            } else {
                (0..).zip(changes).map(|(part, change)| Chunk {
                    set: Set::Gallery, from: held, to: server.version, part, parts: count, digest: server.digest, changes: vec![change],
                }).collect()
            };
            match fate {
                // A part is lost: nothing changes.
                0 => { parts.pop(); }
                // Parts come in any order, some twice.
                1 => parts = parts.iter().rev().cloned().chain(parts.iter().cloned()).collect(),
                _ => {}
            }
            let whole = parts.len() >= count as usize;
            let result = parts.into_iter().map(|part| gathering.take(part, &replica)).find(|taken| *taken != Ok(false));
            if held.is_none() && server.version > 1 || !whole {
                // From nothing means the whole content; a mere difference has another digest then, unless it is all.
                prop_assert!(result.is_none() || matches!(result, Some(Err(_) | Ok(true))));
            } else {
                prop_assert_eq!(result, Some(Ok(true)));
            }
            let have = replica.have();
            if have.version == Some(server.version) {
                prop_assert_eq!(have.digest, server.digest);
                prop_assert_eq!(replica.len(), server.rows.len());
            } else {
                prop_assert_eq!(have.digest, before.digest);
                // The server falls back to saying everything.
                let all = server.rows.iter().map(|(&id, (_, text))| Change::Put {
                    table: TEMPLATE.to_owned(), id, row: serde_json::value::RawValue::from_string(text.clone()).expect("JSON"),
                }).collect();
                let chunks = chunks(Set::Gallery, None, server.version, server.digest, all);
                prop_assert_eq!(take(&mut gathering, &replica, chunks), Ok(true));
            }
            held = Some(server.version);
            // What is searched is what is held.
            for (person, text) in server.rows.values() {
                let row: TemplateRow = serde_json::from_str(text).expect("a row");
                let found = replica.search(&Template::new(&row.values).expect("a template"));
                let best = found.best.expect("somebody");
                prop_assert!(best.cosine > 0.999_99, "{:?}", best);
                let same = server.rows.values().any(|(other, theirs)| Person(*other) == best.person && (other == person || theirs.contains("values")));
                prop_assert!(same);
            }
            if server.rows.is_empty() {
                prop_assert!(replica.search(&Template::new(&numbers(1)).expect("a template")).best.is_none());
            }
        }
    }
}

#[test]
fn a_malformed_row_or_a_foreign_chunk_changes_nothing() {
    let (replica, mut gathering) = (Replica::new(Held::default()), Gathering::default());
    let mut bad = numbers(1);
    bad[5] = 0.0;
    bad.truncate(127);
    for (changes, wanted) in [
        (vec![Change::put(TEMPLATE, 9, &TemplateRow { person: 1, values: bad })], Refused::Row(9)),
        (vec![Change::put(TEMPLATE, 3, &TemplateRow { person: 1, values: vec![0.0; 128] })], Refused::Row(3)),
        (vec![Change::Remove { table: TEMPLATE.to_owned(), id: 3 }], Refused::Digest),
    ] {
        let digest = Digest::from_bytes([7; 32]);
        assert_eq!(
            take(&mut gathering, &replica, chunks(Set::Gallery, None, 1, digest, changes)),
            Err(wanted)
        );
    }
    let policy = chunks(Set::Policy, None, 1, Digest::default(), Vec::new());
    assert_eq!(take(&mut gathering, &replica, policy), Err(Refused::OtherSet));
    let later = chunks(Set::Gallery, Some(4), 5, Digest::default(), Vec::new());
    assert_eq!(
        take(&mut gathering, &replica, later),
        Err(Refused::OtherVersion { from: Some(4), held: None })
    );
    assert_eq!((replica.version(), replica.len()), (None, 0));
}

#[test]
fn a_resting_gallery_opens_with_its_own_key_and_name_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, key) = (folder.path().join("gallery"), folder.path().join("key"));
    let mut server = Server::default();
    let changes = server.step(&[(1, Some(10), 3), (2, Some(10), 4), (3, Some(11), 5)]);
    let (replica, mut gathering) = (Replica::new(Held::default()), Gathering::default());
    take(&mut gathering, &replica, chunks(Set::Gallery, None, 1, server.digest, changes)).expect("whole");
    let vault = Vault::open(&file, &key, "vision-1").expect("a new key");
    assert_eq!(fs::metadata(&key).expect("written").permissions().mode() & 0o777, 0o600);
    vault.rest(&replica.held()).expect("written");
    let first = fs::read(&file).expect("there");
    vault.rest(&replica.held()).expect("written");
    assert_ne!(first, fs::read(&file).expect("there"), "another nonce each time");
    let woken = Replica::new(vault.wake().expect("it opens"));
    assert_eq!((woken.have(), woken.len()), (replica.have(), 3));

    let other_name = Vault::open(&file, &key, "vision-2").expect("the key");
    assert!(matches!(other_name.wake(), Err(RestError::Sealed { .. })));
    let other_key = Vault::open(&file, &folder.path().join("other"), "vision-1").expect("a new key");
    assert!(matches!(other_key.wake(), Err(RestError::Sealed { .. })));
    for at in [0, 9, 25, first.len() - 1] {
        let mut altered = first.clone();
        altered[at] ^= 0x10;
        fs::write(&file, altered).expect("written");
        assert!(matches!(vault.wake(), Err(RestError::Sealed { .. })), "byte {at}");
    }
    fs::write(&file, &first[..10]).expect("written");
    assert!(matches!(vault.wake(), Err(RestError::Sealed { .. })));
}

#[test]
fn with_the_disk_full_the_old_copy_stays_and_the_new_one_is_in_force() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, key) = (folder.path().join("gallery.sealed"), folder.path().join("key"));
    let (mut server, mut gathering) = (Server::default(), Gathering::default());
    let replica = Replica::new(Held::default());
    let changes = server.step(&[(1, Some(10), 3)]);
    take(&mut gathering, &replica, chunks(Set::Gallery, None, 1, server.digest, changes)).expect("whole");
    let vault = Vault::open(&file, &key, "vision-1").expect("a new key");
    vault.rest(&replica.held()).expect("written");

    // Linux's full device: opens, and has no room for a byte.
    let beside = file.with_extension("new");
    std::os::unix::fs::symlink("/dev/full", &beside).expect("made");
    let changes = server.step(&[(2, Some(11), 4)]);
    take(&mut gathering, &replica, chunks(Set::Gallery, Some(1), 2, server.digest, changes)).expect("whole");
    let fault = vault.rest(&replica.held()).expect_err("no room");
    assert_eq!(fault.to_string(), format!("{} cannot be written", file.display()));
    assert_eq!((replica.version(), replica.len()), (Some(2), 2), "in force all the same");
    let woken = Replica::new(vault.wake().expect("the old one opens"));
    assert_eq!((woken.version(), woken.len()), (Some(1), 1));
    assert!(!beside.exists(), "half a file takes no room");
    vault.rest(&replica.held()).expect("there is room again");
    assert_eq!(Replica::new(vault.wake().expect("it opens")).version(), Some(2));
}

//! A site saved while it runs, and made again on a machine that has nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use kit::db::Engine;
use kit::testing::{Database, databases};
use uplink::event::Stream;

use super::broker::Broker;
use super::device::Device;
use super::restored::Controller;
use super::site::{PROGRAM, Site, command, provider};

const PASSPHRASE: &str = "correct horse battery staple";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("passphrase");
        std::fs::write(&secret, format!("{PASSPHRASE}\n")).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Saves with the keys; the file.
    fn save(&self, site: &Site) -> PathBuf {
        let to = self.file("site.backup");
        let config = site.file("server.toml");
        let saved = command(&[
            "backup",
            "--config",
            &config,
            "--to",
            &to,
            "--keys",
            "--passphrase-file",
            &self.file("passphrase"),
        ]);
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        to.into()
    }

    /// Restores into a new folder; what was said, and whether it went well.
    fn restore(&self, from: &Path, database: &str) -> (String, bool) {
        self.restore_into(&self.file("again"), from, database)
    }

    fn restore_into(&self, directory: &str, from: &Path, database: &str) -> (String, bool) {
        let out = command(&[
            "restore",
            "--from",
            from.to_str().unwrap(),
            "--directory",
            directory,
            "--database",
            database,
            "--passphrase-file",
            &self.file("passphrase"),
        ]);
        let said = [out.stdout, out.stderr].concat();
        (String::from_utf8(said).unwrap(), out.status.success())
    }
}

/// The other engine's empty database.
fn other(engine: Engine, empty: &[Database; 2]) -> &Database {
    empty.iter().find(|database| database.engine != engine).unwrap()
}

/// From each engine into itself and into the other: what the controllers sent is there, somebody signs in, what was
/// not yet there when it was saved comes again, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_restored_onto_an_empty_machine_of_either_engine() {
    provider();
    for database in databases().await {
        for crossed in [false, true] {
            let (own, place, empty) = (database_of(database.engine).await, Place::new(), databases().await);
            let site = Site::new(&own);
            let target = if crossed {
                other(database.engine, &empty)
            } else {
                empty.iter().find(|it| it.engine == database.engine).unwrap()
            };
            let broker = Broker::start(site.directory.path(), site.broker_port);
            let outbox = tempfile::tempdir().unwrap();
            let server = site.serve();
            let config = site.file("server.toml");
            let added = command(&["operator", "add", "--config", &config, "ada", "--role", "administrator"]);
            let added = String::from_utf8(added.stdout).unwrap();
            let password = added.trim().rsplit(' ').next().unwrap().to_owned();
            let mut controller = Controller::start(&site, outbox.path()).await;
            controller.happens(300).await;
            controller.drained().await;
            let file = place.save(&site);
            controller.happens(200).await;
            controller.drained().await;
            server.kill();
            let before = site.journal().await;
            drop(broker);

            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().to_str().unwrap();
            let (said, well) = place.restore_into(directory, &file, &target.address);
            assert!(well && said.contains("intact: the journal up to record"), "{said}");
            let again =
                Site { directory: folder, broker_port: site.broker_port, database: target.address.clone() };
            let restored = again.journal().await;
            assert_eq!(restored[..], before[..restored.len()], "what was saved is what there was");
            assert!(restored.len() >= 300 && restored.len() < before.len(), "{}", restored.len());
            let _broker = Broker::start(again.directory.path(), again.broker_port);
            let server = again.serve();
            assert!(signs_in(&again, &server.address, "ada", &password));
            // By the answer to what happens now the controller sees what is missing.
            controller.happens(1).await;
            controller.holds(&again, 501).await;
            let (said, status, _) = server.stop();
            assert!(status.success(), "{said}");
            let verified = again.verify();
            let words = String::from_utf8(verified.stdout).unwrap();
            assert!(verified.status.success(), "{words}");
            let again = again.journal().await;
            let numbers: Vec<_> =
                again.iter().filter(|it| it.stream == kit::Stream::Bulk).map(|it| it.number).collect();
            assert_eq!(numbers, (1..=501).collect::<Vec<_>>(), "each once");
        }
    }
}

async fn database_of(engine: Engine) -> Database {
    let [sqlite, postgres] = databases().await;
    if engine == Engine::Sqlite { sqlite } else { postgres }
}

/// Signs in as a browser does.
fn signs_in(site: &Site, address: &str, name: &str, password: &str) -> bool {
    let out = Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code} %header{set-cookie}"])
        .args(["--cacert", site.pki("ca.pem").to_str().unwrap(), "--header", "sec-fetch-site: same-origin"])
        .args([
            "--data-urlencode",
            &format!("name={name}"),
            "--data-urlencode",
            &format!("password={password}"),
        ])
        .arg(format!("https://{address}/login"))
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let well = said.starts_with("303") && said.contains("session=");
    assert!(well, "{said}");
    well
}

#[tokio::test]
async fn what_is_cut_altered_or_under_another_passphrase_is_refused_and_leaves_nothing() {
    let [database, _] = databases().await;
    let (site, place, [_, postgres]) = (Site::new(&database), Place::new(), databases().await);
    let file = place.save(&site);
    let whole = std::fs::read(&file).unwrap();
    let broken = place.folder.path().join("broken.backup");
    let mut cases: Vec<(String, Vec<u8>)> = [0, 1, 20, whole.len() / 2, whole.len() - 9, whole.len() - 1]
        .map(|length| (format!("cut after {length}"), whole[..length].to_vec()))
        .into();
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        // Time and system in gzip's own head say nothing about what is in it.
        if (4..10).contains(&at) {
            continue;
        }
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        cases.push((format!("byte {at}"), altered));
    }
    for (what, bytes) in cases {
        std::fs::write(&broken, bytes).unwrap();
        for address in ["sqlite:site.db", &postgres.address] {
            let (said, well) = place.restore(&broken, address);
            assert!(!well, "{what}: {said}");
            assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
            assert!(said.contains("broken.backup"), "{what}: {said}");
            assert!(!Path::new(&place.file("again")).exists(), "{what}");
        }
    }
    std::fs::write(place.file("passphrase"), "another horse battery staple").unwrap();
    let (said, well) = place.restore(&file, "sqlite:site.db");
    assert!(!well && said.contains("does not open under this passphrase"), "{said}");
    let again = place.file("again");
    let restore = ["restore", "--from", file.to_str().unwrap(), "--directory", &again];
    let out = command(&restore);
    assert!(String::from_utf8(out.stderr).unwrap().contains("give their passphrase"));
    assert!(!Path::new(&again).exists());
    // Without its keys, on purpose.
    let out = command(&[&restore[..], &["--without-keys"]].concat());
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && said.contains("the secret keys are not there yet"), "{said}");
    assert!(said.contains("intact: the journal up to record"), "{said}");
    assert!(!Path::new(&again).join("pki/server.key").exists());
    let out = command(&[&restore[..], &["--without-keys"]].concat());
    assert!(String::from_utf8(out.stderr).unwrap().contains("is not empty"), "there is a site");
    let taken =
        ["restore", "--from", file.to_str().unwrap(), "--directory", &place.file("third"), "--without-keys"];
    let out = command(&[&taken[..], &["--database", &database.address]].concat());
    assert!(String::from_utf8(out.stderr).unwrap().contains("has tables already"));
    assert!(!Path::new(&place.file("third")).exists());
}

#[tokio::test]
async fn no_secret_is_in_a_backup_that_was_not_asked_for_it_or_in_clear() {
    let [database, _] = databases().await;
    let (site, place) = (Site::new(&database), Place::new());
    let sealed = place.save(&site);
    let open = place.file("open.backup");
    assert!(command(&["backup", "--config", &site.file("server.toml"), "--to", &open]).status.success());
    for file in [sealed.to_str().unwrap(), &open] {
        let tar = Command::new("sh").args(["-c", "gzip -dc \"$0\"", file]).output().unwrap().stdout;
        let has = |bytes: &[u8]| tar.windows(bytes.len()).any(|window| window == bytes);
        for secret in
            ["keys/template.key", "keys/credential.key", "keys/journal.pk8", "pki/ca.key", "pki/web.key"]
        {
            let bytes = std::fs::read(site.file(secret)).unwrap();
            assert!(!has(&bytes), "{secret} is in {file}");
        }
        assert!(has(&std::fs::read(site.file("pki/ca.pem")).unwrap()), "this would be found");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let short = place.file("passphrase");
    std::fs::write(&short, "short\n").unwrap();
    let config = site.file("server.toml");
    let to = place.file("x.backup");
    let out = command(&["backup", "--config", &config, "--to", &to, "--keys", "--passphrase-file", &short]);
    assert!(String::from_utf8(out.stderr).unwrap().contains("at least 12 characters"));
    assert!(!Path::new(&to).exists());
}

/// Journals some megabytes that cannot be packed.
async fn fill(site: &Site) {
    use kit::journal::CheckpointLog;
    let random = std::fs::File::open("/dev/urandom").unwrap();
    let mut bytes = vec![0; 3000];
    let keys = kit::Keys::open(Path::new(&site.file("keys"))).unwrap();
    let log = site.file("checkpoints");
    let db = kit::Db::open(&site.database).await.unwrap();
    let kit = kit::Kit::new(db, kit::Clock::Real, keys, Some(log.as_ref())).unwrap();
    let mut tx = kit.begin().await.unwrap();
    for _ in 0..1500 {
        std::io::Read::read_exact(&mut &random, &mut bytes).unwrap();
        let text: String = bytes
            .iter()
            .map(|byte| char::from(b' ' + byte % 90))
            .filter(|it| !"\\\"".contains(*it))
            .collect();
        tx.record("toy.moved", &text).await.unwrap();
    }
    tx.commit().await.unwrap();
    kit.checkpoint().await.unwrap();
    kit.db().close().await;
    assert!(CheckpointLog::read(log.as_ref()).unwrap().len() > 1);
}

/// A file system of one megabyte of its own, in a mount namespace of its own: nothing of this machine is touched.
#[tokio::test]
async fn a_full_disk_is_said_and_leaves_no_half_of_a_backup_or_of_a_site() {
    let [database, _] = databases().await;
    let (site, place) = (Site::new(&database), Place::new());
    fill(&site).await;
    let file = place.save(&site);
    assert!(std::fs::metadata(&file).unwrap().len() > 1 << 20, "more than there will be room for");
    let small = place.folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let script =
        "mount -t tmpfs -o size=1m small \"$1\" && shift && \"$@\"; code=$?; ls -A \"$SMALL\"; exit $code";
    let run = |arguments: &[&str]| {
        let out = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", small.to_str().unwrap(), PROGRAM])
            .args(arguments)
            .env("SMALL", &small)
            .output()
            .unwrap();
        (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap(), out.status.success())
    };
    let to = small.join("site.backup");
    let config = site.file("server.toml");
    let (left, said, well) = run(&["backup", "--config", &config, "--to", to.to_str().unwrap()]);
    assert!(!well && said.contains("No space left on device"), "{said}");
    assert_eq!(left, "", "nothing is left");
    let again = small.join("again");
    let (left, said, well) = run(&[
        "restore",
        "--from",
        file.to_str().unwrap(),
        "--directory",
        again.to_str().unwrap(),
        "--passphrase-file",
        &place.file("passphrase"),
    ]);
    assert!(!well && said.contains("full"), "{said}");
    assert_eq!(left, "", "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_while_events_come_in() {
    provider();
    for database in databases().await {
        let (site, place, [sqlite, _]) = (Site::new(&database), Place::new(), databases().await);
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let server = site.serve();
        let mut device = Device::connect(&site, "controller-1").await;
        let mut saved = Vec::new();
        device
            .deliver(1, Stream::Bulk, 1500, |complete| {
                if saved.len() < 3 && complete > 300 * saved.len() as u64 {
                    let to = place.file(&format!("{}.backup", saved.len()));
                    let out = command(&["backup", "--config", &site.file("server.toml"), "--to", &to]);
                    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
                    saved.push(to);
                }
            })
            .await;
        server.kill();
        drop(sqlite);
        for (number, from) in saved.iter().enumerate() {
            let directory = place.file(&format!("again-{number}"));
            let out = command(&["restore", "--from", from, "--directory", &directory]);
            let said = String::from_utf8(out.stdout).unwrap();
            assert!(out.status.success() && said.contains("intact: the journal up to record"), "{said}");
        }
        assert_eq!(saved.len(), 3);
    }
}

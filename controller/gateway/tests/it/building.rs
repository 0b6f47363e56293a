//! A building for a test: certificates, policy, boards, one controller.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use board_sim::script::standard_26;
use domain::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, PolicyVersion,
    ScheduleId,
};
use domain::policy::{
    AntiPassback, Area, Credential, CredentialRule, CredentialStatus, CredentialUse, Door, DoorKind, Egress,
    EntryRule, FaceConsent, Level, Person, PersonStatus, PolicyParts, Relock, SiteRules,
};
use domain::request::{BoardEntry, CredentialKind, Factors, Score};
use domain::schedule::{Calendar, Days, Schedule, Span, Window};
use domain::time::{Utc, Validity, Zone};
use gateway::replica_store::{PolicyStore, Taken};
use gateway::site::CredentialKey;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use uplink::sync::{Change, Chunk, Digest, Set, chunks, policy};

use crate::boards::Board;

pub(crate) const SITE_KEY: [u8; 32] = [0xA5; 32];
pub(crate) const BOARD_KEY: [u8; 16] = *b"a board's own ke";
pub(crate) const ADA: PersonId = PersonId(11);
pub(crate) const BEN: PersonId = PersonId(12);
pub(crate) const LOBBY: DoorId = DoorId(1);
pub(crate) const GATE: DoorId = DoorId(2);
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Everything around one controller.
pub(crate) struct Building {
    pub(crate) folder: TempDir,
    pub(crate) boards: Vec<Board>,
    pub(crate) broker_port: u16,
    /// Lines of the configuration, of the controller itself and of each board.
    pub(crate) extra: String,
    pub(crate) of_boards: String,
}

/// A list as the controller remembers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListKnown {
    pub(crate) number: u64,
    /// UTC, microseconds.
    pub(crate) until: i64,
}

/// The controller's process. Dropping kills it.
pub(crate) struct Controller {
    pub(crate) child: Child,
    pub(crate) link: SocketAddr,
}

impl Building {
    /// A door board (door 1) and a lane board (door 2) on one bus, certificates for everybody; no broker.
    pub(crate) fn new() -> Building {
        let folder = Building::folder();
        let boards = Board::start_two(folder.path());
        Building::around(folder, boards)
    }

    /// The same, with boards fresh from the factory.
    pub(crate) fn with_new_boards() -> Building {
        let folder = Building::folder();
        let boards = Board::start_two_with(folder.path(), None);
        Building::around(folder, boards)
    }

    /// Without boards: whoever tests lays a bus at `bus`.
    pub(crate) fn without_boards() -> Building {
        Building::around(Building::folder(), Vec::new())
    }

    /// A folder with certificates for everybody and keys.
    fn folder() -> TempDir {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider().install_default().expect("nothing else installs one");
        });
        let folder = tempfile::tempdir().expect("a folder for the test");
        certificates(folder.path());
        secret(folder.path(), "site.key", &SITE_KEY);
        secret(folder.path(), "board.key", &BOARD_KEY);
        folder
    }

    fn around(folder: TempDir, boards: Vec<Board>) -> Building {
        // Nothing listens on port 1: the broker is away until a test says otherwise.
        Building { folder, boards, broker_port: 1, extra: String::new(), of_boards: String::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lays a key there that others may not read.
    pub(crate) fn secret(&self, name: &str, bytes: &[u8]) {
        secret(self.folder.path(), name, bytes);
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The policy is in the controller's copy before it starts.
    pub(crate) fn knows(&self, version: u64, parts: &PolicyParts) {
        let rows = policy::rows(parts);
        fs::create_dir_all(self.data()).expect("made");
        runtime().block_on(async {
            let (mut store, _) = PolicyStore::open(&self.data().join("policy.sqlite")).await.expect("opened");
            for chunk in chunks(Set::Policy, None, version, digest(&rows), rows) {
                let taken = store.take(chunk).await.expect("stored");
                assert!(matches!(taken, Taken::Applied(_)), "{taken:?}");
            }
        });
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        let text = format!(
            r#"
name = "controller-1"
data = "data"
{extra}
[tls]
ca = "ca.pem"
certificate = "controller-1.pem"
key = "controller-1.key"
[broker]
host = "localhost"
port = {broker}
[credentials]
key_file = "site.key"
[reader_link]
listen = "127.0.0.1:0"
[[reader_link.camera]]
vision = "vision-1"
name = "lobby"
door = 1
side = "entry"
[[reader_link.camera]]
vision = "vision-1"
name = "gate"
door = 2
side = "entry"
[[bus]]
name = "ground floor"
port = "bus"
[[bus.device]]
address = 1
name = "lobby door"
kind = "door"
door = 1
key_file = "board.key"
{of_boards}
[[bus.device]]
address = 2
name = "gate"
kind = "gate-lane"
door = 2
key_file = "board.key"
{of_boards}
"#,
            extra = self.extra,
            of_boards = self.of_boards,
            broker = self.broker_port,
        );
        let path = self.path("controller.toml");
        fs::write(&path, text).expect("written");
        path
    }

    /// Runs the controller's program for something else than serving: what it prints, or the sentence it fails with.
    pub(crate) fn instead(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_gatehouse-controller"))
            .arg("--config")
            .arg(self.configuration())
            .args(arguments)
            .env_remove("RUST_LOG")
            .output()
            .expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The list that the controller knows a board to have.
    pub(crate) fn list_of(&self, board: &str) -> Option<ListKnown> {
        let path = self.data().join("outbox.sqlite");
        let value: String = runtime().block_on(async {
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            let mut connection = options.connect().await.ok()?;
            let kept = sqlx::query_scalar("SELECT value FROM kept WHERE kind = 'board' AND key = $1");
            kept.bind(board).fetch_optional(&mut connection).await.ok()?
        })?;
        let kept: serde_json::Value = serde_json::from_str(&value).expect("JSON");
        let list = kept.get("list")?;
        Some(ListKnown { number: list["number"].as_u64()?, until: list["until"].as_i64()? })
    }

    /// Starts the controller and waits until it is ready.
    pub(crate) fn controller(&self) -> Controller {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatehouse-controller"))
            .arg("--config")
            .arg(self.configuration())
            .stdout(Stdio::piped())
            .stderr(if std::env::var_os("LOUD").is_some() { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it says ready");
        let address =
            line.trim().strip_prefix("ready controller-1 reader-link ").unwrap_or_else(|| panic!("{line:?}"));
        Controller { link: address.parse().expect("an address"), child }
    }

    /// Starts the controller and waits until both boards are on-line.
    pub(crate) fn running(&self) -> Controller {
        let controller = self.controller();
        for board in &self.boards {
            board.wait_linked();
        }
        controller
    }
}

impl Controller {
    /// As if the power went.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ends");
    }

    /// Asks it to stop; says how long that took.
    pub(crate) fn stop(mut self) -> Duration {
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it was running");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        began.elapsed()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // Stopped already, or to be stopped: either way it must not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ada may enter everywhere, by face or card, at the lobby by card and PIN at night (schedule 2 never opens by default).
pub(crate) fn policy_parts(version: u64) -> PolicyParts {
    let key = CredentialKey::new(&SITE_KEY);
    let credential = |id, person, kind, digest| Credential {
        id: CredentialId(id),
        person,
        kind,
        digest,
        board_entry: None,
        validity: Validity::ALWAYS,
        status: CredentialStatus::Active,
        usage: CredentialUse::Ordinary,
    };
    let person = |id, groups: &[u64]| Person {
        id,
        validity: Validity::ALWAYS,
        status: PersonStatus::Active,
        face: FaceConsent::Given,
        clearance: 0,
        groups: groups.iter().copied().map(GroupId).collect(),
    };
    let door = |id, kind| Door {
        id,
        controller: ControllerId(1),
        kind,
        outside: AreaId(1),
        inside: AreaId(2),
        egress: Egress::Exit,
        credential_rules: vec![CredentialRule {
            schedule: ScheduleId(2),
            any_of: vec![Factors::CARD.and(Factors::PIN)],
        }],
        otherwise: vec![Factors::FACE, Factors::CARD],
        strike: Duration::from_secs(3),
        held_after: Duration::from_secs(30),
        relock: Relock::OnClose,
        anti_passback: AntiPassback::Off,
        unrecorded_entry: EntryRule::Refuse,
        fire_zone: Some(FireZoneId(1)),
    };
    let always =
        Window { days: Days::from_bits(0x7F).expect("the week"), span: Span::new(0, 1440).expect("a day") };
    PolicyParts {
        version: PolicyVersion(version),
        made_at: Utc(utc_now()),
        site: SiteRules {
            face_score: Score(4_500),
            face_margin: Score(300),
            wrong_tries: 5,
            wrong_tries_within: Duration::from_secs(60),
            lock_out: Duration::from_secs(60),
            second_factor_within: Duration::from_secs(10),
            same_person_within: Duration::ZERO,
        },
        zone: Zone::fixed(28_800),
        calendar: Calendar::default(),
        controllers: vec![ControllerId(1)],
        areas: vec![Area { id: AreaId(1), parent: None }, Area { id: AreaId(2), parent: None }],
        fire_zones: vec![FireZoneId(1)],
        groups: vec![GroupId(1)],
        schedules: vec![
            Schedule { id: ScheduleId(1), windows: vec![always], exceptions: vec![] },
            Schedule { id: ScheduleId(2), windows: vec![], exceptions: vec![] },
        ],
        doors: vec![door(LOBBY, DoorKind::Door), door(GATE, DoorKind::Lane)],
        levels: vec![Level {
            id: LevelId(1),
            groups: vec![GroupId(1)],
            doors: vec![LOBBY, GATE],
            schedule: ScheduleId(1),
        }],
        people: vec![person(ADA, &[1]), person(BEN, &[])],
        credentials: vec![
            on_boards(
                credential(1, ADA, CredentialKind::Card, key.card(26, &standard_26(12, 3456))),
                &standard_26(12, 3456),
            ),
            credential(2, ADA, CredentialKind::Pin, key.pin(ADA, b"2580")),
            on_boards(
                credential(3, BEN, CredentialKind::Card, key.card(26, &standard_26(12, 3457))),
                &standard_26(12, 3457),
            ),
        ],
    }
}

/// The card with its entry on boards' lists, as the server makes it.
fn on_boards(credential: Credential, card: &[u8; 8]) -> Credential {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&CredentialKey::new(&SITE_KEY).list_salt());
    context.update(&[1, 0, 26]);
    context.update(&card[..4]);
    let entry = context.finish().as_ref()[..8].try_into().expect("eight bytes");
    Credential { board_entry: Some(BoardEntry(entry)), ..credential }
}

/// The lobby asks for card and PIN all day.
pub(crate) fn strict(mut parts: PolicyParts) -> PolicyParts {
    let always = parts.schedules[0].windows.clone();
    parts.schedules[1].windows = always;
    parts
}

pub(crate) fn digest(rows: &[Change]) -> Digest {
    let mut digest = Digest::default();
    for row in rows {
        if let Change::Put { table, id, row } = row {
            digest.toggle(table, *id, row.get());
        }
    }
    digest
}

/// The whole policy in one go.
pub(crate) fn snapshot(version: u64, parts: &PolicyParts) -> Vec<Chunk> {
    let rows = policy::rows(parts);
    chunks(Set::Policy, None, version, digest(&rows), rows)
}

pub(crate) fn utc_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 292277")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Waits until something is so, within [`PATIENCE`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn secret(folder: &Path, name: &str, bytes: &[u8]) {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    private(&folder.join(name), &text);
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("mode set");
}

fn certificates(folder: &Path) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = named("site");
    let ca = params.self_signed(&key).expect("signed");
    fs::write(folder.join("ca.pem"), ca.pem()).expect("written");
    private(&folder.join("ca.key"), &key.serialize_pem());
    let issuer = Issuer::new(params, key);
    for name in ["controller-1", "server", "vision-1", "vision-9", "broker"] {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = named(name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer).expect("signed");
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
        private(&folder.join(format!("{name}.key")), &key.serialize_pem());
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

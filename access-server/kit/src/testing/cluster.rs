//! One throw-away PostgreSQL for all test processes: the first starts it, it stops by itself after the last.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::OnceCell;

const SCRIPT: &str = include_str!("cluster.sh");
/// `initdb` takes under a second on an idle machine; a busy one is not an idle one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address of a database of the shared cluster, which is started if it does not run.
pub(super) async fn address(database: &str) -> String {
    static HOME: OnceCell<Home> = OnceCell::const_new();
    HOME.get_or_init(start).await.address(database)
}

struct Home {
    path: PathBuf,
    /// The shared lock that keeps the cluster alive as long as this process.
    _user: File,
}

impl Home {
    fn address(&self, database: &str) -> String {
        format!("postgres://gatehouse@localhost/{database}?host={}", self.path.display())
    }
}

async fn start() -> Home {
    let me = std::fs::metadata("/proc/self").expect("a process has a directory").uid();
    let path = std::env::temp_dir().join(format!("gatehouse-postgres-{me}"));
    std::fs::create_dir_all(&path).expect("the temporary directory can be written");
    // As root the cluster runs as another user, who must be able to write here.
    let open_to_all = std::fs::Permissions::from_mode(if me == 0 { 0o777 } else { 0o700 });
    std::fs::set_permissions(&path, open_to_all).expect("just made, or ours");
    let user = lock_file(&path.join("users"));
    user.lock_shared().expect("flock works here");
    let home = Home { path, _user: user };
    let starting = lock_file(&home.path.join("starting"));
    let deadline = Instant::now() + PATIENCE;
    while let Err(TryLockError::WouldBlock) = starting.try_lock() {
        assert!(Instant::now() < deadline, "another process starts the test database for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let address = home.address("postgres");
    sqlx::any::install_default_drivers();
    if answers(&address).await {
        return home;
    }
    spawn(&home.path, me == 0);
    while !answers(&address).await {
        assert!(
            Instant::now() < deadline,
            "the test database does not start: see {}",
            home.path.join("log").display()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    home
}

async fn answers(address: &str) -> bool {
    match sqlx::AnyConnection::connect(address).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

fn spawn(home: &Path, root: bool) {
    let bin = binaries();
    let mut command = if root {
        // PostgreSQL refuses to run as root; Debian's package made this user.
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let child = command
        .args(["-c", SCRIPT, "cluster.sh"])
        .arg(home)
        .arg(bin)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh and setpriv are part of Debian");
    // It outlives this process on purpose: it watches the lock that every user of the cluster holds.
    drop(child);
}

/// The newest PostgreSQL that Debian's packages installed.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.expect("Debian's package `postgresql` is installed")
}

fn lock_file(path: &Path) -> File {
    let file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).expect("ours");
    // The cluster's own user looks at the lock too.
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666));
    file
}

//! A site made by `init`, and its server as a process.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use kit::journal::{StoredEvent, events_after};
use kit::testing::Database;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gatehouse-server");

/// A site in a directory of its own.
pub(crate) struct Site {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) broker_port: u16,
    pub(crate) database: String,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    errors: std::thread::JoinHandle<String>,
}

pub(crate) fn command(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

impl Site {
    pub(crate) fn new(database: &Database) -> Self {
        Self::at(&database.address)
    }

    /// With a database of this address.
    pub(crate) fn at(database: &str) -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            broker_port: super::broker::free_port(),
            database: database.to_owned(),
        };
        let made = command(&[
            "init",
            "--directory",
            &site.file(""),
            "--database",
            database,
            "--listen",
            "127.0.0.1:0",
            "--broker",
            &format!("localhost:{}", site.broker_port),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for name in ["controller-1", "controller-2", "vision-1"] {
            let issued = command(&["pki", "issue", name, "--directory", &site.file("pki")]);
            assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
        }
        site
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn pki(&self, name: &str) -> PathBuf {
        self.directory.path().join("pki").join(name)
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_by(Command::new(PROGRAM))
    }

    /// Serves by a command that takes the program's arguments.
    pub(crate) fn serve_by(&self, program: Command) -> Server {
        Starting::new(program, &self.file("server.toml")).ready()
    }

    /// Starts a server that may have to stand by; it is ready when it is the active one.
    pub(crate) fn stand_by(&self) -> Starting {
        Starting::new(Command::new(PROGRAM), &self.file("server.toml"))
    }

    /// The journal as a reader of the database finds it.
    pub(crate) async fn journal(&self) -> Vec<std::sync::Arc<StoredEvent>> {
        let db = kit::Db::open(&self.database).await.unwrap();
        let events = events_after(db.read(), 0, 1_000_000).await.unwrap();
        db.close().await;
        events
    }

    pub(crate) fn verify(&self) -> Output {
        command(&["verify", "--config", &self.file("server.toml")])
    }
}

/// A server that is not ready yet; killed when dropped.
pub(crate) struct Starting {
    child: Option<Child>,
}

impl Starting {
    fn new(mut program: Command, config: &str) -> Self {
        let child = program
            .args(["serve", "--config", config])
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child: Some(child) }
    }

    /// Waits until it is the active one.
    pub(crate) fn ready(mut self) -> Server {
        let mut child = self.child.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(ready)) = lines.next() else {
            let _ = child.wait();
            panic!("the server did not get ready: {}", errors.join().unwrap());
        };
        let address = ready.strip_prefix("ready https://").unwrap().trim_end_matches('/').to_owned();
        Server { child, address, errors }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Server {
    /// Holds it up, or lets it go on, as `kill` does with this signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until it ends by itself: what it wrote, and how it ended.
    pub(crate) fn ends(mut self) -> (String, ExitStatus) {
        let status = self.child.wait().unwrap();
        (self.said(), status)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said()
    }

    /// Asks it to stop: what it wrote, how it ended, how long it took.
    pub(crate) fn stop(mut self) -> (String, ExitStatus, Duration) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (self.said(), status, began.elapsed())
    }

    fn said(mut self) -> String {
        let errors = std::mem::replace(&mut self.errors, std::thread::spawn(String::new));
        errors.join().unwrap()
    }

    /// A page, asked for without a session.
    pub(crate) fn get(&self, site: &Site, path: &str) -> String {
        let out = Command::new("curl")
            .args(["--silent", "--cacert", site.pki("ca.pem").to_str().unwrap()])
            .arg(format!("https://{}{path}", self.address))
            .output()
            .expect("Debian's package `curl` is installed");
        String::from_utf8(out.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one cryptographic provider of this process, for the scripted devices.
pub(crate) fn provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

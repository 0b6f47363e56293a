//! A site of its own for each test: authority, certificates, gallery, configuration, the process.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use uplink::sync::gallery::{TEMPLATE, TemplateRow};
use uplink::sync::{Change, Digest, Set, chunks};
use vision::config::Tls;
use vision::look::Networks;
use vision::replica::{Gathering, Held, Replica, Vault};

use crate::camera::Camera;
use crate::controller::Controller;
use crate::fetched;

/// No figure: a bound for what must come at all, on a machine however busy.
pub(crate) const EVER: Duration = Duration::from_secs(60);

/// Certificates and a folder.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// The running process; it is killed when dropped.
pub(crate) struct Vision {
    child: Child,
    lines: Receiver<String>,
    log: Receiver<String>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a name, made at the first call.
    pub(crate) fn tls(&self, name: &str) -> Tls {
        let tls = Tls {
            authority: self.path("ca.pem"),
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        if !tls.certificate.exists() {
            let names = vec![name.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).expect("names");
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &self.issuer).expect("signed");
            fs::write(&tls.certificate, certificate.pem()).expect("written");
            fs::write(&tls.key, key.serialize_pem()).expect("written");
        }
        tls
    }

    /// Puts photographs to rest in the gallery of `vision-1`: person and file.
    pub(crate) fn enrol(&self, people: &[(u64, &Path)]) {
        let mut networks = Networks::load(&fetched().join("models"), 640).expect("the models");
        let mut digest = Digest::default();
        let mut changes = Vec::new();
        for (id, (person, photo)) in (1..).zip(people) {
            let row = TemplateRow { person: *person, values: template(&mut networks, photo) };
            let change = Change::put(TEMPLATE, id, &row);
            if let Change::Put { row, .. } = &change {
                digest.toggle(TEMPLATE, id, row.get());
            }
            changes.push(change);
        }
        let replica = Replica::new(Held::default());
        let mut gathering = Gathering::default();
        for chunk in chunks(Set::Gallery, None, 7, digest, changes) {
            gathering.take(chunk, &replica).expect("a good chunk");
        }
        self.vault().rest(&replica.held()).expect("written");
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::open(&self.path("gallery.sealed"), &self.path("gallery.key"), "vision-1").expect("a key")
    }

    /// A camera at a controller, for the configuration.
    pub(crate) fn camera(name: &str, camera: &Camera, controller: &Controller) -> String {
        format!(
            "[[camera]]\nname = \"{name}\"\nrtsp = \"{}\"\ncontroller = {{ name = \"controller-1\", address = \"{}\" }}\n",
            camera.address, controller.address
        )
    }

    /// The configuration of `vision-1` with these further lines.
    pub(crate) fn config(&self, further: &str) -> PathBuf {
        let folder = self.folder.path().display();
        let models = fetched().join("models");
        self.tls("vision-1");
        let text = format!(
            "name = \"vision-1\"\nmodels = \"{}\"\n\
             tls = {{ authority = \"{folder}/ca.pem\", certificate = \"{folder}/vision-1.pem\", key = \"{folder}/vision-1.key\" }}\n\
             gallery = {{ file = \"{folder}/gallery.sealed\", key = \"{folder}/gallery.key\" }}\n{further}\n",
            models.display()
        );
        let path = self.path("vision.toml");
        fs::write(&path, text).expect("written");
        path
    }
}

pub(crate) fn template(networks: &mut Networks, photo: &Path) -> Vec<f32> {
    let bytes = fs::read(photo).expect("the photograph");
    let picture = vision::photograph::decode(&bytes).expect("a photograph");
    let faces = networks.detector.faces(&picture).expect("looked at");
    let face = sighting::the_one_face(&faces, 0.4).expect("one face");
    let template = networks.embedder.template(&picture, face).expect("looked at").expect("a template");
    template.numbers().to_vec()
}

impl Vision {
    pub(crate) fn start(config: &Path) -> Self {
        let mut child = command(config)
            .env("RUST_LOG", "vision=debug")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let log = lines(child.stderr.take().expect("piped"));
        let lines = lines(child.stdout.take().expect("piped"));
        Self { child, lines, log }
    }

    /// The first line it says when it serves.
    pub(crate) fn ready(&self) -> String {
        let line = self.lines.recv_timeout(EVER).unwrap_or_else(|_| {
            panic!("it is never ready: {:#?}", self.log.try_iter().collect::<Vec<_>>());
        });
        assert!(line.starts_with("ready vision-1"), "{line}");
        line
    }

    /// Forgets what its log said so far.
    pub(crate) fn log_from_here(&self) {
        while self.log.try_recv().is_ok() {}
    }

    /// Waits until its log holds these words.
    pub(crate) fn log_says(&self, words: &str) {
        let until = Instant::now() + EVER;
        loop {
            let line = self.log.recv_timeout(until.saturating_duration_since(Instant::now()));
            if line.unwrap_or_else(|_| panic!("the log never says {words:?}")).contains(words) {
                return;
            }
        }
    }

    /// Whether it is still there.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Vision {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-vision"));
    command.arg("--config").arg(config);
    command
}

/// Lines of a process's output, read on a thread.
pub(crate) fn lines(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

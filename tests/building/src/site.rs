//! A whole site in one folder: made once, started as often as one likes.
//!
//! ```text
//! FOLDER/            mode 0700
//!   ports            which ports of loopback this site uses
//!   first-login      name and one-time password of the first administrator, mode 0600
//!   site/            the server's: configuration, keys, authority, database
//!   controller/      the controller's: configuration, certificate, keys, outbox, policy copy
//!   vision/          the vision process's: configuration, certificate, gallery
//!   boards/          the boards' flash
//!   logs/            what every process says
//! ```

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::broker::Certificates;
use crate::process::free_port;

/// The controller's name in its certificate.
pub const CONTROLLER: &str = "controller-1";
/// The vision process's name in its certificate.
pub const VISION: &str = "vision-1";
/// The bus's name, as the site's file has it.
pub const BUS: &str = "lobby";
/// The camera's name.
pub const CAMERA: &str = "lobby";

/// The ports of loopback that a site uses.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Ports {
    /// The console.
    pub console: u16,
    /// The broker.
    pub broker: u16,
    /// The controller's reader link.
    pub reader_link: u16,
    /// Vision's enrolment service.
    pub embed: u16,
}

/// The first administrator's login, printed once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FirstLogin {
    /// The name.
    pub name: String,
    /// The one-time password.
    pub password: String,
}

/// A site's folder.
#[derive(Debug, Clone)]
pub struct Site {
    folder: PathBuf,
    /// Its ports.
    pub ports: Ports,
}

impl Site {
    /// Opens the site in a folder, or makes it: authority, certificates, keys, database, configurations.
    ///
    /// # Errors
    /// When the folder cannot be used or a program fails.
    pub fn open(folder: &Path, database: Option<&str>) -> Result<Self> {
        let ports = folder.join("ports");
        if ports.exists() {
            let ports = serde_json::from_str(&fs::read_to_string(&ports)?)
                .with_context(|| format!("{} is damaged: delete {}", ports.display(), folder.display()))?;
            return Ok(Self { folder: folder.to_owned(), ports });
        }
        if folder.exists() {
            // A start that broke off half-way left it: nothing in it has been used yet.
            fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
        }
        for name in ["", "controller/data", "vision", "boards", "logs"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
        }
        let ports = Ports {
            console: free_port()?,
            broker: free_port()?,
            reader_link: free_port()?,
            embed: free_port()?,
        };
        let site = Self { folder: folder.to_owned(), ports };
        site.make(database)?;
        fs::write(folder.join("ports"), serde_json::to_string(&ports)?)?;
        Ok(site)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where every process's words go.
    pub fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// The server's configuration.
    pub fn server_configuration(&self) -> PathBuf {
        self.path("site/server.toml")
    }

    /// The first administrator's login.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn first_login(&self) -> Result<FirstLogin> {
        Ok(serde_json::from_str(&fs::read_to_string(self.path("first-login"))?)?)
    }

    /// What the broker needs of the authority.
    pub fn broker_certificates(&self) -> Certificates {
        Certificates {
            ca: self.path("site/pki/ca.pem"),
            certificate: self.path("site/pki/broker.pem"),
            key: self.path("site/pki/broker.key"),
        }
    }

    fn make(&self, database: Option<&str>) -> Result<()> {
        let Ports { console, broker, embed, .. } = self.ports;
        let mut init = Command::new(program("gatehouse-server")?);
        init.arg("init").arg("--directory").arg(self.path("site"));
        init.args(["--listen", &format!("127.0.0.1:{console}")]);
        init.args(["--broker", &format!("127.0.0.1:{broker}")]);
        init.args(["--embed", &format!("{VISION}@127.0.0.1:{embed}")]);
        if let Some(database) = database {
            init.args(["--database", database]);
        }
        let said = output(&mut init)?;
        let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
        let login = FirstLogin {
            name: line("first login: ").context("`init` names no first login")?,
            password: line("password, shown this once: ").context("`init` names no password")?,
        };
        private(&self.path("first-login"), &serde_json::to_string(&login)?)?;
        for (name, folder) in [(CONTROLLER, "controller"), (VISION, "vision")] {
            let mut issue = Command::new(program("gatehouse-server")?);
            issue
                .args(["pki", "issue", name, "--host", "127.0.0.1", "--directory"])
                .arg(self.path("site/pki"));
            output(issue.arg("--out").arg(self.path(folder)))?;
            fs::copy(self.path("site/pki/ca.pem"), self.path(folder).join("ca.pem"))?;
        }
        let credential_key = fs::read(self.path("site/keys/credential.key"))?;
        private(&self.path("controller/credential.key"), &hex(&credential_key))
    }

    /// Lays the demonstration's site file beside the photographs it names; where it lies.
    ///
    /// # Errors
    /// When it cannot be laid there.
    pub fn import_file(&self) -> Result<PathBuf> {
        let folder = self.path("import");
        fs::create_dir_all(&folder)?;
        let photographs = folder.join("photos");
        if !photographs.exists() {
            std::os::unix::fs::symlink(crate::camera::photographs(), &photographs)?;
        }
        let file = folder.join("site.toml");
        fs::copy(crate::root().join("deploy/demo/site.toml"), &file)?;
        Ok(file)
    }

    /// Writes the controller's configuration: one bus with these devices.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure_controller(&self, port: &Path, devices: &[Device]) -> Result<PathBuf> {
        let Ports { broker, reader_link, .. } = self.ports;
        let mut text = format!(
            "name = \"{CONTROLLER}\"\ndata = \"data\"\n\n\
             [tls]\nca = \"ca.pem\"\ncertificate = \"{CONTROLLER}.pem\"\nkey = \"{CONTROLLER}.key\"\n\n\
             [broker]\nhost = \"127.0.0.1\"\nport = {broker}\n\n\
             [credentials]\nkey_file = \"credential.key\"\n\n\
             [reader_link]\nlisten = \"127.0.0.1:{reader_link}\"\n"
        );
        for device in devices.iter().filter(|device| device.camera) {
            text.push_str(&format!(
                "[[reader_link.camera]]\nvision = \"{VISION}\"\nname = \"{CAMERA}\"\ndoor = {}\nside = \"entry\"\n",
                device.door
            ));
        }
        text.push_str(&format!("\n[[bus]]\nname = \"{BUS}\"\nport = \"{}\"\n", port.display()));
        for device in devices {
            let key = self.path("controller").join(format!("{}.scbk", device.name));
            if !key.exists() {
                private(&key, &hex(&random::<16>()?))?;
            }
            text.push_str(&format!(
                "[[bus.device]]\naddress = {}\nname = \"{}\"\nkind = \"{}\"\ndoor = {}\nkey_file = \"{}.scbk\"\n",
                device.address, device.name, device.kind, device.door, device.name
            ));
        }
        let file = self.path("controller/controller.toml");
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Writes the vision process's configuration: one camera.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure_vision(&self, rtsp: &str) -> Result<PathBuf> {
        let Ports { broker, reader_link, embed, .. } = self.ports;
        let models = crate::camera::fetched().join("models");
        let folder = self.path("vision");
        let text = format!(
            "name = \"{VISION}\"\nmodels = \"{}\"\n\n\
             [tls]\nauthority = \"{folder}/ca.pem\"\ncertificate = \"{folder}/{VISION}.pem\"\n\
             key = \"{folder}/{VISION}.key\"\n\n\
             [broker]\nhost = \"127.0.0.1\"\nport = {broker}\n\n\
             [gallery]\nfile = \"{folder}/gallery\"\nkey = \"{folder}/gallery.key\"\n\n\
             [service]\nlisten = \"127.0.0.1:{embed}\"\n\n\
             [[camera]]\nname = \"{CAMERA}\"\nrtsp = \"{rtsp}\"\n\
             controller = {{ name = \"{CONTROLLER}\", address = \"127.0.0.1:{reader_link}\" }}\n",
            models.display(),
            folder = folder.display(),
        );
        let file = folder.join("vision.toml");
        fs::write(&file, text)?;
        Ok(file)
    }
}

/// One board on the bus.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name for logs and files.
    pub name: &'static str,
    /// `door` or `gate-lane`.
    pub kind: &'static str,
    /// OSDP address, as its switches say.
    pub address: u8,
    /// The door or lane in the policy.
    pub door: u64,
    /// Whether the camera looks at its entry.
    pub camera: bool,
}

/// A program of ours, as cargo built it beside this one.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let found = here.ancestors().skip(1).take(3).map(|folder| folder.join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Ok(path),
        None => bail!("{name} has not been built: `cargo xtask demo` and `cargo xtask test` build it"),
    }
}

/// Runs a program to its end; what it printed.
///
/// # Errors
/// When it fails; with what it said.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    use std::io::Read;
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

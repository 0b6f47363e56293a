//! The controller's configuration: one TOML file, checked whole before anything starts. Every fault names its key and line.

mod check;
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ids::{ControllerId, DoorId};
use domain::request::Side;
use endpoints::vendor::OfflineRule;
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

/// A configuration that was checked: files read, names resolved, nothing there twice.
#[derive(Debug)]
pub struct Config {
    /// The certificate's common name, `controller-<id>`.
    pub name: String,
    /// Its number in the policy.
    pub controller: ControllerId,
    /// Where the outbox and the policy copy lie.
    pub data: PathBuf,
    /// Certificates, as PEM.
    pub tls: Tls,
    /// The MQTT broker.
    pub broker: Broker,
    /// The site's key for credential digests.
    pub credential_key: [u8; 32],
    /// Where vision processes connect; none without cameras.
    pub reader_link: Option<ReaderLink>,
    /// Serial buses.
    pub buses: Vec<Bus>,
    /// How many events may wait for the server.
    pub outbox_limit: u64,
    /// How large the outbox may grow, in pages of 4 KiB; without, as large as the disk.
    pub outbox_pages: Option<u32>,
    /// How long a list holds by which a board lets people in while it is alone: 10 s to 7 days.
    pub whitelist_life: Duration,
}

/// The controller's identity.
pub struct Tls {
    /// The site's authority.
    pub ca: PathBuf,
    /// The controller's own certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Where the broker is.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Host name; the broker's certificate must be for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The listener for vision processes.
#[derive(Debug, Clone)]
pub struct ReaderLink {
    /// Address and port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The cameras bound to doors and lanes here.
    pub cameras: Vec<Camera>,
}

/// A camera bound to one side of a door or lane.
#[derive(Debug, Clone)]
pub struct Camera {
    /// The common name of the vision process that has it.
    pub vision: String,
    /// Its name there.
    pub name: String,
    /// Where it looks.
    pub door: DoorId,
    /// On which side people stand before it.
    pub side: Side,
}

/// One serial line.
#[derive(Debug)]
pub struct Bus {
    /// Its name in events and on screens.
    pub name: String,
    /// The device file.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// What hangs on it.
    pub devices: Vec<Device>,
}

/// One device on a bus.
#[derive(Debug)]
pub struct Device {
    /// OSDP address, 0 to 126.
    pub address: u8,
    /// The name for logs.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its secure channel base key.
    pub key: osdp::Key,
    /// The door or lane it drives; a bare reader drives none.
    pub door: Option<DoorId>,
    /// Which reader stands at which side of what.
    pub readers: Vec<Reader>,
    /// What our board does without us.
    pub offline: OfflineRule,
    /// After so many seconds without us, 2 to 3600.
    pub offline_after_s: u16,
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Our door board.
    Door,
    /// Our gate-lane board.
    GateLane,
    /// Another maker's door panel, by plain OSDP inputs and outputs.
    PlainDoor(Terminals),
    /// Readers only.
    Reader,
}

/// Where a plain door's lines are connected, by OSDP number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the lines")]
pub struct Terminals {
    pub lock: u8,
    pub contact: Option<u8>,
    pub rex: Option<u8>,
    pub fire: Option<u8>,
}

/// A reader of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// OSDP reader number.
    pub number: u8,
    /// At which door or lane.
    pub door: DoorId,
    /// On which side.
    pub side: Side,
}

impl Config {
    /// The outbox's database.
    pub fn outbox_file(&self) -> PathBuf {
        self.data.join("outbox.sqlite")
    }
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file itself cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The configuration file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is wrong.
    #[error("{}:{line}: {key}: {sentence}", path.display())]
    Key {
        /// The configuration file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key's path, for example `bus[1].port`.
        key: String,
        /// What is wrong with it.
        sentence: String,
    },
}

/// Reads and checks the file.
///
/// # Errors
/// The first fault, with its key and line.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|fault| {
        let place = place::of(&text, fault.at);
        ConfigError::Key { path: path.to_owned(), line: place.line, key: place.key, sentence: fault.sentence }
    })
}

/// Parses and checks a text; files it names are looked for from `folder`.
fn parse(text: &str, folder: &Path) -> Result<Config, Fault> {
    let file: File = toml::from_str(text).map_err(|error| Fault {
        at: error.span().map_or(0, |span| span.start),
        sentence: error.message().to_owned(),
    })?;
    check::config(file, folder)
}

/// A fault and where in the text it is.
#[derive(Debug)]
struct Fault {
    at: usize,
    sentence: String,
}

impl Fault {
    fn at<T>(value: &Spanned<T>, sentence: impl Into<String>) -> Fault {
        Fault { at: value.span().start, sentence: sentence.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    data: Spanned<PathBuf>,
    #[serde(default = "outbox_limit")]
    outbox_limit: Spanned<u64>,
    outbox_pages: Option<u32>,
    #[serde(default = "whitelist_life_s")]
    whitelist_life_s: Spanned<u32>,
    tls: TlsFile,
    broker: BrokerFile,
    credentials: CredentialsFile,
    reader_link: Option<ReaderLinkFile>,
    #[serde(default)]
    bus: Vec<BusFile>,
}

fn outbox_limit() -> Spanned<u64> {
    Spanned::new(0..0, 300_000)
}

/// A day: over a night without its controller a door goes on, over a weekend it does not.
fn whitelist_life_s() -> Spanned<u32> {
    Spanned::new(0..0, 86_400)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    ca: Spanned<PathBuf>,
    certificate: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerFile {
    host: Spanned<String>,
    port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    key_file: Spanned<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderLinkFile {
    listen: Spanned<SocketAddr>,
    #[serde(default)]
    camera: Vec<CameraFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraFile {
    vision: Spanned<String>,
    name: Spanned<String>,
    door: u64,
    side: SideFile,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum SideFile {
    Entry,
    Exit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BusFile {
    name: Spanned<String>,
    port: Spanned<PathBuf>,
    #[serde(default = "baud")]
    baud: Spanned<u32>,
    #[serde(default)]
    device: Vec<DeviceFile>,
}

fn baud() -> Spanned<u32> {
    Spanned::new(0..0, 115_200)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    address: Spanned<u8>,
    name: Spanned<String>,
    kind: Spanned<KindFile>,
    key_file: Spanned<PathBuf>,
    door: Option<Spanned<u64>>,
    reader: Option<Vec<ReaderFile>>,
    terminals: Option<Spanned<TerminalsFile>>,
    #[serde(default)]
    offline: OfflineFile,
    offline_after_s: Option<Spanned<u16>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum KindFile {
    Door,
    GateLane,
    PlainDoor,
    Reader,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case")]
enum OfflineFile {
    #[default]
    Refuse,
    Whitelist,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalsFile {
    lock: u8,
    contact: Option<u8>,
    rex: Option<u8>,
    fire: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderFile {
    number: Spanned<u8>,
    door: Option<u64>,
    side: SideFile,
}

impl From<SideFile> for Side {
    fn from(side: SideFile) -> Side {
        match side {
            SideFile::Entry => Side::Entry,
            SideFile::Exit => Side::Exit,
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Reads a key of `N` bytes, written as hexadecimal digits, from a file that only its owner may read.
fn key_file<const N: usize>(folder: &Path, name: &Spanned<PathBuf>) -> Result<[u8; N], Fault> {
    let path = private_file(folder, name)?;
    let text =
        fs::read_to_string(&path).map_err(|error| Fault::at(name, format!("{}: {error}", path.display())))?;
    hex(text.trim())
        .ok_or_else(|| Fault::at(name, format!("{}: must be {} hexadecimal digits", path.display(), 2 * N)))
}

fn private_file(folder: &Path, name: &Spanned<PathBuf>) -> Result<PathBuf, Fault> {
    let path = plain_file(folder, name)?;
    let mode = fs::metadata(&path).map_err(|error| Fault::at(name, error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Fault::at(
            name,
            format!("{}: others may read this key; its mode must be 600", path.display()),
        ));
    }
    Ok(path)
}

fn plain_file(folder: &Path, name: &Spanned<PathBuf>) -> Result<PathBuf, Fault> {
    let path = folder.join(name.get_ref());
    match fs::metadata(&path) {
        Ok(meta) if meta.is_file() => Ok(path),
        Ok(_) => Err(Fault::at(name, format!("{}: is not a file", path.display()))),
        Err(error) => Err(Fault::at(name, format!("{}: {error}", path.display()))),
    }
}

/// Exactly `2 * N` hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Refuses what is there twice.
fn once<T: Ord + Clone>(seen: &mut BTreeSet<T>, value: &Spanned<T>, sentence: &str) -> Result<(), Fault> {
    if seen.insert(value.get_ref().clone()) { Ok(()) } else { Err(Fault::at(value, sentence)) }
}

#[cfg(test)]
mod tests;

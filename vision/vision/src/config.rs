//! The configuration file. Every key is checked at start; a fault names the file, the line and the key.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sighting::{Lane, Limits, Policy};
use thiserror::Error;
use toml::Spanned;

/// Cameras in one process at most: each has a thread of its own.
pub const MOST_CAMERAS: usize = 16;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This process's name: the common name of its certificate, `vision-<id>`.
    pub name: Spanned<String>,
    /// The folder with the model files.
    pub models: PathBuf,
    /// Its certificate.
    pub tls: Tls,
    /// The cameras; may be empty in a process that only serves enrolment.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<Camera>,
    /// Where the gallery comes from; without it the copy on disk is all there is.
    pub broker: Option<Broker>,
    /// Where the gallery rests.
    pub gallery: Store,
    /// The embedding service for the server, if this process offers it.
    pub service: Option<Service>,
    /// Finding and comparing faces.
    #[serde(default)]
    pub recognition: Recognition,
    /// What a look before the camera must reach.
    #[serde(default)]
    pub quality: Limits,
    /// What a photograph for enrolment must reach.
    #[serde(default = "strict")]
    pub enrolment: Limits,
    /// When to look and when to speak.
    #[serde(default)]
    pub watch: Policy,
}

/// The files of mutual TLS, all PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The site's certificate authority.
    pub authority: PathBuf,
    /// This process's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A camera: exactly one of `rtsp`, `usb` and `file`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Its name, as the controller knows it.
    pub name: Spanned<String>,
    /// Its network address.
    pub rtsp: Option<RtspAddress>,
    /// What decodes its H.264.
    #[serde(default)]
    pub decoder: Decoder,
    /// The user it wants.
    pub user: Option<String>,
    /// The file with the user's password, readable by nobody else.
    pub password_file: Option<PathBuf>,
    /// Its number among the system's video devices.
    pub usb: Option<u32>,
    /// A film, a picture, or a folder of pictures, shown over and over.
    pub file: Option<PathBuf>,
    /// The part of its picture before this lane; who stands outside is another lane's.
    #[serde(default)]
    pub lane: Lane,
    /// Whom its sightings go to.
    pub controller: Controller,
}

/// A controller's reader link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Its name, as in its certificate: `controller-<id>`.
    pub name: String,
    /// Host and port.
    pub address: String,
}

/// The broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Host name or address, as its certificate has it.
    pub host: String,
    /// Port of MQTT over TLS.
    #[serde(default = "mqtts")]
    pub port: u16,
}

/// Where the gallery rests, encrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The file.
    pub file: PathBuf,
    /// The file with its key: 64 hexadecimal digits, readable by nobody else; made at the first start.
    pub key: PathBuf,
}

/// The embedding service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Where it listens; port 0: the system chooses.
    pub listen: SocketAddr,
    /// Photographs worked on at once, 1 to 8.
    #[serde(default = "one")]
    pub at_once: usize,
}

/// Finding and comparing faces.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recognition {
    /// Longer side, in pixels, of the picture in which faces are sought.
    pub detect_size: u32,
    /// The same for photographs.
    pub photograph_size: u32,
    /// Cosine similarity from which somebody is reported as known. The controller and the policy may ask for more.
    pub known_from: f32,
    /// Sets of networks at most, whatever the number of cameras.
    pub workers: usize,
    /// In a photograph, faces under this part of the largest one's width are bystanders.
    pub bystander: f32,
}

/// What decodes H.264.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Cisco's OpenH264, in GStreamer's plugins-bad: baseline, main and high profile without interlacing.
    #[default]
    Openh264,
    /// FFmpeg's decoder through `gstreamer1.0-libav`: every profile, also H.265.
    Libav,
}

/// An `rtsp://` address that holds nothing but what an address may hold: it becomes part of a pipeline's description.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspAddress(String);

/// What is wrong with the file.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key is unknown, missing or wrong.
    #[error("{path}:{line}: {fault}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Which key, and what it should be.
        fault: String,
    },
}

impl Default for Recognition {
    fn default() -> Self {
        Self { detect_size: 320, photograph_size: 640, known_from: 0.45, workers: 2, bystander: 0.4 }
    }
}

fn strict() -> Limits {
    Limits {
        least_certainty: 0.8,
        least_width: 80.0,
        least_sharpness: 30.0,
        most_turn: 0.3,
        most_nod: 0.4,
        most_tilt: 25.0,
        ..Limits::default()
    }
}

fn mqtts() -> u16 {
    8883
}

fn one() -> usize {
    1
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence with file, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|(at, fault)| ConfigError::Wrong {
            path: path.to_owned(),
            line: text[..at.min(text.len())].matches('\n').count() + 1,
            fault,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let config: Self = toml::from_str(text).map_err(|error| {
            // The message alone: the excerpt that comes with it could hold a secret.
            (error.span().map_or(0, |span| span.start), error.message().replace('\n', " "))
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), (usize, String)> {
        let id = self.name.get_ref().strip_prefix("vision-").and_then(|id| id.parse::<u64>().ok());
        let name = self.name.span().start;
        if id.is_none() {
            return Err((name, "name: must be `vision-` and a number".to_owned()));
        }
        if self.cameras.len() > MOST_CAMERAS {
            return Err((name, format!("camera: at most {MOST_CAMERAS} in one process")));
        }
        for (at, camera) in self.cameras.iter().enumerate() {
            let fault = |what: &str| (camera.name.span().start, format!("camera[{at}].{what}"));
            let sources = [camera.rtsp.is_some(), camera.usb.is_some(), camera.file.is_some()];
            if sources.into_iter().filter(|given| *given).count() != 1 {
                return Err(fault("rtsp, usb, file: exactly one of them must be given"));
            }
            if self.cameras[..at].iter().any(|other| other.name.get_ref() == camera.name.get_ref()) {
                return Err(fault("name: another camera has this name"));
            }
            if camera.user.is_some() != camera.password_file.is_some() {
                return Err(fault("user, password_file: both or neither"));
            }
            if camera.user.as_deref().is_some_and(|user| !plain(user)) {
                return Err(fault("user: no quotes, backslashes or control characters"));
            }
            let Lane { left, right } = camera.lane;
            if !(0.0 <= left && left < right && right <= 1.0) {
                return Err(fault("lane: 0 <= left < right <= 1"));
            }
            if camera.controller.address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err())
            {
                return Err(fault("controller.address: must be host:port"));
            }
        }
        let it = &self.recognition;
        let in_range = [
            ("recognition.detect_size: 64 to 4096", (64..=4096).contains(&it.detect_size)),
            ("recognition.photograph_size: 64 to 4096", (64..=4096).contains(&it.photograph_size)),
            ("recognition.known_from: 0 to 1", (0.0..=1.0).contains(&it.known_from)),
            ("recognition.workers: 1 to 16", (1..=16).contains(&it.workers)),
            ("recognition.bystander: 0 to 1", (0.0..=1.0).contains(&it.bystander)),
            ("watch.most_tracks: 1 to 32", (1..=32).contains(&self.watch.most_tracks)),
            ("watch.behind: 0 to 1", (0.0..=1.0).contains(&self.watch.behind)),
            ("watch.settled_ms: below gone_after_ms", self.watch.settled_ms < self.watch.gone_after_ms),
            ("watch.live_from: 0 to 1", (0.0..=1.0).contains(&self.watch.live_from)),
            ("watch.live_frames: 1 to 8", (1..=8).contains(&self.watch.live_frames)),
            ("watch.spoof_frames: 1 to 8", (1..=8).contains(&self.watch.spoof_frames)),
            (
                "service.at_once: 1 to 8",
                self.service.as_ref().is_none_or(|service| (1..=8).contains(&service.at_once)),
            ),
        ];
        match in_range.into_iter().find(|(_, right)| !right) {
            Some((fault, _)) => Err((name, fault.to_owned())),
            None => Ok(()),
        }
    }
}

/// Nothing that could end a quoted word in a pipeline's description.
pub(crate) fn plain(text: &str) -> bool {
    !text.contains(['"', '\\', '\'']) && !text.chars().any(char::is_control)
}

impl RtspAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RtspAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rest = text
            .strip_prefix("rtsp://")
            .or_else(|| text.strip_prefix("rtsps://"))
            .ok_or("an address beginning with rtsp:// or rtsps:// is expected")?;
        if rest.contains('@') {
            return Err("user and password do not belong into the address: use `user` and `password_file`");
        }
        if rest.starts_with(['/', ':']) || rest.is_empty() {
            return Err("the address names no host");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]$&()*+,;=%".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err("the address holds a character that no address has");
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for RtspAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::{Table, Value};

    use super::*;

    #[test]
    fn the_example_is_right_and_shows_what_holds_anyway() {
        let text = include_str!("../../../deploy/configuration/vision.toml");
        let example = Config::parse(text).expect("a good example");
        let bare: String = text.split("[recognition]").next().expect("what comes before").to_owned();
        let bare = Config::parse(&bare).expect("the rest may be left out");
        assert_eq!(format!("{:?}", example.recognition), format!("{:?}", bare.recognition));
        assert_eq!(
            (example.quality, example.enrolment, example.watch),
            (bare.quality, bare.enrolment, bare.watch)
        );
    }

    /// A key that the process knows is named when it is shown one that it does not know.
    fn keys(page: &Table, at: &[String]) -> BTreeSet<String> {
        let mut page = page.clone();
        let mut table = &mut page;
        for key in at {
            let below = table.get_mut(key).expect("it was walked to");
            let below = if below.is_array() { &mut below[0] } else { below };
            table = below.as_table_mut().expect("it was walked to");
        }
        table.insert("_".to_owned(), Value::Integer(1));
        let page = toml::to_string(&page).expect("it was a page before");
        let (_, said) = Config::parse(&page).expect_err("the key is unknown");
        let (_, expected) =
            said.split_once("unknown field `_`, expected ").unwrap_or_else(|| panic!("{said}"));
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn walk(table: &Table, at: &[String], each: &mut impl FnMut(&[String], &Table)) {
        each(at, table);
        for (key, value) in table {
            let below = [at, std::slice::from_ref(key)].concat();
            let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
            if let Some(table) = first.as_table() {
                walk(table, &below, each);
            }
        }
    }

    #[test]
    fn every_key_stands_in_the_example_and_no_other() {
        let text = include_str!("../../../deploy/configuration/vision.toml");
        let told_of = |line: &str| {
            line.strip_prefix("# ")
                .and_then(|line| line.split_once(" = "))
                .is_some_and(|(key, _)| !key.contains(' '))
        };
        let lines = text.lines().map(|line| if told_of(line) { &line[2..] } else { line });
        let page: Table = lines.collect::<Vec<_>>().join("\n").parse().expect("a good example");
        walk(&page, &[], &mut |at, table| {
            assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), keys(&page, at), "[{}]", at.join("."));
        });
    }

    #[test]
    fn addresses_hold_nothing_but_addresses() {
        let parse = |text: &str| RtspAddress::try_from(text.to_owned());
        for good in [
            "rtsp://10.0.0.7/cam",
            "rtsps://cam.site:322/Streaming/Channels/102?x=1&y=2",
            "rtsp://[::1]:554/a",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://h/",
            "rtsp://",
            "rtsp:///x",
            "rtsp://u:p@h/",
            "rtsp://h/\" ! filesink",
            "rtsp://h/a b",
            "rtsp://h/\\x",
            "rtsp://h/\n",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
